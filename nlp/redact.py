"""Takes personal data out of a text before anything else sees it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nlp.checksums import CHECKS
from nlp.names import find_names
from nlp.patterns import Patterns, Recogniser, UrlRules, parse_patterns
from nlp.types import Redacted, Redaction

__all__ = ["Patterns", "Redactor", "parse_patterns"]

_DIGIT = re.compile(r"\d")
_LAST_PIECE = re.compile(r"[\W_]+\w*$")
# A stop after fewer letters ends an abbreviation: "zam. 123".
_SENTENCE_END = re.compile(r"\w{5}\.\s|[!?\n]")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>[^/?#:]+)", re.IGNORECASE)
# Between a word and the number that is its own: "zamówienie nr 601234567", but not "zamówienie nie doszło 601234567".
_OWN_NUMBER = re.compile(r"[\s:.,#№-]*(?:(?:nr|numer|no|number|номер|is|to)\b[\s:.,#№-]*)?", re.IGNORECASE)
# How a match is confirmed: by its check alone, by its shape, by a context word.
_CHECKED, _SHAPED, _NAMED = range(3)


@dataclass(frozen=True, slots=True)
class _Match:
    """A stretch to take out; `order` is its kind's place in the policy."""

    kind: str
    start: int
    end: int
    confirmed: int
    order: int

    def rank(self) -> tuple[int, int, int]:
        return (self.start - self.end, -self.confirmed, self.order)


class Redactor:
    """Puts `<KIND>` in the place of personal data, by the policy given."""

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._fewest_digits = min((r.digits for r in patterns.recognisers if r.digits), default=0)
        numbered = list(enumerate(patterns.recognisers))
        self._numeric = [(order, r) for order, r in numbered if r.digits]
        self._literal = [(order, r) for order, r in numbered if not r.digits]

    def redact(self, text: str) -> Redacted:
        """The text without personal data; redacting the result again changes nothing."""
        redactions: tuple[Redaction, ...] = ()
        # A placeholder can be shorter than what it replaced and so bring a context word near: until nothing is left.
        while matches := _resolve(self._find(text)):
            text, redactions = _replace(text, matches, redactions)
        return Redacted(text, redactions)

    def _find(self, text: str) -> list[_Match]:
        lowered = text.lower()
        matches = [match for order, r in self._literal for match in self._recognise(text, lowered, order, r)]
        if _DIGIT.search(text) and (digits := len(_DIGIT.findall(text))) >= self._fewest_digits:
            for order, recogniser in self._numeric:
                if digits >= recogniser.digits:
                    matches.extend(self._recognise(text, lowered, order, recogniser))
        if "/" in text or "www." in lowered:
            matches = _with_urls(self._patterns.urls, text, matches)
        if any(cue in lowered for cue in self._patterns.names.cues):
            spans = find_names(self._patterns.names, text)
            matches.extend(
                _Match("NAME", span.start, span.end, _NAMED, len(self._patterns.recognisers)) for span in spans
            )
        return matches

    def _recognise(self, text: str, lowered: str, order: int, recogniser: Recogniser) -> Iterator[_Match]:
        if recogniser.needs and not any(literal in lowered for literal in recogniser.needs):
            return
        for found in recogniser.pattern.finditer(text):
            start, end = found.start(), _checked_end(recogniser, found[0], found.start())
            if end is None:
                continue
            wanted, denied = self._surroundings(recogniser, text, start, end)
            if wanted or recogniser.confirm == "alone" or (recogniser.confirm == "undenied" and not denied):
                confirmed = _NAMED if wanted else _SHAPED if recogniser.confirm == "alone" else _CHECKED
                yield _Match(recogniser.kind, start, end, confirmed, order)

    def _surroundings(self, recogniser: Recogniser, text: str, start: int, end: int) -> tuple[bool, bool]:
        """Whether a word near says that this is personal, and whether one says that it is not."""
        window = self._patterns.window
        near = max(0, start - window)
        denied_at = self._denied_at(text, start)
        if recogniser.context is None:
            return False, denied_at >= 0
        wanted_at = max((word.end() for word in recogniser.context.finditer(text, near, start)), default=-1)
        if wanted_at >= denied_at and wanted_at >= 0:
            return True, False
        line_end = text.find("\n", end)
        stop = min(end + window, line_end if line_end >= 0 else len(text))
        own = denied_at >= 0 and _OWN_NUMBER.fullmatch(text, denied_at, start)
        wanted = not own and recogniser.context.search(text, end, stop) is not None
        return wanted, denied_at >= 0 and not wanted

    def _denied_at(self, text: str, start: int) -> int:
        """Where the last word ends that makes what follows it, in its sentence, a thing's number; -1 if none does."""
        near = max(0, start - self._patterns.deny_window)
        words = list(self._patterns.deny.finditer(text, near, start))
        return words[-1].end() if words and not _SENTENCE_END.search(text, words[-1].end(), start) else -1


