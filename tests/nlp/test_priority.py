"""The call-back order: bands of every metric, each rule of the shipped policy, its words, and broken policies."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import PolicyError
from nlp.policy import BANDS, Policy, parse_policy
from nlp.priority import band, group, position, rank
from nlp.types import SIGNALS, Justification, Ranking, Respondent, Response, Scale, Sentiment, Span, ThemeTag

_DATA = yaml.safe_load((Path(__file__).parents[2] / "data/policies/priority.yaml").read_text(encoding="utf-8"))
_POLICY = parse_policy(_DATA, "priority.yaml")
_CALM = Sentiment("neutral", 0.9, 0.0)


def _rank(
    score: float | None,
    *,
    metric: str | None = "nps",
    scale: Scale | None = None,
    justified: bool = False,
    signals: tuple[str, ...] = (),
    consent: bool | None = None,
    negative: tuple[str, ...] = (),
    sentiment: Sentiment = _CALM,
    policy: Policy = _POLICY,
) -> Ranking:
    response = Response(
        "r-1", "text", metric=metric, score=score, scale=scale, respondent=Respondent(contact_consent=consent)
    )
    tags = tuple(ThemeTag(id, id, 0.9, 0.4, Sentiment("negative", 0.9), (Span(0, 4),)) for id in negative)
    tags += (ThemeTag("place.comfort", "Comfort", 0.9, 0.4, Sentiment("positive", 0.9), (Span(0, 4),)),)
    justification = Justification(justified, 0.9, "reason" if justified else "verdict_only")
    return rank(policy, response, sentiment, tags, justification, signals)


@pytest.mark.parametrize(
    ("metric", "scale", "stretches"),
    [
        ("nps", None, [(0, 3, "low", "detractor"), (4, 6, "middle", "detractor"), (7, 8, "passive", "passive")]),
        ("nps", None, [(9, 10, "high", "promoter")]),
        ("csat", None, [(1, 2, "low", "detractor"), (3, 3, "middle", "passive"), (4, 5, "high", "promoter")]),
        ("ces", None, [(1, 2, "low", "detractor"), (3, 5, "middle", "passive"), (6, 7, "high", "promoter")]),
        ("rating", (1, 5), [(1, 2, "low", "detractor"), (3, 3, "middle", "passive"), (4, 5, "high", "promoter")]),
        ("rating", (1, 10), [(1, 4, "low", "detractor"), (5, 7, "middle", "passive"), (8, 10, "high", "promoter")]),
        (
            "rating",
            (0, 100),
            [(0, 33, "low", "detractor"), (34, 66, "middle", "passive"), (67, 100, "high", "promoter")],
        ),
        ("custom", (-5, 5), [(-5, -2, "low", "detractor"), (-1, 1, "middle", "passive"), (2, 5, "high", "promoter")]),
        ("custom", (0, 2), [(0, 0, "low", "detractor"), (1, 1, "middle", "passive"), (2, 2, "high", "promoter")]),
        (None, (1, 5), [(1, 2, "low", "detractor"), (3, 3, "middle", "passive"), (4, 5, "high", "promoter")]),
        # On a scale that is not its own a metric is cut by thirds.
        ("csat", (1, 10), [(1, 4, "low", "detractor"), (5, 7, "middle", "passive"), (8, 10, "high", "promoter")]),
        ("nps", (1, 10), [(1, 4, "low", "detractor"), (5, 7, "middle", "detractor"), (8, 10, "high", "promoter")]),
    ],
)
def test_every_score_of_a_scale_has_its_band(
    metric: str | None, scale: tuple[int, int] | None, stretches: list[tuple[int, int, str, str]]
) -> None:
    own = Scale(*scale) if scale else None
    for low, high, name, people in stretches:
        for score in range(low, high + 1):
            assert (band(_POLICY, metric, score, own), group(_POLICY, metric, score, own)) == (name, people)


@pytest.mark.parametrize(
    ("score", "name"), [(0.1, "low"), (1.5, "low"), (1.6, "middle"), (3.5, "middle"), (4.0, "high")]
)
def test_bands_of_a_scale_with_halves(score: float, name: str) -> None:
    assert band(_POLICY, "rating", score, Scale(0.5, 5)) == name


@pytest.mark.parametrize(("metric", "score"), [("nps", None), ("rating", 3), (None, 3), ("stars", 3)])
def test_no_band_without_a_score_and_a_scale(metric: str | None, score: float | None) -> None:
    assert band(_POLICY, metric, score) is None
    assert group(_POLICY, metric, score) is None


@pytest.mark.parametrize(
    ("score", "given_more", "priority"),
    [
        # 1: low band and justified; harm or legal steps at any score.
        (0, {"justified": True}, 1),
        (3, {"justified": True}, 1),
        (10, {"signals": ("safety_risk",)}, 1),
        (7, {"signals": ("suggestion", "legal_threat")}, 1),
        (None, {"signals": ("safety_risk",)}, 1),
        # 2: low band without a reason; a contact request at any score; a detractor who may be called.
        (3, {}, 2),
        (2, {"consent": False}, 2),
        (9, {"signals": ("contact_request",)}, 2),
        (5, {"signals": ("contact_request", "churn_intent"), "justified": True}, 2),
        (6, {"consent": True, "justified": True}, 2),
        (4, {"consent": True}, 2),
        # 3: middle band and justified; leaving at any score.
        (4, {"justified": True}, 3),
        (6, {"justified": True, "consent": False}, 3),
        (6, {"signals": ("churn_intent",)}, 3),
        (10, {"signals": ("churn_intent",)}, 3),
        # 4: middle band without a reason; a higher score with a negative theme.
        (4, {}, 4),
        (6, {"negative": ("price.level",)}, 4),
        (7, {"negative": ("price.level",)}, 4),
        (10, {"negative": ("price.level",), "justified": True}, 4),
        # No case.
        (7, {"justified": True}, None),
        (8, {"consent": True}, None),
        (10, {"consent": True, "justified": True, "signals": ("suggestion",)}, None),
    ],
)
def test_the_shipped_rules_on_nps(score: float | None, given_more: dict[str, Any], priority: int | None) -> None:
    assert _rank(score, **given_more).priority == priority


@pytest.mark.parametrize(
    ("metric", "score", "justified", "consent", "priority"),
    [
        ("csat", 2, True, None, 1),
        ("csat", 2, False, None, 2),
        ("csat", 3, True, None, 3),
        ("csat", 3, False, None, 4),
        ("csat", 3, True, True, 3),  # the middle band is no detractor outside NPS
        ("csat", 4, True, None, None),
        ("ces", 2, True, None, 1),
        ("ces", 5, False, None, 4),
        ("ces", 6, False, True, None),
    ],
)
def test_the_shipped_rules_on_other_metrics(
    metric: str, score: int, justified: bool, consent: bool | None, priority: int | None
) -> None:
    assert _rank(score, metric=metric, justified=justified, consent=consent).priority == priority


@pytest.mark.parametrize(
    ("sentiment", "justified", "priority"),
    [
        (Sentiment("negative", 0.9), True, 1),
        (Sentiment("negative", 0.9), False, 2),
        (Sentiment("negative", 0.6), True, 1),
        (Sentiment("negative", 0.59), True, None),
        (Sentiment("mixed", 0.99), True, None),
        (Sentiment("positive", 0.99), True, None),
    ],
)
def test_negative_sentiment_stands_in_for_a_missing_score(
    sentiment: Sentiment, justified: bool, priority: int | None
) -> None:
    for metric in ("nps", None):
        ranking = _rank(None, metric=metric, sentiment=sentiment, justified=justified)
        assert ranking.priority == priority
        assert ranking.group is None
        assert ranking.reason.startswith("no score was given")


def test_sentiment_does_not_overrule_a_score() -> None:
    assert _rank(9, sentiment=Sentiment("negative", 0.99), justified=True).priority is None


@pytest.mark.parametrize(
    ("ranking", "reason"),
    [
        (_rank(2, justified=True), "NPS 2 is in the low band 0-3 and the comment gives a reason"),
        (_rank(1, metric="csat"), "CSAT 1 is in the low band 1-2 and the comment gives no reason"),
        (_rank(5, consent=True), "NPS 5 is in the middle band 4-6 and the customer agreed to be contacted"),
        (_rank(3, metric="csat"), "CSAT 3 is in the middle band 3 and the comment gives no reason"),
        (
            _rank(9, signals=("legal_threat", "safety_risk")),
            "NPS 9 is in the high band 9-10 and someone was or could be harmed and the customer threatens legal steps",
        ),
        (_rank(8, negative=("Waiting",)), "NPS 8 is in the passive band 7-8 and the customer is unhappy with Waiting"),
        (_rank(10), "NPS 10 is in the high band 9-10 and nothing else calls for a case"),
        (
            _rank(2.5, metric="rating", scale=Scale(0.5, 5)),
            "rating 2.5 is in the middle band over 1.5 to 3.5 and the comment gives no reason",
        ),
        (
            _rank(-4, metric="custom", scale=Scale(-5, 5)),
            "score -4 is in the low band -5 to -2 and the comment gives no reason",
        ),
        (
            _rank(None, sentiment=Sentiment("negative", 0.91), justified=True),
            "no score was given, negative sentiment (confidence 0.91) stands in for the low band "
            "and the comment gives a reason",
        ),
        (_rank(None), "no score was given and nothing else calls for a case"),
        (_rank(4, metric=None), "the score came without metric or scale and nothing else calls for a case"),
    ],
)
def test_the_reason_is_said_in_words(ranking: Ranking, reason: str) -> None:
    assert ranking.reason == reason


_SITUATIONS = st.fixed_dictionaries(
    {
        "justified": st.booleans(),
        "signals": st.lists(st.sampled_from(SIGNALS), unique=True).map(tuple),
        "consent": st.sampled_from([True, False, None]),
        "negative": st.sampled_from([(), ("Waiting",)]),
    }
)


@given(low=st.integers(0, 10), high=st.integers(0, 10), situation=_SITUATIONS)
def test_a_lower_score_is_never_called_later(low: int, high: int, situation: dict[str, Any]) -> None:
    low, high = sorted((low, high))
    last = len(BANDS) + 1
    assert (_rank(low, **situation).priority or last) <= (_rank(high, **situation).priority or last)


def test_a_workspace_changes_cuts_rules_and_times() -> None:
    data = copy.deepcopy(_DATA)
    data["version"] = "ours-2"
    data["metrics"]["rating"] = {
        "scale": {"min": 1, "max": 5},
        "bands": [{"band": "low", "up_to": 3, "group": "detractor"}, {"band": "high", "group": "promoter"}],
    }
    data["rules"] = [{"priority": 1, "when": {"bands": ["low"], "signals": ["suggestion"]}}]
    data["contact"]["due_hours"][1] = 4
    policy = parse_policy(data, "ours.yaml")
    assert (policy.version, policy.contact.due_hours[1], policy.contact.due_hours[4]) == ("ours-2", 4, 240)
    assert band(policy, "rating", 3, Scale(1, 5)) == "low"
    assert _rank(3, metric="rating", scale=Scale(1, 5), signals=("suggestion",), policy=policy).priority == 1
    assert _rank(0, justified=True, policy=policy).priority is None


def test_first_contact_is_due_as_shipped() -> None:
    assert dict(_POLICY.contact.due_hours) == {1: 24, 2: 48, 3: 120, 4: 240}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("colour",), 1, "the file: unknown key colour"),
        (("version",), 3, "version: must be a text"),
        (("metrics", "enps"), {}, "metrics: unknown key enps"),
        (("metrics", "nps"), None, "metrics.nps: must be a mapping"),
        (("metrics", "nps", "scale"), {"min": 5, "max": 5}, "metrics.nps.scale: min must be less"),
        (("metrics", "nps", "scale"), {"min": 5}, "metrics.nps.scale: max is missing"),
        (("metrics", "nps", "bands", 0, "up_to"), 7, "metrics.nps.bands: every up_to must be greater"),
        (("metrics", "nps", "bands", 2, "up_to"), 10, "metrics.nps.bands: up_to must lie on the scale"),
        (("metrics", "nps", "bands", 2, "up_to"), None, r"metrics.nps.bands\[2\]: up_to is missing"),
        (("metrics", "nps", "bands", 3, "up_to"), 10, r"metrics.nps.bands\[3\]: the last band has no up_to"),
        (("metrics", "nps", "bands", 0, "up_to"), "half", r"metrics.nps.bands\[0\].up_to: must be one of third"),
        (("metrics", "nps", "bands", 0, "up_to"), True, r"metrics.nps.bands\[0\].up_to: must be a number"),
        (("metrics", "nps", "bands", 0, "band"), "bottom", r"metrics.nps.bands\[0\].band: must be one of low"),
        (("metrics", "nps", "bands", 0, "band"), "middle", "metrics.nps.bands: must be in this order"),
        (("metrics", "nps", "bands", 0, "group"), "fan", r"metrics.nps.bands\[0\].group: must be one of detractor"),
        (("metrics", "rating", "bands", 0, "up_to"), 2, "metrics.rating.bands: up_to mixes numbers and thirds"),
        (("rules",), [], "rules: must be a list that is not empty"),
        (("rules", 0, "priority"), 5, r"rules\[0\].priority: must be a number from 1 to 4"),
        (("rules", 0, "priority"), 1.5, r"rules\[0\].priority: must be one of 1, 2, 3, 4"),
        (("rules", 0, "when"), {}, r"rules\[0\].when: must name at least one condition"),
        (("rules", 0, "when"), {"score": 3}, r"rules\[0\].when: unknown key score"),
        (("rules", 1, "when", "signals"), ["anger"], r"rules\[1\].when.signals\[0\]: must be one of contact_request"),
        (("rules", 0, "when", "justified"), "yes", r"rules\[0\].when.justified: must be true or false"),
        (("no_score", "min_confidence"), 60, "no_score.min_confidence: must be a number from 0 to 1"),
        (("no_score", "sentiment"), "angry", "no_score.sentiment: must be one of negative"),
        (("contact", "due_hours"), {1: 24}, "contact.due_hours: 2, 3, 4 is missing"),
        (("contact", "attempts"), 0, "contact.attempts: must be a number from 1"),
    ],
)
def test_a_broken_policy_is_refused_with_file_and_key(path: tuple[Any, ...], value: Any, message: str) -> None:
    data = copy.deepcopy(_DATA)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(PolicyError, match=rf"^own\.yaml: {message}"):
        parse_policy(data, "own.yaml")


def test_a_policy_that_is_not_a_mapping_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"^own\.yaml: the file: must be a mapping"):
        parse_policy([], "own.yaml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "score", "scale", "wanted"),
    [
        ("nps", 0, None, 0.0),
        ("nps", 5, None, 0.5),
        ("nps", 10, None, 1.0),
        ("rating", 2, Scale(1, 5), 0.25),
        ("rating", 9, Scale(1, 5), 1.0),
        ("rating", 2, None, None),
        ("nps", None, None, None),
        ("custom", 3, Scale(3, 3), None),  # a scale of one point says nothing
        ("custom", 3, Scale(5, 1), None),
    ],
)
def test_where_a_score_stands_on_its_scale(
    metric: str, score: float | None, scale: Scale | None, wanted: float | None
) -> None:
    assert position(_POLICY, metric, score, scale) == wanted


@pytest.mark.parametrize("kind", ["empty", "non_answer", "junk"])
def test_a_comment_that_says_nothing_has_no_mood_and_no_unhappy_theme(kind: str) -> None:
    angry = Sentiment("negative", 0.99, -0.98)
    tag = ThemeTag("general", "General opinion", 0.9, 0.4, angry, (Span(0, 4),))

    def ranked(score: float | None, kind: str) -> Ranking:
        response = Response("r-1", "nothing", metric="nps", score=score)
        return rank(_POLICY, response, angry, (tag,), Justification(False, 0.99, kind), ())

    assert ranked(9, kind).priority is None and ranked(None, kind).priority is None
    assert ranked(2, kind).priority == 2
    assert ranked(9, "verdict_only").priority == 4 and ranked(None, "verdict_only").priority == 2
