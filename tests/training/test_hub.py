"""An encoder of one's own: exported once, served without torch. The one here is tiny, random and made on the spot."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")
transformers = pytest.importorskip("transformers", reason="needs the training extra")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from nlp.cache import exported_encoder
from nlp.errors import ModelError
from nlp.graph import WEIGHTS_FILE
from training.hub import export_hub, load

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "slow", "kurier", "query", ":", "##s", "швидко")
TEXTS = ["good kuriers", "швидко", "bad slow good bad kurier bad", ""]
PART = "encoder.layer.0.attention.self.value"


def tiny_encoder(folder: Path, kind: str = "bert") -> Path:
    """A random encoder of two layers with a word-piece tokenizer, as Hugging Face stores it."""
    torch.manual_seed(1)
    config, model = {
        "bert": (transformers.BertConfig, transformers.BertModel),
        "xlm-roberta": (transformers.XLMRobertaConfig, transformers.XLMRobertaModel),
    }[kind]
    shape = config(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=160,
        pad_token_id=0,
    )
    model(shape).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=128,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_hub(str(source), tmp_path_factory.mktemp("cache"))


def encode(encoder, texts: list[str] = TEXTS):
    return encoder.encode(texts, [()] * len(texts), [None] * len(texts))


def torch_states(source: Path, text: str, own: int) -> np.ndarray:
    model = transformers.AutoModel.from_pretrained(source).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    with torch.inference_mode():
        return model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0, -own - 1 : -1].numpy()


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("prefix", ["", "query:"])
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_states_are_those_of_torch(tmp_path: Path, kind: str, prefix: str, runtime: str):
    pytest.importorskip(runtime)
    source = tiny_encoder(tmp_path / "model", kind)
    made = export_hub(str(source), tmp_path / "cache", prefix=prefix)
    encoder = exported_encoder(made, "fp32", 1, runtime)
    for text, encoded in zip(TEXTS, encode(encoder), strict=True):
        assert encoded.tokens.shape == (len(encoded.offsets), 32)
        if text:
            expected = torch_states(source, f"{prefix} {text}".strip(), len(encoded.tokens))
            assert np.abs(encoded.tokens - expected).max() < 1e-4


def test_it_is_exported_once(source: Path, folder: Path):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert export_hub(str(source), folder.parent) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_damaged_export_is_refused_then_made_again(source: Path, tmp_path: Path):
    folder = export_hub(str(source), tmp_path)
    (folder / WEIGHTS_FILE).write_bytes(b"")
    with pytest.raises(ModelError, match="export it again"):
        exported_encoder(folder)
    assert export_hub(str(source), tmp_path) == folder
    assert exported_encoder(folder, "fp32", 1).dimension == 32


def test_an_adapter_goes_into_the_export(source: Path, folder: Path, tmp_path: Path):
    rng = np.random.default_rng(1)
    adapter = {f"{PART}.A": rng.normal(size=(2, 32)).astype(np.float16), f"{PART}.B": np.ones((32, 2), np.float16)}
    adapted = exported_encoder(export_hub(str(source), tmp_path, adapter), "fp32", 1)
    plain = exported_encoder(folder, "fp32", 1)
    assert adapted.version != plain.version
    assert np.abs(encode(adapted)[0].tokens - encode(plain)[0].tokens).max() > 0.01


def test_an_e5_model_gets_its_prefix(tmp_path: Path):
    assert load(str(tiny_encoder(tmp_path / "my-e5-small"))).config.prefix == "query:"
    assert load(str(tiny_encoder(tmp_path / "other"))).config.prefix == ""


def test_serving_it_needs_no_training_library(folder: Path):
    code = f"""
import json, sys
from pathlib import Path
from nlp.cache import exported_encoder
(encoded,) = exported_encoder(Path({str(folder)!r}), "auto", 1).encode(["good bad"], [()], [None])
print(json.dumps([list(encoded.tokens.shape), sorted(sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    shape, modules = json.loads(done.stdout)
    assert shape == [2, 32]
    assert not {"torch", "transformers", "sentence_transformers", "onnx"} & set(modules)


def test_without_the_training_extra_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError, match=r"encoder some/model .* pip install 'holos\[train\]'"):
        export_hub("some/model", tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"cannot load the encoder .*empty"):
        load(str(tmp_path / "empty"))
