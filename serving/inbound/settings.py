"""What an admin sets for a connector: which question is the score, which the comment, how requests are signed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from serving.cells import OPEN
from serving.inbound.expression import Expression, checked
from serving.schemas import RespondentIn, ResponseIn, ScaleIn, invalids

Kind = Literal["typeform", "surveymonkey", "qualtrics", "formbricks", "limesurvey", "generic"]
Metric = Literal["nps", "csat", "ces", "rating", "custom"]

MAX_REFS = 50
"""Open questions of one survey: more is a data set, not a survey."""
MAX_FIELDS = 100
MAX_CHOICES = 200

_NOT_MAPPED = {"text", "score", "scale", "respondent", "attributes"}
FIELDS = tuple(name for name in ResponseIn.model_fields if name not in _NOT_MAPPED) + tuple(
    f"respondent.{name}" for name in RespondentIn.model_fields
)
"""What a variable of a survey tool may fill, beside `respondent.<name>` and `attributes.<name>`."""
GENERIC_FIELDS = (*FIELDS, "text", "score", "scale.min", "scale.max")

Ref = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512)]
Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
Constant = Annotated[str, StringConstraints(max_length=512)] | bool | float | int


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("zone", "Input should be a time zone, as in Europe/Warsaw") from None
    return name


Zone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Score(_Model):
    """The question whose answer is the score."""

    ref: Ref = Field(description="the question's reference or id in the survey tool")
    metric: Metric
    scale: ScaleIn | None = Field(default=None, description="needed with `rating` and `custom`")
    choices: dict[Ref, float] | None = Field(
        default=None, max_length=MAX_CHOICES, description="score of each choice, by its id, code or label"
    )

    @model_validator(mode="after")
    def _has_scale(self) -> "Score":
        if self.scale is None and self.metric in ("rating", "custom"):
            words = {"m": self.metric}
            raise PydanticCustomError("scale_missing", "metric {m} has no scale of its own; add scale", words)
        return self


class HmacAuth(_Model):
    """A signature over the raw body, keyed with the connector's secret."""

    kind: Literal["hmac"]
    header: Header = "X-Signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", max_length=20, description="what stands before the signature, as in `sha256=`")
    timestamp_header: Header | None = Field(
        default=None, description="Unix seconds; then the signature is over `<timestamp>.<body>` and expires"
    )


class TokenAuth(_Model):
    """The connector's secret itself, in a header."""

    kind: Literal["token"]
    header: Header = "Authorization"
    prefix: str = Field(default="Bearer ", max_length=20)


class BodyToken(_Model):
    """The connector's secret as `api_token` in the body, as the webhook plugin of LimeSurvey sends it."""

    kind: Literal["body"]


Auth = Annotated[HmacAuth | TokenAuth, Field(discriminator="kind")]


class Base(_Model):
    """What every kind of connector has."""

    source: Word | None = Field(default=None, description="`source` of the responses; the kind of connector if absent")
    constants: dict[Word, Constant] = Field(default_factory=dict, max_length=MAX_FIELDS)
    zone: Zone = Field(default="UTC", description="of times that are sent without an offset")


class Survey(Base):
    """What connectors of survey tools have."""

    score: Score | None = None
    text: Annotated[list[Ref], Field(min_length=1, max_length=MAX_REFS)] | None = Field(
        default=None, description="references of the open questions"
    )
    fields: dict[Word, Ref] = Field(
        default_factory=dict, max_length=MAX_FIELDS, description="response field to question or variable"
    )
    attributes: list[Ref] | None = Field(
        default=None, max_length=MAX_FIELDS, description="variables kept as attributes; all hidden ones if absent"
    )

    @model_validator(mode="after")
    def _known_fields(self) -> "Survey":
        _check_fields(self.fields, self.constants, FIELDS)
        return self


class Asked(Survey):
    """Tools whose payload does not say which answer is a comment."""

    text: Annotated[list[Ref], Field(min_length=1, max_length=MAX_REFS, description="references of open questions")]


class Typeform(Survey):
    """Scores and comments are found by type where no references are given."""


class MonkeyApi(_Model):
    """Where the answers behind an event are asked for."""

    token: Word
    region: Literal["us", "eu", "ca"] = "us"


