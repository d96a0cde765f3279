"""The border: what a sender may give, checked once and turned into `nlp.types.Response`.

Structure (types, unknown fields, limits of a request) is checked by the models; content (length, characters,
score against its scale) by `check`, so that one bad verbatim never fails its neighbours.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from nlp.types import Failure, Respondent, Response, Scale

MAX_TEXT = 10_000
"""Code points of one verbatim, by contract."""
MAX_ITEMS = 1_000
"""Responses in one request, by contract."""
ID_LENGTH = 32
"""Hexadecimal digits of a made id: 128 bits, so two responses never meet by chance."""

MAX_NAME = 80
"""Characters of a field name that an error repeats: enough to find it, too few to flood a log."""

METRIC_SCALES: Mapping[str, Scale] = {"nps": Scale(0, 10), "csat": Scale(1, 5), "ces": Scale(1, 7)}
"""Scales that need not be given; `rating` and `custom` have none."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD, so that it can be encoded."""
    return _SURROGATE.sub("\ufffd", text)


def _string(value: Any) -> str:
    # pydantic's own str refuses lone surrogates, which would fail the whole request for one verbatim
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "Input should be a valid string")
    return value


def _label(value: Any) -> str:
    return clean(_string(value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "Input should be a valid number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _finite(value: Any) -> float:
    number = _number(value)
    if not math.isfinite(number):
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    return number


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if isinstance(value, int) else _finite(value)
    raise PydanticCustomError("scalar_type", "Input should be a string, a number, a boolean or null")


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        if not _RFC3339.fullmatch(value):
            raise PydanticCustomError("datetime_offset", "Input should be an RFC 3339 date and time with an offset")
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError:
            raise PydanticCustomError("datetime_parsing", "Input is not a date and time that exists") from None
    if not isinstance(value, datetime):
        raise PydanticCustomError("datetime_type", "Input should be an RFC 3339 date and time with an offset")
    if value.utcoffset() is None:
        raise PydanticCustomError("datetime_offset", "Input should say its offset from UTC")
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_parsing", "Input is not a date and time that exists") from None
    return value


Verbatim = Annotated[str, PlainValidator(_string, json_schema_input_type=str)]
Label = Annotated[str, PlainValidator(_label, json_schema_input_type=str)]
Number = Annotated[float, PlainValidator(_number, json_schema_input_type=float)]
Finite = Annotated[float, PlainValidator(_finite, json_schema_input_type=float)]
ScalarIn = Annotated[
    str | int | float | bool | None, PlainValidator(_scalar, json_schema_input_type=str | int | float | bool | None)
]
Instant = Annotated[datetime, BeforeValidator(_instant)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _encodable_names(cls, data: Any) -> Any:
        if isinstance(data, dict) and any(isinstance(name, str) and _SURROGATE.search(name) for name in data):
            return {clean(name) if isinstance(name, str) else name: value for name, value in data.items()}
        return data


class ScaleIn(_Model):
    """The lowest and highest score a respondent could give."""

    min: Finite
    max: Finite

    @model_validator(mode="after")
    def _ordered(self) -> "ScaleIn":
        if self.min >= self.max:
            raise PydanticCustomError("scale_order", "min should be less than max")
        return self


class RespondentIn(_Model):
    """Who answered; scalars beyond the named fields are kept as attributes."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ScalarIn]

    id: Label | None = None
    contact_consent: bool | None = None
    segment: Label | None = None
    value: Finite | None = Field(default=None, description="what the customer is worth, in the workspace's currency")

    def to_respondent(self) -> Respondent:
        extra = {clean(name): value for name, value in (self.__pydantic_extra__ or {}).items()}
        return Respondent(self.id, self.contact_consent, self.segment, self.value, extra)


class ResponseIn(_Model):
    """One survey answer as sent."""

    text: Verbatim = Field(description=f"the verbatim; may be empty; {MAX_TEXT} characters at most")
    id: Label | None = Field(default=None, description="unique per source; made from a hash when absent")
    question: Label | None = Field(default=None, description="the open question it answers")
    metric: Literal["nps", "csat", "ces", "rating", "custom"] | None = None
    score: Number | None = Field(default=None, description="on the metric's scale")
    scale: ScaleIn | None = Field(default=None, description="needed with `rating` and `custom`")
    language: Label | None = Field(default=None, description="BCP 47 hint: a prior, not a command")
    answered_at: Instant | None = Field(default=None, description="RFC 3339 with offset; now if absent")
    source: Label | None = None
    survey: Label | None = None
    touchpoint: Label | None = None
    channel: Label | None = None
    unit: Label | None = None
    employee: Label | None = None
    respondent: RespondentIn | None = None
    attributes: dict[Label, ScalarIn] | None = Field(default=None, description="anything else, as scalars")

    def to_response(self, now: datetime) -> Response:
        """The value the pipeline reads; `now` (aware) dates a response that has no date."""
        if now.utcoffset() is None:
            raise ValueError("now has no offset from UTC; pass an aware datetime")
        answered_at = self.answered_at or now
        return Response(
            id=self.id or _made_id(self, answered_at),
            text=self.text,
            question=self.question,
            metric=self.metric,
            score=self.score,
            scale=Scale(self.scale.min, self.scale.max) if self.scale else None,
            language=self.language,
            answered_at=answered_at,
            source=self.source,
            survey=self.survey,
            touchpoint=self.touchpoint,
            channel=self.channel,
            unit=self.unit,
            employee=self.employee,
            respondent=self.respondent.to_respondent() if self.respondent else None,
            attributes=dict(self.attributes or {}),
        )


class ClassifyRequest(_Model):
    """The body of `POST /v1/classify`; build it from `json.loads` (pydantic's own parser refuses lone surrogates)."""

    items: list[ResponseIn] = Field(max_length=MAX_ITEMS)


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is wrong at one place of a body; never carries the value given."""

    path: str
    code: str
    reason: str


def invalids(error: ValidationError) -> list[Invalid]:
    """Every problem pydantic found, with paths like `items[3].scor`."""
    return [
        Invalid(_path(problem["loc"]), problem["type"], problem["msg"])
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def check(response: Response, scales: Mapping[str, Scale] = METRIC_SCALES) -> Failure | None:
    """Why this response cannot be classified, or None; the rest of its batch can be."""
    return _text_problem(response.text) or _score_problem(response, scales)


def _text_problem(text: str) -> Failure | None:
    if len(text) > MAX_TEXT:
        return Failure("text_too_long", f"text has {len(text)} characters; {MAX_TEXT} at most")
    if _SURROGATE.search(text):
        return Failure("invalid_text", "text has a lone surrogate, which is no character; send valid Unicode")
    if "\x00" in text:
        return Failure("invalid_text", "text has a NUL character; remove it")
    return None


def _score_problem(response: Response, scales: Mapping[str, Scale]) -> Failure | None:
    score, metric = response.score, response.metric
    if score is None:
        return None
    if not math.isfinite(score):
        return Failure("invalid_score", "score is not a finite number")
    scale = response.scale or scales.get(metric or "")
    if scale is None and metric is not None:
        return Failure("scale_missing", f'metric {metric} has no scale of its own; add "scale": {{"min": …, "max": …}}')
    if scale is not None and not scale.min <= score <= scale.max:
        return Failure("invalid_score", f"score {score:g} is outside the scale {scale.min:g} to {scale.max:g}")
    return None


def _made_id(response: ResponseIn, answered_at: datetime) -> str:
    person = response.respondent.id if response.respondent else None
    day = answered_at.astimezone(UTC).date().isoformat()
    # JSON keeps the parts apart and, being ASCII, encodes whatever the text holds
    parts = json.dumps([response.source, person, response.text, day])
    return hashlib.sha256(parts.encode("ascii")).hexdigest()[:ID_LENGTH]


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        part = clean(part)[:MAX_NAME] if isinstance(part, str) else part
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
