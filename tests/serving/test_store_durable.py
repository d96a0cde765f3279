"""What the store promises of the disk; the tests themselves do without, so it is asked of a process of its own."""

import subprocess
import sys
from pathlib import Path

ASKED = """
import sys
from sqlalchemy import text
from serving.store.database import Database
with Database(sys.argv[1]).read() as connection:
    print(*(connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "journal_mode")))
"""
FULL = "2"


def test_sqlite_syncs_what_it_acknowledged(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASKED, f"sqlite:///{tmp_path}/holos.db"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert said.stdout.split() == [FULL, "wal"]
