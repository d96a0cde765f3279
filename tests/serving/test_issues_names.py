"""What stored issues are called: by what their answers share, else by their theme, and no two of them alike."""

import re
from datetime import timedelta

import pytest
from issue_rows import Answers, effective, issue_of, issues
from loop import START, Clock
from sqlalchemy import select, update

from nlp.taxonomy import Theme
from serving import shipped
from serving.frame.changing import Work, put
from serving.frame.own import Own
from serving.issues.discovery import run_once
from serving.parts import Parts
from serving.store.issue_tables import clusters
from serving.store.language import set_language

WORDS = re.findall(
    r"\w+",
    "amber birch cedar delta ember fjord grove haven inlet jetty knoll lotus maple noble ocean pearl quartz river "
    "slate tulip umber vista willow xenon yarrow zephyr acorn basil clover daisy elder fern ginger hazel iris jasmine",
)
APART = [" ".join(pair) for pair in zip(WORDS[::2], WORDS[1::2], strict=True)]
"""Texts without a word in common."""
LABEL = shipped.taxonomy().label("staff.attitude")
NAMES = ("courier", "invoice", "queue")


def apart(answers: Answers, problem: str, at=START, theme: str = "staff.attitude", first: int = 0) -> list[str]:
    """Nine answers about one thing, each in other words."""
    return [
        uid
        for text in APART[first : first + 9]
        for uid in answers.about(problem, 1, at, text=text, effective=effective(text, theme=theme))
    ]


def change(parts: Parts, own: Own) -> None:
    with parts.database.write() as connection:
        put(Work(connection, parts, "acme", "ola", parts.clock()), own, None)


def label_of(parts: Parts, uids: list[str]) -> str:
    with parts.database.read() as connection:
        return issues(connection)[issue_of(connection, uids)]["label"]


def shown(parts: Parts) -> list[str]:
    """What people read of every active issue and sub-issue."""
    with parts.database.read() as connection:
        asked = select(clusters.c.name, clusters.c.label).where(clusters.c.state == "active")
        return [(row.name or row.label).casefold() for row in connection.execute(asked)]


def rename(parts: Parts, uids: list[str], **columns: str) -> None:
    with parts.database.write() as connection:
        mine = clusters.c.id == issue_of(connection, uids)
        connection.execute(update(clusters).where(mine).values(**columns))


@pytest.fixture
def answers(parts: Parts) -> Answers:
    """A workspace with three problems whose answers share words."""
    answers = Answers(parts.database)
    for name in NAMES:
        answers.about(name, 12)
    return answers


@pytest.mark.parametrize(
    ("language", "label"),
    [(None, LABEL), ("en", LABEL), ("pl", "Podejście pracowników"), ("uk", "Ставлення працівників"), ("de", LABEL)],
)
def test_an_issue_without_common_words_has_the_name_of_its_theme(
    parts: Parts, answers: Answers, language: str | None, label: str
) -> None:
    with parts.database.write() as connection:
        set_language(connection, "acme", language)
    uids = apart(answers, "heating")
    assert run_once(parts) == 1
    assert label_of(parts, uids) == label


@pytest.mark.parametrize(
    ("own", "theme", "label"),
    [
        (Own((Theme("own.rudeness", "Unhöflichkeit", "", "staff"),)), "own.rudeness", "Unhöflichkeit"),
        (Own(merges={"staff.attitude": "delivery.courier"}), "staff.attitude", "Kurier i odbiór"),
        (Own(retired=("staff.attitude",)), "staff.attitude", "Podejście pracowników"),
    ],
    ids=["own", "merged", "retired"],
)
def test_its_theme_is_that_of_the_workspaces_code_frame(
    parts: Parts, answers: Answers, own: Own, theme: str, label: str
) -> None:
    with parts.database.write() as connection:
        set_language(connection, "acme", "pl")
    uids = apart(answers, "heating", theme=theme)
    change(parts, own)
    assert run_once(parts) == 1
    assert label_of(parts, uids) == label


def test_two_issues_of_one_theme_have_two_names(parts: Parts, answers: Answers) -> None:
    first, second = apart(answers, "heating"), apart(answers, "screen", first=9)
    assert run_once(parts) == 1
    labels = {label_of(parts, uids) for uids in (first, second)}
    assert LABEL in labels and len(labels) == 2
    names = shown(parts)
    assert len(set(names)) == len(names)


def test_a_run_names_no_issue_as_people_named_another(parts: Parts, answers: Answers, clock: Clock) -> None:
    uids, courier = apart(answers, "heating"), answers.about("courier", 3)
    assert run_once(parts) == 1
    labels = label_of(parts, uids), label_of(parts, courier)
    rename(parts, courier, name=labels[0].upper())
    rename(parts, uids, name=labels[1])
    answers.about("queue", 2, clock.forward(days=1))
    assert run_once(parts) == 1
    assert not {label_of(parts, uids), label_of(parts, courier)} & {*labels}
    names = shown(parts)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("by", ["label", "name"])
def test_what_is_born_between_two_runs_is_not_called_as_what_is_there(parts: Parts, clock: Clock, by: str) -> None:
    answers = Answers(parts.database)
    for day in range(21):
        for name in NAMES:
            answers.about(name, 4, START + timedelta(days=day))
    clock.now = START + timedelta(days=20)
    assert run_once(parts) == 1
    with parts.database.read() as connection:
        [courier, *_] = [id for id, row in issues(connection).items() if "courier" in row["label"].casefold()]
    with parts.database.write() as connection:
        connection.execute(update(clusters).where(clusters.c.id == courier).values({by: LABEL.upper()}))
    late = START + timedelta(days=20, hours=22)
    new = apart(answers, "heating", late)
    clock.now = late + timedelta(minutes=30)
    assert run_once(parts) == 1
    label = label_of(parts, new)
    assert label.casefold() in APART
    names = shown(parts)
    assert len(set(names)) == len(names)
