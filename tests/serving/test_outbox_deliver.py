"""Webhooks delivered to real receivers of every manner, on both databases."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from loop import Clock
from outbox_helpers import (
    add_event,
    add_webhook,
    all_deliveries,
    all_tries,
    private,
    target_row,
)
from receivers import Receiver, drip, hang, reset, status
from sqlalchemy import Connection, select
from standardwebhooks import Webhook

from serving.outbox import deliver, queue, spread
from serving.outbox.deliver import PER_TARGET, Courier
from serving.outbox.events import emit
from serving.outbox.queue import LEASE, claim
from serving.outbox.writer import Writer
from serving.parts import Parts
from serving.store.database import new_id
from serving.store.loop_tables import events, webhooks


@pytest.fixture
def parts(parts: Parts) -> Parts:
    return private(parts)


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over, so that receivers that hang let go."""
    event = threading.Event()
    yield event
    event.set()


def send(parts: Parts, timeout: float = 5.0) -> int:
    while spread.run_once(parts):
        pass
    return asyncio.run(deliver.run_once(parts, timeout))


def test_an_event_arrives_signed_with_its_id(parts: Parts, clock: Clock) -> None:
    clock.now = datetime.now(UTC)
    with Receiver(status(200, b"x" * 200_000)) as receiver:
        webhook = add_webhook(parts, receiver.url)
        event = add_event(parts, priority=1)
        assert send(parts) == 1
    [got] = receiver.received
    secret = target_row(parts, webhooks, webhook)["secrets"][0]["secret"]
    assert Webhook(secret).verify(got.body, got.headers)["data"] == {"priority": 1}
    assert got.headers["webhook-id"] == event
    [row] = all_deliveries(parts)
    assert (row["state"], row["tries"], row["done_at"]) == ("delivered", 1, clock.now)
    assert [(item["status"], item["error"]) for item in all_tries(parts)] == [(200, None)]


def test_types_and_workspaces_are_kept_apart(parts: Parts) -> None:
    with Receiver(status(200)) as some, Receiver(status(200)) as all_of_them, Receiver(status(200)) as strangers:
        add_webhook(parts, some.url, types=["case.opened"])
        add_webhook(parts, all_of_them.url)
        add_webhook(parts, strangers.url, workspace="globex")
        opened, spike = add_event(parts), add_event(parts, "theme.spike", "theme:delivery")
        send(parts)
    assert some.ids == [opened]
    assert sorted(all_of_them.ids) == sorted([opened, spike])
    assert strangers.received == []


