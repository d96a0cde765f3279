"""Looking for issues among what is stored: who is who over time, what people decided, one process at a time."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from issue_points import ENCODER, WIDTH, ProblemVectors
from issue_rows import Answers, issue_of, issues, members
from loop import START, Clock
from sqlalchemy import delete, insert, select, update
from structlog.testing import capture_logs

from serving.issues.discovery import run_once
from serving.issues.turns import LEASE
from serving.issues.vectors import run_once as run_vectors
from serving.issues.window import enough_read
from serving.parts import Parts
from serving.store.issue_tables import cluster_lineage, cluster_members, clusters, discoveries
from serving.store.tables import vectors

NAMES = ("courier", "invoice", "queue", "screen")


@pytest.fixture
def answers(parts: Parts) -> Answers:
    return Answers(parts.database)


def fill(answers: Answers, count: int = 20, at=START) -> dict[str, list[str]]:
    return {name: answers.about(name, count, at) for name in NAMES}


def run(parts: Parts, clock: Clock, days: float = 1) -> int:
    clock.forward(days=days)
    return run_once(parts)


def found(parts: Parts, groups: dict[str, list[str]]) -> dict[str, str]:
    """The issue of each problem, each its own."""
    with parts.database.read() as connection:
        ids = {name: issue_of(connection, uids) for name, uids in groups.items()}
    assert len(set(ids.values())) == len(ids)
    return ids


def lineage(parts: Parts) -> list[tuple[str, str | None, str | None, str]]:
    of = cluster_lineage.c
    with parts.database.read() as connection:
        rows = connection.execute(select(of.kind, of["from"], of.to, of.by).order_by(of.id)).all()
    return [tuple(row) for row in rows]


def test_problems_become_issues_with_names_quotes_and_figures(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = {name: answers.about(name, 20, score=2.0 if name == "courier" else 8.0) for name in NAMES}
    assert run_once(parts) == 1
    ids = found(parts, groups)
    with parts.database.read() as connection:
        row = issues(connection)[ids["courier"]]
        assert members(connection, ids["courier"]) == set(groups["courier"])
    assert "courier" in row["label"].casefold() or "late" in row["label"].casefold()
    assert len(row["quotes"]) == 3 and {quote["response"] for quote in row["quotes"]} <= set(groups["courier"])
    assert row["size"] == 20 and row["impact"] == 20 * 6
    assert row["facts"]["mean_score"] == 2 and row["facts"]["score_gap"] == -6
    assert row["facts"]["languages"] == {"en": 1.0} and row["facts"]["themes"] == {"delivery.time": 1.0}
    assert [line[0] for line in lineage(parts)] == ["birth"] * len(issues_of(parts))


def issues_of(parts: Parts) -> list[str]:
    with parts.database.read() as connection:
        return list(connection.execute(select(clusters.c.id)).scalars())


def test_issues_keep_their_ids_with_ten_percent_new_answers(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    run_once(parts)
    before = found(parts, groups)
    clock.forward(days=1)
    for name in NAMES:
        groups[name] += answers.about(name, 2, clock.now)
    assert run_once(parts) == 1
    assert found(parts, groups) == before
    assert {line[0] for line in lineage(parts)} == {"birth"}


def test_nothing_is_done_again_before_its_time(parts: Parts, answers: Answers, clock: Clock) -> None:
    fill(answers)
    assert [run_once(parts), run_once(parts)] == [1, 0]
    assert run(parts, clock, 2) == 0  # nothing has come in


def test_what_people_decided_stands_through_three_runs(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    run_once(parts)
    ids = found(parts, groups)
    with parts.database.write() as connection:
        named = {"name": "Late couriers", "owner": "ola", "theme": "delivery.time", "version": 2}
        connection.execute(update(clusters).where(clusters.c.id == ids["courier"]).values(**named))
        gone = {"state": "dismissed", "version": 2}
        connection.execute(update(clusters).where(clusters.c.id == ids["queue"]).values(**gone))
    for _ in range(3):
        for name in NAMES:
            groups[name] += answers.about(name, 3, clock.forward(days=1))
        assert run_once(parts) == 1
    with parts.database.read() as connection:
        row = issues(connection)[ids["courier"]]
        assert (row["name"], row["owner"], row["theme"]) == ("Late couriers", "ola", "delivery.time")
        assert row["size"] == 29
        hidden = issues(connection, state="dismissed")
        assert list(hidden) == [ids["queue"]] and hidden[ids["queue"]]["size"] == 29
        assert not set(groups["queue"]) & {uid for id in issues(connection) for uid in members(connection, id)}


def test_an_issue_ends_and_returns_under_its_id(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    run_once(parts)
    ids = found(parts, groups)
    clock.forward(days=100)
    later = {name: answers.about(name, 20, clock.now) for name in ("invoice", "queue", "screen")}
    assert run_once(parts) == 1
    assert found(parts, later) == {name: ids[name] for name in later}  # by their members of before
    with parts.database.read() as connection:
        assert list(issues(connection, state="ended")) == [ids["courier"]]
    again = answers.about("courier", 20, clock.forward(days=2))
    assert run_once(parts) == 1
    assert found(parts, {"courier": again}) == {"courier": ids["courier"]}
    assert ("return", None, ids["courier"], "run") in lineage(parts)
    assert ("death", ids["courier"], None, "run") in lineage(parts)


def test_an_issue_is_born_between_two_full_runs(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    clock.forward(days=4)
    run_once(parts)
    clock.forward(hours=2)
    answers.noise(4, clock.now)
    new = answers.about("heating", 8, clock.now)
    assert run_once(parts) == 1
    groups["heating"] = new
    ids = found(parts, groups)
    with parts.database.read() as connection:
        assert set(new) <= members(connection, ids["heating"])
    assert lineage(parts)[-1] == ("birth", None, ids["heating"], "run")
    assert run(parts, clock, 1) == 1  # and the next full run finds it again
    assert found(parts, groups) == ids


def test_two_processes_at_once_do_one_run(parts: Parts, answers: Answers) -> None:
    fill(answers)
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(run_once(parts))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 0, 1]
    assert len([line for line in lineage(parts) if line[0] == "birth"]) == len(issues_of(parts))


def test_a_turn_whose_process_died_is_taken_up(parts: Parts, answers: Answers, clock: Clock) -> None:
    fill(answers)
    with parts.database.write() as connection:
        lease = {"leased_by": "gone", "leased_until": clock.now + LEASE}
        connection.execute(insert(discoveries).values(workspace="acme", **lease))
    assert run_once(parts) == 0
    clock.forward(minutes=31)
    assert run_once(parts) == 1


def test_too_few_answers_are_no_issue(parts: Parts, answers: Answers, clock: Clock) -> None:
    answers.about("courier", 8)
    assert run_once(parts) == 0
    answers.about("courier", 15)
    assert run_once(parts) == 1


def test_scores_without_words_do_not_have_the_window_loaded(parts: Parts, answers: Answers) -> None:
    answers.about("courier", 40, text="")
    answers.about("courier", 19)
    with parts.database.read() as connection:
        assert not enough_read(connection, "acme", ENCODER, START, 20)
    answers.about("courier", 1)
    with parts.database.read() as connection:
        assert enough_read(connection, "acme", ENCODER, START, 20)
        assert not enough_read(connection, "acme", "another", START, 20)
        assert not enough_read(connection, "other", ENCODER, START, 20)


def test_workspaces_are_apart(parts: Parts, answers: Answers) -> None:
    groups = fill(answers)
    other = Answers(parts.database, "other", made=10_000)
    fill(other)
    assert run_once(parts) == 2
    ids = found(parts, groups)
    with parts.database.read() as connection:
        of = cluster_members.c
        rows = connection.execute(select(of.workspace, of.cluster).distinct()).all()
        spaces = dict(connection.execute(select(clusters.c.id, clusters.c.workspace)).all())
    assert all(spaces[cluster] == workspace for workspace, cluster in rows)
    assert {spaces[id] for id in ids.values()} == {"acme"}


def test_a_run_that_fails_holds_up_no_other_workspace(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    fill(Answers(parts.database, "other", made=10_000))
    of = vectors.c
    spoilt = (of.workspace == "acme", of.response == groups["queue"][0])
    with parts.database.write() as connection:
        whole = connection.execute(select(of.data).where(*spoilt)).scalar_one()
        connection.execute(update(vectors).where(*spoilt).values(data=whole[:7]))
    with capture_logs() as told:
        assert [run_once(parts), run_once(parts)] == [1, 0]  # not tried again at once
    (line,) = told
    assert (line["event"], line["workspace"], line["error"]) == ("discovery_failed", "acme", "ValueError")
    assert any("discovery.py" in place for place in line["at"]) and "queue" not in str(line)
    with parts.database.write() as connection:
        assert with_issues(connection) == {"other"}
        connection.execute(update(vectors).where(*spoilt).values(data=whole))
    clock.now += LEASE
    assert run_once(parts) == 1
    found(parts, groups)


def with_issues(connection) -> set[str]:
    """The workspaces that have issues."""
    return set(connection.execute(select(clusters.c.workspace)).scalars())


def test_a_new_model_disturbs_no_issue(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    run_once(parts)
    ids = found(parts, groups)
    with parts.database.read() as connection:
        old = connection.execute(select(vectors)).mappings().all()
    noise = np.random.default_rng(3).normal(size=(len(old), WIDTH)).astype("<f2")
    new = [{**row, "encoder": "model-2", "data": point.tobytes()} for row, point in zip(old, noise, strict=True)]
    with parts.database.write() as connection:  # every answer is read by it too, and by nothing that is alike
        connection.execute(insert(vectors), new)
    groups["courier"] += answers.about("courier", 2, clock.forward(days=1))
    assert run_once(parts) == 1
    assert found(parts, groups) == ids
    with parts.database.read() as connection:
        assert {row["encoder"] for row in issues(connection).values()} == {ENCODER}
        assert members(connection, ids["courier"]) == set(groups["courier"])
    assert {line[0] for line in lineage(parts)} == {"birth"}


def test_a_run_waits_until_nearly_all_answers_have_their_vectors(parts: Parts, answers: Answers, clock: Clock) -> None:
    groups = fill(answers)
    late = groups["courier"] + groups["invoice"][:5]
    with parts.database.write() as connection:
        connection.execute(delete(vectors).where(vectors.c.response.in_(late)))
    assert run_once(parts) == 0
    assert run_vectors(parts) == len(late)
    assert run_once(parts) == 1
    found(parts, groups)


def test_another_version_of_the_encoder_has_all_issues_looked_for_at_once(
    parts: Parts, answers: Answers, clock: Clock
) -> None:
    groups = fill(answers)
    run_once(parts)
    ids, newer = found(parts, groups), ProblemVectors()
    newer.version = "enc-2"
    later = replace(parts, issue_vectors=newer)
    assert run_once(later) == 0
    while run_vectors(later):
        pass
    assert run_once(later) == 1
    assert found(later, groups) == ids  # by the answers they have in common
    with parts.database.read() as connection:
        assert {row["encoder"] for row in issues(connection).values()} == {"enc-2"}
    assert run_once(later) == 0
