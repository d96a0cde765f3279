"""Messages to people: a real mail server, quiet hours, repeats, digests, under a clock that the tests turn."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from loop import Clock
from outbox_helpers import ACME, add_case, add_channel, add_event, add_response, all_deliveries, all_tries, private
from receivers import Mailbox, Receiver, status

from nlp.errors import InputError
from serving.outbox import deliver, digests, spread
from serving.outbox.channels import check_address, masked
from serving.outbox.events import TEST, TYPES
from serving.outbox.messages import event_note
from serving.outbox.targets import LANGUAGES, to_channel
from serving.parts import Parts
from serving.store.loop_tables import channels


@pytest.fixture
def parts(parts: Parts) -> Parts:
    return private(parts)


def send(parts: Parts) -> int:
    digests.run_once(parts)
    while spread.run_once(parts):
        pass
    return asyncio.run(deliver.run_once(parts))


def channel(parts: Parts, id: str) -> object:
    with parts.database.read() as connection:
        return to_channel(connection.execute(channels.select().where(channels.c.id == id)).mappings().one())


def test_a_mail_says_what_whom_when_and_where(parts: Parts, clock: Clock) -> None:
    uid = add_response(parts, unit="Kraków", text="Kurier spóźnił się trzy dni. Tel. <PHONE>", themes=[])
    case = add_case(parts, response=uid, team="couriers", assignee="Ola", theme="delivery.time")
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url(), language="pl")
        event = add_event(parts, "case.opened", f"case:{case}")
        assert send(parts) == 1
    assert mailbox.subjects == ["Nowa sprawa, priorytet 1"]
    text = mailbox.text()
    for part in (
        "Dlaczego: NPS 2 is in the low band 0-3 and the comment gives a reason",
        "Klient napisał: Kurier spóźnił się trzy dni. Tel. ",
        "Temat: delivery.time",
        "Zespół: couriers",
        "Osoba: Ola",
        "Placówka: Kraków",
        "Kontakt do: 2026-11-03 10:00",
        f"Dotyczy: case:{case}",
        f"Numer: {event}",
    ):
        assert part in text
    assert all_deliveries(parts)[0]["state"] == "delivered"


def test_a_link_leads_to_the_case_where_the_address_of_the_pages_is_known(parts: Parts) -> None:
    case = add_case(parts)
    id = add_channel(parts, "mailto://example.com/a@example.com")
    event = {"workspace": ACME, "id": "evt_1", "type": "case.breached", "subject": f"case:{case}", "data": {}}
    with parts.database.read() as connection:
        note = event_note(connection, channel(parts, id), event, 1, "https://holos.example.com/")
    assert f"Link: https://holos.example.com/cases/{case}" in note.body.splitlines()


def test_every_event_has_a_message_in_every_language(parts: Parts) -> None:
    for language in LANGUAGES:
        id = add_channel(parts, "mailto://example.com/a@example.com", language=language)
        for type in (*TYPES, TEST):
            event = {"workspace": ACME, "id": "evt_1", "type": type, "subject": None, "data": {"label": "Late\r\nvans"}}
            with parts.database.read() as connection:
                note = event_note(connection, channel(parts, id), event, 1, None)
            assert note.title
            assert "{" not in note.title + note.body
            assert "\n" not in note.title
            assert "evt_1" in note.body


def test_a_mail_server_that_refuses_is_tried_again(parts: Parts, clock: Clock) -> None:
    with Mailbox(refuse=True) as mailbox:
        add_channel(parts, mailbox.url())
        add_event(parts)
        send(parts)
        assert all_tries(parts)[0]["error"] == "the service did not take the message"
        mailbox.refuse = False
        clock.forward(seconds=6)
        send(parts)
        assert len(mailbox.mails) == 1
    assert all_deliveries(parts)[0]["state"] == "delivered"


def test_a_mail_server_inside_the_house_is_refused_unless_allowed(parts: Parts) -> None:
    outside = parts.settings.model_copy(update={"webhook_private": False})
    guarded = replace(parts, settings=outside)
    with Mailbox() as mailbox:
        add_channel(guarded, mailbox.url())
        add_event(guarded)
        send(guarded)
        assert mailbox.mails == []
    assert "127.0.0.1 is not a public address" in all_tries(guarded)[0]["error"]


def test_a_chat_is_told_over_http(parts: Parts) -> None:
    """Mattermost's protocol, spoken to a server of our own."""
    with Receiver(status(200, b"ok")) as receiver:
        add_channel(parts, f"mmost://127.0.0.1:{receiver.port}/abcdef123456")
        add_event(parts, "theme.spike", "theme:delivery.time", label="Delivery time")
        send(parts)
    [got] = receiver.received
    assert b"More comments than usual: Delivery time" in got.body