def test_an_event_is_spread_once_by_many_at_a_time(parts: Parts) -> None:
    for _ in range(3):
        add_webhook(parts, "http://127.0.0.1:9/")
    ids = [add_event(parts) for _ in range(30)]
    threads = [threading.Thread(target=spread.run_once, args=(parts,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["event"] for row in all_deliveries(parts)) == sorted(ids * 3)


@pytest.mark.parametrize(
    ("manner", "error", "code"),
    [
        (status(500), "HTTP 500", 500),
        (status(302, Location="http://127.0.0.1:9/elsewhere"), "HTTP 302 (redirects are not followed)", 302),
        (reset, "the connection broke", None),
    ],
)
def test_a_failure_is_logged_and_tried_again(
    parts: Parts, clock: Clock, manner: object, error: str, code: int | None
) -> None:
    with Receiver(status(200), manners=[manner]) as receiver:  # type: ignore[list-item]
        add_webhook(parts, receiver.url)
        event = add_event(parts)
        assert send(parts) == 1
        assert send(parts) == 0
        clock.forward(seconds=6)
        assert send(parts) == 1
    assert receiver.ids == [event, event]
    assert receiver.received[0].body == receiver.received[1].body
    [first, second] = all_tries(parts)
    assert (first["status"], second["status"]) == (code, 200)
    assert first["error"].startswith(error)
    assert all_deliveries(parts)[0]["state"] == "delivered"


def test_a_receiver_that_is_not_there_is_tried_by_the_schedule_and_then_dead(parts: Parts, clock: Clock) -> None:
    add_webhook(parts, "http://127.0.0.1:9/")
    add_event(parts)
    for _ in range(9):
        assert send(parts) == 1
        assert all_deliveries(parts)[0]["state"] == "pending"
        clock.now = all_deliveries(parts)[0]["next_at"]
    assert send(parts) == 1
    [row] = all_deliveries(parts)
    assert (row["state"], row["tries"]) == ("dead", 10)
    assert row["reason"].startswith("10 tries failed, the last one with no connection")
    clock.forward(days=30)
    assert send(parts) == 0


def test_retry_after_is_honoured(parts: Parts, clock: Clock) -> None:
    with Receiver(status(200), manners=[status(429, Retry_After="90")]) as receiver:
        add_webhook(parts, receiver.url)
        add_event(parts)
        send(parts)
        assert all_deliveries(parts)[0]["next_at"] == clock.now + timedelta(seconds=90)
        clock.forward(seconds=89)
        assert send(parts) == 0
        clock.forward(seconds=1)
        assert send(parts) == 1


def test_gone_disables_the_webhook_and_says_so(parts: Parts, clock: Clock) -> None:
    with Receiver(status(410)) as gone, Receiver(status(200)) as well:
        webhook, _ = add_webhook(parts, gone.url), add_webhook(parts, well.url)
        add_event(parts)
        send(parts)
        add_event(parts)
        send(parts)
        assert (len(gone.received), len(well.received)) == (1, 2)
    row = target_row(parts, webhooks, webhook)
    assert (row["disabled_at"], row["disabled_for"]) == (clock.now, "the receiver answered 410 Gone")
    [dead] = all_deliveries(parts, webhook)
    assert (dead["state"], dead["reason"]) == ("dead", "the receiver answered 410 Gone")


def test_what_waits_for_a_webhook_that_is_disabled_is_dead_not_lost(parts: Parts) -> None:
    with Receiver(status(500), manners=[status(500), status(500), status(410)]) as receiver:
        webhook = add_webhook(parts, receiver.url)
        for _ in range(3):
            add_event(parts)
        send(parts)
    rows = all_deliveries(parts, webhook)
    assert [row["state"] for row in rows] == ["dead"] * 3
    assert all("410 Gone" in row["reason"] for row in rows)


@pytest.mark.parametrize("manner", [hang, drip])
def test_who_hangs_is_cut_off(parts: Parts, over: threading.Event, manner: object) -> None:
    with Receiver(manner(over)) as receiver:  # type: ignore[operator]
        add_webhook(parts, receiver.url)
        add_event(parts)
        start = time.monotonic()
        assert send(parts, timeout=0.5) == 1
        assert time.monotonic() - start < 5
        over.set()
    assert all_tries(parts)[0]["error"] == "no answer within 0.5 s"


def test_no_receiver_is_delayed_by_bad_ones(parts: Parts, over: threading.Event) -> None:
    """The healthy one has all of its events while those that hang still hang, more waiting for them than has place."""
    manners = (hang(over), drip(over), status(500), reset, status(302, Location="/"), status(429, Retry_After="9"))
    with ExitStack() as stack:
        bad = [stack.enter_context(Receiver(manner)) for manner in manners]
        for receiver in bad:
            add_webhook(parts, receiver.url)
        healthy = stack.enter_context(Receiver(status(200)))
        mine = add_webhook(parts, healthy.url)
        for _ in range(20):
            add_event(parts)
        spread.run_once(parts)

        async def main() -> list[str]:
            courier = Courier(parts, timeout=120)
            end = time.monotonic() + 100
            while time.monotonic() < end and {row["state"] for row in all_deliveries(parts, mine)} != {"delivered"}:
                await courier.step()
                await asyncio.sleep(0.02)
            errors = [item["error"] or "" for item in all_tries(parts)]
            over.set()
            await courier.close(5)
            return errors

        errors = asyncio.run(main())
        assert len(healthy.received) == 20
        assert len(bad[0].received) == PER_TARGET
        assert not [error for error in errors if error.startswith("no answer")], "nobody waited for a time-out"
        assert [error for error in errors if error.startswith("HTTP 500")]


def test_a_crash_in_the_middle_of_a_delivery_sends_it_again_with_the_same_id(
    parts: Parts, clock: Clock, over: threading.Event
) -> None:
    async def crash() -> None:
        courier = Courier(parts, timeout=30)
        assert await courier.step() == 1
        while not receiver.received:
            await asyncio.sleep(0.01)
        await courier.close(0)

    with Receiver(status(200), manners=[hang(over)]) as receiver:
        add_webhook(parts, receiver.url)
        event = add_event(parts)
        spread.run_once(parts)
        asyncio.run(crash())
        assert all_tries(parts) == []
        assert send(parts) == 0, "another process must wait until the lease has ended"
        clock.now += LEASE
        assert send(parts) == 1
        over.set()
    assert receiver.ids == [event, event]
    assert all_deliveries(parts)[0]["state"] == "delivered"


def test_one_delivery_is_claimed_by_one_process(parts: Parts) -> None:
    for number in range(5):
        add_webhook(parts, f"http://127.0.0.1:9/{number}")
    for _ in range(8):
        add_event(parts)
    spread.run_once(parts)
    found: list[str] = []

    def work() -> None:
        mine = claim(parts.database, parts.clock(), new_id(), 4, {})
        found.extend(item.delivery["id"] for item in mine)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) >= 20


def test_a_lease_that_was_lost_leaves_the_new_owner_alone(parts: Parts, clock: Clock) -> None:
    add_webhook(parts, "http://127.0.0.1:9/")
    add_event(parts)
    spread.run_once(parts)
    [slow] = claim(parts.database, clock.now, "slow", 4, {})
    clock.now += LEASE
    [quick] = claim(parts.database, clock.now, "quick", 4, {})
    with parts.database.write() as connection:
        queue.settle(connection, slow, deliver.Answer(200), queue.Delivered(), 1.0, clock.now)
    row = all_deliveries(parts)[0]
    assert (row["state"], row["leased_by"], quick.delivery["id"]) == ("pending", "quick", row["id"])
    assert [item["status"] for item in all_tries(parts)] == [200]


def test_a_webhook_that_was_deleted_gets_nothing(parts: Parts, clock: Clock) -> None:
    with Receiver(status(200)) as receiver:
        webhook = add_webhook(parts, receiver.url)
        add_event(parts)
        spread.run_once(parts)
        with parts.database.write() as connection:
            connection.execute(webhooks.delete().where(webhooks.c.id == webhook))
        send(parts)
        assert receiver.received == []
    assert all_deliveries(parts)[0]["reason"] == "the webhook was deleted"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"])
def test_an_address_inside_the_house_is_refused_when_connecting(parts: Parts, host: str) -> None:
    outside = parts.settings.model_copy(update={"webhook_private": False})
    guarded = replace(parts, settings=outside)
    with Receiver(status(200)) as receiver:
        add_webhook(guarded, f"http://{host}:{receiver.port}/")
        add_event(guarded)
        send(guarded)
        assert receiver.received == []
    [row] = all_tries(guarded)
    assert row["error"].startswith("the address is refused: ")
    assert "HOLOS_WEBHOOK_PRIVATE" in row["error"]
    assert all_deliveries(guarded)[0]["state"] == "pending"


def test_an_event_with_a_word_that_was_used_is_not_written_again(parts: Parts, clock: Clock) -> None:
    with parts.database.write() as connection:
        tell = ("case.breached", "case:c1", {}, clock.now, "breach:c1")
        first, second = (emit(connection, "acme", *tell) for _ in range(2))
        other = emit(connection, "globex", *tell)
    assert first and second is None and other
    with parts.database.write() as connection, pytest.raises(ValueError, match="no event type"):
        emit(connection, "acme", "case.lost", None, {}, clock.now)


def test_what_was_erased_on_its_way_leaves_no_trace(parts: Parts, clock: Clock) -> None:
    add_webhook(parts, "http://127.0.0.1:9/")
    add_event(parts)
    spread.run_once(parts)
    [claimed] = claim(parts.database, clock.now, "mine", 4, {})
    with parts.database.write() as connection:
        connection.execute(events.delete())
    with parts.database.write() as connection:
        queue.settle(connection, claimed, deliver.Answer(500), queue.Again(clock.now), 1.0, clock.now)
    assert all_deliveries(parts) == all_tries(parts) == []


def test_writes_are_put_together_and_one_that_fails_spoils_none(parts: Parts) -> None:
    ran: list[int] = []

    def write(connection: Connection, number: int) -> None:
        ran.append(number)
        if number == 3:
            raise LookupError(number)
        emit(connection, "acme", "case.opened", f"case:{number}", {}, parts.clock())

    async def main() -> list[object]:
        writer = Writer(parts.database)
        done = await asyncio.gather(*(writer.write(write, number) for number in range(6)), return_exceptions=True)
        await writer.close()
        return [type(item) for item in done]

    assert asyncio.run(main()) == [type(None)] * 3 + [LookupError] + [type(None)] * 2
    with parts.database.read() as connection:
        subjects = connection.execute(select(events.c.subject)).scalars().all()
    assert sorted(subjects) == ["case:0", "case:1", "case:2", "case:4", "case:5"]


def test_a_rule_names_who_alone_is_told(parts: Parts) -> None:
    with Receiver(status(200)) as named, Receiver(status(200)) as other:
        chosen = add_webhook(parts, named.url, types=["model.promoted"])
        add_webhook(parts, other.url)
        event = add_event(parts, "response.flagged", "response:r1", webhooks=[chosen], notices=[])
        send(parts)
    assert named.ids == [event]
    assert other.received == []
    assert json.loads(named.received[0].body)["type"] == "response.flagged"
