"""What counts as personal data, read from data/policies/redaction.yaml."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nlp.checksums import CHECKS
from nlp.errors import PolicyError

Confirm = Literal["alone", "undenied", "context"]
_CONFIRM: tuple[Confirm, ...] = ("alone", "undenied", "context")
_KIND = re.compile(r"[A-Z][A-Z_]*")
_FRAGMENT = re.compile(r"\{\{(\w+)\}\}")
# Numbers keep clear of longer numbers, of decimals, dates, times, ranges and sums; letters on either side make a code.
_NUMBER = r"(?:(?<![\w@])|(?=[\d+(])(?:{glued}))(?<!\d[.,/:-])(?:{pattern})(?!\w)(?![.,/:-]\d)(?!\s?(?:{units})(?!\w))"
_RECOGNISER_KEYS = {"kind", "pattern", "check", "region", "confirm", "context", "needs", "digits", "trim"}
_NAME_KEYS = {"phrases", "capitalised", "openings", "signatures", "titles", "stop", "endings", "joins"}


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One shape of one kind; `needs` and `digits` are what a text must hold before the pattern is tried."""

    kind: str
    pattern: re.Pattern[str]
    check: str | None
    region: str | None
    confirm: Confirm
    context: re.Pattern[str] | None
    needs: tuple[str, ...]
    digits: int
    trim: bool