def _checked_end(recogniser: Recogniser, candidate: str, start: int) -> int | None:
    """Where the number that the check accepts ends, or None."""
    if recogniser.check is None:
        return start + len(candidate)
    check = CHECKS[recogniser.check]
    while candidate:
        if check(candidate, recogniser.region):
            return start + len(candidate)
        if not recogniser.trim:
            return None
        last = _LAST_PIECE.search(candidate)
        candidate = candidate[: last.start()] if last else ""
    return None


def _resolve(matches: list[_Match]) -> list[_Match]:
    """Joins what overlaps; the longest names the whole, then the one a context word confirms, then the first."""
    joined: list[_Match] = []
    for match in sorted(matches, key=lambda m: m.start):
        if joined and match.start < joined[-1].end:
            last = joined.pop()
            best = min(last, match, key=_Match.rank)
            match = _Match(best.kind, last.start, max(last.end, match.end), best.confirmed, best.order)
        joined.append(match)
    return joined


def _replace(text: str, matches: list[_Match], earlier: tuple[Redaction, ...]) -> tuple[str, tuple[Redaction, ...]]:
    """The text with placeholders in, and all placeholders so far at their new positions."""
    pieces: list[str] = []
    redactions: list[Redaction] = []
    waiting = list(earlier)
    at = shift = 0
    for match in matches:
        while waiting and waiting[0].start < match.start:
            redactions.append(_moved(waiting.pop(0), shift))
        placeholder = f"<{match.kind}>"
        pieces += (text[at : match.start], placeholder)
        start = match.start + shift
        redactions.append(Redaction(match.kind, start, start + len(placeholder)))
        shift += len(placeholder) - (match.end - match.start)
        at = match.end
    redactions.extend(_moved(redaction, shift) for redaction in waiting)
    return "".join([*pieces, text[at:]]), tuple(redactions)


def _moved(redaction: Redaction, shift: int) -> Redaction:
    return Redaction(redaction.kind, redaction.start + shift, redaction.end + shift)


def _with_urls(rules: UrlRules, text: str, matches: list[_Match]) -> list[_Match]:
    """Adds the addresses that say something about a person; inside others an unconfirmed number is an article's."""
    for found in rules.pattern.finditer(text):
        start, end = found.span()
        inside = [m for m in matches if start <= m.start and m.end <= end]
        if _is_personal(rules, found[0]) or any(match.confirmed >= _SHAPED for match in inside):
            matches.append(_Match("URL", start, end, _SHAPED, -1))
        else:
            matches = [match for match in matches if match not in inside]
    return matches


def _is_personal(rules: UrlRules, url: str) -> bool:
    address = _ADDRESS.match(url)
    host = address["host"].lower().removeprefix("www.") if address else ""
    return host in rules.hosts or "@" in url or bool(rules.keys.search(url)) or bool(rules.token.search(url))
