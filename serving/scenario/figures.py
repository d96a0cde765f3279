"""What the product says, asked over HTTP in the shape of the count by hand, and where the two differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.scenario import by_hand
from serving.scenario.by_hand import Desk, Reading
from serving.scenario.client import Api
from serving.scenario.timeline import Script

DANGERS = {"safety_risk", "legal_threat"}
SHARES = ("contacted", "in_time", "unreachable", "closed", "reopened", "satisfied")
PLAIN = ("opened", "planned", "no_contact", "pending", "attempts", "open_now", "overdue_now")
COUNTED = (
    *("response.thanked", "response.flagged", "case.opened", "case.due_soon", "case.breached", "case.escalated"),
    *("case.resolved", "case.unreachable", "case.reopened"),
)
"""Types of event whose number the script settles; how often a case changes hands it does not."""


def readings(api: Api) -> dict[str, list[Reading]]:
    """How each version of each answer was read, by the survey tool's id."""
    found: dict[str, list[Reading]] = {}
    for item in api.every("/v1/responses"):
        id = str(item["id"]).partition(":")[0]
        if item["revision"] == 1:
            found[id] = [reading(item["classification"])]
        else:
            analyses = api.get(f"/v1/responses/{item['uid']}")["analyses"]
            found[id] = [reading(each["classification"]) for each in analyses]
    return found


def reading(said: Mapping[str, Any]) -> Reading:
    themes = sorted(said["themes"], key=lambda tag: (tag["sentiment"]["label"] != "negative", -tag["confidence"]))
    theme = themes[0]["id"] if themes else None
    return Reading(said["priority"], said["sentiment"]["label"], theme, bool(DANGERS & set(said["signals"])))


def loop_of(api: Api, script: Script) -> dict[str, Any]:
    """The report of the loop about the scripted days."""
    period = {"from": script.start.isoformat(), "to": script.end.isoformat()}
    return dict(api.get("/v1/insights/loop", **period))


def told_of(api: Api) -> list[dict[str, Any]]:
    """All events, as the product keeps them."""
    return list(api.every("/v1/events"))


def told_figures(loop: Mapping[str, Any]) -> dict[str, Any]:
    """The report's figures, as the count by hand writes them."""
    overall = loop["overall"]
    hours = overall["median_hours"]
    return {
        **{name: overall[name] for name in PLAIN},
        **{name: (overall[name]["count"], overall[name]["of"]) for name in SHARES},
        "median_hours": round(hours, 3) if hours is not None else None,
        "attempted": [each["cases"] for each in overall["attempted"]],
    }


def told_causes(loop: Mapping[str, Any]) -> dict[str | None, tuple[int, float, int, int]]:
    return {
        each["cause"]: (
            each["cases"],
            sum(paid["amount"] for paid in each["compensation"]),
            each["satisfied"]["count"],
            each["satisfied"]["of"],
        )
        for each in loop["root_causes"]
    }


def differences(desk: Desk, loop: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every figure in which the product and the count by hand disagree, in words; none, if all is well."""
    pairs = [*_named("", by_hand.figures(desk), told_figures(loop))]
    pairs += _named("root cause ", by_hand.causes(desk), told_causes(loop))
    types = [event["type"] for event in events]
    pairs += [(f"event {type}", desk.told[type], types.count(type)) for type in COUNTED]
    return [f"{name}: {hand} by hand, {told} by the product" for name, hand, told in pairs if hand != told]


def _named(what: str, hand: Mapping[Any, Any], told: Mapping[Any, Any]) -> list[tuple[str, Any, Any]]:
    names = sorted({*hand, *told}, key=str)
    return [(f"{what}{name}", hand.get(name), told.get(name)) for name in names]
