"""Recurring issues: clusters, their members and lineage, improvements, alarms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=False),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("observed", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("p", sa.Float(), nullable=False),
        sa.Column("q", sa.Float(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_subject", "alarms", ["workspace", "kind", "subject", "at"], unique=False)
    op.create_table(
        "cluster_lineage",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("from", sa.String(length=64), nullable=True),
        sa.Column("to", sa.String(length=64), nullable=True),
        sa.Column("shared", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_lineage")),
    )
    op.create_index("ix_cluster_lineage_at", "cluster_lineage", ["workspace", "at"], unique=False)
    op.create_table(
        "cluster_models",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("encoder", sa.String(length=512), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("arrays", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "encoder", name=op.f("pk_cluster_models")),
    )
    op.create_table(
        "clusters",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("parent", sa.String(length=512), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("merged_into", sa.String(length=64), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("keywords", JSON, nullable=False),
        sa.Column("quotes", JSON, nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=True),
        sa.Column("last_seen", MOMENT, nullable=True),
        sa.Column("trend", sa.Float(), nullable=True),
        sa.Column("impact", sa.Float(), nullable=True),
        sa.Column("encoder", sa.String(length=512), nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=True),
        sa.Column("theme", sa.String(length=512), nullable=True),
        sa.Column("muted_until", MOMENT, nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_clusters")),
    )
    op.create_index("ix_clusters_state", "clusters", ["workspace", "state", "size"], unique=False)
    op.create_table(
        "discoveries",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("full_at", MOMENT, nullable=True),
        sa.Column("births_at", MOMENT, nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("workspace", name=op.f("pk_discoveries")),
    )
    op.create_table(
        "cluster_members",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("by", sa.String(length=16), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "cluster"],
            ["clusters.workspace", "clusters.id"],
            name=op.f("fk_cluster_members_workspace_cluster"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace", "response"],
            ["responses.workspace", "responses.uid"],
            name=op.f("fk_cluster_members_workspace_response"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace", "response", "cluster", name=op.f("pk_cluster_members")),
    )
    op.create_index("ix_cluster_members_cluster", "cluster_members", ["workspace", "cluster"], unique=False)
    op.create_table(
        "improvements",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=True),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "cluster"],
            ["clusters.workspace", "clusters.id"],
            name=op.f("fk_improvements_workspace_cluster"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_improvements")),
    )
    op.create_index("ix_improvements_cluster", "improvements", ["workspace", "cluster"], unique=False)
