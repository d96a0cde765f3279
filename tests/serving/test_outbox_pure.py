"""The outbox's pure parts: signatures, the retry schedule, guarded addresses, quiet hours, schedules."""

import contextlib
import ipaddress
import json
import re
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from hypothesis import given
from hypothesis import strategies as st
from loop import ROOT
from standardwebhooks import Webhook, WebhookVerificationError

from nlp.errors import InputError
from nlp.taxonomy import Theme
from serving.frame.effective import Frame
from serving.outbox import signing
from serving.outbox.about import About, within
from serving.outbox.events import PING, TYPES
from serving.outbox.guard import check_url, is_public
from serving.outbox.hours import Period, Quiet, Schedule, last_period, quiet_until
from serving.outbox.retry import LONGEST_WAIT, WAITS, Again, Answer, Delivered, GiveUp, next_try, retry_after
from serving.outbox.schemas import ChannelIn
from serving.outbox.signing import Secret
from serving.outbox.targets import LANGUAGES, Scope
from serving.outbox.texts import DIGESTS, LABELS, TITLES

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WARSAW = ZoneInfo("Europe/Warsaw")


def at(word: str) -> datetime:
    return datetime.fromisoformat(word).replace(tzinfo=WARSAW)


def event(**fields: object) -> dict[str, object]:
    row = {"workspace": "acme", "id": "evt_1", "type": "case.opened", "subject": "case:c1", "at": NOW}
    return {**row, "data": {"priority": 1, "note": "spóźniony kurier"}, **fields}


def test_the_signature_is_one_that_the_standard_library_accepts() -> None:
    now, secret = datetime.now(UTC), signing.make_secret()
    sent = signing.message(event(), "standard")
    headers = signing.headers("evt_1", sent, [Secret(secret, now)], now)
    assert Webhook(secret).verify(sent.body, headers) == {
        "id": "evt_1",
        "type": "case.opened",
        "timestamp": "2026-11-02T09:00:00Z",
        "subject": "case:c1",
        "data": {"priority": 1, "note": "spóźniony kurier"},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(sent.body.replace(b"1", b"2"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.make_secret()).verify(sent.body, headers)


def test_a_cloud_event_is_one_and_is_signed_too() -> None:
    now, secret = datetime.now(UTC), signing.make_secret()
    sent = signing.message(event(), "cloudevents")
    headers = signing.headers("evt_1", sent, [Secret(secret, now)], now)
    assert headers["content-type"] == "application/cloudevents+json"
    Webhook(secret).verify(sent.body, headers)
    found = from_structured_event(HTTPMessage(headers, sent.body))
    assert (found.get_id(), found.get_type(), found.get_source()) == ("evt_1", "holos.case.opened", "/holos/acme")
    assert (found.get_subject(), found.get_time()) == ("case:c1", NOW)
    assert found.get_data() == {"priority": 1, "note": "spóźniony kurier"}
    assert json.loads(sent.body)["specversion"] == "1.0"


def test_two_secrets_sign_during_the_overlap_and_one_after_it() -> None:
    first = (Secret("whsec_" + "A" * 32, NOW),)
    second = signing.rotate(first, "whsec_" + "B" * 32, NOW, timedelta(hours=24))
    third = signing.rotate(second, "whsec_" + "C" * 32, NOW, timedelta(hours=24))
    assert [item.secret[6] for item in signing.signing(second, NOW)] == ["B", "A"]
    assert [item.secret[6] for item in signing.signing(second, NOW + timedelta(hours=24))] == ["B"]
    assert [item.secret[6] for item in third] == ["C", "B"]
    assert [item.secret[6] for item in signing.rotate(first, "whsec_B", NOW, timedelta())] == ["B"]
    assert Secret.from_dict(json.loads(json.dumps(second[1].to_dict()))) == second[1]


def test_the_schedule_is_the_recommended_one() -> None:
    moment = NOW
    for tries, wait in enumerate(WAITS[1:], start=1):
        verdict = next_try(tries, Answer(500), moment, 0.5)
        assert verdict == Again(moment + wait)
        moment = verdict.at
    assert moment - NOW == timedelta(hours=75, minutes=35, seconds=5)
    last = next_try(len(WAITS), Answer(500), moment, 0.5)
    assert last == GiveUp("10 tries failed, the last one with HTTP 500")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200), Delivered()),
        (Answer(204), Delivered()),
        (Answer(299), Delivered()),
        (Answer(410), GiveUp("the receiver answered 410 Gone", disable=True)),
        (Answer(301), Again(NOW + timedelta(seconds=5))),
        (Answer(404), Again(NOW + timedelta(seconds=5))),
        (Answer(error="no answer within 15 s"), Again(NOW + timedelta(seconds=5))),
        (Answer(429, "120"), Again(NOW + timedelta(seconds=120))),
        (Answer(429, "2"), Again(NOW + timedelta(seconds=5))),
        (Answer(503, format_datetime(NOW + timedelta(minutes=7), usegmt=True)), Again(NOW + timedelta(minutes=7))),
        (Answer(503, format_datetime(NOW - timedelta(minutes=7), usegmt=True)), Again(NOW + timedelta(seconds=5))),
        (Answer(429, "99999999999999999999"), Again(NOW + LONGEST_WAIT)),
        (Answer(429, "soon"), Again(NOW + timedelta(seconds=5))),
    ],
)
def test_what_one_answer_means(answer: Answer, expected: object) -> None:
    assert next_try(1, answer, NOW, 0.5) == expected


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_tenth(tries: int, chance: float) -> None:
    verdict = next_try(tries, Answer(500), NOW, chance)
    assert isinstance(verdict, Again)
    assert 0.9 <= (verdict.at - NOW) / WAITS[tries] <= 1.1


