"""The policies of cases: what the files may say, what they must not, and who gets a case by them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from case_rows import SOURCE, data_dir, policy_with, shipped, theme
from loop import ROOT, START

from nlp.errors import PolicyError
from nlp.taxonomy import Group, Taxonomy, Theme
from serving.cases.assignment import choose, main_theme
from serving.cases.briefs import load_briefs, parse_briefs
from serving.cases.policy import load_case_policy, parse_case_policy
from serving.frame.effective import effective
from serving.frame.own import Own
from serving.rules.decision import Decision

CASES = yaml.safe_load(SOURCE.read_text("utf-8"))
BRIEFS = yaml.safe_load((ROOT / "data/policies/briefs.yaml").read_text("utf-8"))
LEFT_OUT = object()


def changed(data: Any, path: str, value: Any) -> Any:
    """A copy of loaded YAML with the value at a path (`a.b.0`) replaced, or left out."""
    key, _, rest = path.partition(".")
    if isinstance(data, list):
        return [changed(each, rest, value) if rest else value if str(n) == key else each for n, each in enumerate(data)]
    new = changed(data[key], rest, value) if rest else value
    return {**{name: each for name, each in data.items() if name != key}, **({} if new is LEFT_OUT else {key: new})}


WRONG = [
    ("version", LEFT_OUT, "the file: version is missing"),
    ("calendar", "paris", "calendar: must be one of warsaw, kyiv, moscow, is 'paris'"),
    ("workspaces", {"acme": "paris"}, "workspaces.acme: must be one of warsaw"),
    ("workspaces", {7: "warsaw"}, "workspaces: its keys must be texts, put 7 in quotes"),
    ("calendars", {}, "calendars: must be a mapping that is not empty"),
    ("calendars.warsaw.zone", "Europe/Nowhere", "calendars.warsaw.zone: there is no time zone 'Europe/Nowhere'"),
    ("calendars.warsaw.hours", {}, "calendars.warsaw.hours: at least one weekday must have a window"),
    ("calendars.warsaw.hours.monday", [], "calendars.warsaw.hours: unknown key monday; known: mon, tue"),
    ("calendars.warsaw.hours.mon", ["08:00"], "calendars.warsaw.hours.mon[0]: must be a stretch of the day in quotes"),
    ("calendars.warsaw.hours.mon", ["8:00-12:00"], "calendars.warsaw.hours.mon[0]: must be a time of day in quotes"),
    ("calendars.warsaw.hours.mon", ["08:00-24:01"], "calendars.warsaw.hours.mon[0]: must be a time of day in quotes"),
    (
        "calendars.warsaw.hours.mon",
        ["12:00-08:00"],
        "calendars.warsaw.hours.mon[0]: ends before it starts: 12:00-08:00",
    ),
    (
        *("calendars.warsaw.hours.mon", ["08:00-12:00", "11:00-13:00"]),
        "calendars.warsaw.hours.mon: its windows must follow one another without overlap",
    ),
    ("calendars.warsaw.holidays", ["Poland"], "calendars.warsaw.holidays[0]: must be one of AD, AE"),
    ("calendars.warsaw.days_off", ["31.12.2026"], "calendars.warsaw.days_off[0]: must be a date such as 2026-12-31"),
    ("clock.counts", "minutes", "clock.counts: must be one of working_days, working_hours, elapsed, is 'minutes'"),
    ("clock.warn_share", 1.5, "clock.warn_share: must be a number from 0 to 1, is 1.5"),
    ("attempts.busy", LEFT_OUT, "attempts: busy is missing"),
    ("attempts.busy.next", "soon", "attempts.busy.next: must be one of next_working_day, later, asked"),
    ("attempts.busy.hours", LEFT_OUT, "attempts.busy: hours must be given where next is later, and only there"),
    ("attempts.no_answer.at", 600, 'attempts.no_answer.at: must be a time of day in quotes, such as "08:30", is 600'),
    (
        "attempts.reached.next",
        "give_up",
        "attempts.reached.next: a person who was reached is tried again only when asked",
    ),
    ("escalation.1.after_hours", 0, "escalation: after_hours must rise from level to level"),
    ("escalation.0.team", LEFT_OUT, "escalation[0]: must name a team, an assignee or both"),
    ("join_days", -1, "join_days: must be a number from 0 to 3650, is -1"),
    ("close_after_days.closed", 3, "close_after_days: unknown key closed; known: resolved, unreachable"),
    ("assignment.model", "best", "assignment.model: must be one of team, owner, mixed, is 'best'"),
    ("assignment.mixed.staff", "boss", "assignment.mixed.staff: must be one of team, owner, is 'boss'"),
    ("assignment.teams.delivery", "", "assignment.teams.delivery: must be a text that is not empty"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_what_is_wrong_is_told_with_file_and_key(path: str, value: Any, message: str):
    with pytest.raises(PolicyError) as error:
        parse_case_policy(changed(CASES, path, value), "cases.yaml", shipped().contact)
    assert str(error.value).startswith(f"cases.yaml: {message}")


WRONG_BRIEFS = [
    ("fallback", "de", "fallback: must be one of pl, uk, ru, en, is 'de'"),
    ("languages.pl.closing", LEFT_OUT, "languages.pl: closing is missing"),
    ("languages.pl.opening", "Dzień dobry!", "languages.pl.opening: must have these places to fill, each once: {from}"),
    ("languages.pl.thanks", "Ocena {score}", "languages.pl.thanks: must have these places to fill, each once: none"),
    ("languages.pl.thanks", "Dziękuję {", "languages.pl.thanks: has a brace that is not closed"),
    ("languages.pl.never", [], "languages.pl.never: must be a list that is not empty"),
    ("languages.pl.never_signals", {"anger": "x"}, "languages.pl.never_signals: unknown key anger"),
    ("languages.pl.themes", ["x"], "languages.pl.themes: must be a mapping"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG_BRIEFS)
def test_a_sentence_with_a_hole_too_many_is_refused(path: str, value: Any, message: str):
    with pytest.raises(PolicyError) as error:
        parse_briefs(changed(BRIEFS, path, value), "briefs.yaml")
    assert str(error.value).startswith(f"briefs.yaml: {message}")


def test_every_theme_has_a_name_in_every_language():
    themes = {each["id"] for each in yaml.safe_load((ROOT / "data/taxonomy.yaml").read_text("utf-8"))["themes"]}
    for code, sentences in load_briefs(ROOT / "data").languages.items():
        assert set(sentences.themes) == themes, code


def test_every_language_says_as_much_as_the_others():
    told = [
        (set(each.never_signals), set(each.never_themes), len(each.never), len(each.questions))
        for each in load_briefs(ROOT / "data").languages.values()
    ]
    assert all(each == told[0] for each in told)


def test_a_file_that_is_missing_or_none_names_itself(tmp_path: Path):
    folder = data_dir(tmp_path)
    assert load_case_policy(folder) == shipped()
    other = data_dir(tmp_path / "other")
    (other / "policies" / "cases.yaml").write_text("a: [", "utf-8")
    with pytest.raises(PolicyError, match=r"cases\.yaml: is not YAML"):
        load_case_policy(other)
    (other / "policies" / "cases.yaml").unlink()
    with pytest.raises(PolicyError, match=r"cases\.yaml: cannot be read"):
        load_case_policy(other)


def test_a_workspace_has_its_own_calendar():
    policy = policy_with(workspaces={"lviv": "kyiv"})
    assert [str(policy.clock(name).calendar.zone) for name in ("lviv", "acme")] == ["Europe/Kyiv", "Europe/Warsaw"]


@pytest.mark.parametrize(
    ("result", "working_days", "hours_later"),
    [
        ("no_answer", True, 24),  # START is Monday 10:00 in Warsaw
        ("voicemail", True, 28),
        ("busy", True, 2),
        ("wrong_number", True, None),
        ("reached", True, None),
        ("no_answer", False, 24),
    ],
)
def test_when_to_try_again(result: str, working_days: bool, hours_later: float | None):
    policy = replace(shipped(), contact=replace(shipped().contact, working_days=working_days))
    found = policy.next_attempt("acme", result, None, START)
    assert (found and (found - START).total_seconds() / 3600) == hours_later


def test_weekends_are_tried_where_the_policy_does_not_skip_them():
    saturday = START.replace(day=6)  # a Friday
    every_day = replace(shipped(), contact=replace(shipped().contact, working_days=False))
    found = [policy.next_attempt("acme", "no_answer", None, saturday) for policy in (every_day, shipped())]
    assert [moment.day for moment in found] == [7, 9]


MIXED = {
    "model": "mixed",
    "default_team": "care",
    "teams": {"delivery": "logistics", "delivery.courier": "couriers"},
    "mixed": {"staff": "owner", "delivery": "team"},
    "otherwise": "owner",
}


@pytest.mark.parametrize(
    ("model", "about", "employee", "unit", "team", "assignee"),
    [
        ("team", "delivery.time", "e1", "u1", "logistics", None),
        ("team", "delivery.courier", "e1", "u1", "couriers", None),
        ("team", "deliveryman", "e1", "u1", "care", None),
        ("team", None, "e1", "u1", "care", None),
        ("owner", "delivery.time", "e1", "u1", "u1", "e1"),
        ("owner", "delivery.time", None, "u1", "u1", None),
        ("owner", "delivery.time", None, None, "logistics", None),
        ("mixed", "delivery.time", "e1", "u1", "logistics", None),
        ("mixed", "staff.attitude", "e1", "u1", "u1", "e1"),
        ("mixed", "price.level", "e1", None, None, "e1"),
        ("mixed", "price.level", None, None, "care", None),
    ],
)
def test_who_gets_a_case(model, about, employee, unit, team, assignee):
    assignment = policy_with(assignment={**MIXED, "model": model}).assignment
    found = choose(assignment, Decision(), about, employee, unit)
    assert (found.team, found.assignee) == (team, assignee)
    assert found.because.startswith("model ")
    rule = choose(assignment, Decision(assignee="boss", matched=("r1", "r2")), about, employee, unit)
    assert (rule.team, rule.assignee, rule.because) == (None, "boss", "rule r1, r2")


BASE = Taxonomy(
    "t",
    tuple(Theme(id, id, "", id.partition(".")[0]) for id in ("delivery.time", "delivery.courier", "price.level")),
    (Group("delivery", "Delivery"), Group("price", "Price")),
)
RAIN = Theme("rain", "Rain", "", "delivery.courier")


@pytest.mark.parametrize(
    ("own", "about", "team"),
    [
        (Own(), "delivery.time", "logistics"),
        (Own((RAIN,)), "rain", "couriers"),
        (Own((RAIN,), retired=("delivery.courier", "rain")), "rain", "couriers"),
        (Own(moves={"delivery.time": "price"}), "delivery.time", "marketing"),
        (Own(moves={"delivery.time": None}), "delivery.time", "care"),
        (Own(moves={"price.level": "delivery.courier"}), "price.level", "couriers"),
        (Own(merges={"delivery.courier": "price.level"}), "price.level", "couriers"),
        (Own(merges={"delivery.courier": "price.level"}), "delivery.courier", "couriers"),
        (Own(merges={"delivery.time": "delivery.courier"}), "delivery.time", "couriers"),
        (Own((RAIN,), merges={"delivery.courier": "price.level"}), "rain", "couriers"),
    ],
)
def test_who_gets_a_case_goes_by_the_code_frame(own: Own, about: str, team: str):
    teams = {"delivery": "logistics", "delivery.courier": "couriers", "price": "marketing"}
    policy = policy_with(assignment={"model": "team", "default_team": "care", "teams": teams})
    within = policy.within(effective(BASE, own, 1))
    assert choose(within.assignment, Decision(), about, None, None).team == team


def test_an_entry_of_its_own_stands_over_that_of_what_became_a_part_of_it():
    frame = effective(BASE, Own(merges={"delivery.courier": "delivery.time", "price.level": "delivery.time"}), 1)
    teams = {"price.level": "prices", "delivery.courier": "couriers"}
    for own, team in (({}, "prices"), ({"delivery.time": "clocks"}, "clocks")):
        policy = policy_with(assignment={"model": "team", "teams": {**teams, **own}}).within(frame)
        assert choose(policy.assignment, Decision(), "delivery.time", None, None).team == team


def test_front_line_or_team_goes_by_the_code_frame_too():
    policy = policy_with(assignment={**MIXED, "model": "mixed"})
    moved = policy.within(effective(BASE, Own(moves={"price.level": "delivery"}), 1))
    found = [choose(each.assignment, Decision(), "price.level", "e1", "u1") for each in (policy, moved)]
    assert [(each.team, each.assignee) for each in found] == [("u1", "e1"), ("logistics", None)]


@pytest.mark.parametrize(
    ("tags", "main"),
    [
        ([], None),
        ([theme("a", "positive", 0.99), theme("b", "negative", 0.4)], "b"),
        ([theme("a", "negative", 0.7), theme("b", "negative", 0.8)], "b"),
        ([theme("a", "negative", 0.99), theme("b", "negative", None)], "b"),  # a person said so
        ([theme("a", "neutral", 0.5), theme("b", "positive", 0.8)], "b"),
    ],
)
def test_what_a_case_is_about(tags, main):
    assert main_theme({"themes": tags}) == main
