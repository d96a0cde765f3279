"""A redaction policy with a mistake is refused, and the message says where."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nlp.errors import PolicyError
from nlp.patterns import parse_patterns
from nlp.redact import Redactor

POLICY = Path(__file__).parents[2] / "data" / "policies" / "redaction.yaml"
DATA = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
KINDS = {"EMAIL", "PHONE", "IBAN", "CARD", "PESEL", "NIP", "REGON", "ID_CARD", "PASSPORT", "RNOKPP", "INN", "SNILS"}


def test_the_policy_in_the_repository_covers_every_kind() -> None:
    assert {recogniser.kind for recogniser in parse_patterns(DATA, POLICY.name).recognisers} == KINDS


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda data: data.pop("deny"), "deny is missing"),
        (lambda data: data.update(extra=1), "extra is not known"),
        (lambda data: data.update(version=1), "version must be a text"),
        (lambda data: data.update(window=-1), "window must be a whole number of at least 0, not -1"),
        (lambda data: data.update(window=True), "window must be a whole number"),
        (lambda data: data.update(recognisers={}), "recognisers must be a list"),
        (lambda data: data["recognisers"].insert(0, "EMAIL"), "recognisers[0] must be a mapping"),
        (lambda data: data["recognisers"][0].update(kind="e-mail"), "recognisers[0].kind"),
        (lambda data: data["recognisers"][0].update(pattern="(["), "recognisers[0].pattern is not a regular"),
        (lambda data: data["recognisers"][1].update(pattern="{{gap}}"), "uses the fragment 'gap'"),
        (lambda data: data["recognisers"][1].update(check="magic"), "recognisers[1].check is 'magic'"),
        (lambda data: data["recognisers"][1].update(confirm="maybe"), "recognisers[1].confirm is 'maybe'"),
        (lambda data: data["recognisers"][1].update(confirm="context"), "recognisers[1].context is missing"),
        (lambda data: data["recognisers"][1].update(context="moon"), "recognisers[1].context is 'moon'"),
        (lambda data: data["recognisers"][1].update(trim="yes"), "recognisers[1].trim"),
        (lambda data: data["recognisers"][1].update(patern="x"), "recognisers[1].patern is not known"),
        (lambda data: data["context"].update(phone=[]), "context.phone must be a list"),
        (lambda data: data["names"]["stop"].insert(0, True), "names.stop[0] must be a text"),
        (lambda data: data["names"].pop("titles"), "names.titles must be a list"),
        (lambda data: data["urls"].update(token="["), "urls.token is not a regular expression"),
    ],
)
def test_a_mistake_is_named(spoil: Callable[[dict[str, Any]], Any], key: str) -> None:
    data = copy.deepcopy(DATA)
    spoil(data)
    with pytest.raises(PolicyError) as raised:
        parse_patterns(data, "mine.yaml")
    assert str(raised.value).startswith("mine.yaml: ")
    assert key in str(raised.value)


def test_a_kind_of_ones_own_needs_only_data() -> None:
    data = copy.deepcopy(DATA)
    data["recognisers"].append({"kind": "MEMBER", "digits": 6, "pattern": r"m-\d{6}"})
    redactor = Redactor(parse_patterns(data, "mine.yaml"))
    assert redactor.redact("moja karta M-123456 nie działa").text == "moja karta <MEMBER> nie działa"
