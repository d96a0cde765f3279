"""Who sent a request: signatures over the raw body, compared in constant time."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from standardwebhooks import Webhook

from serving.inbound.settings import BodyToken, HmacAuth, LimeSurvey, Qualtrics, Settings, SurveyMonkey, TokenAuth

TOLERANCE = timedelta(minutes=5)
"""How old a signed time may be: what Standard Webhooks advises."""
MAX_FORM_FIELDS = 20
"""An event of Qualtrics has three."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; header names in lower case."""

    body: bytes
    headers: Mapping[str, str]

    @property
    def is_form(self) -> bool:
        return self.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")


Check = Callable[[Request, str, Any, datetime], bool]


def verify(kind: str, request: Request, secret: str, settings: Settings, now: datetime) -> bool:
    """Whether the holder of the secret signed exactly this body, and lately where the scheme has a time."""
    return CHECKS[kind](request, secret, settings, now)


def digest(algorithm: str, key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, getattr(hashlib, algorithm)).digest()


def same(expected: str, given: str) -> bool:
    """Compares in a time that does not tell how much of it is right; what was given may hold any character."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form; none where it is no form, or one where a field stands twice."""
    try:
        found = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()} if all(len(v) == 1 for v in found.values()) else {}


def standard(request: Request, secret: str, now: datetime) -> bool:
    """Standard Webhooks: id, time and body are signed."""
    message, time, given = (request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    sent = _instant(time)
    if not message or sent is None or abs(now - sent) > TOLERANCE:
        return False
    try:
        expected = Webhook(secret).sign(message, sent, request.body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError):
        return False
    return any([same(expected, signature) for signature in given.split(" ")])


def _typeform(request: Request, secret: str, _: Settings, __: datetime) -> bool:
    expected = "sha256=" + base64.b64encode(digest("sha256", secret.encode(), request.body)).decode()
    return same(expected, request.headers.get("typeform-signature", ""))


def _surveymonkey(request: Request, secret: str, settings: SurveyMonkey, _: datetime) -> bool:
    key = f"{settings.client_id}&{secret}".encode()
    expected = base64.b64encode(digest("sha1", key, request.body)).decode()
    return same(expected, request.headers.get("sm-signature", ""))


def _qualtrics(request: Request, secret: str, settings: Qualtrics, now: datetime) -> bool:
    if not request.is_form:
        return by_settings(request, secret, settings.auth, now)
    form = form_of(request.body)
    expected = digest("sha512", secret.encode(), form.get("MSG", "").encode()).hex()
    return same(expected, form.get("HMAC", "").lower())


def _formbricks(request: Request, secret: str, _: Settings, now: datetime) -> bool:
    return standard(request, secret, now)


def _limesurvey(request: Request, secret: str, settings: LimeSurvey, now: datetime) -> bool:
    if not isinstance(settings.auth, BodyToken):
        return by_settings(request, secret, settings.auth, now)
    try:
        data = json.loads(request.body)
    except (ValueError, RecursionError):
        data = None
    token = data.get("api_token") if isinstance(data, dict) else None
    return same(secret, token if isinstance(token, str) else "")


def _generic(request: Request, secret: str, settings: Any, now: datetime) -> bool:
    return by_settings(request, secret, settings.auth, now)


def by_settings(request: Request, secret: str, auth: HmacAuth | TokenAuth, now: datetime) -> bool:
    """A scheme that the admin described."""
    given = request.headers.get(auth.header.lower(), "")
    if isinstance(auth, TokenAuth):
        return same(auth.prefix + secret, given)
    signed = request.body
    if auth.timestamp_header:
        time = request.headers.get(auth.timestamp_header.lower(), "")
        sent = _instant(time)
        if sent is None or abs(now - sent) > TOLERANCE:
            return False
        signed = time.encode() + b"." + signed
    found = digest(auth.algorithm, secret.encode(), signed)
    if auth.encoding == "base64":
        return same(auth.prefix + base64.b64encode(found).decode(), given)
    # some tools write the hexadecimal digits in capitals
    return same((auth.prefix + found.hex()).lower(), given.lower())


def _instant(seconds: str) -> datetime | None:
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 10):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


CHECKS: Mapping[str, Check] = {
    "typeform": _typeform,
    "surveymonkey": _surveymonkey,
    "qualtrics": _qualtrics,
    "formbricks": _formbricks,
    "limesurvey": _limesurvey,
    "generic": _generic,
}
