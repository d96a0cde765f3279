"""Volumes and themes counted by hand on both databases, trends against the period before, quotes of redacted words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from insight_rows import Rows, day

from serving.insights.digest import QUOTE_LENGTH, QUOTES, Digest, ThemeQuote, chosen, digest, quote
from serving.insights.intervals import wilson
from serving.insights.themes import Mention, Theme, Themes, rolled_up, themes
from serving.insights.volumes import Volumes, volumes
from serving.insights.window import Window, bucket, period
from serving.store.database import Database

MONTH = Window(period(day(0), day(28), day(28)))


def ask(database: Database, limit: int = 100, window: Window = MONTH) -> Themes:
    with database.read() as connection:
        return themes(connection, "acme", window, "week", limit)


def digest_of(database: Database, theme: str) -> Digest:
    with database.read() as connection:
        return digest(connection, "acme", MONTH, theme, "week")


def volumes_of(database: Database, by: str | None = None, every: str = "week", limit: int = 100) -> Volumes:
    with database.read() as connection:
        return volumes(connection, "acme", MONTH, by, every, limit)


def story() -> Rows:
    rows = Rows()
    late, lost, dear = ("delivery.time", "negative"), ("delivery.lost", "mixed"), ("price", "negative")
    rows.answer(1, day(0), [late, lost], unit="north", text="Paczka przyszła późno i w częściach", sentiment="negative")
    rows.answer(2, day(1), [late, dear], unit="north", text="Дорого і довго")
    rows.answer(9, day(8), [("delivery.time", "positive")], unit="south", text="Szybka dostawa")
    rows.answer(9, day(9), [("staff", "neutral")], unit="south")
    rows.answer(9, day(27.9), unit="south")
    # the four weeks before
    rows.answer(9, day(-1), [("delivery.time", "positive")])
    rows.answer(9, day(-27), [("garden", "negative")])
    rows.answer(9, day(-29), [("garden", "negative")])
    return rows


def test_themes_by_hand(database: Database) -> None:
    story().write(database)
    other = Rows("other")
    other.answer(1, day(1), [("delivery.time", "negative")])
    other.write(database)
    found = ask(database)
    assert (found.n, found.left_out) == (5, 0)
    assert [theme.id for theme in found.themes] == [
        "delivery",
        "delivery.time",
        "delivery.lost",
        "price",
        "staff",
        "garden",
    ]
    by_id = {theme.id: theme for theme in found.themes}
    delivery, late = by_id["delivery"], by_id["delivery.time"]
    # one response has two themes under delivery, and counts once
    assert (delivery.n, delivery.share, delivery.before) == (3, wilson(3, 5), wilson(1, 2))
    assert (delivery.complaining, delivery.praising) == (wilson(2, 3), wilson(2, 3))
    assert (late.complaining, late.praising) == (wilson(2, 3), wilson(1, 3))
    assert [(item.start.isoformat(), item.n) for item in late.trend] == [("2026-11-02", 2), ("2026-11-09", 1)]
    # gone since
    assert (by_id["garden"].n, by_id["garden"].before, by_id["garden"].trend) == (0, wilson(1, 2), ())
    change = by_id["garden"].change
    assert change is not None and change.value == -0.5
    assert [theme.id for theme in ask(database, limit=2).themes] == ["delivery", "delivery.time"]
    assert ask(database, limit=2).left_out == 4


def test_a_theme_that_grows_is_told_from_those_that_do_not(database: Database) -> None:
    rng, rows = np.random.default_rng(13), Rows()
    for number in range(1200):
        before = number % 2 == 0
        said = [(f"t{theme:02}", "negative") for theme in range(15) if rng.random() < 0.1]
        said += [("late", "negative")] if rng.random() < (0.10 if before else 0.22) else []
        rows.answer(5, day(float(rng.uniform(-28, 0) if before else rng.uniform(0, 28))), said)
    rows.write(database)
    by_id: dict[str, Theme] = {theme.id: theme for theme in ask(database).themes}
    grown = by_id["late"].change
    assert grown is not None and grown.interval is not None
    assert grown.interval.low < 0.12 < grown.interval.high
    assert by_id["late"].q is not None and by_id["late"].q < 0.001
    assert sum(theme.q is not None and theme.q < 0.05 for theme in by_id.values()) <= 2


def test_the_digest_by_hand(database: Database) -> None:
    story().write(database)
    found = digest_of(database, "delivery")
    assert (found.n, found.theme.id, found.theme.share) == (3, "delivery", wilson(3, 5))
    assert (found.complaining_before, [theme.id for theme in found.below]) == (
        wilson(0, 1),
        ["delivery.time", "delivery.lost"],
    )
    assert found.complaining_change is not None and round(found.complaining_change.value, 9) == round(2 / 3, 9)
    assert [(place.name, place.complaining) for place in found.units] == [("north", wilson(2, 2))]
    assert [(place.name, place.complaining) for place in found.touchpoints] == [(None, wilson(2, 5))]
    assert [item.text for item in found.complaints] == ["Дорого і довго", "Paczka przyszła późno i w częściach"]
    assert [item.text for item in found.praise] == ["Szybka dostawa", "Paczka przyszła późno i w częściach"]
    assert (found.praise[0].day.isoformat(), found.praise[0].language) == ("2026-11-10", "pl")
    # nothing of it in the period, though it was known before
    gone = digest_of(database, "garden")
    assert (gone.n, gone.theme.n, gone.theme.before, gone.complaints, gone.units) == (0, 0, wilson(1, 2), (), ())


def test_a_theme_covers_what_lies_under_it_and_nothing_that_looks_alike(database: Database) -> None:
    rows = Rows()
    for theme in ("a_b", "a_b.c", "axb.c", "A_B.c", "a_bc", "a_b.c.d"):
        rows.answer(1, day(1), [(theme, "negative")], text=theme)
    rows.write(database)
    assert digest_of(database, "a_b").n == 3
    assert {item.text for item in digest_of(database, "a_b").complaints} == {"a_b", "a_b.c", "a_b.c.d"}


def test_quotes_are_the_spans_of_the_theme() -> None:
    text = "Kurier się spóźnił, ale <PHONE> działa. Drogo!"
    tags = [
        {"id": "delivery.time", "spans": [{"start": 0, "end": 18}]},
        {"id": "delivery", "spans": [{"start": 40, "end": 46}, {"start": 0, "end": 18}]},
        {"id": "deliveryman", "spans": [{"start": 20, "end": 38}]},
        {"id": "price"},
    ]
    assert quote(text, {"themes": tags}, "delivery") == "Kurier się spóźnił … Drogo!"
    assert quote(text, {"themes": tags}, "delivery.time") == "Kurier się spóźnił"
    # a person's tag has no spans
    assert quote(text, {"themes": tags}, "price") == text
    assert quote(text, {}, "price") == text
    long = quote("x" * 1000, {}, "price")
    assert (len(long), long[-1]) == (QUOTE_LENGTH, "…")


def test_no_wording_and_no_response_twice() -> None:
    said = [
        ("r1", "Za późno"),
        ("r2", "za  PÓŹNO"),
        ("r1", "Drogo"),
        ("r3", " "),
        *((f"s{n}", f"t{n}") for n in range(9)),
    ]
    kept = chosen(ThemeQuote(uid, text, day(0).date(), None) for uid, text in said)
    assert [item.response for item in kept] == ["r1", "s0", "s1", "s2", "s3"]
    assert len(kept) == QUOTES


mentions = st.lists(
    st.tuples(
        st.sampled_from(["r1", "r2", "r3"]),
        st.sampled_from(["a", "a.b", "a.b.c", "a.d", "ab", "e"]),
        st.sampled_from(["negative", "neutral", "positive", "mixed"]),
        st.just("2026-11-02"),
    ),
    unique_by=lambda row: row[:2],
)


@given(mentions)
def test_a_response_counts_once_in_all_that_lies_above(rows: list[tuple[str, str, str, str]]) -> None:
    found = rolled_up(rows)
    for id in found:
        under = [row for row in rows if row[1] == id or row[1].startswith(f"{id}.")]
        assert set(found[id]) == {row[0] for row in under}
        for response, mention in found[id].items():
            moods = {row[2] for row in under if row[0] == response}
            assert mention == Mention(
                "2026-11-02", bool(moods & {"negative", "mixed"}), bool(moods & {"positive", "mixed"})
            )
    narrowed = rolled_up([row for row in rows if row[1] == "a.b" or row[1].startswith("a.b.")], "a.b")
    assert dict(narrowed) == {id: found[id] for id in found if id == "a.b" or id.startswith("a.b.")}


def test_volumes_by_hand(database: Database) -> None:
    story().write(database)
    found = volumes_of(database, "unit")
    overall = found.overall
    assert (found.n, overall.scored, overall.with_text, overall.negative) == (5, 5, 3, wilson(1, 5))
    assert (overall.before, overall.ratio.value) == (2, 2.5)
    assert [(item.start.isoformat(), item.n) for item in overall.trend] == [
        ("2026-11-02", 2),
        ("2026-11-09", 2),
        ("2026-11-30", 1),
    ]
    assert [(group.name, group.n, group.before) for group in found.groups] == [("south", 3, 0), ("north", 2, 0)]
    assert volumes_of(database, "unit", limit=1).left_out == 1
    assert [(item.start.isoformat(), item.n) for item in volumes_of(database, every="month").overall.trend] == [
        ("2026-11-01", 5),
    ]
    assert len(volumes_of(database, every="day").overall.trend) == 5


def test_every_group_of_volumes(database: Database) -> None:
    rows = Rows()
    rows.answer(1, day(1), priority=1, sentiment="negative", source="till")
    rows.write(database)
    for by, name in (
        *(("survey", None), ("touchpoint", None), ("channel", None), ("unit", None), ("language", "pl")),
        *(("source", "till"), ("metric", "nps"), ("group", "detractor"), ("sentiment", "negative"), ("priority", "1")),
    ):
        assert [(group.name, group.n) for group in volumes_of(database, by).groups] == [(name, 1)]


@given(st.dates(min_value=day(-20000).date(), max_value=day(20000).date()))
def test_buckets_begin_on_mondays_and_firsts(date: object) -> None:
    days = np.array([date], dtype="datetime64[D]")
    [week], [month], [same] = bucket(days, "week"), bucket(days, "month"), bucket(days, "day")
    assert week.item().weekday() == 0 and 0 <= (days[0] - week).astype(int) < 7
    assert month.item().day == 1 and month.item().replace(day=1) == days[0].item().replace(day=1)
    assert same == days[0]
