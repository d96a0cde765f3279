"""What the database knows of its tables, by which it plans: looked at anew after much came in at once.

PostgreSQL looks by itself a minute or more later, if at all, and SQLite never does.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, Table
from sqlalchemy.exc import SQLAlchemyError

from nlp.errors import HolosError
from serving import logs
from serving.store.database import Database
from serving.store.loop_tables import audit, case_events, case_responses, cases, events
from serving.store.tables import analyses, respondents, responses, tags, vectors

FILLED = (responses, analyses, tags, vectors, respondents, cases, case_responses, case_events, events, audit)
"""What an import fills."""
WAIT = "5s"
"""For a table that something else has, like a vacuum, which looks at it too."""
ENTRIES = 1000
"""Of each index that SQLite reads: its makers advise 100 to 1,000, which takes no time however large the table is."""


def refresh(database: Database, tables: Iterable[Table] = FILLED) -> None:
    """Looks at each table in a transaction of its own; what cannot be looked at is logged and left, nothing raises."""
    for table in tables:
        try:
            with database.write() as connection:
                _look(connection, table)
        except (SQLAlchemyError, HolosError) as error:
            logs.get_logger().warning("statistics_stale", table=table.name, **logs.where(error))


def _look(connection: Connection, table: Table) -> None:
    sqlite = connection.dialect.name == "sqlite"
    patience = f"PRAGMA analysis_limit = {ENTRIES}" if sqlite else f"SET LOCAL lock_timeout = '{WAIT}'"
    connection.exec_driver_sql(patience)
    connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(table)}")
