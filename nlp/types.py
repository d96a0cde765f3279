"""The values that flow through Holos: a response goes in, a classification comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Mood = Literal["negative", "neutral", "positive", "mixed"]
MOODS: tuple[Mood, ...] = ("negative", "neutral", "positive", "mixed")
SIGNALS: tuple[str, ...] = ("contact_request", "churn_intent", "legal_threat", "safety_risk", "suggestion")
JUSTIFICATION_KINDS: tuple[str, ...] = ("reason", "verdict_only", "empty", "non_answer", "junk")

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, in Unicode code points, end exclusive."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Scale:
    """The lowest and highest score a respondent could give."""

    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Respondent:
    """Who answered, as far as the sender says; `value` is in the workspace's currency."""

    id: str | None = None
    contact_consent: bool | None = None
    segment: str | None = None
    value: float | None = None
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One survey answer, already checked at the border."""

    id: str
    text: str
    question: str | None = None
    metric: str | None = None
    score: float | None = None
    scale: Scale | None = None
    language: str | None = None
    answered_at: datetime | None = None
    source: str | None = None
    survey: str | None = None
    touchpoint: str | None = None
    channel: str | None = None
    unit: str | None = None
    employee: str | None = None
    respondent: Respondent | None = None
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Language:
    """A detected language (BCP 47 code, `und` when there is nothing to go by); confidence in [0, 1]."""

    code: str
    confidence: float
    supported: bool


@dataclass(frozen=True, slots=True)
class Redaction:
    """A placeholder `<KIND>` that stands at start:end of the redacted text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text free of personal data, and what was taken out of it."""

    text: str
    redactions: tuple[Redaction, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A mood with its calibrated probability; `score` in [-1, 1] for a whole verbatim, None for a theme."""

    label: Mood
    confidence: float
    score: float | None = None


@dataclass(frozen=True, slots=True)
class ThemeTag:
    """A theme found in a verbatim: calibrated probability, the threshold it cleared, its sentiment, its evidence.

    `zero_shot` marks a theme that the model was not trained on, found by what its description says.
    """

    id: str
    label: str
    confidence: float
    threshold: float
    sentiment: Sentiment
    spans: tuple[Span, ...]
    zero_shot: bool = False


@dataclass(frozen=True, slots=True)
class Justification:
    """Whether the comment gives a reason; `confidence` is the probability of the verdict given."""

    justified: bool
    confidence: float
    kind: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where a response stands in the call-back order, and the rule that placed it, in words."""

    group: str | None
    priority: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Versions:
    """What produced a classification."""

    model: str
    taxonomy: str
    policy: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one item could not be classified; its neighbours are not touched."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Classification:
    """Everything Holos says about one response; offsets count code points of the redacted `text`."""

    id: str
    status: Literal["ok", "unsupported_language", "error"]
    versions: Versions
    language: Language | None = None
    text: str = ""
    themes: tuple[ThemeTag, ...] = ()
    sentiment: Sentiment | None = None
    justification: Justification | None = None
    signals: tuple[str, ...] = ()
    ranking: Ranking | None = None
    needs_review: bool = False
    redactions: tuple[Redaction, ...] = ()
    error: Failure | None = None

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON object."""
        if self.error is not None:
            return {
                "id": self.id,
                "status": "error",
                "error": {"code": self.error.code, "detail": self.error.detail},
                "versions": _versions(self.versions),
            }
        assert self.language and self.sentiment and self.justification and self.ranking
        return {
            "id": self.id,
            "status": self.status,
            "language": {
                "code": self.language.code,
                "confidence": _round(self.language.confidence),
                "supported": self.language.supported,
            },
            "text": self.text,
            "themes": [_theme(tag) for tag in self.themes],
            "sentiment": _sentiment(self.sentiment),
            "justification": {
                "justified": self.justification.justified,
                "confidence": _round(self.justification.confidence),
                "kind": self.justification.kind,
                "spans": [_span(span) for span in self.justification.spans],
            },
            "signals": list(self.signals),
            "group": self.ranking.group,
            "priority": self.ranking.priority,
            "priority_reason": self.ranking.reason,
            "needs_review": self.needs_review,
            "redactions": [{"kind": r.kind, "start": r.start, "end": r.end} for r in self.redactions],
            "versions": _versions(self.versions),
        }


def _round(value: float) -> float:
    return round(float(value), 4)


def _span(span: Span) -> dict[str, int]:
    return {"start": span.start, "end": span.end}


def _sentiment(sentiment: Sentiment) -> dict[str, Any]:
    out: dict[str, Any] = {"label": sentiment.label, "confidence": _round(sentiment.confidence)}
    if sentiment.score is not None:
        out["score"] = _round(sentiment.score)
    return out


def _theme(tag: ThemeTag) -> dict[str, Any]:
    return {
        "id": tag.id,
        "label": tag.label,
        "confidence": _round(tag.confidence),
        "threshold": _round(tag.threshold),
        "sentiment": _sentiment(tag.sentiment),
        "spans": [_span(span) for span in tag.spans],
        **({"zero_shot": True} if tag.zero_shot else {}),
    }


def _versions(versions: Versions) -> dict[str, str]:
    return {"model": versions.model, "taxonomy": versions.taxonomy, "policy": versions.policy}
