"""What an installation from a wheel would lack."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("nlp", "training", "serving")


def packages() -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])


def test_every_package_of_the_code_goes_into_the_wheel():
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for name in CODE for path in (ROOT / name).rglob("__init__.py")
    }
    assert found == {name for name in packages() if name.split(".")[0] in CODE}


def test_every_folder_of_data_that_is_packed_exists():
    assert all((ROOT / name.replace(".", "/")).is_dir() for name in packages())


def test_no_module_stands_in_a_folder_that_is_no_package():
    folders = {path.parent for name in CODE for path in (ROOT / name).rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)
