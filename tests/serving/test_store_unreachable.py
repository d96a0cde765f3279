"""A database that is not there, or is none: said in a line, with what to do, and no password."""

from collections.abc import Callable
from pathlib import Path

import pytest
from loop import Api, Clock, make_parts
from starlette.testclient import TestClient
from typer.testing import CliRunner

from serving.cases.routes import router
from serving.cli import app
from serving.store.database import Database, Unreachable


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    database = Database("postgresql://anna:secret@127.0.0.1:1/holos")
    told = r"postgresql\S+anna:\*\*\*@127.0.0.1:1/holos cannot be opened: .*HOLOS_DATABASE"
    with pytest.raises(Unreachable, match=told) as said, database.read():
        pass
    assert "secret" not in str(said.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("no database" * 1000)
    monkeypatch.setenv("HOLOS_DATABASE", f"sqlite:///{tmp_path}/notes.txt")
    result = CliRunner().invoke(app, ["migrate"])
    assert result.exit_code != 0 and "file is not a database; see HOLOS_DATABASE" in result.stderr
    assert "Traceback" not in result.output


def test_a_request_is_told_to_come_back(
    api: Callable[..., Api], clock: Clock, word_classifier: object, tmp_path: Path
) -> None:
    asked = api(router)
    client: TestClient = asked.client()
    gone = Database("postgresql://127.0.0.1:1/holos")
    asked.app.state.parts = make_parts(gone, clock, word_classifier.classify, tmp_path)
    answer = client.get("/v1/cases")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_ready", "5")
    assert "127.0.0.1" not in answer.text
