"""Titles where the endpoint's answer is no good: who waits, for how long, and who goes on."""

from datetime import timedelta

import pytest
from completions import KEY, says, with_titles
from issue_rows import PROBLEMS
from loop import Clock
from receivers import Receiver, status
from title_rows import Issues, turn

from serving.parts import Parts
from serving.titles import store
from serving.titles.work import FIRST_PAUSE, pause_after

SENTENCE = "the courier came three days late again"


@pytest.fixture
def issues(parts: Parts) -> Issues:
    return Issues(parts)


@pytest.mark.parametrize("line", ["", SENTENCE, "Ring 600 100 200 now"])
def test_a_refused_line_waits_longer_each_time_and_stops_nobody(
    parts: Parts, issues: Issues, clock: Clock, line: str
) -> None:
    uids = issues.add("courier", 9)
    issues.change("courier", quotes=[{"response": uids[0], "text": SENTENCE}])
    issues.add("invoice")
    with Receiver(says(line), [says(line), says("Wrong sums")]) as receiver:
        asked = with_titles(parts, receiver)
        assert [turn(asked) for _ in range(3)] == [1, 1, 0]
        row = issues.row("courier")
        assert (row["title"], row["title_tries"], row["title_due"]) == (None, 1, clock() + store.FIRST_WAIT)
        clock.forward(minutes=15)
        assert turn(asked) == 1
    assert issues.row("courier")["title_due"] == clock() + 2 * store.FIRST_WAIT
    assert issues.row("invoice")["title"] == "Wrong sums"
    assert store.wait(100) == store.LONGEST_WAIT


def test_an_endpoint_that_fails_is_left_alone_for_longer_each_time(parts: Parts, issues: Issues, clock: Clock) -> None:
    for name in PROBLEMS:
        issues.add(name)
    with Receiver(says("Late"), [status(500), status(200, b"no JSON"), says("Late"), status(500)]) as receiver:
        asked = with_titles(parts, receiver)
        assert (turn(asked), turn(asked), len(receiver.received)) == (0, 0, 1)
        clock.forward(minutes=1)
        assert (turn(asked), turn(asked), len(receiver.received)) == (0, 0, 2)
        clock.forward(minutes=1)
        assert (turn(asked), len(receiver.received)) == (0, 2)
        clock.forward(minutes=1)
        # what is over is forgotten: the next failure is a first one again
        assert (turn(asked), turn(asked), len(receiver.received)) == (1, 0, 4)
        clock.forward(minutes=1)
        assert (turn(asked), len(receiver.received)) == (1, 5)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_request_that_is_declined_stops_no_other_issue(parts: Parts, issues: Issues, clock: Clock, code: int) -> None:
    issues.add("courier")
    Issues(parts, "other").add("invoice")
    tries = 1 if code == 413 else 2
    with Receiver(says("Late"), [status(code)] * tries) as receiver:
        asked = with_titles(parts, receiver)
        assert (turn(asked), len(receiver.received)) == (2, tries + 1)
        assert issues.row("courier")["title_due"] == clock() + store.FIRST_WAIT
        assert turn(asked) == 0
        clock.forward(minutes=15)
        assert turn(asked) == 1
    assert issues.row("courier")["title"] == issues.row("invoice")["title"] == "Late"


def test_who_declines_everything_is_left_alone_until_it_answers(parts: Parts, issues: Issues, clock: Clock) -> None:
    for name in ("courier", "invoice", "queue", "screen", "heating"):
        issues.add(name)
    with Receiver(says("Late"), [status(413)] * 6) as receiver:
        asked = with_titles(parts, receiver)
        assert [turn(asked) for _ in range(6)] == [1, 1, 1, 1, 0, 0]
        assert len(receiver.received) == 5
        issues.change("courier", title_due=None)
        clock.forward(minutes=1)
        assert (turn(asked), turn(asked), len(receiver.received)) == (0, 0, 6)
        clock.forward(minutes=2)
        assert (turn(asked), len(receiver.received)) == (0, 6)
        clock.forward(minutes=12)
        assert (turn(asked), len(receiver.received)) == (1, 7)


def test_it_is_left_alone_as_long_as_it_asks(parts: Parts, issues: Issues, clock: Clock) -> None:
    issues.add("courier")
    issues.add("invoice")
    with Receiver(says("Late"), [status(429, Retry_After="7200")]) as receiver:
        asked = with_titles(parts, receiver)
        assert turn(asked) == 0
        clock.forward(seconds=7199)
        assert (turn(asked), len(receiver.received)) == (0, 1)
        clock.forward(seconds=1)
        assert (turn(asked), len(receiver.received)) == (1, 2)
    assert pause_after(1, timedelta()) == FIRST_PAUSE and pause_after(1, timedelta(days=9)) == timedelta(days=1)


def test_what_fails_is_logged_without_words_and_key(
    parts: Parts, issues: Issues, capfd: pytest.CaptureFixture[str]
) -> None:
    from serving import logs

    logs.configure()
    uids = issues.add("courier")
    with Receiver(status(401, b"bad key " + KEY.encode())) as receiver:
        turn(with_titles(parts, receiver, titles_key=KEY))
    said = capfd.readouterr().err
    assert "title_failed" in said and "HTTP 401" in said
    assert KEY not in said and issues.quotes(uids[:1])[0]["text"] not in said
