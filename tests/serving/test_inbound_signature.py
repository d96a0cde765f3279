"""Signatures of survey tools: what is genuine passes, whatever else does not."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inbound_samples import BODIES, KINDS, SECRET, SETTINGS, encode, qualtrics_form, secret_of, sign
from loop import START

from serving.inbound.settings import parse
from serving.inbound.signature import Request, digest, form_of, verify

SIGNED = tuple(kind for kind in KINDS if kind not in ("limesurvey", "qualtrics"))
FORM = {"content-type": "application/x-www-form-urlencoded"}


def check(kind: str, body: bytes, headers: Mapping[str, str], **other: Any) -> bool:
    settings = parse(kind, {**SETTINGS[kind], **other})
    return verify(kind, Request(body, headers), secret_of(kind), settings, START)


@pytest.mark.parametrize("kind", KINDS)
def test_a_genuine_body_passes_and_no_header_or_another_secret_does_not(kind: str) -> None:
    body = encode(BODIES[kind])
    headers = sign(kind, body, START)
    assert check(kind, body, headers)
    stranger = encode({**BODIES[kind], "api_token": "guessed-token"}) if kind == "limesurvey" else body
    assert not check(kind, stranger, {})
    other = "whsec_" + "QUJD" * 8 if kind == "formbricks" else "another-secret"
    assert not check(kind, stranger, sign(kind, body, START, other))


@pytest.mark.parametrize("kind", SIGNED)
@given(place=st.integers(0), bit=st.integers(0, 7))
def test_one_bit_of_the_body_undoes_the_signature(kind: str, place: int, bit: int) -> None:
    body = encode(BODIES[kind])
    headers = sign(kind, body, START)
    tampered = bytearray(body)
    tampered[place % len(body)] ^= 1 << bit
    assert not check(kind, bytes(tampered), headers)


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=200), word=st.text(st.characters(codec="latin-1"), max_size=40))
def test_odd_bodies_and_headers_are_refused_not_a_crash(kind: str, body: bytes, word: str) -> None:
    names = ("typeform-signature", "sm-signature", "authorization", "x-hub-signature-256", "webhook-signature")
    headers = {**dict.fromkeys(names, word), "webhook-id": word, "webhook-timestamp": word}
    assert not check(kind, body, headers)
    assert not check(kind, body, {**headers, **FORM})


@pytest.mark.parametrize(("minutes", "passes"), [(-6, False), (-4, True), (0, True), (4, True), (6, False)])
def test_standard_webhooks_expire(minutes: int, passes: bool) -> None:
    body = encode(BODIES["formbricks"])
    assert check("formbricks", body, sign("formbricks", body, START + timedelta(minutes=minutes))) is passes


def test_a_rotated_secret_may_sign_beside_the_new_one() -> None:
    body = encode(BODIES["formbricks"])
    headers = sign("formbricks", body, START)
    headers["webhook-signature"] = f"v1,b2xk {headers['webhook-signature']}"
    assert check("formbricks", body, headers)


def test_qualtrics_signs_the_message_of_its_form() -> None:
    body = qualtrics_form()
    assert check("qualtrics", body, FORM)
    assert not check("qualtrics", body, FORM | {"content-type": "application/json"})
    assert not check("qualtrics", qualtrics_form("another-secret"), FORM)
    assert not check("qualtrics", body.replace(b"R_suq", b"R_xuq"), FORM)
    assert not check("qualtrics", body + b"&MSG=%7B%7D", FORM), "which of two messages would be read?"
    assert not check("qualtrics", b"MSG=%7B%7D", FORM)


@pytest.mark.parametrize(("body", "form"), [(b"a=1&a=2", {}), (b"a=1", {"a": "1"}), (b"\xff=1", {}), (b"", {})])
def test_forms(body: bytes, form: dict[str, str]) -> None:
    assert form_of(body) == form


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "v0="])
def test_hmac_as_the_admin_describes_it(algorithm: str, encoding: str, prefix: str) -> None:
    auth = {"kind": "hmac", "header": "X-Sig", "algorithm": algorithm, "encoding": encoding, "prefix": prefix}
    body = encode(BODIES["generic"])
    found = digest(algorithm, SECRET.encode(), body)
    word = prefix + (found.hex() if encoding == "hex" else base64.b64encode(found).decode())
    assert check("generic", body, {"x-sig": word}, auth=auth)
    assert check("generic", body, {"x-sig": word.upper()}, auth=auth) is (encoding == "hex")
    assert not check("generic", body, {"x-sig": word[len(prefix) :] + "0"}, auth=auth)


def test_hmac_with_a_time_cannot_be_replayed() -> None:
    auth = {"kind": "hmac", "header": "X-Sig", "timestamp_header": "X-Time"}
    body = encode(BODIES["generic"])

    def headers(minutes: int) -> dict[str, str]:
        time = str(int((START + timedelta(minutes=minutes)).timestamp()))
        return {"x-time": time, "x-sig": digest("sha256", SECRET.encode(), time.encode() + b"." + body).hex()}

    assert check("generic", body, headers(0), auth=auth)
    assert not check("generic", body, headers(-6), auth=auth)
    moved = headers(-6) | {"x-time": headers(0)["x-time"]}
    assert not check("generic", body, moved, auth=auth)
    assert not check("generic", body, {"x-sig": headers(0)["x-sig"]}, auth=auth)


def test_a_token_in_a_header() -> None:
    auth = {"kind": "token", "header": "X-Token", "prefix": ""}
    assert check("generic", b"{}", {"x-token": SECRET}, auth=auth)
    assert not check("generic", b"{}", {"x-token": SECRET[:-1]}, auth=auth)
    assert check("limesurvey", b"{}", {"x-token": SECRET}, auth=auth)
    assert not check("limesurvey", encode(BODIES["limesurvey"]), {}, auth=auth), (
        "the token in the body is not asked for"
    )
