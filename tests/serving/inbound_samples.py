"""Webhooks as the survey tools document them, with answers made up for these tests, and their signatures."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

SECRET = "correct-horse-battery"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()
CLIENT_ID = "client-7"
WORDS = "Kurier spóźnił się trzy dni 😡, а на гарячій лінії ніхто не відповідає"
MORE = "Proszę o telefon do kierownika"


def typeform(score: int | None = 2, text: str | None = WORDS, more: str | None = None) -> dict[str, Any]:
    fields = [
        {"id": "fScore", "title": "How likely are you to recommend us?", "type": "opinion_scale", "ref": "nps_ref"},
        {"id": "fWhy", "title": "Why this score?", "type": "long_text", "ref": "why_ref"},
        {"id": "fMore", "title": "Anything else?", "type": "short_text", "ref": "more_ref"},
        {"id": "fMail", "title": "Your address?", "type": "email", "ref": "mail_ref"},
        {"id": "fPlan", "title": "Your plan?", "type": "multiple_choice", "ref": "plan_ref"},
    ]
    about = {field["id"]: {key: field[key] for key in ("id", "type", "ref")} for field in fields}
    answers: list[dict[str, Any]] = [
        {"type": "email", "email": "ola@example.org", "field": about["fMail"]},
        {"type": "choice", "choice": {"id": "c1", "ref": "gold_ref", "label": "Gold"}, "field": about["fPlan"]},
    ]
    if score is not None:
        answers.append({"type": "number", "number": score, "field": about["fScore"]})
    answers += [
        {"type": "text", "text": said, "field": about[name]} for name, said in (("fWhy", text), ("fMore", more)) if said
    ]
    return {
        "event_id": "01J0EVENT",
        "event_type": "form_response",
        "form_response": {
            "form_id": "lT4Z3j",
            "token": "a3a12ec67a1365927098a606107fac15",
            "landed_at": "2026-11-01T18:07:02Z",
            "submitted_at": "2026-11-01T18:17:02Z",
            "hidden": {"user_id": "u-17", "store": "Lviv 3", "consent": "tak"},
            "calculated": {"score": 9},
            "definition": {"id": "lT4Z3j", "title": "After delivery", "fields": fields},
            "answers": answers,
        },
    }


def monkey_event(kind: str = "response_completed") -> dict[str, Any]:
    return {
        "name": "My hook",
        "filter_type": "survey",
        "filter_id": "123456789",
        "event_type": kind,
        "event_id": "10027615456",
        "object_type": "response",
        "object_id": "987654321",
        "event_datetime": "2026-11-01T21:56:31.182613+00:00",
        "resources": {
            "respondent_id": "987654321",
            "recipient_id": "0",
            "collector_id": "111222333",
            "survey_id": "123456789",
        },
    }


def monkey_details(text: str | None = WORDS, choice: str | None = "2") -> dict[str, Any]:
    comment = {"id": "70", "variable_id": "v70", "heading": "Why?", "family": "open_ended", "subtype": "essay"}
    rating = {"id": "60", "variable_id": "v60", "heading": "Would you recommend us?", "family": "matrix"}
    questions: list[dict[str, Any]] = []
    if choice is not None:
        told = {"choice_id": f"40000000{choice}", "row_id": "5000000001", "choice_metadata": {"weight": "-100"}}
        questions.append({**rating, "subtype": "rating", "answers": [{**told, "simple_text": choice}]})
    if text is not None:
        questions.append({**comment, "answers": [{"text": text, "simple_text": text}]})
    return {
        "id": "987654321",
        "recipient_id": "",
        "collector_id": "111222333",
        "survey_id": "123456789",
        "custom_value": "",
        "custom_variables": {"store": "Lviv 3"},
        "response_status": "completed",
        "date_created": "2026-11-01T21:50:00+00:00",
        "date_modified": "2026-11-01T21:56:30+00:00",
        "ip_address": "192.0.2.7",
        "metadata": {"contact": {"email": {"type": "string", "value": "ola@example.org"}}},
        "pages": [{"id": "1", "questions": []}, {"id": "2", "questions": questions}],
    }


def qualtrics_message(response: str = "R_suq806jn8LGzhx7") -> dict[str, Any]:
    return {
        "Status": "Complete",
        "SurveyID": "SV_cVn9uBwheR9hz01",
        "RecipientID": "CGC_GiMUyLkGpEZsVF3",
        "ResponseEventContext": "",
        "DistributionID": "EMD_96woxYS85Cg5Lqx",
        "ResponseID": response,
        "CompletedDate": "2026-11-01 12:31:40",
        "BrandID": "acme",
    }


def qualtrics_form(secret: str = SECRET, message: Any = None, kind: str = "completedResponse") -> bytes:
    said = message if isinstance(message, str) else json.dumps(message or qualtrics_message())
    topic = f"acme.surveyengine.{kind}.SV_cVn9uBwheR9hz01"
    signature = hmac.new(secret.encode(), said.encode(), hashlib.sha512).hexdigest()
    return urlencode({"Topic": topic, "HMAC": signature, "MSG": said}).encode()


def qualtrics_answer(text: str = WORDS) -> dict[str, Any]:
    return {
        "meta": {"requestId": "7476", "httpStatus": "200 - OK"},
        "result": {
            "responseId": "R_suq806jn8LGzhx7",
            "values": {
                "recordedDate": "2026-11-01T12:31:40.123Z",
                "finished": 1,
                "userLanguage": "PL",
                "externalDataReference": "u-17",
                "ipAddress": "192.0.2.7",
                "QID1": 2,
                "QID1_NPS_GROUP": 1,
                "QID2_TEXT": text,
                "store": "Lviv 3",
            },
            "labels": {"QID1_NPS_GROUP": "Detractor"},
        },
    }


def formbricks(
    event: str = "responseFinished", finished: bool = True, answers: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    return [
        {
            "webhookId": "cm0hook",
            "event": event,
            "data": {
                "id": "cm0response",
                "surveyId": "cm0survey",
                "createdAt": "2026-11-01T07:47:29.507Z",
                "updatedAt": "2026-11-01T07:47:33.696Z",
                "finished": finished,
                "contact": {"id": "cm0contact", "userId": "u-17"},
                "contactAttributes": {"userId": "u-17", "plan": "gold", "email": "ola@example.org"},
                "data": {"q1": 2, "q2": WORDS, "store": "Lviv 3"} if answers is None else dict(answers),
                "displayId": "cm0display",
                "language": "default",
                "meta": {"country": "PL", "url": "https://example.org/s/1", "userAgent": {"os": "macOS"}},
                "survey": {"title": "After delivery", "type": "link", "status": "inProgress"},
                "tags": [],
                "ttc": {"q1": 2154.7},
                "variables": {},
            },
        }
    ]


def limesurvey(text: str = WORDS, token: str = SECRET) -> dict[str, Any]:
    return {
        "api_token": token,
        "survey": 123456,
        "event": "afterSurveyComplete",
        "respondId": 42,
        "response": {
            "id": "42",
            "submitdate": "2026-11-01 15:30:00",
            "lastpage": "1",
            "startlanguage": "pl",
            "token": "tok123",
            "NPS": "A2",
            "WHY": text,
            "STORE": "Lviv 3",
        },
        "response_pretty": {},
        "submitDate": "2026-11-01 15:30:00",
        "token": "tok123",
        "participant": {"firstname": "Ola", "lastname": "Nowak", "email": "ola@example.org"},
    }


SETTINGS: dict[str, dict[str, Any]] = {
    "typeform": {},
    "surveymonkey": {"client_id": CLIENT_ID, "score": {"ref": "60", "metric": "nps"}},
    "qualtrics": {"score": {"ref": "QID1", "metric": "nps"}, "text": ["QID2_TEXT"]},
    "formbricks": {"score": {"ref": "q1", "metric": "nps"}, "text": ["q2"]},
    "limesurvey": {"score": {"ref": "NPS", "metric": "nps", "choices": {"A2": 2}}, "text": ["WHY"]},
    "generic": {
        "auth": {"kind": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256="},
        "items": "answers[]",
        "fields": {"id": "key", "text": "comment", "score": "stars", "answered_at": "at"},
        "constants": {"metric": "csat"},
    },
}
BODIES: dict[str, Any] = {
    "typeform": typeform(),
    "surveymonkey": {**monkey_event(), "response": monkey_details()},
    "qualtrics": qualtrics_answer()["result"],
    "formbricks": formbricks(),
    "limesurvey": limesurvey(),
    "generic": {"answers": [{"key": "k1", "comment": WORDS, "stars": 2, "at": "2026-11-01T10:00:00+01:00"}]},
}
KINDS = tuple(SETTINGS)


def secret_of(kind: str) -> str:
    return STANDARD_SECRET if kind == "formbricks" else SECRET


def sign(kind: str, body: bytes, now: datetime, secret: str | None = None) -> dict[str, str]:
    """The headers with which the vendor would send this body."""
    secret = secret or secret_of(kind)
    json_type = {"content-type": "application/json"}
    if kind == "typeform":
        return {**json_type, "typeform-signature": "sha256=" + _base64("sha256", secret.encode(), body)}
    if kind == "surveymonkey":
        return {**json_type, "sm-signature": _base64("sha1", f"{CLIENT_ID}&{secret}".encode(), body)}
    if kind == "qualtrics":
        return {**json_type, "authorization": f"Bearer {secret}"}
    if kind == "formbricks":
        time = str(int(now.timestamp()))
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signature = "v1," + _base64("sha256", key, f"msg_1.{time}.".encode() + body)
        return {**json_type, "webhook-id": "msg_1", "webhook-timestamp": time, "webhook-signature": signature}
    if kind == "limesurvey":
        return json_type
    return {**json_type, "x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def encode(payload: Any) -> bytes:
    """UTF-8 as most vendors send it, not the ASCII escapes that Python would."""
    return json.dumps(payload, ensure_ascii=False).encode("utf-8")


def _base64(algorithm: str, key: bytes, body: bytes) -> str:
    return base64.b64encode(hmac.new(key, body, algorithm).digest()).decode()
