"""Where a verbatim is cut: sentences, and the clauses that a "but" sets against each other.

Regular expressions instead of a tokenizer with sentence rules: survey answers are typed on phones, without spaces after
full stops, without capitals, with smileys for full stops, which such rules do not know; and loading a tokenizer's
library takes longer than cutting ten thousand texts.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from nlp.types import Span

# A clause of one word ("though") is no evidence on its own and stays with its neighbour.
_MIN_WORDS = 2
_EMOJI = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u20e3]"
_SMILE = rf"(?:{_EMOJI}|[:;=]-?[)(]+|\){{2,}}|\({{2,}})"
_BULLETS = "•·▪●►✓✔✅❌➕➖"


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_TOKEN = re.compile(
    rf"""
    (?P<line> \n)
    | (?P<stop> [.!?…]+) (?P<close> ["'”’»)\]]*) (?P<mood> (?:[^\S\n]*{_SMILE})*)
    | (?P<bullet> (?<=\s)[{_BULLETS}])
    | (?P<item> (?<=\s)\d{{1,2}}\)(?=\s*[^\W\d]))
    | (?P<smile> {_SMILE} (?:[^\S\n]*{_SMILE})*)
    | (?P<semicolon> ;)(?=\s)
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"\w+(?:['’ʼ-]\w+)*")
# What stands before a full stop: a word with its inner dots ("т.д"), or digits. No abbreviation is longer than this.
_LAST_WORD = re.compile(r"[^\W\d_]+(?:\.[^\W\d_]+)*\Z|\d+\Z")
_LAST_WORD_REACH = 24
_FIRST_WORD = re.compile(r"\w+")
_LIST_OPENS = re.compile(r"(?:^|\s)1[.)]\s")
# Addresses of sites, mails and files hold full stops that end nothing; none worth keeping whole is longer than this.
_ADDRESS_REACH = 80
_ADDRESS = re.compile(r"://|www\.|@", re.IGNORECASE)
_SUFFIXES = _words(
    "app biz by co com cz de doc docx edu eu fr gov html info io it jpg js kz me net online org pdf php "
    "pl png ru shop tv ua uk us xlsx рф укр"
)
_VOWELS = frozenset("aeiouyąęóаеёиоуыэюяєії")
# An abbreviation that introduces what follows never ends a sentence; one that closes a phrase does before a capital.
_CYRILLIC_INTRODUCING = _words(
    "акад вул буд г-н г-жа див доц ред зам ім инж кв корп наб обл оф пер пл пос поз пров просп проф рух "
    "ст стор стр т.е т.к т.н т.зв т.ч тел тов ул фіг"
)
_INTRODUCING = {
    "pl": _words(
        "al apt art bł doc dr godz hab inż j.w jw m.in mec mgr min mr np nr os p.o pkt pl płk por prof pt ref "
        "rozdz sp św st str tab tel tj tys tzn tzw ul wg zob zw"
    ),
    "uk": _CYRILLIC_INTRODUCING,
    "ru": _CYRILLIC_INTRODUCING,
    "en": _words("approx dr e.g fig i.e incl mr mrs ms mt prof ref tel vs"),
}
_CLOSING = _words(
    "br co corp dn egz est etc gr inc itd itp jr ltd mies mln mld ok r szt tyg zł г год гр грн дол долл "
    "др коп крб л м мес мин міс млн млрд ін пр р руб сек см т тис тыс хв час чел шт"
)
_HEADINGS = (
    "plusy?|minusy?|zalety|wady|na plus|na minus|komentarz|podsumowanie|переваги|недоліки|плюси?|мінуси?|коментар|"
    "висновок|достоинства|недостатки|плюсы?|минусы?|комментарий|итог|pros|cons|advantages|disadvantages|"
    "the good|the bad"
)
_HEADING = re.compile(rf"(?<!\w)(?:{_HEADINGS})\s?[:–—]", re.IGNORECASE)
# "+ quick - dear": signs are marks only where a plus opens a line or phrase and a minus follows; else they are dashes.
_PLUS_OPENS = re.compile(r"(?:^|[\n.!?,;:])[^\S\n]*\+\s?[^\W\d]")
_SIGN = re.compile(r"(?:^|(?<=\s))[+–—-](?=\s?[^\W\d])")


@dataclass(frozen=True, slots=True)
class _Contrast:
    """How one language sets clauses against each other; groups: `sure` at any place, `comma` after a comma or dash."""

    joint: re.Pattern[str]
    correction: re.Pattern[str]
    concession: re.Pattern[str]


