"""What a response comes to: the newest analysis with people's corrections laid over it, ranked again by the policy."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from nlp.errors import InputError
from nlp.policy import Policy
from nlp.priority import band, rank
from nlp.taxonomy import Taxonomy
from nlp.types import MOODS, SIGNALS, Justification, Response, Sentiment, Span, ThemeTag
from serving.frame.effective import every_theme

FIELDS = ("themes", "theme_sentiments", "sentiment", "justified", "signals")
"""What a person can correct, named as labelled rows name it."""
CERTAIN = 1.0
"""Confidence of what a person said."""
_SCORES = {"negative": -1.0, "neutral": 0.0, "positive": 1.0, "mixed": 0.0}

Fields = Mapping[str, Any]
Result = dict[str, Any]


def check_fields(fields: Fields, taxonomy: Taxonomy, also: Collection[str] = ()) -> dict[str, Any]:
    """The fields that say something; InputError names what no taxonomy, mood or signal is called.

    `also`: themes that may stay though the taxonomy gives them no more.
    """
    found = {name: value for name, value in fields.items() if value is not None}
    _known("field", found, FIELDS)
    if not found:
        raise InputError(f"the correction says nothing; give some of {', '.join(FIELDS)}")
    moods = found.get("theme_sentiments", {})
    _known("theme", {*found.get("themes", ()), *moods} - {*also}, taxonomy.ids)
    if "themes" in found:
        _known("theme in theme_sentiments that themes does not list", moods, found["themes"])
    _known("sentiment", {*moods.values(), *([found["sentiment"]] if "sentiment" in found else [])}, MOODS)
    _known("signal", found.get("signals", ()), SIGNALS)
    return found


def overlaid(result: Result, corrections: Iterable[Fields], taxonomy: Taxonomy) -> Result:
    """The contract's classification as people left it; it still has the ranking of before."""
    labels = {theme.id: theme.label for theme in every_theme(taxonomy)}
    for fields in corrections:
        result = _overlay(result, fields, labels)
    return result


def by_people(result: Result, corrections: Sequence[Fields]) -> set[str]:
    """Themes of an effective result that stand there, or have their mood, because a person said so."""
    said: set[str] = set()
    for fields in corrections:
        said |= set(fields.get("theme_sentiments", ()))
        if "themes" in fields:
            said = {tag["id"] for tag in result["themes"]}
    return said & {tag["id"] for tag in result["themes"]}


def ranked(result: Result, response: Response, policy: Policy) -> Result:
    """The same with the group, priority and reason that the policy gives it now."""
    found = rank(
        policy,
        response,
        _sentiment(result["sentiment"]),
        tuple(_theme(tag) for tag in result["themes"]),
        _justification(result["justification"]),
        tuple(result["signals"]),
    )
    return {**result, "group": found.group, "priority": found.priority, "priority_reason": found.reason}


def columns(result: Result, response: Response, policy: Policy) -> dict[str, Any]:
    """What a row of `responses` keeps of an effective result, for lists, rules and reports."""
    return {
        "language": result["language"]["code"],
        "status": result["status"],
        "sentiment": result["sentiment"]["label"],
        "sentiment_score": result["sentiment"].get("score"),
        "justified": result["justification"]["justified"],
        "signals": result["signals"],
        "group": result["group"],
        "band": band(policy, response.metric, response.score, response.scale),
        "priority": result["priority"],
        "priority_reason": result["priority_reason"],
        "needs_review": result["needs_review"],
        "effective": result,
    }


def _overlay(result: Result, fields: Fields, labels: Mapping[str, str]) -> Result:
    out = {**result, "needs_review": False, "themes": _themes(result, fields, labels)}
    if "sentiment" in fields:
        out["sentiment"] = _said(result["sentiment"], fields["sentiment"])
    if "justified" in fields:
        out["justification"] = _reason(result["justification"], fields["justified"])
    if "signals" in fields:
        out["signals"] = [signal for signal in SIGNALS if signal in fields["signals"]]
    return out


def _themes(result: Result, fields: Fields, labels: Mapping[str, str]) -> list[Result]:
    before = {tag["id"]: tag for tag in result["themes"]}
    moods = fields.get("theme_sentiments", {})
    wanted = dict.fromkeys([*fields.get("themes", before), *moods])
    # a theme that a person adds without its mood has the verbatim's
    whole = fields.get("sentiment", result["sentiment"]["label"])
    return [_tag(before.get(id), id, labels.get(id, id), moods.get(id), whole) for id in wanted]


def _tag(before: Result | None, id: str, label: str, mood: str | None, whole: str) -> Result:
    if before is None:
        sentiment = {"label": mood or whole, "confidence": CERTAIN}
        return {"id": id, "label": label, "confidence": CERTAIN, "threshold": 0.0, "sentiment": sentiment, "spans": []}
    return before if mood is None else {**before, "sentiment": {"label": mood, "confidence": CERTAIN}}


def _said(before: Result, mood: str) -> Result:
    score = before.get("score", _SCORES[mood]) if before["label"] == mood else _SCORES[mood]
    return {"label": mood, "confidence": CERTAIN, "score": score}


def _reason(before: Result, justified: bool) -> Result:
    same = before["justified"] == justified
    kind = before["kind"] if same else "reason" if justified else "verdict_only"
    return {"justified": justified, "confidence": CERTAIN, "kind": kind, "spans": before["spans"] if same else []}


def _sentiment(said: Result) -> Sentiment:
    return Sentiment(said["label"], said["confidence"], said.get("score"))


def _theme(tag: Result) -> ThemeTag:
    return ThemeTag(
        tag["id"], tag["label"], tag["confidence"], tag["threshold"], _sentiment(tag["sentiment"]), _spans(tag["spans"])
    )


def _justification(said: Result) -> Justification:
    return Justification(said["justified"], said["confidence"], said["kind"], _spans(said["spans"]))


def _spans(found: Iterable[Mapping[str, int]]) -> tuple[Span, ...]:
    return tuple(Span(span["start"], span["end"]) for span in found)


def _known(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(f"unknown {what}: {', '.join(unknown)}; use some of {', '.join(known)}")
