"""What goes takes the titles along that were made of it."""

from collections.abc import Callable
from typing import Any

import pytest
from completions import says, with_titles
from issue_rows import Answers
from loop import START, Api
from receivers import Receiver
from sqlalchemy import update
from title_rows import Issues, titled, turn

from serving.issues.forgetting import forget, forget_quotes
from serving.issues.writing import put
from serving.parts import Parts
from serving.privacy.routes import router as privacy
from serving.store.tables import responses


@pytest.fixture
def issues(parts: Parts) -> Issues:
    return Issues(parts)


@pytest.mark.parametrize("moved", [False, True])
def test_erasing_a_person_takes_the_titles_made_of_their_words(
    parts: Parts, issues: Issues, api: Callable[..., Api], moved: bool
) -> None:
    uids = issues.add("courier", respondent="client-77")
    issues.add("invoice")
    titled(parts, "Late couriers")
    if moved:  # the quotes are others' by now, the title is still of theirs
        others = Answers(parts.database)
        others.made = 9000
        rest = others.about("courier", 3)
        with parts.database.write() as connection:
            put(connection, "acme", [((uid, "courier"), 0.9) for uid in rest], "run", START)
        issues.change("courier", quotes=issues.quotes(rest))
    assert api(privacy).client().delete("/v1/respondents/client-77").status_code == 200
    row = issues.row("courier")
    assert (row["title"], row["title_of"]) == (None, None) and not {*uids} & {
        each["response"] for each in row["quotes"]
    }
    assert issues.row("invoice")["title"] == "Late couriers"


def test_a_word_of_erased_answers_alone_goes_with_them(parts: Parts, issues: Issues) -> None:
    uids = issues.add("courier")
    with parts.database.write() as connection:
        theirs = update(responses).where(responses.c.uid == uids[5])
        connection.execute(theirs.values(text="the courier Brzeczyk came late"))
    titled(parts, "Late courier Brzeczyk")
    with parts.database.write() as connection:
        forget(connection, "acme", [uids[4]])
    assert issues.row("courier")["title"] == "Late courier Brzeczyk"
    with parts.database.write() as connection:
        forget(connection, "acme", [uids[5]])
    assert issues.row("courier")["title"] is None


def test_an_answer_whose_text_changed_takes_the_title_along(parts: Parts, issues: Issues) -> None:
    uids = issues.add("courier")
    titled(parts, "Late couriers")
    with parts.database.write() as connection:
        assert forget_quotes(connection, "acme", [uids[5]]) == set()
        assert forget_quotes(connection, "acme", [uids[0]]) == {"courier"}
    assert issues.row("courier")["title"] is None


def test_what_is_erased_while_the_endpoint_thinks_does_not_come_back(
    parts: Parts, issues: Issues, api: Callable[..., Api]
) -> None:
    issues.add("courier", respondent="client-77")
    issues.add("invoice", keywords=["a wrong amount"])
    client = api(privacy).client()

    def erased(handler: Any) -> None:
        assert client.delete("/v1/respondents/client-77").status_code == 200
        says("Late couriers")(handler)

    def lost(handler: Any) -> None:
        issues.change("invoice", keywords=[])
        says("Wrong sums")(handler)

    with Receiver(says(""), [erased, lost]) as receiver:
        asked = with_titles(parts, receiver)
        assert (turn(asked), turn(asked)) == (1, 1)
    assert (issues.row("courier")["title"], issues.row("invoice")["title"]) == (None, None)
    assert issues.row("invoice")["title_due"] is None