def _contrast(sure: str, comma: str, correcting: str, negation: str, conceding: str) -> _Contrast:
    break_before = r"(?:[,–—]\s*|(?<=\s)-\s+)"
    return _Contrast(
        re.compile(
            rf"{break_before}(?P<comma>(?:{comma}|{correcting}|{sure})(?!\w))|\s(?P<sure>(?:{sure})(?!\w))",
            re.IGNORECASE,
        ),
        # "not warm, but cold" corrects one statement and is not cut.
        re.compile(rf"(?<!\w)(?:{negation})\s+(?:\S+\s+)?[^\s,]+\W+(?:{correcting})\Z", re.IGNORECASE),
        re.compile(rf"(?:{conceding})(?!\w)(?!,)", re.IGNORECASE),
    )


_CONTRASTS = {
    "pl": _contrast(
        sure="ale|lecz|natomiast|aczkolwiek|jednakże|z drugiej strony",
        comma="jednak|za to|choć|chociaż|mimo że|mimo iż|tylko że|z kolei|niemniej",
        correcting="tylko|a(?! (?:także|potem|nawet|też|więc|to|co|poza|jak))",
        negation="nie",
        conceding="choć|chociaż|mimo|pomimo|jakkolwiek",
    ),
    "uk": _contrast(
        sure="але|проте|однак|зате|натомість|з іншого боку",
        comma="хоча(?! б)|хоч(?! б)|щоправда|правда|попри те|тим часом",
        correcting="тільки|лише|а(?! (?:також|потім|саме|ще|то|тому|отже|далі|як))",
        negation="не",
        conceding="хоча|хоч|попри|незважаючи на|не зважаючи на",
    ),
    "ru": _contrast(
        sure="но|однако|зато|с другой стороны",
        comma="хотя(?! бы)|хоть(?! бы)|правда|тогда как|несмотря на",
        correcting="только|лишь|а(?! (?:также|потом|именно|ещё|еще|то|потому|затем|значит|как))",
        negation="не",
        conceding="хотя|хоть|несмотря на|не смотря на",
    ),
    "en": _contrast(
        sure=r"(?<!nothing )(?<!anything )(?<!everything )(?<!all )but(?! not least)|however|although|"
        r"(?<!as )(?:even )?though|whereas|on the other hand",
        comma="while|yet|except|despite|still",
        correcting="only",
        negation="not",
        conceding="although|though|even though|while|despite",
    ),
}


class _Cut(NamedTuple):
    """A place where a piece begins; a firm cut stands whatever the length of the pieces."""

    at: int
    firm: bool


class Segmenter:
    """Cuts texts into the spans that are tagged: Polish, Ukrainian, Russian, English by clause, others by sentence."""

    def segment(self, text: str, language: str) -> tuple[Span, ...]:
        """Ordered, disjoint, trimmed spans that cover all that is not blank; time grows with the length of `text`."""
        code = language.split("-")[0].lower()
        cuts = list(_sentence_cuts(text, _INTRODUCING.get(code, _INTRODUCING["en"])))
        contrast = _CONTRASTS.get(code)
        if contrast:
            cuts += _clause_cuts(text, contrast)
            cuts += _opening_concessions(text, contrast, cuts)
        starts = _settle(text, sorted(cuts))
        pieces = zip(starts, (*starts[1:], len(text)), strict=True)
        return tuple(_trimmed(text, start, end) for start, end in pieces if text[start:end].strip())


def _settle(text: str, cuts: list[_Cut]) -> list[int]:
    """Starts of the pieces once the short ones have joined their neighbours."""
    words = [match.start() for match in _WORD.finditer(text)]
    firm_ends = [cut.at for cut in cuts if cut.firm] + [len(text)]
    starts = [0]
    for at, firm in cuts:
        end = firm_ends[bisect_left(firm_ends, at + 1)] if at < len(text) else at
        here = bisect_left(words, at)
        long_enough = (
            here - bisect_left(words, starts[-1]) >= _MIN_WORDS and bisect_left(words, end) - here >= _MIN_WORDS
        )
        if firm or long_enough:
            starts.append(at)
    return starts


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))


def _sentence_cuts(text: str, introducing: frozenset[str]) -> Iterator[_Cut]:
    reader = _Sentences(text, introducing, listed=_LIST_OPENS.search(text) is not None)
    begin = 0
    for token in _TOKEN.finditer(text):
        cut = reader.cut_at(token, begin)
        if cut is not None:
            begin = cut.at if cut.firm else begin
            yield cut


