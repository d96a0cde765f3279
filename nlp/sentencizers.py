"""Where sentences end in the languages that have no rules of their own here: spaCy's blank pipelines.

spaCy takes a second to import: it is loaded when a text needs it, and without torch, which it would take along where
that is installed (180 MB, for models that are not used here).
"""

import re
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

from nlp.sparing import importing_without

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

_ANY_LANGUAGE = "xx"
# spaCy cuts Chinese character by character, so that "3.5" would end a sentence.
_TAKEN_AS_ANY = ("zh",)
# The first brings the import of spaCy, French and Indonesian two seconds each of compiling expressions.
_SLOW_TO_MAKE = (_ANY_LANGUAGE, "fr", "id")
# What ends sentences beside the marks spaCy knows: the Greek question mark as it is typed, the Armenian full stop as
# it is often typed, and trailing off.
_ENDERS_OF = {"el": (";",), "hy": (":",)}
_TRAILING_OFF = ("…", "..", "...", "....")
# A full stop after letters of a script whose letters spaCy does not list; fewer letters may be an abbreviation.
_FULL_STOP = r"(?<=[^\W\d_]{3})\."
# spaCy's time grows with the square of a stretch without blanks; no word is longer, and a longer stretch is cut here.
_LONGEST_STRETCH = 100
_STRETCH = re.compile(rf"\S{{{_LONGEST_STRETCH}}}(?=\S)")
# spaCy leaves these with the sentence before them.
_OPENING = re.compile(r"(?:(?<=\s)[\"'„“‘‚«(\[]|[¿¡（「『《])+\Z")
_OPENING_REACH = 4


class Sentencizers:
    """One blank pipeline for each language met so far; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipelines: dict[str, Language] = {}

    def warm(self) -> None:
        """Loads spaCy and makes the pipelines that take seconds, so that no text has to wait for them."""
        for code in _SLOW_TO_MAKE:
            self.starts("", code)

    def starts(self, text: str, code: str) -> list[int]:
        """Where sentences other than the first begin, in code points."""
        with self._lock:
            pipeline = self._pipelines.get(code)
            if pipeline is None:
                pipeline = self._pipelines[code] = _blank(code)
            # Words seen are forgotten at the end of the zone: the store of words would grow for ever.
            with pipeline.memory_zone():
                found = [sentence.start_char for sentence in _read(pipeline, text).sents][1:]
        return [_before_opening_marks(text, at) for at in found]


def _blank(code: str) -> "Language":
    with importing_without("torch", "cupy"):
        import spacy
    from spacy.pipeline import Sentencizer

    try:
        pipeline = spacy.blank(_ANY_LANGUAGE if code in _TAKEN_AS_ANY else code)
    except ImportError:  # a language that spaCy does not know or needs a dictionary for
        pipeline = spacy.blank(_ANY_LANGUAGE)
    pipeline.add_pipe(
        "sentencizer",
        config={"punct_chars": [*Sentencizer.default_punct_chars, *_TRAILING_OFF, *_ENDERS_OF.get(code, ())]},
    )
    _part_marks_from_words(pipeline, Sentencizer.default_punct_chars)
    return pipeline


def _part_marks_from_words(pipeline: "Language", enders: list[str]) -> None:
    """Marks that end sentences end words where no blank follows them, as in Chinese; full stops are left to spaCy."""
    from spacy.util import compile_infix_regex, compile_suffix_regex

    marks = "".join(re.escape(mark) for mark in enders if mark != ".")
    infixes = compile_infix_regex([*(pipeline.Defaults.infixes or ()), f"[{marks}]"])
    pipeline.tokenizer.infix_finditer = infixes.finditer
    if pipeline.lang == _ANY_LANGUAGE:
        suffixes = compile_suffix_regex([*(pipeline.Defaults.suffixes or ()), _FULL_STOP])
        pipeline.tokenizer.suffix_search = suffixes.search


def _read(pipeline: "Language", text: str) -> "Doc":
    from spacy.tokens import Doc

    places = [0, *(stretch.end() for stretch in _STRETCH.finditer(text)), len(text)]
    parts = [pipeline.make_doc(text[start:end]) for start, end in pairwise(places)]
    doc = parts[0] if len(parts) == 1 else Doc.from_docs(parts, ensure_whitespace=False)
    return pipeline.get_pipe("sentencizer")(doc)


def _before_opening_marks(text: str, at: int) -> int:
    opening = _OPENING.search(text, max(0, at - _OPENING_REACH), at)
    return opening.start() if opening else at
