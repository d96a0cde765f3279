"""What a library would take along is left out where it was asked for, and nowhere else."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nlp.sparing import importing_without

ROOT = Path(__file__).parents[2]


def imports(name: str) -> bool:
    sys.modules.pop(name, None)
    try:
        __import__(name)
    except ModuleNotFoundError:
        return False
    return True


def test_it_is_as_if_not_installed_to_this_thread_and_only_meanwhile() -> None:
    elsewhere: list[bool] = []
    with importing_without("colorsys"):
        assert not imports("colorsys") and imports("stringprep")
        other = threading.Thread(target=lambda: elsewhere.append(imports("colorsys")))
        other.start()
        other.join()
    assert elsewhere == [True] and imports("colorsys")


def test_what_is_imported_already_stays() -> None:
    import colorsys

    with importing_without("colorsys"):
        import colorsys as again

        assert again is colorsys


def test_it_ends_with_an_error_too() -> None:
    before = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError, match="colorsys"), importing_without("colorsys"):
        sys.modules.pop("colorsys", None)
        import colorsys  # noqa: F401
    assert sys.meta_path == before and imports("colorsys")


def test_sentences_of_any_language_are_found_without_torch() -> None:
    code = """
import sys
from nlp.segments import Segmenter
assert len(Segmenter().segment("Alles gut. Danke.", "de")) == 2
print("spacy" in sys.modules, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