@dataclass(frozen=True, slots=True)
class UrlRules:
    """Which addresses say something about a person."""

    pattern: re.Pattern[str]
    hosts: frozenset[str]
    keys: re.Pattern[str]
    token: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class NameRules:
    """The phrases a name follows and the words that end it; all words in lower case."""

    cues: tuple[str, ...]
    phrases: re.Pattern[str]
    capitalised: re.Pattern[str]
    openings: re.Pattern[str]
    signatures: re.Pattern[str]
    titles: frozenset[str]
    stop: frozenset[str]
    joins: frozenset[str]
    endings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Patterns:
    """The redaction policy; recognisers stand in order of precedence, windows are in code points."""

    version: str
    window: int
    deny_window: int
    recognisers: tuple[Recogniser, ...]
    deny: re.Pattern[str]
    urls: UrlRules
    names: NameRules


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads values out of the mapping and names source and key when one is wrong."""

    source: str

    def fail(self, key: str, problem: str) -> PolicyError:
        return PolicyError(f"{self.source}: {key} {problem}")

    def mapping(self, value: Any, key: str, known: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.fail(key, "must be a mapping")
        unknown = sorted(str(name) for name in set(value) - set(known))
        if unknown:
            raise self.fail(f"{key}.{unknown[0]}", f"is not known; use {', '.join(sorted(known))}")
        return value

    def text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, "must be a text that is not empty")
        return value

    def number(self, value: Any, key: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fail(key, f"must be a whole number of at least 0, not {value!r}")
        return value

    def flag(self, value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            raise self.fail(key, f"must be true or false, not {value!r}")
        return value

    def words(self, value: Any, key: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise self.fail(key, "must be a list of texts that is not empty")
        return tuple(self.text(word, f"{key}[{at}]").lower() for at, word in enumerate(value))

    def regex(self, value: Any, key: str, fragments: Mapping[str, str], shape: str = "{pattern}") -> re.Pattern[str]:
        pattern = self.text(value, key)
        for name in _FRAGMENT.findall(pattern):
            if name not in fragments:
                raise self.fail(key, f"uses the fragment {name!r}, which `fragments` does not define")
        filled = _FRAGMENT.sub(lambda match: fragments[match[1]], pattern)
        try:
            re.compile(filled)
            return re.compile(shape.replace("{pattern}", filled), re.IGNORECASE)
        except re.error as error:
            raise self.fail(key, f"is not a regular expression: {error}") from error


def parse_patterns(data: Mapping[str, Any], source: str) -> Patterns:
    """The redaction policy in `data`; raises PolicyError naming `source` and the key that is wrong."""
    read = _Reader(source)
    top = {
        "version",
        "window",
        "deny_window",
        "units",
        "glued",
        "fragments",
        "context",
        "deny",
        "recognisers",
        "urls",
        "names",
    }
    read.mapping(data, "the policy", top)
    for key in sorted(top - set(data)):
        raise read.fail(key, "is missing")
    fragments = {
        str(name): read.text(value, f"fragments.{name}")
        for name, value in read.mapping(data["fragments"], "fragments", data["fragments"]).items()
    }
    lists = read.mapping(data["context"], "context", data["context"])
    contexts = {str(name): _word_pattern(read.words(value, f"context.{name}")) for name, value in lists.items()}
    glued = "|".join(rf"(?<=\b{re.escape(word)})" for word in read.words(data["glued"], "glued"))
    units = _alternatives(read.words(data["units"], "units"))
    shape = _NUMBER.replace("{glued}", glued).replace("{units}", units)
    rows = data["recognisers"]
    if not isinstance(rows, list) or not rows:
        raise read.fail("recognisers", "must be a list that is not empty")
    return Patterns(
        version=read.text(data["version"], "version"),
        window=read.number(data["window"], "window"),
        deny_window=read.number(data["deny_window"], "deny_window"),
        recognisers=tuple(
            _recogniser(read, row, f"recognisers[{at}]", fragments, contexts, shape) for at, row in enumerate(rows)
        ),
        deny=_word_pattern(read.words(data["deny"], "deny")),
        urls=_urls(read, data["urls"], fragments),
        names=_names(read, data["names"]),
    )


def _recogniser(
    read: _Reader,
    row: Any,
    key: str,
    fragments: Mapping[str, str],
    contexts: Mapping[str, re.Pattern[str]],
    number_shape: str,
) -> Recogniser:
    row = read.mapping(row, key, _RECOGNISER_KEYS)
    kind = read.text(row.get("kind"), f"{key}.kind")
    if not _KIND.fullmatch(kind):
        raise read.fail(f"{key}.kind", f"must be capitals and underscores, not {kind!r}")
    check, confirm, context = row.get("check"), row.get("confirm", "alone"), row.get("context")
    if check is not None and check not in CHECKS:
        raise read.fail(f"{key}.check", f"is {check!r}; use one of {', '.join(CHECKS)}")
    if confirm not in _CONFIRM:
        raise read.fail(f"{key}.confirm", f"is {confirm!r}; use one of {', '.join(_CONFIRM)}")
    if context is not None and context not in contexts:
        raise read.fail(f"{key}.context", f"is {context!r}, which `context` does not define")
    if confirm == "context" and context is None:
        raise read.fail(f"{key}.context", "is missing, and `confirm: context` needs it")
    digits = read.number(row.get("digits", 0), f"{key}.digits")
    return Recogniser(
        kind=kind,
        pattern=read.regex(row.get("pattern"), f"{key}.pattern", fragments, number_shape if digits else "{pattern}"),
        check=check,
        region=read.text(row["region"], f"{key}.region") if "region" in row else None,
        confirm=confirm,
        context=contexts[context] if context is not None else None,
        needs=read.words(row["needs"], f"{key}.needs") if "needs" in row else (),
        digits=digits,
        trim=read.flag(row.get("trim", False), f"{key}.trim"),
    )


def _urls(read: _Reader, value: Any, fragments: Mapping[str, str]) -> UrlRules:
    value = read.mapping(value, "urls", {"pattern", "hosts", "keys", "token"})
    return UrlRules(
        pattern=read.regex(value.get("pattern"), "urls.pattern", fragments),
        hosts=frozenset(read.words(value.get("hosts"), "urls.hosts")),
        keys=re.compile(rf"[?&#;/](?:{_alternatives(read.words(value.get('keys'), 'urls.keys'))})=", re.IGNORECASE),
        token=re.compile(read.regex(value.get("token"), "urls.token", fragments).pattern),
    )


def _names(read: _Reader, value: Any) -> NameRules:
    value = read.mapping(value, "names", _NAME_KEYS)
    words = {name: read.words(value.get(name), f"names.{name}") for name in sorted(_NAME_KEYS)}
    cued = ("phrases", "capitalised", "openings", "signatures")
    return NameRules(
        # Looking for a literal is far cheaper than trying a pattern; texts come with single blanks.
        cues=tuple(sorted({phrase for name in cued for phrase in words[name]})),
        **{name: _word_pattern(words[name]) for name in cued},
        titles=frozenset(words["titles"]),
        stop=frozenset(words["stop"]),
        joins=frozenset(words["joins"]),
        endings=words["endings"],
    )


def _alternatives(words: Iterable[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for word in longest_first)


def _word_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words; `*` stands for any ending. A placeholder such as `<PHONE>` is not a word."""
    return re.compile(rf"(?<![\w<])(?:{_alternatives(words)})(?![\w>])", re.IGNORECASE)
