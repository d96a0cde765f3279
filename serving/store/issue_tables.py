"""Recurring issues: clusters that keep their names, their members, where they came from, what was told of them."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from serving.store.columns import ID, NAME, Json, Moment, serial, workspace
from serving.store.tables import metadata, of_response


def _of_cluster() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["workspace", "cluster"], ["clusters.workspace", "clusters.id"], ondelete="CASCADE")


clusters = Table(
    "clusters",
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),  # kept through every run
    Column("parent", String(NAME)),  # the issue it is a part of; None: it is an issue itself
    Column("state", String(16), nullable=False),  # active, dismissed, merged, ended
    Column("merged_into", String(ID)),
    Column("label", Text, nullable=False),  # made of its words
    Column("name", Text),  # given by people; stands before the label
    Column("title", Text),  # written by an endpoint outside; stands before the label, behind the name
    Column("title_of", Json),  # what that was made of: {language, quotes: [response]}
    Column("title_due", Moment),  # not asked for before: somebody is at it, or it failed
    Column("title_tries", Integer),  # that failed in a row
    Column("keywords", Json, nullable=False),
    Column("quotes", Json, nullable=False),  # [{response, text}], redacted
    Column("facts", Json, nullable=False),  # languages, sentiment, themes, touchpoints, units, mean_score, score_gap
    Column("size", Integer, nullable=False),
    Column("first_seen", Moment),
    Column("last_seen", Moment),
    Column("trend", Float),  # answers of the last 28 days over those of the 28 before, of all answers; None: too few
    Column("impact", Float),  # answers times how far their scores lie below the rest
    Column("encoder", String(NAME), nullable=False),
    Column("centroid", LargeBinary, nullable=False),  # float32, unit length, as the clustering spread it
    Column("owner", String(NAME)),
    Column("theme", String(NAME)),  # the theme it is linked to, or became
    Column("muted_until", Moment),
    Column("made_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),  # ETag
    Index("ix_clusters_state", "workspace", "state", "size"),
)

cluster_members = Table(
    "cluster_members",
    metadata,
    workspace(),
    Column("response", String(ID), primary_key=True),
    Column("cluster", String(ID), primary_key=True),
    Column("strength", Float, nullable=False),
    Column("by", String(16), nullable=False),  # run, birth, online or person
    Column("since", Moment, nullable=False),
    of_response(),
    _of_cluster(),
    Index("ix_cluster_members_cluster", "workspace", "cluster"),
)

cluster_lineage = Table(
    "cluster_lineage",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(16), nullable=False),  # birth, death, split, merge, undo
    Column("from", String(ID)),
    Column("to", String(ID)),
    Column("shared", Integer),  # members in common
    Column("by", String(NAME), nullable=False),  # run or a person
    Index("ix_cluster_lineage_at", "workspace", "at"),
)

cluster_models = Table(
    "cluster_models",  # how the last run spread its vectors, so that new responses are placed alike
    metadata,
    workspace(),
    Column("encoder", String(NAME), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("arrays", LargeBinary, nullable=False),  # safetensors
)

discoveries = Table(
    "discoveries",  # when issues were last looked for, and who is at it now
    metadata,
    workspace(),
    Column("full_at", Moment),  # None: due
    Column("births_at", Moment),
    Column("rows", Integer),  # answers that the last full run read
    Column("leased_until", Moment),
    Column("leased_by", String(ID)),
    Column("reading_until", Moment),  # who makes the vectors by which they are found
    Column("reading_by", String(ID)),
)

improvements = Table(
    "improvements",
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),
    Column("cluster", String(ID), nullable=False),
    Column("action", Text, nullable=False),
    Column("owner", String(NAME)),
    Column("on", Date, nullable=False),  # from when it works
    Column("by", String(NAME), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("done", Boolean, nullable=False),
    _of_cluster(),
    Index("ix_improvements_cluster", "workspace", "cluster"),
)

alarms = Table(
    "alarms",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(16), nullable=False),  # cluster, theme, touchpoint
    Column("subject", String(NAME), nullable=False),
    Column("direction", String(16), nullable=False),  # rising, falling, returning
    Column("observed", Integer, nullable=False),
    Column("expected", Float, nullable=False),
    Column("days", Integer, nullable=False),
    Column("p", Float, nullable=False),
    Column("q", Float, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("event", String(ID)),
    Index("ix_alarms_subject", "workspace", "kind", "subject", "at"),
)
