"""What a run found is written as far as it still holds: answers that changed while it was at work are left alone."""

import pytest
from issue_points import ENCODER
from issue_rows import Answers, issue_of, issues, members
from loop import START, Clock
from sqlalchemy import delete, select, update

from serving.issues.discovery import look, run_once
from serving.issues.known import ONLINE, load_book
from serving.issues.names import Naming
from serving.issues.online import leave
from serving.issues.window import load_window
from serving.issues.writing import put, write
from serving.parts import Parts
from serving.store.issue_tables import cluster_members
from serving.store.tables import responses, vectors


@pytest.mark.parametrize("became", ["another text", "another text, placed again", "another text in the same", "unread"])
def test_an_answer_that_changed_during_a_run_is_not_put_back(parts: Parts, clock: Clock, became: str) -> None:
    answers = Answers(parts.database)
    groups = {name: answers.about(name, 20, START) for name in ("courier", "invoice", "queue")}
    assert run_once(parts) == 1
    now, uid = clock.forward(days=1), groups["courier"][3]
    with parts.database.read() as connection:
        courier, queue = (issue_of(connection, groups[name]) for name in ("courier", "queue"))
        window, book = load_window(connection, "acme", ENCODER, now), load_book(connection, "acme", now)
    found, _ = look(window, book, {}, Naming(), now)
    placed = {"another text, placed again": queue, "another text in the same": courier}.get(became)
    with parts.database.write() as connection:
        mine = (vectors.c.workspace == "acme", vectors.c.response == uid)
        if placed is None:
            connection.execute(delete(vectors).where(*mine))
        if became != "unread":
            row = (responses.c.workspace == "acme", responses.c.uid == uid)
            connection.execute(update(responses).where(*row).values(revision=2))
        leave(connection, "acme", [uid], now)
        if placed is not None:
            put(connection, "acme", [((uid, placed), 0.7)], ONLINE, now)
    with parts.database.write() as connection:
        write(connection, "acme", book, found, now)
    with parts.database.read() as connection:
        of = cluster_members.c
        left = connection.execute(select(of.cluster, of.by).where(of.response == uid)).all()
        assert [tuple(row) for row in left] == ([] if placed is None else [(placed, ONLINE)])
        assert members(connection, courier) >= set(groups["courier"]) - {uid}
        row = issues(connection)[courier]
        assert row["size"] == 19 and uid not in {quote["response"] for quote in row["quotes"]}
