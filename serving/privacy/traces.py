"""Traces of a person in rows that are about something else: told in nested JSON values, and taken out of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.privacy.person import Person

ERASED = "[erased]"
MIN_NAME = 6
"""Shorter ids ("17", "anna") are found under the key `respondent` alone: elsewhere they may mean anything."""
MIN_QUOTE = 12
"""Characters from which on words shared with a verbatim are a quote of it; "very good" is nobody's."""

_EDGES = " \t\n…\"'«»„”“."


@dataclass(frozen=True, slots=True)
class Traces:
    """What a person is told by: their ids and ours, and their words."""

    respondent: str
    names: re.Pattern[str] | None
    texts: tuple[str, ...]

    def in_text(self, value: str) -> bool:
        """Whether a string names or quotes the person."""
        if value == self.respondent and len(value) >= MIN_NAME:
            return True
        if self.names is not None and self.names.search(value):
            return True
        quote = value.strip(_EDGES)
        if len(quote) < MIN_QUOTE:
            return False
        return any(quote in text or text in value for text in self.texts)


def traces_of(person: Person) -> Traces:
    subject = person.subject
    assert subject.respondent is not None
    sent = (subject.respondent, *person.sent_ids)
    names = [*subject.responses, *subject.cases, *(name for name in sent if len(name) >= MIN_NAME)]
    words = "|".join(sorted(map(re.escape, set(names)), key=len, reverse=True))
    # whole names: cust-12 is not named by cust-123
    pattern = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])") if words else None
    texts = tuple(text for text in person.texts if len(text) >= MIN_QUOTE)
    return Traces(subject.respondent, pattern, texts)


def without(value: Any, traces: Traces) -> Any:
    """The value with every string that names or quotes the person replaced; the same object where there is none."""
    if isinstance(value, str):
        return ERASED if traces.in_text(value) else value
    if isinstance(value, Mapping):
        found = {_key(key, traces): _of_key(key, item, traces) for key, item in value.items()}
        same = all(found.get(key, found) is item for key, item in value.items())
        return value if same else found
    if isinstance(value, list):
        items = [without(item, traces) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _of_key(key: str, item: Any, traces: Traces) -> Any:
    return ERASED if key == "respondent" and item == traces.respondent else without(item, traces)


def _key(key: str, traces: Traces) -> str:
    return ERASED if traces.in_text(key) else key
