"""Bodies of the routes of connectors."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from serving.inbound.settings import Formbricks, Generic, Kind, LimeSurvey, Qualtrics, SurveyMonkey, Typeform
from serving.schemas import MAX_ITEMS

MAX_BODY = 1024 * 1024
"""Bytes of one webhook: a long submission has some tens of thousands."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


Secret = Annotated[str, StringConstraints(min_length=8, max_length=500, pattern=r"^[\x21-\x7e]+$")]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$"),
]


def signing(secret: str) -> str:
    """A secret of Standard Webhooks; a pydantic error where it is none."""
    key = secret.removeprefix("whsec_")
    try:
        found = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
    except binascii.Error:
        found = b""
    if not found:
        raise PydanticCustomError("secret", "Input should be a signing secret: whsec_ and base64")
    return secret


class _New(_Model):
    name: Name | None = None


class _MadeHere(_New):
    secret: Secret | None = Field(default=None, description="shared with the tool; made and shown once if absent")


class NewTypeform(_MadeHere):
    kind: Literal["typeform"]
    settings: Typeform = Typeform()


class NewSurveyMonkey(_New):
    kind: Literal["surveymonkey"]
    secret: Secret = Field(description="the app's client secret")
    settings: SurveyMonkey


class NewQualtrics(_MadeHere):
    kind: Literal["qualtrics"]
    settings: Qualtrics


class NewFormbricks(_New):
    kind: Literal["formbricks"]
    secret: Annotated[Secret, AfterValidator(signing)] = Field(description="the webhook's signing secret: whsec_...")
    settings: Formbricks


class NewLimeSurvey(_MadeHere):
    kind: Literal["limesurvey"]
    settings: LimeSurvey


class NewGeneric(_MadeHere):
    kind: Literal["generic"]
    settings: Generic


NewConnector = Annotated[
    NewTypeform | NewSurveyMonkey | NewQualtrics | NewFormbricks | NewLimeSurvey | NewGeneric,
    Field(discriminator="kind"),
]


class ConnectorChange(_Model):
    """What is given is changed; settings are replaced as a whole."""

    name: Name | None = None
    secret: Secret | None = None
    settings: dict[str, Any] | None = Field(default=None, description="as when made; a masked token keeps the old one")
    enabled: bool | None = None


class ConnectorOut(BaseModel):
    """A connector; secrets are masked but for one that was just made."""

    id: str
    kind: Kind
    name: str | None
    address: str = Field(description="where the survey tool sends to, after this server's own address")
    secret: str
    settings: dict[str, Any]
    enabled: bool
    created_at: datetime
    refused_at: datetime | None = Field(description="when a payload was last refused")
    refusal: str | None = Field(description="why; never with what was answered")


class ConnectorList(BaseModel):
    items: list[ConnectorOut]
    next: str | None


class RefusedOut(BaseModel):
    id: str | None
    code: str
    detail: str


class InboundOut(BaseModel):
    """What became of a webhook."""

    created: int
    updated: int
    duplicate: int
    ignored: int = Field(description="submissions or events with neither score nor comment")
    refused: list[RefusedOut]


class Trial(_Model):
    """A payload as the survey tool would send it, unsigned."""

    payload: dict[str, Any] | list[Any]


class TrialOut(BaseModel):
    """The responses that a payload would give; nothing is stored."""

    responses: Annotated[list[dict[str, Any]], Field(max_length=MAX_ITEMS)]
    ignored: int
    refused: list[RefusedOut]
