"""The code frame of a workspace, version by version."""

from sqlalchemy import Column, Integer, String, Table

from serving.store.columns import ID, NAME, Json, Moment, workspace
from serving.store.tables import metadata

frames = Table(
    "frames",
    metadata,
    workspace(),
    Column("version", Integer, primary_key=True),  # the highest is in force
    Column("key", String(ID), nullable=False),  # tells what a process remembers from what was kept in the end
    Column("at", Moment, nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("action", String(32), nullable=False),  # put, merge, split, move, retire, promote
    Column("subject", String(NAME)),  # the theme that was changed
    Column("content", Json, nullable=False),  # themes, moves, merges, retired: the workspace's own part
    Column("examples", Json, nullable=False),  # by theme; may quote people
)