@dataclass(frozen=True, slots=True)
class _Sentences:
    """What each mark in a text means; `begin` is where the sentence under way began."""

    text: str
    introducing: frozenset[str]
    listed: bool

    def cut_at(self, token: re.Match[str], begin: int) -> _Cut | None:
        if token["stop"]:
            return self._after_stop(token, begin)
        if token["line"]:
            return _Cut(token.end(), firm=True)
        if token["smile"]:
            following = self._following(token.end())
            return _Cut(token.end(), firm=following.isupper()) if following.isalnum() or following == "<" else None
        if token["semicolon"]:
            return _Cut(token.end(), firm=False)
        in_brackets = self.text.rfind("(", begin, token.start()) > self.text.rfind(")", begin, token.start())
        return None if in_brackets else _Cut(token.start(), firm=False)

    def _following(self, end: int) -> str:
        return self.text[end : end + 2].strip()[:1]

    def _after_stop(self, token: re.Match[str], begin: int) -> _Cut | None:
        end, stop, following = token.end(), token["stop"], self._following(token.end())
        glued = end < len(self.text) and not self.text[end].isspace()
        if glued and (not (following.isalpha() or following in '"«„“(<') or self._in_address(token.start())):
            return None
        if token["close"] and following.islower():
            return None
        if stop == "." and not token["mood"]:
            return self._after_full_stop(token, following, glued, begin)
        trailing_off = set(stop) <= {".", "…"} and not token["mood"] and following.islower()
        return _Cut(end, firm=not trailing_off)

    def _in_address(self, at: int) -> bool:
        before = self.text[max(0, at - _ADDRESS_REACH) : at].split()
        after = self.text[at : at + _ADDRESS_REACH].split()[0]
        suffix = _FIRST_WORD.search(after)
        return bool(suffix and suffix[0] in _SUFFIXES) or bool(before and _ADDRESS.search(before[-1] + after))

    def _after_full_stop(self, token: re.Match[str], following: str, glued: bool, begin: int) -> _Cut | None:
        """A cut after a single full stop, unless it belongs to an abbreviation, an ordinal or the mark of a list."""
        last = _LAST_WORD.search(self.text, max(begin, token.start() - _LAST_WORD_REACH), token.start())
        if last is not None and last[0].isdecimal():
            if following.islower() or not self.text[begin : last.start()].strip():
                return None
            return _Cut(last.start(), firm=False) if self.listed and len(last[0]) == 1 else _Cut(token.end(), firm=True)
        ends = not glued if last is None else self._ends_sentence(last, following, glued)
        return _Cut(token.end(), firm=True) if ends else None

    def _ends_sentence(self, last: re.Match[str], following: str, glued: bool) -> bool:
        word = last[0].lower()
        if len(word) == 1:
            # "2020 r." may end a sentence, an initial or "г. Киев" may not.
            amount = word in _CLOSING and self.text[max(0, last.start() - 2) : last.start()].strip()[-1:].isdecimal()
            return following.isupper() and not glued if amount else last[0] == "я"
        if word in self.introducing:
            return False
        if word in _CLOSING:
            return following.isupper()
        if "." in word or _VOWELS.isdisjoint(word):
            return following.isupper() and not glued
        after = _FIRST_WORD.match(self.text, last.end() + 1)
        return not glued or after is None or len(after[0]) >= _MIN_WORDS


def _clause_cuts(text: str, contrast: _Contrast) -> Iterator[_Cut]:
    for joint in contrast.joint.finditer(text):
        group = joint.lastgroup or ""
        if not contrast.correction.search(text, max(0, joint.start() - 2 * _LAST_WORD_REACH), joint.end()):
            yield _Cut(joint.start(group), firm=False)
    for heading in _HEADING.finditer(text):
        yield _Cut(heading.start(), firm=True)
    if _PLUS_OPENS.search(text):
        signs = [sign.start() for sign in _SIGN.finditer(text)]
        if any(text[at] != "+" for at in signs):
            yield from (_Cut(at, firm=True) for at in signs)


def _opening_concessions(text: str, contrast: _Contrast, cuts: list[_Cut]) -> list[_Cut]:
    """Cuts at the first comma of sentences that open with "although" and are not cut otherwise."""
    places = sorted({0, len(text), *(cut.at for cut in cuts)})
    found = []
    for start, end in pairwise(places):
        opening = start + len(text[start:end]) - len(text[start:end].lstrip())
        comma = text.find(",", opening, end) if contrast.concession.match(text, opening) else -1
        if comma >= 0:
            found.append(_Cut(comma + 1, firm=False))
    return found
