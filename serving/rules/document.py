"""Reads a rule set out of its YAML: strict keys, every mistake with its line, column and rule."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlp.policy import PRIORITIES
from nlp.taxonomy import Taxonomy
from serving.rules.check import check_condition
from serving.rules.decision import Notice
from serving.rules.language import Condition, compile_condition
from serving.rules.lineage import theme_ids
from serving.rules.places import Value, place, read
from serving.rules.rule import Actions, Mode, Rule, RuleSet
from serving.rules.wrong import ConditionError, Fault, RulesError

MAX_RULES = 200
MAX_TEXT = 500
"""Characters of a name, a description or a message."""
MAX_LISTED = 50
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
MODES: tuple[Mode, ...] = ("first", "all")
ACTIONS = ("assign", "priority", "tag", "notify", "webhook", "thank", "suppress_contact")


def parse_rules(source: str, name: str, frame: Taxonomy, version: int = 0) -> RuleSet:
    """The rule set written in `source`; RulesError has every mistake found, `name` stands for the file in it."""
    return _Reader(source, theme_ids(frame)).read(read(source, name), name, version)


def read_rules(source: str, version: int) -> RuleSet:
    """Rules that were checked when they were saved; themes that are gone since then are found nowhere."""
    name = f"rules, version {version}"
    return _Reader(source, None).read(read(source, name), name, version)


@dataclass(slots=True)
class _Reader:
    source: str
    themes: frozenset[str] | None
    rule: str | None = None
    faults: list[Fault] = field(default_factory=list)

    def read(self, root: Value, name: str, version: int) -> RuleSet:
        found = self._keys(root, ("mode", "rules"), ())
        mode = self._one_of(found["mode"], MODES) if "mode" in found else None
        listed = self._list(found["rules"], MAX_RULES) if "rules" in found else []
        rules = [rule for item in listed if (rule := self._rule(item))]
        self.rule = None
        self._check_ids(found.get("rules", root), rules)
        if self.faults:
            raise RulesError(name, tuple(self.faults))
        return RuleSet(version, "all" if mode == "all" else "first", tuple(rules), self.source)

    def _check_ids(self, where: Value, rules: Sequence[Rule]) -> None:
        ids = [rule.id for rule in rules]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        if twice:
            self._wrong(where, f"id {', '.join(twice)} is used more than once; every rule needs its own")

    def _rule(self, value: Value) -> Rule | None:
        self.rule = None
        found = self._keys(value, ("id", "when"), ("description", "then", "stop"))
        id = self._text(found.get("id"))
        if id is not None and not _ID.fullmatch(id):
            self._wrong(found["id"], "id must be made of a-z, 0-9, _, . and -, 64 characters at most")
        self.rule = id
        condition = self._condition(found.get("when"))
        actions = self._actions(found["then"]) if "then" in found else Actions()
        stop = self._flag(found.get("stop"))
        description = self._text(found.get("description"))
        return Rule(id, condition, actions, stop, description) if id and condition else None

    def _condition(self, value: Value | None) -> Condition | None:
        if value is None:
            return None
        if isinstance(value.plain, bool):
            return compile_condition("true" if value.plain else "false")
        if not isinstance(value.plain, str) or not value.plain.strip():
            self._wrong(value, "when must be a condition; `when: true` matches every response")
            return None
        try:
            condition = compile_condition(value.plain)
            if self.themes is not None:
                check_condition(condition, self.themes)
        except ConditionError as error:
            line, column = place(value, self.source, error.offset)
            where = f"when, character {error.offset + 1}: "
            self.faults.append(Fault(line, column, self.rule, where + error.reason))
            return None
        return condition

    def _actions(self, value: Value) -> Actions:
        found = self._keys(value, (), ACTIONS)
        assign = self._keys(found["assign"], (), ("team", "person")) if "assign" in found else {}
        if "assign" in found and not assign:
            self._wrong(found["assign"], "assign needs a team, a person or both")
        return Actions(
            team=self._text(assign.get("team")),
            assignee=self._text(assign.get("person")),
            priority=self._one_of(found["priority"], PRIORITIES) if "priority" in found else None,
            tags=self._texts(found.get("tag")),
            notices=self._several(found.get("notify"), self._notice),
            webhooks=self._texts(found.get("webhook")),
            thank=self._flag(found.get("thank")),
            suppress_contact=self._flag(found.get("suppress_contact")),
        )

    def _notice(self, value: Value) -> Notice | None:
        if isinstance(value.plain, str):
            to = self._text(value)
            return Notice(to) if to else None
        found = self._keys(value, ("to",), ("message",))
        to = self._text(found.get("to"))
        return Notice(to, self._text(found.get("message"))) if to else None

    def _texts(self, value: Value | None) -> tuple[str, ...]:
        return self._several(value, self._text)

    def _several(self, value: Value | None, each: Callable[[Value], Any]) -> tuple[Any, ...]:
        """One value or a list of them."""
        if value is None:
            return ()
        items = self._list(value, MAX_LISTED) if isinstance(value.plain, list) else [value]
        return tuple(item for item in map(each, items) if item is not None)

    def _keys(self, value: Value, needed: Sequence[str], optional: Sequence[str]) -> Mapping[str, Value]:
        if not isinstance(value.plain, dict):
            self._wrong(value, f"must be a mapping of {', '.join((*needed, *optional))}")
            return {}
        for key, item in value.items():
            if key not in (*needed, *optional):
                self._wrong(item, f"unknown key {key[:MAX_TEXT]}; known: {', '.join((*needed, *optional))}")
        missing = [key for key in needed if key not in value.plain]
        if missing:
            self._wrong(value, f"{', '.join(missing)} is missing")
        return {key: item for key, item in value.items() if key in (*needed, *optional)}

    def _list(self, value: Value, most: int) -> list[Value]:
        if not isinstance(value.plain, list):
            self._wrong(value, "must be a list")
            return []
        if len(value.plain) > most:
            self._wrong(value, f"has {len(value.plain)} items; {most} at most")
        return value.plain[:most]

    def _text(self, value: Value | None) -> str | None:
        if value is None:
            return None
        if isinstance(value.plain, str) and value.plain.strip() and len(value.plain) <= MAX_TEXT:
            return value.plain.strip()
        self._wrong(value, f"must be a text of 1 to {MAX_TEXT} characters")
        return None

    def _flag(self, value: Value | None) -> bool:
        if value is not None and not isinstance(value.plain, bool):
            self._wrong(value, "must be true or false")
        return value is not None and value.plain is True

    def _one_of(self, value: Value, known: Sequence[Any]) -> Any:
        if isinstance(value.plain, bool) or value.plain not in known:
            self._wrong(value, f"must be one of {', '.join(map(str, known))}")
            return None
        return value.plain

    def _wrong(self, value: Value, reason: str) -> None:
        self.faults.append(value.wrong(reason, self.rule))