@given(st.text())
def test_no_retry_after_header_breaks_it(value: str) -> None:
    assert retry_after(value, NOW) >= timedelta()


PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "224.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "192.0.0.192",
    "168.63.129.16",
    "198.18.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "::7f00:1",
    "64:ff9b:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_the_house_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_open_internet_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_changes_nothing(address: ipaddress.IPv4Address) -> None:
    wrapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert is_public(wrapped) == is_public(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/", "https"),
        ("ftp://example.com/", "https"),
        ("file:///etc/passwd", "no address"),
        ("example.com", "no address"),
        ("", "no address"),
        ("https://", "no address"),
        ("https://exa mple.com/", "no address"),
        ("https://[::1/", "no address"),
        ("https://przykład.pl/", "no address"),
        ("https://example.com:99999/", "no address"),
        ("https://example.com/\r\nX: 1", "no address"),
        ("https://u:p@example.com/", "user and password"),
        ("https://example.com/#part", "#"),
        ("https://127.0.0.1/", "not a public address"),
        ("https://[::ffff:10.0.0.1]/", "not a public address"),
        ("https://169.254.169.254/latest", "not a public address"),
    ],
)
def test_an_address_that_cannot_be_a_webhook_says_why(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_url(url, private=False)


@given(st.text(), st.booleans())
def test_no_text_breaks_the_check_of_an_address(text: str, private: bool) -> None:
    for url in (text, f"https://{text}", f"https://example.com/{text}"):
        with contextlib.suppress(InputError):
            assert check_url(url, private) == url


def test_private_receivers_may_be_plain_http_where_that_is_set() -> None:
    assert check_url("http://127.0.0.1:8080/x?y=1", private=True)
    assert check_url("https://example.com/x?y=1", private=False)


NIGHT = Quiet(time(20), time(8), WARSAW)
NOON = Quiet(time(12), time(13), WARSAW)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-11-02T19:59", None),
        (NIGHT, "2026-11-02T20:00", "2026-11-03T08:00"),
        (NIGHT, "2026-11-03T03:00", "2026-11-03T08:00"),
        (NIGHT, "2026-11-03T08:00", None),
        (NOON, "2026-11-03T12:30", "2026-11-03T13:00"),
        (NOON, "2026-11-03T13:00", None),
        (Quiet(time(8), time(8), WARSAW), "2026-11-03T08:00", None),
        # the night the clocks go back, and the one they go forward
        (NIGHT, "2026-10-24T23:00", "2026-10-25T08:00"),
        (NIGHT, "2026-03-28T23:00", "2026-03-29T08:00"),
    ],
)
def test_quiet_hours_hold_until_they_end(quiet: Quiet, now: str, until: str | None) -> None:
    assert quiet_until(quiet, at(now)) == (at(until) if until else None)


def test_without_quiet_hours_nothing_is_held() -> None:
    assert quiet_until(None, NOW) is None


@pytest.mark.parametrize(
    ("days", "hours", "now", "start", "end"),
    [
        ((0, 1, 2, 3, 4), (8,), "2026-11-03T09:00", "2026-11-02T08:00", "2026-11-03T08:00"),
        ((0, 1, 2, 3, 4), (8,), "2026-11-03T07:59", "2026-10-30T08:00", "2026-11-02T08:00"),
        ((0,), (8,), "2026-11-02T08:00", "2026-10-26T08:00", "2026-11-02T08:00"),
        ((0,), (8,), "2026-11-02T07:00", "2026-10-19T08:00", "2026-10-26T08:00"),
        ((0, 1), (8, 14), "2026-11-03T15:00", "2026-11-03T08:00", "2026-11-03T14:00"),
    ],
)
def test_a_digest_is_about_the_time_since_the_one_before(
    days: tuple[int, ...], hours: tuple[int, ...], now: str, start: str, end: str
) -> None:
    schedule = Schedule(tuple(map(time, hours)), days, WARSAW)
    assert last_period(schedule, at(now)) == Period(at(start), at(end))


