"""What an endpoint answered, made a title or refused: it has read customers' words, so nothing of it is trusted."""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence

from nlp.errors import HolosError
from nlp.text import normalise

MOST_WORDS = 14
"""Some more than are asked for; what goes on for longer is an explanation."""
MOST_CHARACTERS = 120
MOST_READ = 4000
"""Characters of an answer that are looked at, its thoughts cut off; a title and its announcement have two hundred."""
COPIED = 6
"""Words in a row of a quote that make somebody's sentence and no title."""
SHORTEST = 5
"""Words of a whole quote that do; a shorter one ("courier late again") is anybody's."""
MOST_DIGITS = 5
"""In a row, whatever parts them: a year or a sum has no more, a telephone number does."""

_THOUGHTS = re.compile(r"\A.*</think(?:ing)?\s*>", re.DOTALL | re.IGNORECASE)
"""What reasoning models say to themselves first; the opening tag is missing where a server's prompt ends in it."""
_THOUGHT = re.compile(r"<think(?:ing)?\s*>.*\Z", re.DOTALL | re.IGNORECASE)
"""A thought that never ends."""
_TAG = re.compile(r"<[^<>]*>")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_MARKS = re.compile(r"[*`#<>\[\]{}|\\~^]+|(?<!\w)_+|_+(?!\w)")
_BULLET = re.compile(r"^\s*(?:[-+•–—]\s+|\d{1,2}[.)]\s+)+")
_PREFIX = re.compile(r"^(?:title|tytuł|назва|заголовок|название)\s*:\s*", re.IGNORECASE)
_QUOTES = " \t\"'„“”«»‚‘’‹›"
_STOPS = ".:;,…"
_FORMULA = "=+-@−＝＋－＠"
"""What a spreadsheet would take for the start of a formula."""
_DOT = r"[.。．｡]"
"""With those that browsers read as a dot."""
_ADDRESS = re.compile(
    r"://|\w@\w"
    rf"|[\w-]{_DOT}[^\W\d_]{{2}}"  # evil.xyz, сайт.укр: no list of endings is ever whole
    rf"|\d(?:{_DOT}\d+){{3}}"  # 192.168.1.1
    rf"|{_DOT}[\w-]+/\w"  # 10.1/login
    r"|[^\W\d_]:\d{2}"  # localhost:80
    r"|(?:[\da-f]{0,4}:){2,7}[\da-f]",  # fe80::1
    re.IGNORECASE,
)
_NUMBER = re.compile(rf"\d(?:[\W_]{{0,3}}\d){{{MOST_DIGITS}}}")
_WORD = re.compile(r"[^\W_]+")


class RefusedTitleError(HolosError):
    """An answer that is no title; the message says why, without a word of it."""


def title_in(answer: str, quotes: Sequence[str], redact: Callable[[str], str]) -> str:
    """The one line of plain text in an endpoint's answer; raises RefusedTitleError.

    `quotes` are those that it was given; `redact` takes personal data out of a text, as for verbatims.
    """
    title = _plain(answer)
    words = _folded(title)
    if not any(character.isalpha() for character in title):
        raise RefusedTitleError("the answer has no words")
    if len(words) > MOST_WORDS or len(title) > MOST_CHARACTERS:
        raise RefusedTitleError(f"the answer is longer than {MOST_WORDS} words or {MOST_CHARACTERS} characters")
    if _ADDRESS.search(title):
        raise RefusedTitleError("the answer names an address")
    if any(_copies(words, _folded(quote)) for quote in quotes):
        raise RefusedTitleError(f"the answer repeats a quote of {SHORTEST} words or {COPIED} words of one")
    if redact(title) != title:
        raise RefusedTitleError("the answer holds personal data")
    if _NUMBER.search(title):
        raise RefusedTitleError(f"the answer has a number of more than {MOST_DIGITS} digits")
    return title


def _plain(answer: str) -> str:
    """The first line that is not an announcement ("Here is the title:"), without markup and what surrounds it."""
    said = _THOUGHT.sub("", _THOUGHTS.sub("", answer))[:MOST_READ]
    text = "".join(_visible(character) for character in normalise(html.unescape(said)))
    lines = [line for each in text.split("\n") if (line := _line(each))]
    told = [line for line in lines if not line.endswith(":")]
    return normalise((told or lines or [""])[0].strip(_QUOTES + _STOPS).lstrip(_QUOTES + _STOPS + _FORMULA))


def _line(raw: str) -> str:
    bare = _BULLET.sub("", _MARKS.sub("", _TAG.sub(" ", _LINK.sub(r"\1", raw))).strip())
    return _PREFIX.sub("", bare.strip(_QUOTES).lstrip(_QUOTES + _FORMULA)).strip() if bare else ""


def _visible(character: str) -> str:
    """Nothing for controls, direction marks, surrogates and private signs."""
    return character if character == "\n" or unicodedata.category(character)[0] != "C" else ""


def _folded(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _copies(words: Sequence[str], quote: Sequence[str]) -> bool:
    """Whether COPIED words in a row are the quote's, or all of one that is SHORTEST."""
    if len(quote) < SHORTEST:
        return False
    size = min(len(quote), COPIED)
    return not _runs(words, size).isdisjoint(_runs(quote, size))


def _runs(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
