"""Who may import whom, and who may open files: the lines that keep the core pure and the server free of torch."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_OURS = ("nlp", "training", "serving")
_TRAINING_ONLY = {"torch", "transformers", "sentence_transformers", "peft"}
# The command line is the one door to training, and only opens it when `train` or `evaluate` is called.
_REACHES_TRAINING = "serving/learn.py"
# The shell. serving/server.py starts it and imports it in a function; nothing else may know what serves us.
_BENTOML_SHELL = "serving/service.py"
# Promoted models are saved in BentoML's model store too; nothing that serves or promotes needs it to.
_MODEL_STORE = "serving/modelstore.py"
# policies and models; filled encoders; model folders as they are written and read
_OPENS_FILES = {"nlp/artifact.py", "nlp/cache.py", "nlp/folder.py"}
# What reads or writes files, by the name it is called by and by the module it comes from.
_FILE_CALLS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "rename", "unlink", "touch", "rmdir"),
    *("iterdir", "glob", "rglob", "load_file", "save_file", "fromfile", "tofile", "memmap", "loadtxt", "savez"),
}
_FILE_MODULES = {"mmap", "shutil", "tempfile", "fileinput", "pickle", "sqlite3"}
# A pure core knows neither the time nor the environment, draws no lots, and writes no log.
_IMPURE = {"os", "random", "secrets", "time", "logging", "structlog", "socket", "subprocess", "urllib", "httpx", "uuid"}
_DYNAMIC = {"import_module", "__import__", "find_spec"}


@dataclass(frozen=True)
class _Import:
    """A module that a file imports; lazily if a function does."""

    file: str
    line: int
    module: str
    lazy: bool

    @property
    def package(self) -> str:
        return self.module.split(".")[0]


def _files(package: str) -> list[Path]:
    return sorted((_ROOT / package).rglob("*.py"))


def _imports_of(node: ast.AST, file: str, lazy: bool = False) -> Iterator[_Import]:
    """Every import below a node: statements, and calls such as `import_module("torch")`; none for type checkers."""
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return
    if isinstance(node, ast.Import):
        yield from (_Import(file, node.lineno, alias.name, lazy) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        # A relative import stays within its package.
        module = node.module or "" if not node.level else file.split("/")[0]
        yield _Import(file, node.lineno, module, lazy)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _DYNAMIC and node.args:
        name = node.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield _Import(file, node.lineno, name.value, lazy)
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _imports_of(child, file, lazy)


@cache
def _tree(path: Path) -> tuple[ast.Module, str]:
    return ast.parse(path.read_text(encoding="utf-8")), path.relative_to(_ROOT).as_posix()


@cache
def _imports_in(package: str) -> list[_Import]:
    return [found for path in _files(package) for found in _imports_of(*_tree(path))]


def _imports(*packages: str) -> list[_Import]:
    return [found for package in packages for found in _imports_in(package)]


def _calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(_tree(path)[0]):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).split(".")[-1], node.lineno


@pytest.mark.parametrize(
    ("importing", "imported"),
    [("nlp", ("training", "serving")), ("training", ("serving",)), ("serving", ("training",))],
)
def test_layers_import_downwards_only(importing: str, imported: tuple[str, ...]) -> None:
    upwards = [found for found in _imports(importing) if found.package in imported]
    assert [found for found in upwards if found.file != _REACHES_TRAINING or not found.lazy] == []


def test_the_packages_are_all_there_and_the_door_to_training_is_used() -> None:
    assert all(_files(package) for package in _OURS)
    assert any(found.file == _REACHES_TRAINING and found.package == "training" for found in _imports("serving"))


def test_bentoml_is_imported_in_the_shell_and_the_model_store_only() -> None:
    files = {found.file for found in _imports(*_OURS) if found.package in ("bentoml", "_bentoml_sdk")}
    assert files == {_BENTOML_SHELL, _MODEL_STORE}


def test_the_shell_is_imported_lazily_only() -> None:
    """`holos classify` must not wait for bentoml, nor serving/server.py before it has set the environment for it."""
    for file in (_BENTOML_SHELL, _MODEL_STORE):
        module = file.removesuffix(".py").replace("/", ".")
        importing = [found for found in _imports(*_OURS) if found.module == module and found.file != _BENTOML_SHELL]
        assert [found for found in importing if not found.lazy] == []


def test_torch_and_its_friends_are_imported_in_training_only() -> None:
    assert [found for found in _imports("nlp", "serving") if found.package in _TRAINING_ONLY] == []


def test_spacy_is_imported_lazily_only() -> None:
    """It takes a second, and would take torch with it where that is installed."""
    found = [found for found in _imports(*_OURS) if found.package == "spacy"]
    assert {(each.file, each.lazy) for each in found} == {("nlp/sentencizers.py", True)}


def test_files_are_opened_in_three_modules_of_nlp_only() -> None:
    opening = {found.file for found in _imports("nlp") if found.package in _FILE_MODULES}
    for path in _files("nlp"):
        opening |= {_tree(path)[1] for name, _ in _calls(path) if name in _FILE_CALLS}
    assert opening == _OPENS_FILES


def test_nlp_knows_no_clock_environment_chance_or_log() -> None:
    assert [found for found in _imports("nlp") if found.package in _IMPURE] == []
    clocks = {(path.name, line) for path in _files("nlp") for name, line in _calls(path) if name in ("now", "today")}
    assert clocks == set()


@pytest.mark.parametrize(
    ("source", "module", "lazy"),
    [
        ("import torch.nn as nn", "torch.nn", False),
        ("from serving import cli", "serving", False),
        ("def f():\n    from training.fit import fit", "training.fit", True),
        ("class C:\n    import peft", "peft", False),
        ("try:\n    import torch\nexcept ImportError:\n    pass", "torch", False),
        ("import importlib\nx = importlib.import_module('torch')", "torch", False),
    ],
)
def test_the_walk_finds_every_form_of_import(source: str, module: str, lazy: bool) -> None:
    assert (module, lazy) in {(found.module, found.lazy) for found in _imports_of(ast.parse(source), "nlp/x.py")}
