"""Who makes the vectors by which issues are found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("discoveries", sa.Column("reading_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("discoveries", sa.Column("reading_by", sa.String(length=64), nullable=True))
