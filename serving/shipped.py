"""The policies that ship with Holos, read once: what a process works by until its model brings its own."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.text import normalise

if TYPE_CHECKING:
    from nlp.redact import Redactor
    from nlp.taxonomy import Taxonomy

_DATA = Path(__file__).resolve().parent.parent / "data"


def redact(text: str) -> str:
    """The text, normalised, with `<KIND>` in the place of personal data."""
    return _redactor().redact(normalise(text)).text


@cache
def taxonomy() -> "Taxonomy":
    """The code frame that ships."""
    from nlp.artifact import read_taxonomy

    return read_taxonomy(_DATA / "taxonomy.yaml")


@cache
def _redactor() -> "Redactor":
    from nlp.artifact import read_yaml
    from nlp.redact import Redactor, parse_patterns

    source = _DATA / "policies" / "redaction.yaml"
    return Redactor(parse_patterns(read_yaml(source), str(source)))
