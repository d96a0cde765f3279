"""Who may ask, which requests were answered, who was erased: what the service keeps about its own callers."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from serving.store.columns import ID, NAME, Json, Moment, workspace
from serving.store.tables import metadata

keys = Table(
    "keys",
    metadata,
    Column("id", String(ID), primary_key=True),  # the public half of a key
    Column("workspace", String(ID), nullable=False),
    Column("name", String(NAME), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the secret half, which is random: nothing to guess
    Column("old_digest", String(64)),  # of the secret before the last rotation,
    Column("old_until", Moment),  # which is good until then
    Column("scopes", Json, nullable=False),
    Column("by", String(NAME), nullable=False),  # who made it
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("used_at", Moment),  # to the minute
    Index("ix_keys_workspace", "workspace"),
)

idempotency = Table(
    "idempotency",
    metadata,
    workspace(),
    Column("key", String(NAME), primary_key=True),
    Column("route", String(NAME), primary_key=True),
    Column("digest", String(64), nullable=False),  # of the request: the same key with another body is refused
    Column("status", Integer),  # None: still at work
    Column("answer", Json),
    Column("at", Moment, nullable=False),
    Index("ix_idempotency_at", "at"),
)

tombstones = Table(
    "tombstones",
    metadata,
    workspace(),
    Column("digest", String(64), primary_key=True),  # keyed hash of the person's id: proof without the person
    Column("at", Moment, nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("blocked", Boolean, nullable=False),  # True: what arrives from this person later is refused
    Column("counts", Json, nullable=False),
)
