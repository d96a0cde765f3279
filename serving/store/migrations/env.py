"""Run by Alembic: migrates over the connection, in the transaction and under the lock that the caller brought."""

from alembic import context

from serving.store import issue_tables, loop_tables, tables

assert loop_tables.metadata is issue_tables.metadata is tables.metadata, "one description of all tables"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
context.run_migrations()
