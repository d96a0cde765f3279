"""The closed loop: cases and what happened in them, rules, events and their deliveries, jobs, the audit."""

from sqlalchemy import Boolean, Column, Float, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from serving.store.columns import ID, NAME, Json, Moment, serial, workspace
from serving.store.tables import metadata


def _of(table: str, column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["workspace", column], [f"{table}.workspace", f"{table}.id"], ondelete="CASCADE", name=f"fk_{column}_{table}"
    )


cases = Table(
    "cases",
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),
    Column("response", String(ID), nullable=False),  # the one that opened it; `case_responses` has all
    Column("respondent", String(NAME)),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # the rule that placed it, in words
    Column("contact", Boolean, nullable=False),  # False: never a contact task
    Column("team", String(NAME)),
    Column("assignee", String(NAME)),
    Column("assigned_by", Text),  # rule, model of assignment or person
    Column("theme", String(NAME)),  # the theme it is about
    Column("tags", Json, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment),  # first contact due; None: no clock (no contact)
    Column("warn_at", Moment),  # when case.due_soon is told
    Column("next_attempt_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("misses", Integer, nullable=False),  # attempts in a row that reached nobody
    Column("first_contact_at", Moment),  # the first attempt that reached the person
    Column("paused_at", Moment),
    Column("warned_at", Moment),
    Column("breached_at", Moment),
    Column("escalation", Integer, nullable=False),  # how far up the chain
    Column("escalate_at", Moment),
    Column("resolved_at", Moment),
    Column("closed_at", Moment),
    Column("outcome", Json),  # root_cause, compensation, promise, satisfied, note
    Column("updated_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),  # ETag
    Unique("workspace", "response"),
    Index("ix_cases_state", "workspace", "state", "priority", "due_at"),
    Index("ix_cases_respondent", "workspace", "respondent"),
    Index("ix_cases_due", "state", "due_at"),
)

case_responses = Table(
    "case_responses",
    metadata,
    workspace(),
    Column("case", String(ID), primary_key=True),
    Column("response", String(ID), primary_key=True),
    Column("joined_at", Moment, nullable=False),
    Column("priority", Integer),  # what this response asks for; the case has the most urgent of its responses
    Column("reason", Text),
    _of("cases", "case"),
    Index("ix_case_responses_response", "workspace", "response"),
)

case_events = Table(
    "case_events",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("case", String(ID), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("detail", Json, nullable=False),
    _of("cases", "case"),
    Index("ix_case_events_case", "workspace", "case", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("case", String(ID), nullable=False),
    Column("at", Moment, nullable=False),
    Column("channel", String(32), nullable=False),
    Column("result", String(32), nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("notes", Text),
    _of("cases", "case"),
    Index("ix_attempts_case", "workspace", "case", "id"),
)

rule_sets = Table(
    "rule_sets",
    metadata,
    workspace(),
    Column("version", Integer, primary_key=True),  # the highest is in force
    Column("at", Moment, nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("source", Text, nullable=False),  # YAML as written
)

events = Table(
    "events",  # the outbox
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),  # stable: the same at every delivery
    Column("type", String(64), nullable=False),
    Column("subject", String(NAME)),  # case:..., theme:..., model:...
    Column("at", Moment, nullable=False),
    Column("data", Json, nullable=False),
    Column("dedupe", String(NAME)),
    Column("spread_at", Moment),  # when its deliveries were made
    Unique("workspace", "dedupe"),
    Index("ix_events_spread", "spread_at", "at"),
    Index("ix_events_at", "workspace", "at", "id"),
)

webhooks = Table(
    "webhooks",
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("types", Json, nullable=False),  # [] for all
    Column("mode", String(16), nullable=False),  # standard or cloudevents
    Column("secrets", Json, nullable=False),  # [{secret, made_at, until}]: two at most sign
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    Column("disabled_for", Text),
)

channels = Table(
    "channels",  # people's: e-mail, chat
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),
    Column("name", String(NAME), nullable=False),
    Column("url", Text, nullable=False),  # an apprise address; holds secrets
    Column("role", String(32), nullable=False),  # frontline, manager, team
    Column("scope", Json, nullable=False),  # teams, units, employees, themes it is for
    Column("types", Json, nullable=False),
    Column("language", String(16), nullable=False),  # of the messages
    Column("zone", String(64), nullable=False),  # of the times in `digest`, `quiet` and the messages
    Column("digest", Json),  # None: at once; else {at: ["08:00"], days: ["mon", ...]}
    Column("quiet", Json),  # {from: "20:00", to: "08:00"}
    Column("dedupe_minutes", Integer, nullable=False),
    Column("last_digest_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    Column("disabled_for", Text),
)

deliveries = Table(
    "deliveries",
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),
    Column("event", String(ID), nullable=False),
    Column("target", String(ID), nullable=False),  # webhooks.id or channels.id
    Column("kind", String(16), nullable=False),  # webhook or channel
    Column("state", String(16), nullable=False),  # pending, delivered, dead, merged
    Column("tries", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("leased_until", Moment),
    Column("leased_by", String(ID)),
    Column("created_at", Moment, nullable=False),
    Column("done_at", Moment),
    Column("replay", Integer, nullable=False),  # 0: the first time
    Column("count", Integer, nullable=False),  # events it tells of: its own and those merged into it
    Column("merged_into", String(ID)),  # deliveries.id that tells of this one's event
    Column("reason", Text),  # why it is dead
    _of("events", "event"),
    Unique("workspace", "event", "target", "replay"),
    Index("ix_deliveries_due", "state", "next_at"),
    Index("ix_deliveries_target", "workspace", "target", "created_at"),
)

delivery_tries = Table(
    "delivery_tries",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("delivery", String(ID), nullable=False),
    Column("at", Moment, nullable=False),
    Column("status", Integer),  # None: no answer
    Column("error", Text),
    Column("ms", Float, nullable=False),
    _of("deliveries", "delivery"),
    Index("ix_delivery_tries_delivery", "workspace", "delivery", "id"),
)

connectors = Table(
    "connectors",  # inbound
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),  # in the address: /v1/inbound/{id}
    Column("kind", String(32), nullable=False),
    Column("name", String(NAME)),
    Column("secret", Text, nullable=False),
    Column("settings", Json, nullable=False),  # mapping, question ids, source
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    Column("refused_at", Moment),  # when a payload was last refused,
    Column("refusal", Text),  # and why; never its words
    Index("ix_connectors_id", "id"),  # a request to /v1/inbound/{id} names no workspace
)

jobs = Table(
    "jobs",
    metadata,
    workspace(),
    Column("id", String(ID), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # queued, running, paused, done, failed, cancelled
    Column("by", String(NAME), nullable=False),
    Column("params", Json, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("result", Json),
    Column("error", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("leased_until", Moment),
    Column("leased_by", String(ID)),
    Index("ix_jobs_state", "state", "created_at"),
)

job_files = Table(
    "job_files",
    metadata,
    workspace(),
    Column("job", String(ID), primary_key=True),
    Column("name", String(NAME), primary_key=True),  # input, refused
    Column("data", LargeBinary, nullable=False),
    _of("jobs", "job"),
)

refusals = Table(
    "refusals",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("job", String(ID), nullable=False),
    Column("row", Integer, nullable=False),
    Column("code", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    _of("jobs", "job"),
    Unique("workspace", "job", "row"),
)

audit = Table(
    "audit",
    metadata,
    serial(),
    Column("workspace", String(ID), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("action", String(64), nullable=False),  # response.read, case.resolve, key.create, ...
    Column("subject", String(NAME)),
    Column("detail", Json, nullable=False),
    Index("ix_audit_at", "workspace", "at", "id"),
)
