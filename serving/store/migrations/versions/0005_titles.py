"""Titles of issues that an endpoint outside writes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("clusters", sa.Column("title", sa.Text(), nullable=True))
    op.add_column("clusters", sa.Column("title_of", JSON, nullable=True))
    op.add_column("clusters", sa.Column("title_due", sa.DateTime(timezone=True), nullable=True))
    op.add_column("clusters", sa.Column("title_tries", sa.Integer(), nullable=True))
