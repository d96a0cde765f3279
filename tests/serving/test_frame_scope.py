"""Cases, channels and digests asked for by theme: old names find the new, a parent has what the workspace put there."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from loop import START, Api, Clock
from outbox_helpers import ACME, add_case, add_channel, add_event, add_response, all_deliveries
from starlette.testclient import TestClient

from nlp.taxonomy import Theme
from serving.cases.routes import router
from serving.frame.own import Own
from serving.frame.store import save
from serving.outbox import digests, spread
from serving.outbox.digest_text import digest_note, reader_of
from serving.outbox.hours import Period
from serving.outbox.targets import to_channel
from serving.parts import Parts
from serving.store.loop_tables import channels

ADDRESS = "mailto://example.com/a@example.com"
MORNING = {"at": ["08:00"], "days": ["tue"]}
OWN = Own(
    themes=(Theme("weather.rain", "Rain", "", parent="delivery"),),
    moves={"delivery.courier": "staff"},
    merges={"delivery.condition": "product.quality"},
)
THEMES = (
    *("product.quality", "delivery.courier", "delivery.time", "weather.rain"),
    # of an older frame, and one that only looks alike
    *("delivery.drone", "Delivery.time"),
)
FOUND = [
    ("delivery", {"delivery.time", "delivery.drone", "weather.rain"}),
    ("staff", {"delivery.courier"}),
    ("delivery.condition", {"product.quality"}),
    ("product", {"product.quality"}),
    ("delivery.courier", {"delivery.courier"}),
    ("weather", {"weather.rain"}),
    ("deliver", set()),
    ("%", set()),
]


@pytest.fixture
def parts(parts: Parts) -> Parts:
    """With a frame of the workspace's own."""
    with parts.database.write() as connection:
        save(connection, ACME, 1, OWN, "ola", "put", None, START)
    return parts


@pytest.fixture
def client(parts: Parts, api: Callable[..., Api]) -> TestClient:
    return api(router).client()


@pytest.mark.parametrize(("asked", "found"), FOUND)
def test_cases_are_found_by_the_workspaces_frame(client: TestClient, parts: Parts, asked: str, found: set[str]) -> None:
    for theme in THEMES:
        add_case(parts, theme=theme)
    add_case(parts, theme=None)
    add_case(parts, "globex", theme=asked)
    given = client.get("/v1/cases", params={"theme": asked}).json()["items"]
    assert sorted(each["theme"] for each in given) == sorted(found)


def test_another_workspaces_frame_is_its_own(parts: Parts, api: Callable[..., Api]) -> None:
    case = add_case(parts, "globex", theme="delivery.courier")
    client = api(router).client(workspace="globex")
    given = {asked: client.get("/v1/cases", params={"theme": asked}).json()["items"] for asked in ("delivery", "staff")}
    assert [each["id"] for each in given["delivery"]] == [case] and given["staff"] == []


@pytest.mark.parametrize(
    ("theme", "heard_by"),
    [
        ("product.quality", {"delivery.condition", "product"}),
        ("delivery.condition", {"delivery.condition", "product"}),  # told before it was merged
        ("delivery.courier", {"staff"}),
        ("weather.rain", {"delivery"}),
        ("delivery.drone", {"delivery"}),
        ("price.level", set()),
    ],
)
def test_channels_hear_of_their_themes_by_the_workspaces_frame(parts: Parts, theme: str, heard_by: set[str]) -> None:
    scopes = ("delivery", "staff", "product", "delivery.condition")
    ids = {add_channel(parts, ADDRESS, scope={"themes": [asked]}): asked for asked in scopes}
    add_event(parts, "theme.spike", f"theme:{theme}", label="Some theme")
    assert spread.run_once(parts) == 1
    assert {ids[row["target"]] for row in all_deliveries(parts)} == heard_by


@pytest.mark.parametrize(("asked", "found"), FOUND)
def test_digests_are_about_their_themes_by_the_workspaces_frame(
    parts: Parts, clock: Clock, asked: str, found: set[str]
) -> None:
    for theme in THEMES:
        add_response(parts, text=f"About {theme}.", themes=[(theme, "negative")])
        add_case(parts, theme=theme)
    id = add_channel(parts, ADDRESS, role="team", scope={"themes": [asked]})
    period = Period(clock.now, datetime(2026, 11, 3, 7, 0, tzinfo=UTC))
    with parts.database.read() as connection:
        row = connection.execute(channels.select().where(channels.c.id == id)).mappings().one()
        note = digest_note(connection, reader_of(connection, parts, to_channel(row)), period, period.end)
    told = {line.split(":")[0].removeprefix("- ") for line in note.body.splitlines() if ": complaints: 1 " in line}
    assert told == found


@pytest.mark.parametrize(("asked", "waiting"), [("staff", 1), ("delivery", 0), ("delivery.condition", 0)])
def test_the_front_line_is_told_of_the_cases_of_its_themes(
    parts: Parts, clock: Clock, asked: str, waiting: int
) -> None:
    add_case(parts, theme="delivery.courier")
    add_channel(parts, ADDRESS, role="frontline", digest=MORNING, scope={"themes": [asked]})
    clock.now = datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
    assert digests.run_once(parts) == waiting
