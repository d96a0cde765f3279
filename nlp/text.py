"""The form in which every other module sees a text."""

import re
import unicodedata

# Line ends of every convention: CRLF and CR, vertical tab, form feed, NEL, line and paragraph separators.
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# What takes no room on the page yet breaks words and hides numbers: C0 and C1 controls (less tab and newline), soft
# hyphen, joiners, fillers of Hangul and Khmer, direction marks, byte-order marks, annotation and tag characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BLANKS = re.compile(r"[^\S\n]+")
_BLANKS_AT_LINE_END = re.compile(r" ?\n ?")
_SURROGATE = re.compile("[\ud800-\udfff]")


def normalise(text: str) -> str:
    """NFC, newlines as `\\n`, control and zero-width characters out, runs of blanks squeezed, ends stripped."""
    text = _LINE_ENDS.sub("\n", text)
    # Before NFC: a zero-width character may stand between a letter and its accent.
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return _BLANKS_AT_LINE_END.sub("\n", _BLANKS.sub(" ", text)).strip()


def is_well_formed(text: str) -> bool:
    """Whether the text can be written as UTF-8, which a lone surrogate forbids."""
    return _SURROGATE.search(text) is None
