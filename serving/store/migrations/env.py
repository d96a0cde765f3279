"""Run by Alembic: migrates over the connection, in the transaction and under the lock that the caller brought."""

from alembic import context

from serving.store import access_tables, frame_tables, issue_tables, loop_tables, tables

described = {each.metadata for each in (access_tables, frame_tables, issue_tables, loop_tables, tables)}
assert described == {tables.metadata}, "one description of all tables"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
context.run_migrations()
