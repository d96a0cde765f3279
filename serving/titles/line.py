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
"""Characters of an answer that are looked at: ten times what the tokens asked for can say."""
COPIED = 5
"""Words of a quote from which on it is somebody's sentence and no title; a shorter one ("courier late again") is
anybody's."""

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
"""What reasoning models say to themselves first."""
_TAG = re.compile(r"<[^<>]*>")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_MARKS = re.compile(r"[*`#<>\[\]{}|\\~^]+|(?<!\w)_+|_+(?!\w)")
_BULLET = re.compile(r"^\s*(?:[-+•–—]\s+|\d{1,2}[.)]\s+)+")
_PREFIX = re.compile(r"^(?:title|tytuł|назва|заголовок|название)\s*:\s*", re.IGNORECASE)
_QUOTES = " \t\"'„“”«»‚‘’‹›"
_STOPS = ".:;,…"
_ADDRESS = re.compile(r"://|\bwww\.|\w@\w|\b[\w-]+\.(?:com|net|org|info|io|eu|pl|ua|ru|by)\b", re.IGNORECASE)
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
        raise RefusedTitleError(f"the answer repeats a quote of {COPIED} words or more")
    if redact(title) != title:
        raise RefusedTitleError("the answer holds personal data")
    return title


def _plain(answer: str) -> str:
    """The first line that is not an announcement ("Here is the title:"), without markup and what surrounds it."""
    text = "".join(_visible(character) for character in normalise(html.unescape(_THOUGHT.sub("", answer[:MOST_READ]))))
    lines = [line for each in text.split("\n") if (line := _line(each))]
    told = [line for line in lines if not line.endswith(":")]
    return normalise((told or lines or [""])[0].strip(_QUOTES + _STOPS))


def _line(raw: str) -> str:
    bare = _BULLET.sub("", _MARKS.sub("", _TAG.sub(" ", _LINK.sub(r"\1", raw))).strip())
    return _PREFIX.sub("", bare.strip(_QUOTES)).strip() if bare else ""


def _visible(character: str) -> str:
    """Nothing for controls, direction marks, surrogates and private signs."""
    return character if character == "\n" or unicodedata.category(character)[0] != "C" else ""


def _folded(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _copies(words: Sequence[str], quote: Sequence[str]) -> bool:
    """Whether a whole quote stands among the words, long enough to be told from anybody's."""
    starts = range(len(words) - len(quote) + 1) if len(quote) >= COPIED else ()
    return any([*words[at : at + len(quote)]] == [*quote] for at in starts)
