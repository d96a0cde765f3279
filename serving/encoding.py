"""How a text file is written: its encoding and its separator, found from its bytes."""

import codecs
import csv
import re
from pathlib import Path
from typing import BinaryIO

from nlp.errors import InputError

CHUNK = 1 << 20
SAMPLE = 256 * 1024
"""Bytes that decide on encoding and separator: thousands of rows, read in no time."""
SEPARATORS = (",", ";", "\t", "|")
ONE_COLUMN = "\x1f"
"""A separator that no text has: the file is one column, whatever commas its sentences hold."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = {
    b"PK\x03\x04": "a spreadsheet or zip archive",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save it as .xlsx",
    b"\x1f\x8b": "a gzip archive; unpack it first",
}
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1a\x1b")
_STRAY_CONTROLS = 8
_BINARY_SHARE = 0.02
"""Control characters in a text: a stray one is dirt, one in fifty is another kind of file."""
_TEXT_SHARE = 0.95
"""Characters of European scripts in text read with the right half of its UTF-16 pairs first."""
_BROKEN_SHARE = 0.05
"""Wrong sequences for each right one, up to which a file is UTF-8 with damage and not another encoding."""

_POLISH = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ")
_CYRILLIC = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁІЇЄҐ")
_ALPHABETS = {"cp1250": _POLISH, "iso8859-2": _POLISH, "cp1251": _CYRILLIC}
_WORD = re.compile(r"[A-Za-z\x80-\U0010ffff]+")
_QUOTES = "„”“‘’‚–—…«»·•°№€§©®™ \xa0\xad"
"""Signs that every one of these encodings has around words; they speak for none."""
_WRONG_LETTER, _IMPLAUSIBLE_WORD, _CONTROL = -1.0, -2.0, -3.0


def find_encoding(path: Path) -> str:
    """The codec of a text file; raises InputError when the file is empty or no text."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
        refuse_binary(head, str(path))
        for mark, codec in _BOMS:
            if head.startswith(mark):
                return codec
        if b"\x00" in head and (codec := _bare_utf16(head)):
            return codec
        file.seek(0)
        return "utf-8" if _is_utf8(file) else _eight_bit(path)


def refuse_binary(head: bytes, source: str) -> None:
    """Raises InputError for an empty file and for the start of one that is no text."""
    if not head.strip(b"\xef\xbb\xbf \t\r\n\xff\xfe"):
        raise InputError(f"{source} is empty; it should have a row for each response")
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise InputError(f"{source} is not text but {what}; its ending should say what it is")
    if head.startswith(tuple(mark for mark, _ in _BOMS[1:])) or (b"\x00" in head and _bare_utf16(head)):
        return
    if sum(head.count(code) for code in _CONTROLS) > max(_STRAY_CONTROLS, _BINARY_SHARE * len(head)):
        raise InputError(f"{source} is a binary file, not text; give CSV, JSON Lines, XLSX or Parquet")


def find_separator(sample: str) -> str:
    """The separator under which the rows of the sample agree with the header, the widest one on a tie."""
    mark = re.match(r"sep=(.)\r?\n", sample, re.IGNORECASE)
    if mark:
        return mark[1]
    best = max(SEPARATORS, key=lambda separator: _agreement(sample, separator))
    return best if _agreement(sample, best)[1] > 1 else ONE_COLUMN


def score_decoding(text: str, alphabet: frozenset[str]) -> float:
    """How much a decoded text looks like words of this alphabet; above 0 it does, below 0 it is mangled."""
    score = 0.0
    for word in (found.strip(_QUOTES) for found in _WORD.findall(text)):
        odd = [letter for letter in word if ord(letter) > 127]
        if not odd:
            continue
        score += sum(_letter(letter, alphabet) for letter in odd)
        if _implausible(word):
            score += _IMPLAUSIBLE_WORD
    return score + _CONTROL * sum(0x80 <= ord(letter) < 0xA0 for letter in text)


def _letter(letter: str, alphabet: frozenset[str]) -> float:
    return 1.0 if letter in alphabet else _WRONG_LETTER


def _implausible(word: str) -> bool:
    """A word of two scripts, or one of accented Latin letters alone."""
    ascii_letters = any(letter.isascii() for letter in word)
    cyrillic = any("\u0400" <= letter <= "\u04ff" for letter in word)
    return cyrillic == ascii_letters and (cyrillic or len(word) > 1)


def _eight_bit(path: Path) -> str:
    sample = _odd_lines(path)
    if _damaged_utf8(sample):
        return "utf-8"  # the reader reports the damaged rows and keeps the others
    return max(_ALPHABETS, key=lambda codec: score_decoding(sample.decode(codec, "replace"), _ALPHABETS[codec]))


def _odd_lines(path: Path) -> bytes:
    """Lines with bytes above 127, as many as a sample holds, from the whole file."""
    found = bytearray()
    with path.open("rb") as file:
        while len(found) < SAMPLE and (line := file.readline(CHUNK)):
            if not line.isascii():
                found += line
    return bytes(found)


def _damaged_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", "surrogateescape")
    wrong = sum("\udc80" <= letter <= "\udcff" for letter in text)
    right = sum(ord(letter) > 127 for letter in text) - wrong
    return wrong <= _BROKEN_SHARE * right


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _bare_utf16(head: bytes) -> str | None:
    """The codec of UTF-16 without a mark: in the wrong byte order hardly a character is European."""
    for codec in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) // 2 * 2].decode(codec, "replace")
        if sum(0 < ord(letter) < 0x530 or 0x2000 <= ord(letter) < 0x2100 for letter in text) > _TEXT_SHARE * len(text):
            return codec
    return None


def _agreement(sample: str, separator: str) -> tuple[float, int]:
    """The share of rows as wide as the header (0 when it has one column), and that width."""
    # the last line of a sample may be cut
    lines = sample.splitlines(keepends=True)
    try:
        rows = [row for row in csv.reader(lines[:-1] or lines, delimiter=separator) if row]
    except csv.Error:
        return 0.0, 0
    if not rows or len(rows[0]) < 2:
        return 0.0, 1
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows), len(rows[0])
