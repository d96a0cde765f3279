"""Shared batches: everybody gets their own answers, whatever happens to the others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes import FakeClassifier, answer

from nlp.types import Classification, Response
from serving.batcher import MAX_REQUESTS, MAX_TEXTS, SHARE, Batcher, Closed, Mismatch, Overloaded


def responses(prefix: str, count: int) -> list[Response]:
    return [Response(f"{prefix}-{number}", f"{prefix} {'x' * number}") for number in range(count)]


class Gated(FakeClassifier):
    """Waits for `gate` before each batch, so that a test decides what gathers meanwhile."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.gate = threading.Event()
        self.seen: list[str] = []
        self.started = 0

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        self.started += 1
        assert self.gate.wait(5)
        self.seen.extend(response.id for response in given)
        return super().classify(given)


def run(
    scenario: Callable[[Batcher], Awaitable[None]],
    classifier: FakeClassifier,
    batch_size: int = 8,
) -> None:
    async def body() -> None:
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(classifier, thread, batch_size=batch_size)
            try:
                async with asyncio.timeout(10):
                    await scenario(batcher)
            finally:
                if isinstance(classifier, Gated):
                    classifier.gate.set()
                await batcher.close()

    asyncio.run(body())


async def said(batcher: Batcher, asked: Sequence[Response]) -> list[Classification]:
    return [each.classification for each in await batcher.submit(asked)]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_every_caller_gets_the_answers_to_its_own_texts_in_order() -> None:
    classifier = FakeClassifier()

    async def scenario(batcher: Batcher) -> None:
        asked = [responses(f"caller{number}", 1 + number % 5) for number in range(60)]
        answered = await asyncio.gather(*(said(batcher, list(ask)) for ask in asked))
        assert answered == [[answer(response) for response in ask] for ask in asked]

    run(scenario, classifier)
    assert max(classifier.batches) == 8, "single callers share batches, up to the batch's size"


def test_one_caller_alone_does_not_wait_for_others() -> None:
    classifier = FakeClassifier(0, 0)

    async def scenario(batcher: Batcher) -> None:
        assert await said(batcher, responses("a", 1)) == [answer(responses("a", 1)[0])]

    run(scenario, classifier)
    assert classifier.batches == [1]


def test_one_text_does_not_wait_for_a_list_of_many() -> None:
    classifier = Gated()

    async def scenario(batcher: Batcher) -> None:
        bulk = asyncio.create_task(said(batcher, responses("bulk", 300)))
        await until(lambda: batcher.depth > 0)
        single = asyncio.create_task(said(batcher, responses("single", 1)))
        await until(lambda: batcher.depth == 301 - SHARE)
        classifier.gate.set()
        await single
        assert not bulk.done()
        assert [found.id for found in await bulk] == [response.id for response in responses("bulk", 300)]

    run(scenario, classifier, batch_size=SHARE)
    assert classifier.seen.index("single-0") <= 2 * SHARE


def test_a_text_that_raises_fails_alone() -> None:
    classifier = Gated()

    async def scenario(batcher: Batcher) -> None:
        first = asyncio.create_task(said(batcher, responses("first", 1)))
        await until(lambda: classifier.started == 1)
        bad = asyncio.create_task(said(batcher, [Response("bad", "explode")]))
        good = [asyncio.create_task(said(batcher, responses(f"good{number}", 1))) for number in range(5)]
        await until(lambda: batcher.depth == 6)
        classifier.gate.set()
        await first
        failed = (await bad)[0]
        assert (failed.id, failed.status, failed.error and failed.error.code) == ("bad", "error", "internal_error")
        assert "explode" not in (failed.error.detail if failed.error else "")
        assert [(await task)[0].status for task in good] == ["ok"] * 5

    run(scenario, classifier)
    assert 6 in classifier.batches, "the bad text shared its batch with the good ones"


class Dropping(FakeClassifier):
    """Loses the last answer of every batch of two or more."""

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        return super().classify(given)[: max(1, len(given) - 1)]


class Swapping(FakeClassifier):
    """Gives the answers in the wrong order."""

    def classify(self, given: Sequence[Response]) -> list[Classification]:
        return super().classify(given)[::-1]


