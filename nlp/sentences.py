"""Where sentences end in texts typed on phones: without blanks after full stops, without capitals, with smileys.

Regular expressions for Polish, Ukrainian, Russian and English: a tokenizer with sentence rules knows nothing of such
texts, and loading one takes longer than cutting ten thousand of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Cut(NamedTuple):
    """A place where a piece begins; a firm one stands whatever the length of the pieces.

    Where a word of contrast makes the cut, `said` is its end, so that words beyond it can be counted, and `alone`
    says whether it may part two single words.
    """

    at: int
    firm: bool
    said: int | None = None
    alone: bool = False


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_EMOJI = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u20e3]"
_SMILE = rf"(?:{_EMOJI}|[:;=]-?[)(]+|\){{2,}}|\({{2,}})"
_BULLETS = "•·▪●►✓✔✅❌➕➖"
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


def sentence_cuts(text: str, language: str) -> Iterator[Cut]:
    """Where sentences, lines and points of lists begin, in the order of the text."""
    introducing = _INTRODUCING.get(language, _INTRODUCING["en"])
    reader = _Sentences(text, introducing, listed=_LIST_OPENS.search(text) is not None)
    begin = 0
    for token in _TOKEN.finditer(text):
        cut = reader.cut_at(token, begin)
        if cut is not None:
            begin = cut.at if cut.firm else begin
            yield cut


def mark_cuts(text: str) -> Iterator[Cut]:
    """The same without what full stops mean, which depends on the language: lines, smileys, points, semicolons."""
    reader = _Sentences(text, frozenset(), listed=False)
    cuts = (reader.cut_at(token, 0) for token in _TOKEN.finditer(text) if not token["stop"])
    return (cut for cut in cuts if cut is not None)


@dataclass(frozen=True, slots=True)
class _Sentences:
    """What each mark in a text means; `begin` is where the sentence under way began."""

    text: str
    introducing: frozenset[str]
    listed: bool

    def cut_at(self, token: re.Match[str], begin: int) -> Cut | None:
        if token["stop"]:
            return self._after_stop(token, begin)
        if token["line"]:
            return Cut(token.end(), firm=True)
        if token["smile"]:
            following = self._following(token.end())
            return Cut(token.end(), firm=following.isupper()) if following.isalnum() or following == "<" else None
        if token["semicolon"]:
            return Cut(token.end(), firm=False)
        in_brackets = self.text.rfind("(", begin, token.start()) > self.text.rfind(")", begin, token.start())
        return None if in_brackets else Cut(token.start(), firm=False)

    def _following(self, end: int) -> str:
        return self.text[end : end + 2].strip()[:1]

    def _after_stop(self, token: re.Match[str], begin: int) -> Cut | None:
        end, stop, following = token.end(), token["stop"], self._following(token.end())
        glued = end < len(self.text) and not self.text[end].isspace()
        if glued and (not (following.isalpha() or following in '"«„“(<') or self._in_address(token.start())):
            return None
        if token["close"] and following.islower():
            return None
        if stop == "." and not token["mood"]:
            return self._after_full_stop(token, following, glued, begin)
        trailing_off = set(stop) <= {".", "…"} and not token["mood"] and following.islower()
        return Cut(end, firm=not trailing_off)

    def _in_address(self, at: int) -> bool:
        before = self.text[max(0, at - _ADDRESS_REACH) : at].split()
        after = self.text[at : at + _ADDRESS_REACH].split()[0]
        suffix = _FIRST_WORD.search(after)
        return bool(suffix and suffix[0] in _SUFFIXES) or bool(before and _ADDRESS.search(before[-1] + after))

    def _after_full_stop(self, token: re.Match[str], following: str, glued: bool, begin: int) -> Cut | None:
        """A cut after a single full stop, unless it belongs to an abbreviation, an ordinal or the mark of a list."""
        last = _LAST_WORD.search(self.text, max(begin, token.start() - _LAST_WORD_REACH), token.start())
        if last is not None and last[0].isdecimal():
            if following.islower() or not self.text[begin : last.start()].strip():
                return None
            return Cut(last.start(), firm=False) if self.listed and len(last[0]) == 1 else Cut(token.end(), firm=True)
        ends = not glued if last is None else self._ends_sentence(last, following, glued)
        return Cut(token.end(), firm=True) if ends else None

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
        return not glued or after is None or len(after[0]) > 1
