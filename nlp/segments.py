"""What is tagged: the sentences and contrasted clauses of a verbatim, and the evidence shown of them."""

import re
from bisect import bisect_left, bisect_right

from nlp.clauses import clause_cuts
from nlp.sentences import Cut, mark_cuts, sentence_cuts
from nlp.sentencizers import Sentencizers
from nlp.types import Span

# Languages whose stops the rules here know; a text of no known language is as good as theirs.
_RULED = ("pl", "uk", "ru", "en", "und")
# A clause of one word ("though") is no evidence on its own and stays with its neighbour.
_MIN_WORDS = 2
_WORD = re.compile(r"\w+(?:['’ʼ-]\w+)*")
# Single words before a contrast that judge nothing: "Yes, but ...".
_BARE = frozenset(("tak", "nie", "no", "yes", "yeah", "well", "ja", "так", "ні", "ну", "та", "да", "нет", "я"))
# A dash or plus is a mark unless it is the sign of a number or a grade ("-5", "C+"), a colon unless a smiley's eyes.
_BULLETS = "•·▪●►"
_LEADING = re.compile(rf"(?:[\s,;…{_BULLETS}]|[.–—+-](?!\d)|:(?!-?[)(\]\[DPdp/|*]))+")
_UP_TO_LAST_SAID = re.compile(rf".*(?:[^\s,;:.…{_BULLETS}–—+-]|(?<=[\w+])[–—+-])", re.DOTALL)


class Segmenter:
    """Cuts texts into the spans that are tagged: Polish, Ukrainian, Russian, English by clause, others by sentence."""

    def __init__(self) -> None:
        self._sentencizers = Sentencizers()

    def warm(self) -> None:
        """Loads what the first text in a language without rules here would wait seconds for; any thread may call it."""
        self._sentencizers.warm()

    def segment(self, text: str, language: str) -> tuple[Span, ...]:
        """Ordered, disjoint spans without outer blanks that cover all that is not blank, in time linear in `text`."""
        code = language.split("-")[0].lower()
        if code in _RULED:
            sentences = list(sentence_cuts(text, code))
            cuts = [*sentences, *clause_cuts(text, code, sentences)]
        else:
            stops = (Cut(at, firm=True) for at in self._sentencizers.starts(text, code))
            cuts = [*stops, *mark_cuts(text)]
        starts = _settle(text, sorted(cuts, key=lambda cut: (cut.at, cut.firm)))
        pieces = zip(starts, (*starts[1:], len(text)), strict=True)
        return tuple(_unpadded(text, start, end) for start, end in pieces if text[start:end].strip())


def trimmed(text: str, span: Span) -> Span:
    """The span without bullets before it and commas, stops and dashes around it; as it is where nothing would be left.

    What carries meaning stays: `!`, `?`, smileys, closing quotes and brackets, the sign of a number.
    """
    leading = _LEADING.match(text, span.start, span.end)
    start = leading.end() if leading else span.start
    said = _UP_TO_LAST_SAID.match(text, start, span.end)
    return Span(start, said.end()) if said else span


def _settle(text: str, cuts: list[Cut]) -> list[int]:
    """Starts of the pieces once the short ones have joined their neighbours."""
    words = [match.start() for match in _WORD.finditer(text)]
    ends = sorted({cut.at for cut in cuts} | {len(text)})
    firm_ends = [cut.at for cut in cuts if cut.firm] + [len(text)]
    starts = [0]
    for cut in cuts:
        first, here, said = (bisect_left(words, place) for place in (starts[-1], cut.at, cut.said or cut.at))
        last, firm_last = (bisect_left(words, _next(places, cut.at)) for places in (ends, firm_ends))
        long_enough = here - first >= _MIN_WORDS and firm_last - here >= _MIN_WORDS and firm_last > said
        # "tasty but pricey": two single words, each a judgement of its own.
        single = cut.alone and here - first == 1 and last - said == 1
        if cut.firm or long_enough or (single and text[words[first] : cut.at].strip(" ,–—-").lower() not in _BARE):
            starts.append(cut.at)
    return starts


def _next(places: list[int], at: int) -> int:
    """The first of the places behind `at`; the last of them where there is none."""
    return places[min(bisect_right(places, at), len(places) - 1)]


def _unpadded(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
