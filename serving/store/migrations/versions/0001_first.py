"""The first version: every table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("detail", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["workspace", "at", "id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("respondent", sa.String(length=512), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("contact", sa.Boolean(), nullable=False),
        sa.Column("team", sa.String(length=512), nullable=True),
        sa.Column("assignee", sa.String(length=512), nullable=True),
        sa.Column("assigned_by", sa.Text(), nullable=True),
        sa.Column("theme", sa.String(length=512), nullable=True),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("warn_at", MOMENT, nullable=True),
        sa.Column("next_attempt_at", MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("first_contact_at", MOMENT, nullable=True),
        sa.Column("paused_at", MOMENT, nullable=True),
        sa.Column("warned_at", MOMENT, nullable=True),
        sa.Column("breached_at", MOMENT, nullable=True),
        sa.Column("escalation", sa.Integer(), nullable=False),
        sa.Column("escalate_at", MOMENT, nullable=True),
        sa.Column("resolved_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("outcome", JSON, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_cases")),
        sa.UniqueConstraint("workspace", "response", name=op.f("uq_cases_workspace_response")),
    )
    op.create_index("ix_cases_due", "cases", ["state", "due_at"], unique=False)
    op.create_index("ix_cases_respondent", "cases", ["workspace", "respondent"], unique=False)
    op.create_index("ix_cases_state", "cases", ["workspace", "state", "priority", "due_at"], unique=False)
    op.create_table(
        "channels",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("scope", JSON, nullable=False),
        sa.Column("types", JSON, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("digest", JSON, nullable=True),
        sa.Column("quiet", JSON, nullable=True),
        sa.Column("dedupe_minutes", sa.Integer(), nullable=False),
        sa.Column("last_digest_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("disabled_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_channels")),
    )
    op.create_table(
        "connectors",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("refused_at", MOMENT, nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_connectors")),
    )
    op.create_index("ix_connectors_id", "connectors", ["id"], unique=False)
    op.create_table(
        "events",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("dedupe", sa.String(length=512), nullable=True),
        sa.Column("spread_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_events")),
        sa.UniqueConstraint("workspace", "dedupe", name=op.f("uq_events_workspace_dedupe")),
    )
    op.create_index("ix_events_at", "events", ["workspace", "at", "id"], unique=False)
    op.create_index("ix_events_spread", "events", ["spread_at", "at"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("route", sa.String(length=512), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", JSON, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "key", "route", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("result", JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_state", "jobs", ["state", "created_at"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("old_digest", sa.String(length=64), nullable=True),
        sa.Column("old_until", MOMENT, nullable=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    op.create_index("ix_keys_workspace", "keys", ["workspace"], unique=False)
    op.create_table(
        "outcomes",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("respondent", sa.String(length=512), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint(
            "workspace", "respondent", "kind", "at", name=op.f("uq_outcomes_workspace_respondent_kind_at")
        ),
    )
    op.create_table(
        "respondents",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=512), nullable=False),
        sa.Column("contact_consent", sa.Boolean(), nullable=True),
        sa.Column("segment", sa.String(length=512), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_respondents")),
    )
    op.create_table(
        "responses",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=512), nullable=False),
        sa.Column("id", sa.String(length=512), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("metric", sa.String(length=16), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("scale_min", sa.Float(), nullable=True),
        sa.Column("scale_max", sa.Float(), nullable=True),
        sa.Column("survey", sa.String(length=512), nullable=True),
        sa.Column("touchpoint", sa.String(length=512), nullable=True),
        sa.Column("channel", sa.String(length=512), nullable=True),
        sa.Column("unit", sa.String(length=512), nullable=True),
        sa.Column("employee", sa.String(length=512), nullable=True),
        sa.Column("respondent", sa.String(length=512), nullable=True),
        sa.Column("contact_consent", sa.Boolean(), nullable=True),
        sa.Column("segment", sa.String(length=512), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("sentiment", sa.String(length=16), nullable=True),
        sa.Column("sentiment_score", sa.Float(), nullable=True),
        sa.Column("justified", sa.Boolean(), nullable=True),
        sa.Column("signals", JSON, nullable=False),
        sa.Column("group", sa.String(length=16), nullable=True),
        sa.Column("band", sa.String(length=16), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("priority_reason", sa.Text(), nullable=True),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("corrected", sa.Boolean(), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("effective", JSON, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "uid", name=op.f("pk_responses")),
        sa.UniqueConstraint("workspace", "source", "id", name=op.f("uq_responses_workspace_source_id")),
    )
    op.create_index("ix_responses_answered", "responses", ["workspace", "answered_at", "uid"], unique=False)
    op.create_index("ix_responses_respondent", "responses", ["workspace", "respondent", "answered_at"], unique=False)
    op.create_table(
        "rule_sets",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "version", name=op.f("pk_rule_sets")),
    )
    op.create_table(
        "tombstones",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "digest", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "webhooks",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("types", JSON, nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("secrets", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("disabled_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
    )
    op.create_table(
        "analyses",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("model", sa.String(length=512), nullable=False),
        sa.Column("taxonomy", sa.String(length=512), nullable=False),
        sa.Column("policy", sa.String(length=512), nullable=False),
        sa.Column("result", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "response"],
            ["responses.workspace", "responses.uid"],
            name=op.f("fk_analyses_workspace_response"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analyses")),
    )
    op.create_index("ix_analyses_response", "analyses", ["workspace", "response"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("case", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("result", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace", "case"], ["cases.workspace", "cases.id"], name="fk_case_cases", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_case", "attempts", ["workspace", "case", "id"], unique=False)
    op.create_table(
        "case_events",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("case", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "case"], ["cases.workspace", "cases.id"], name="fk_case_cases", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    op.create_index("ix_case_events_case", "case_events", ["workspace", "case", "id"], unique=False)
    op.create_table(
        "case_responses",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("case", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace", "case"], ["cases.workspace", "cases.id"], name="fk_case_cases", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace", "case", "response", name=op.f("pk_case_responses")),
    )
    op.create_index("ix_case_responses_response", "case_responses", ["workspace", "response"], unique=False)
    op.create_table(
        "corrections",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace", "response"],
            ["responses.workspace", "responses.uid"],
            name=op.f("fk_corrections_workspace_response"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    op.create_index("ix_corrections_response", "corrections", ["workspace", "response"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.Column("replay", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("merged_into", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace", "event"], ["events.workspace", "events.id"], name="fk_event_events", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "workspace", "event", "target", "replay", name=op.f("uq_deliveries_workspace_event_target_replay")
        ),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["state", "next_at"], unique=False)
    op.create_index("ix_deliveries_target", "deliveries", ["workspace", "target", "created_at"], unique=False)
    op.create_table(
        "job_files",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "job"], ["jobs.workspace", "jobs.id"], name="fk_job_jobs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace", "job", "name", name=op.f("pk_job_files")),
    )
    op.create_table(
        "refusals",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "job"], ["jobs.workspace", "jobs.id"], name="fk_job_jobs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
        sa.UniqueConstraint("workspace", "job", "row", name=op.f("uq_refusals_workspace_job_row")),
    )
    op.create_table(
        "tags",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("theme", sa.String(length=512), nullable=False),
        sa.Column("sentiment", sa.String(length=16), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("by", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "response"],
            ["responses.workspace", "responses.uid"],
            name=op.f("fk_tags_workspace_response"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace", "response", "theme", name=op.f("pk_tags")),
    )
    op.create_index("ix_tags_theme", "tags", ["workspace", "theme"], unique=False)
    op.create_table(
        "vectors",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("response", sa.String(length=64), nullable=False),
        sa.Column("encoder", sa.String(length=512), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "response"],
            ["responses.workspace", "responses.uid"],
            name=op.f("fk_vectors_workspace_response"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace", "response", "encoder", "part", name=op.f("pk_vectors")),
    )
    op.create_table(
        "delivery_tries",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ms", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "delivery"],
            ["deliveries.workspace", "deliveries.id"],
            name="fk_delivery_deliveries",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_tries")),
    )
    op.create_index("ix_delivery_tries_delivery", "delivery_tries", ["workspace", "delivery", "id"], unique=False)
