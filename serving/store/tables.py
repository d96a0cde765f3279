"""Responses and what was found in them: senders' answers, analyses, corrections, effective tags, vectors, people.

Every row has a workspace. `analyses` and `corrections` only grow; `responses.effective` and `tags` are what they come
to: the newest analysis overlaid with what people corrected.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from serving.store.columns import ID, NAME, Json, Moment, serial, workspace

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def of_response() -> ForeignKeyConstraint:
    """Rows that go when their response goes."""
    return ForeignKeyConstraint(["workspace", "response"], ["responses.workspace", "responses.uid"], ondelete="CASCADE")


workspaces = Table(
    "workspaces",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("name", String(NAME), nullable=False),
    Column("settings", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
)

respondents = Table(
    "respondents",
    metadata,
    workspace(),
    Column("id", String(NAME), primary_key=True),
    Column("contact_consent", Boolean),
    Column("segment", String(NAME)),
    Column("value", Float),
    # what is needed to reach the person: kept here alone, never beside the words
    Column("attributes", Json, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

responses = Table(
    "responses",
    metadata,
    workspace(),
    Column("uid", String(ID), primary_key=True),  # ours, sorted by time of arrival
    Column("source", String(NAME), nullable=False),  # "" where the sender named none
    Column("id", String(NAME), nullable=False),  # the sender's
    Column("digest", String(64), nullable=False),  # SHA-256 of what was sent: tells a redelivery from an update
    Column("revision", Integer, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("answered_at", Moment, nullable=False),
    Column("text", Text, nullable=False),  # redacted
    Column("question", Text),
    Column("metric", String(16)),
    Column("score", Float),
    Column("scale_min", Float),
    Column("scale_max", Float),
    Column("survey", String(NAME)),
    Column("touchpoint", String(NAME)),
    Column("channel", String(NAME)),
    Column("unit", String(NAME)),
    Column("employee", String(NAME)),
    Column("respondent", String(NAME)),  # respondents.id; as they were at the time of the answer:
    Column("contact_consent", Boolean),
    Column("segment", String(NAME)),
    Column("value", Float),
    Column("attributes", Json, nullable=False),
    # the effective reading, kept here for lists, rules and reports
    Column("language", String(16)),
    Column("status", String(32), nullable=False),
    Column("sentiment", String(16)),
    Column("sentiment_score", Float),
    Column("justified", Boolean),
    Column("signals", Json, nullable=False),
    Column("group", String(16)),
    Column("band", String(16)),
    Column("priority", Integer),
    Column("priority_reason", Text),
    Column("needs_review", Boolean, nullable=False),
    Column("corrected", Boolean, nullable=False),
    Column("labels", Json, nullable=False),  # what actions of rules tagged it with
    Column("effective", Json, nullable=False),  # the contract's classification, corrections laid over it
    UniqueConstraint("workspace", "source", "id"),
    Index("ix_responses_answered", "workspace", "answered_at", "uid"),
    Index("ix_responses_respondent", "workspace", "respondent", "answered_at"),
)

analyses = Table(
    "analyses",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("response", String(ID), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("taxonomy", String(NAME), nullable=False),
    Column("policy", String(NAME), nullable=False),
    Column("result", Json, nullable=False),  # the contract's classification
    of_response(),
    Index("ix_analyses_response", "workspace", "response"),
)

corrections = Table(
    "corrections",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("response", String(ID), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("fields", Json, nullable=False),  # those corrected, as labelled rows have them
    Column("note", Text),
    of_response(),
    Index("ix_corrections_response", "workspace", "response"),
)

tags = Table(
    "tags",
    metadata,
    workspace(),
    Column("response", String(ID), primary_key=True),
    Column("theme", String(NAME), primary_key=True),
    Column("sentiment", String(16), nullable=False),
    Column("confidence", Float),
    Column("by", String(16), nullable=False),  # model or person
    of_response(),
    Index("ix_tags_theme", "workspace", "theme"),
)

vectors = Table(
    "vectors",
    metadata,
    workspace(),
    Column("response", String(ID), primary_key=True),
    Column("encoder", String(NAME), primary_key=True),  # vectors of two encoders never mix
    Column("part", Integer, primary_key=True),  # 0: the whole text; 1, 2, ...: its spans
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),  # float16, little endian
    of_response(),
)

outcomes = Table(
    "outcomes",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("respondent", String(NAME), nullable=False),
    Column("kind", String(64), nullable=False),  # score, retained, spent, ...
    Column("at", Moment, nullable=False),
    Column("value", Float, nullable=False),
    UniqueConstraint("workspace", "respondent", "kind", "at"),
)