def test_in_quiet_hours_messages_wait(parts: Parts, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 2, 20, 30, tzinfo=UTC)  # half past nine in the evening in Warsaw
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url(), quiet={"from": "20:00", "to": "08:00"})
        add_event(parts)
        send(parts)
        assert mailbox.mails == []
        [row] = all_deliveries(parts)
        assert (row["state"], row["tries"]) == ("pending", 0)
        assert row["next_at"] == datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
        clock.now = datetime(2026, 11, 3, 6, 59, tzinfo=UTC)
        assert send(parts) == 0
        clock.now = datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
        send(parts)
        assert len(mailbox.mails) == 1


def test_repeats_are_told_once_with_their_number(parts: Parts, clock: Clock) -> None:
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url(), dedupe_minutes=10)
        add_event(parts, "theme.spike", "theme:delivery")
        send(parts)
        for _ in range(3):
            clock.forward(minutes=2)
            add_event(parts, "theme.spike", "theme:delivery")
            send(parts)
        assert len(mailbox.mails) == 1
        add_event(parts, "theme.spike", "theme:price")
        send(parts)
        assert len(mailbox.mails) == 2, "another subject is no repeat"
        clock.forward(minutes=4)
        send(parts)
        assert len(mailbox.mails) == 3
        assert "Events: 3" in mailbox.text()
        clock.forward(minutes=30)
        assert send(parts) == 0
    states = [row["state"] for row in all_deliveries(parts)]
    assert sorted(states) == ["delivered"] * 3 + ["merged"] * 2


def test_a_channel_without_a_window_is_told_of_all(parts: Parts) -> None:
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url(), dedupe_minutes=0)
        for _ in range(3):
            add_event(parts)
        send(parts)
        assert len(mailbox.mails) == 3


def test_a_channel_hears_of_its_own_units_only(parts: Parts) -> None:
    krakow, lodz = (add_case(parts, response=add_response(parts, unit=unit)) for unit in ("Kraków", "Łódź"))
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url("krakow@example.com"), scope={"units": ["Kraków"]})
        add_channel(parts, mailbox.url("all@example.com"), types=["case.opened"])
        for case in (krakow, lodz):
            add_event(parts, "case.opened", f"case:{case}")
        send(parts)
        to = sorted(str(mail["to"]) for mail in mailbox.mails)
    assert to == ["all@example.com", "all@example.com", "krakow@example.com"]


def test_a_rule_tells_a_channel_by_name_or_role_with_its_message(parts: Parts) -> None:
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url("board@example.com"), name="board", types=["model.promoted"])
        add_channel(parts, mailbox.url("shop@example.com"), name="shop", role="frontline")
        add_channel(parts, mailbox.url("other@example.com"), name="other", role="team")
        notices = [{"to": "board", "message": "Legal threat"}, {"to": "frontline", "message": None}]
        add_event(parts, "response.flagged", f"response:{add_response(parts)}", webhooks=[], notices=notices)
        send(parts)
        texts = {str(mail["to"]): mailbox.text(number) for number, mail in enumerate(mailbox.mails)}
    assert set(texts) == {"board@example.com", "shop@example.com"}
    assert "Message: Legal threat" in texts["board@example.com"]
    assert "The customer wrote: The courier came three days late." in texts["shop@example.com"]


MORNING = {"at": ["08:00"], "days": ["mon", "tue", "wed", "thu", "fri"]}


def test_the_front_line_gets_its_cases_in_the_morning(parts: Parts, clock: Clock) -> None:
    with Mailbox() as mailbox:
        scope = {"units": ["Kraków"]}
        add_channel(parts, mailbox.url(), role="frontline", digest=MORNING, scope=scope, language="en")
        late = add_case(parts, response=add_response(parts, unit="Kraków"), due_at=clock.now, assignee="Ola")
        later = add_case(parts, response=add_response(parts, unit="Kraków"), due_at=clock.now + timedelta(days=2))
        add_case(parts, response=add_response(parts, unit="Kraków"), state="resolved")
        add_case(parts, response=add_response(parts, unit="Łódź"))
        add_case(parts, workspace="globex")
        add_event(parts, "case.opened", f"case:{late}")
        assert send(parts) == 0, "a channel with a digest gets no messages between"
        clock.now = datetime(2026, 11, 3, 6, 59, tzinfo=UTC)
        assert send(parts) == 0
        clock.now = datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
        assert send(parts) == 1
        assert send(parts) == 0
    assert mailbox.subjects == ["Cases waiting for contact: 2"]
    [first, second] = [line for line in mailbox.text().splitlines() if line.startswith("- ")]
    assert "Contact by 2026-11-02 10:00; Overdue; Ola" in first and first.endswith(late)
    assert "Overdue" not in second and second.endswith(later)