def test_the_period_before_is_as_long() -> None:
    day = Period(NOW, NOW + timedelta(days=1))
    assert day.before == Period(NOW - timedelta(days=1), NOW)


CASE = About(
    teams=frozenset({"couriers"}),
    units=frozenset({"krakow"}),
    employees=frozenset({"ola"}),
    themes=frozenset({"delivery.time"}),
)
SPIKE = About(themes=frozenset({"delivery.time"}))
FRAME = Frame(
    "default-1+1",
    (
        Theme("product.quality", "Quality", ""),
        Theme("delivery.courier", "Courier", "", parent="staff"),
        Theme("weather.rain", "Rain", "", parent="delivery"),
    ),
    merged={"delivery.damage": "product.quality"},
    moved=frozenset({"delivery.courier"}),
)


@pytest.mark.parametrize(
    ("scope", "found", "expected"),
    [
        (Scope(), CASE, True),
        (Scope(units=("krakow", "lodz")), CASE, True),
        (Scope(units=("lodz",)), CASE, False),
        (Scope(units=("krakow",), themes=("delivery",)), CASE, True),
        (Scope(units=("krakow",), themes=("price",)), CASE, False),
        (Scope(employees=("jan",)), CASE, False),
        (Scope(teams=("couriers",)), CASE, True),
        # a theme has no unit: who is for a unit hears of it too
        (Scope(units=("lodz",)), SPIKE, True),
        (Scope(themes=("price",)), SPIKE, False),
        (Scope(themes=("price",)), About(), True),
        (Scope(teams=("couriers",)), About(teams=frozenset()), False),
    ],
)
def test_a_channel_hears_of_what_is_in_its_scope(scope: Scope, found: About, expected: bool) -> None:
    assert within(scope, found, FRAME) is expected


@pytest.mark.parametrize(
    ("asked", "theme", "expected"),
    [
        ("delivery", "delivery.time", True),
        ("delivery", "delivery", True),
        ("delivery", "delivery_app", False),
        ("delivery.time", "delivery", False),
        # merged: either name stands for both, and an event may be older than the merge
        ("delivery.damage", "product.quality", True),
        ("product", "delivery.damage", True),
        ("delivery", "delivery.damage", False),
        ("delivery", "delivery.courier", False),  # moved
        ("staff", "delivery.courier", True),
        ("delivery", "weather.rain", True),
    ],
)
def test_a_theme_covers_those_under_it_in_the_frame_and_no_namesakes(asked: str, theme: str, expected: bool) -> None:
    assert within(Scope(themes=(asked,)), About(themes=frozenset({theme})), FRAME) is expected


def test_every_text_is_there_in_every_language_with_the_same_places() -> None:
    for words in (*TITLES.values(), *LABELS.values(), *DIGESTS.values()):
        assert set(words) == set(LANGUAGES)
        assert len({tuple(part for part in text.split() if "{" in part) for text in words.values()}) == 1


PAGE = (ROOT / "docs" / "webhooks.md").read_text("utf-8")


def test_the_check_by_hand_in_the_documentation_is_right() -> None:
    [source] = [part for part in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "def is_ours" in part]
    names: dict[str, Any] = {}
    exec(source, names)
    now, secret = datetime.now(UTC), signing.make_secret()
    sent = signing.message(event(), "standard")
    headers = signing.headers("evt_1", sent, [Secret(signing.make_secret(), now), Secret(secret, now)], now)
    assert names["is_ours"](secret, headers, sent.body)
    assert not names["is_ours"](secret, headers, sent.body + b" ")
    late = signing.headers("evt_1", sent, [Secret(secret, now)], now - timedelta(minutes=6))
    assert not names["is_ours"](secret, late, sent.body)


def test_the_documentation_lists_every_event_and_every_field_of_a_channel() -> None:
    assert {word for word in re.findall(r"^\| `(\w+\.\w+)`", PAGE, re.M)} == {*TYPES, PING}
    fields = {word for words in re.findall(r"^\| (`\w+`) \|", PAGE, re.M) for word in [words.strip("`")]}
    assert fields >= set(ChannelIn.model_fields) - {"name"}


def test_every_example_in_the_documentation_is_json() -> None:
    found = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    assert len(found) >= 4
    for example in found:
        assert json.loads(example)