@pytest.mark.parametrize("classifier", [Dropping(), Swapping()], ids=["dropping", "swapping"])
def test_a_lost_or_swapped_answer_is_an_error_for_all_and_a_wrong_answer_for_nobody(
    classifier: FakeClassifier,
) -> None:
    async def scenario(batcher: Batcher) -> None:
        asked = [responses(f"caller{number}", 2) for number in range(16)]
        answered = await asyncio.gather(*(batcher.submit(ask) for ask in asked), return_exceptions=True)
        assert [type(found) for found in answered] == [Mismatch] * 16
        assert batcher.alive and batcher.depth == 0

    run(scenario, classifier)


def test_a_caller_that_leaves_takes_its_texts_out_of_the_queue() -> None:
    classifier = Gated()

    async def scenario(batcher: Batcher) -> None:
        first = asyncio.create_task(said(batcher, responses("first", 1)))
        await until(lambda: classifier.started == 1)
        leaving = asyncio.create_task(said(batcher, responses("leaving", 4)))
        staying = asyncio.create_task(said(batcher, responses("staying", 1)))
        await until(lambda: batcher.depth == 5)
        leaving.cancel()
        await until(lambda: batcher.depth == 1)
        classifier.gate.set()
        assert (await first)[0].id == "first-0" and (await staying)[0].id == "staying-0"

    run(scenario, classifier)
    assert not any(seen.startswith("leaving") for seen in classifier.seen)


def test_a_caller_that_leaves_while_its_batch_runs_disturbs_nobody() -> None:
    classifier = Gated()

    async def scenario(batcher: Batcher) -> None:
        leaving = asyncio.create_task(said(batcher, responses("leaving", 3)))
        await until(lambda: classifier.started == 1)
        staying = asyncio.create_task(said(batcher, responses("staying", 2)))
        await until(lambda: batcher.depth == 2)
        leaving.cancel()
        classifier.gate.set()
        assert [found.id for found in await staying] == ["staying-0", "staying-1"]

    run(scenario, classifier)


@pytest.mark.parametrize(("count", "size"), [(MAX_REQUESTS, 1), (MAX_TEXTS // 1000, 1000)])
def test_a_full_queue_refuses_and_says_when_to_come_back(count: int, size: int) -> None:
    classifier = Gated()

    async def scenario(batcher: Batcher) -> None:
        running = asyncio.create_task(said(batcher, responses("running", 1)))
        await until(lambda: classifier.started == 1)
        waiting = [asyncio.create_task(said(batcher, responses(f"c{number}", size))) for number in range(count)]
        await until(lambda: batcher.depth == count * size)
        with pytest.raises(Overloaded) as refused:
            await batcher.submit(responses("late", 1))
        assert refused.value.retry_after >= 1
        classifier.gate.set()
        assert [len(answers) for answers in await asyncio.gather(running, *waiting)] == [1] + [size] * count
        assert len(await batcher.submit(responses("later", 1))) == 1

    run(scenario, classifier, batch_size=512)


def test_of_ten_times_the_callers_some_are_refused_and_of_sixty_four_none() -> None:
    async def refusals(batcher: Batcher, callers: int) -> int:
        answers = await asyncio.gather(
            *(batcher.submit(responses(f"c{name}", 1)) for name in range(callers)), return_exceptions=True
        )
        return sum(isinstance(answer, Overloaded) for answer in answers)

    async def scenario(batcher: Batcher) -> None:
        assert await refusals(batcher, 64) == 0
        refused = await refusals(batcher, 640)
        assert 0 < refused <= 640 - 64

    # slow enough that 640 waiting texts are more than MAX_WAIT
    run(scenario, FakeClassifier(0.004, 0.002), batch_size=128)


def test_closing_finishes_what_was_accepted_and_takes_no_more() -> None:
    classifier = Gated()

    async def scenario(batcher: Batcher) -> None:
        accepted = [asyncio.create_task(said(batcher, responses(f"c{number}", 3))) for number in range(9)]
        await until(lambda: batcher.depth > 0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(Closed):
            await batcher.submit(responses("late", 1))
        classifier.gate.set()
        await closing
        assert [len(task.result()) for task in accepted] == [3] * 9

    run(scenario, classifier)


def test_nothing_in_nothing_out() -> None:
    classifier = FakeClassifier()

    async def scenario(batcher: Batcher) -> None:
        assert await batcher.submit([]) == []

    run(scenario, classifier)
    assert classifier.batches == []