def test_a_front_line_without_cases_is_left_in_peace(parts: Parts, clock: Clock) -> None:
    add_channel(parts, "mailto://example.com/a@example.com", role="frontline", digest=MORNING)
    clock.forward(days=1)
    assert send(parts) == 0
    assert all_deliveries(parts) == []


def test_managers_get_trends_beside_the_day_before(parts: Parts, clock: Clock) -> None:
    with Mailbox() as mailbox:
        add_channel(parts, mailbox.url(), digest=MORNING, language="en")
        clock.now = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
        add_response(parts, sentiment="negative", themes=[("delivery.time", "negative")])
        clock.now = datetime(2026, 11, 4, 10, 0, tzinfo=UTC)
        for _ in range(2):
            uid = add_response(parts, sentiment="negative", themes=[("delivery.time", "negative")])
        add_response(parts, sentiment="positive", themes=[("price", "negative"), ("staff", "positive")])
        hour = timedelta(hours=1)
        met, missed = clock.now + hour, clock.now + 3 * hour
        add_case(parts, response=uid, due_at=clock.now + 2 * hour, first_contact_at=met)
        add_case(parts, due_at=clock.now + 2 * hour, first_contact_at=missed)
        add_case(parts, due_at=clock.now + 2 * hour)
        clock.now = datetime(2026, 11, 5, 7, 0, tzinfo=UTC)
        assert send(parts) == 1
    assert mailbox.subjects == ["What customers say: summary"]
    lines = mailbox.text().splitlines()
    for line in (
        "Period: 2026-11-04 08:00 - 2026-11-05 08:00",
        "Responses: 5 (before 1)",
        "Negative: 2 (before 1)",
        "Cases opened: 3 (before 0)",
        "Cases open: 3",
        "Overdue: 1",
        "Contacted in time: 1/3 (33%)",
        "- delivery.time: 2 (before 1)",
        "- price: 1 (before 0)",
    ):
        assert line in lines
    assert "staff" not in mailbox.text()


def test_specialists_get_their_themes_with_the_words_of_customers(parts: Parts, clock: Clock) -> None:
    with Mailbox() as mailbox:
        scope = {"themes": ["delivery"]}
        add_channel(parts, mailbox.url(), role="team", digest=MORNING, scope=scope, language="en")
        clock.now = datetime(2026, 11, 4, 10, 0, tzinfo=UTC)
        add_response(parts, text="Three days late.", themes=[("delivery.time", "negative")])
        add_response(parts, text="On the dot!", themes=[("delivery.time", "positive"), ("price", "negative")])
        add_response(parts, text="Too dear.", themes=[("price", "negative")])
        clock.now = datetime(2026, 11, 5, 7, 0, tzinfo=UTC)
        assert send(parts) == 1
    text = mailbox.text()
    assert "- delivery.time: complaints: 1 (before 0); praise: 1 (before 0)" in text
    assert "- Three days late." in text
    assert "Too dear" not in text and "price" not in text


def test_a_digest_is_made_by_one_process_and_missed_ones_come_as_one(parts: Parts, clock: Clock) -> None:
    add_channel(parts, "mailto://example.com/a@example.com", digest=MORNING)
    clock.forward(days=9)
    assert digests.run_once(parts) == 1
    assert digests.run_once(parts) == 0
    assert len(all_deliveries(parts)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no address"),
        ("json://example.com/hook", "make a webhook"),
        ("syslog://", "cannot be used"),
        ("mailto://", "no address"),
    ],
)
def test_a_service_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_address(url)


def test_secrets_of_an_address_are_not_shown() -> None:
    shown = masked("mailtos://bob:hunter2@mail.example.com/?to=a@example.com&smtp=smtp.example.com&pass=hunter3")
    assert "hunter" not in shown
    assert "example.com" in shown