class SurveyMonkey(Survey):
    client_id: Word = Field(description="of the app: half of the key that signs, the secret being the other")
    api: MonkeyApi | None = Field(default=None, description="events carry ids only; without it they are refused")


class QualtricsApi(_Model):
    token: Word
    datacenter: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{2,20}(\.[a-z0-9]{2,10})?$")]


class Qualtrics(Asked):
    auth: Auth = Field(default=TokenAuth(kind="token"), description="of web service tasks; events are signed their way")
    api: QualtricsApi | None = Field(default=None, description="events carry ids only; without it they are refused")


class Formbricks(Asked):
    partial: bool = Field(default=False, description="take responses that are not finished, and update them")


class LimeSurvey(Asked):
    auth: Annotated[BodyToken | HmacAuth | TokenAuth, Field(discriminator="kind")] = BodyToken(kind="body")


Path = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(checked)]


class Generic(Base):
    """Any JSON, mapped by JMESPath expressions."""

    auth: Auth
    items: Path | None = Field(default=None, description="the list of answers in the body; the body itself if absent")
    fields: dict[Word, Path] = Field(min_length=1, max_length=MAX_FIELDS)

    @model_validator(mode="after")
    def _known_fields(self) -> "Generic":
        _check_fields(self.fields, self.constants, GENERIC_FIELDS)
        if "text" not in self.fields or "id" not in self.fields:
            raise PydanticCustomError("fields_missing", "fields should have text, and id to know a redelivery")
        return self

    def expressions(self) -> Mapping[str, Expression]:
        return {name: Expression(path) for name, path in self.fields.items()}


Settings = Typeform | SurveyMonkey | Qualtrics | Formbricks | LimeSurvey | Generic
KINDS: Mapping[str, type[Base]] = {
    "typeform": Typeform,
    "surveymonkey": SurveyMonkey,
    "qualtrics": Qualtrics,
    "formbricks": Formbricks,
    "limesurvey": LimeSurvey,
    "generic": Generic,
}
MASK = "********"
"""What a secret is shown as."""


def parse(kind: str, data: Mapping[str, Any]) -> Any:
    """Settings as stored or sent; raises pydantic's ValidationError."""
    return KINDS[kind].model_validate(data)


def mask(data: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they may be shown."""
    shown = dict(data)
    if isinstance(shown.get("api"), dict) and "token" in shown["api"]:
        shown["api"] = {**shown["api"], "token": MASK}
    return shown


def unmask(data: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """New settings, a masked token standing for the one that is stored."""
    given = dict(data)
    api, before = given.get("api"), stored.get("api")
    if isinstance(api, dict) and api.get("token") == MASK and isinstance(before, dict):
        given["api"] = {**api, "token": before["token"]}
    return given


def _check_fields(fields: Mapping[str, str], constants: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for where, names in (("fields", fields), ("constants", constants)):
        for name in names:
            if name not in known and not (name.startswith(OPEN) and len(name) > len(name.split(".")[0]) + 1):
                words = {"w": where, "n": name[:80], "k": ", ".join((*known, "respondent.<name>", "attributes.<name>"))}
                raise PydanticCustomError("field_unknown", "{w}.{n} is no field of a response; fields are {k}", words)
    both = fields.keys() & constants.keys()
    if both:
        raise PydanticCustomError("field_twice", "{n} is both a field and a constant; keep one", {"n": min(both)})
    _check_constants(constants)


def _check_constants(constants: Mapping[str, Any]) -> None:
    body: dict[str, Any] = {"text": ""}
    for name, value in constants.items():
        parent, dot, leaf = name.partition(".")
        if dot:
            body.setdefault(parent, {})[leaf] = value
        else:
            body[name] = value
    try:
        ResponseIn.model_validate(body)
    except ValidationError as error:
        # a scale may have one end in a field
        wrong = [one for one in invalids(error) if not (one.path.startswith("scale.") and one.code == "missing")]
        if wrong:
            words = {"p": wrong[0].path, "r": wrong[0].reason}
            raise PydanticCustomError("constant", "constants.{p}: {r}", words) from None
