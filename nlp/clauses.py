"""The clauses that a "but" sets against each other: Polish, Ukrainian, Russian, English."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nlp.sentences import Cut

# Code points before a contrast in which "not" turns it into a correction: two words and the blanks between.
_CORRECTION_REACH = 48
# These open a clause without a comma before them as well; others may follow its first word ("Мікрофон зате гарний").
_CONJUNCTIONS = ("ale", "lecz", "але", "но", "but")
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
        sure=r"(?<!nothing )(?<!anything )(?<!everything )(?<!nobody )(?<!anyone )(?<!everyone )(?<!all )"
        r"but(?! not least)|however|although|(?<!as )(?:even )?though|whereas|on the other hand",
        comma="while|yet|except|despite|still",
        correcting="only",
        negation="not",
        conceding="although|though|even though|while|despite",
    ),
}


def clause_cuts(text: str, language: str, sentences: Sequence[Cut]) -> list[Cut]:
    """Cuts between contrasted clauses, given those between sentences; none in languages without such rules."""
    contrast = _CONTRASTS.get(language)
    if contrast is None:
        return []
    cuts = [*_contrast_cuts(text, contrast), *_pro_and_con_cuts(text)]
    return cuts + _opening_concessions(text, contrast, [*sentences, *cuts])


def _contrast_cuts(text: str, contrast: _Contrast) -> Iterator[Cut]:
    for joint in contrast.joint.finditer(text):
        at, end = joint.span(joint.lastgroup or "")
        if not contrast.correction.search(text, max(0, joint.start() - _CORRECTION_REACH), end):
            opens = joint.lastgroup == "comma" or text[at:end].lower() in _CONJUNCTIONS
            yield Cut(at, firm=False, said=end, alone=opens and text[end : end + 1].isspace())


def _pro_and_con_cuts(text: str) -> Iterator[Cut]:
    for heading in _HEADING.finditer(text):
        yield Cut(heading.start(), firm=True)
    if _PLUS_OPENS.search(text):
        signs = [sign.start() for sign in _SIGN.finditer(text)]
        if any(text[at] != "+" for at in signs):
            yield from (Cut(at, firm=True) for at in signs)


def _opening_concessions(text: str, contrast: _Contrast, cuts: list[Cut]) -> list[Cut]:
    """Cuts at the first comma of sentences that open with "although" and are not cut otherwise."""
    places = sorted({0, len(text), *(cut.at for cut in cuts)})
    found = []
    for start, end in pairwise(places):
        opening = start + len(text[start:end]) - len(text[start:end].lstrip())
        comma = text.find(",", opening, end) if contrast.concession.match(text, opening) else -1
        if comma >= 0:
            found.append(Cut(comma + 1, firm=False))
    return found
