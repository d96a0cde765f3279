"""The code frame of a workspace, version by version; themes made of issues move there from the settings."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
OLD = "themes"
"""Where the settings of a workspace had them."""


def upgrade() -> None:
    op.create_table(
        "frames",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("content", JSON, nullable=False),
        sa.Column("examples", JSON, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "version", name=op.f("pk_frames")),
    )
    _move_themes()


def _move_themes() -> None:
    connection = op.get_bind()
    workspaces = sa.table("workspaces", sa.column("id"), sa.column("settings", JSON))
    frames = sa.table(
        "frames",
        *(sa.column(name) for name in ("workspace", "version", "key", "by", "action")),
        sa.column("at", MOMENT),
        *(sa.column(name, JSON) for name in ("content", "examples")),
    )
    now = datetime.now(UTC)
    at = now.replace(tzinfo=None) if connection.dialect.name == "sqlite" else now
    for id, settings in connection.execute(sa.select(workspaces.c.id, workspaces.c.settings)).all():
        if not isinstance(settings, dict) or not settings.get(OLD):
            continue
        content = {"themes": [_theme(each) for each in settings[OLD]], "moves": {}, "merges": {}, "retired": []}
        row = {"workspace": id, "version": 1, "key": uuid4().hex, "by": "migration", "action": "put", "at": at}
        connection.execute(frames.insert().values(**row, content=content, examples={}))
        left = {name: value for name, value in settings.items() if name != OLD}
        connection.execute(workspaces.update().where(workspaces.c.id == id).values(settings=left))


def _theme(each: dict[str, Any]) -> dict[str, Any]:
    return {"id": each["id"], "label": each["label"], "description": each["description"], "parent": each.get("parent")}
