"""Builds the model that ships: `python -m training.default --datasets DIR --out data/models/default`."""

import argparse
import copy
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from nlp.artifact import compose, read_rules, read_taxonomy
from nlp.folder import EncoderRef, ModelFolder, save_model
from nlp.heads import Calibration
from nlp.pipeline import GENERAL
from nlp.policy import Policy
from nlp.priority import position
from nlp.taxonomy import Taxonomy
from nlp.tokens import TextTokenizer
from training.assemble import ALPHA, RANK, fresh_network, head_weights, mean_network, with_golden
from training.calibrate import Scores, calibrate, score_table
from training.checkpoint import Checkpoint, fingerprint
from training.dataset import LabelledRow, parse_row, read_jsonl, split, targets, text_key
from training.encoder import adapter_arrays
from training.finetune import Plan, Say, predict, train
from training.network import Network
from training.selection import development_score
from training.sources import default_rows, keys, relabelled_rows, seed_rows, sentiment_rows

GOLD_WEIGHT = 3  # gold rows count three times beside the rows held back: they are read twice and look like real traffic
START = 7  # seed of the start that all trainings share: only then does their mean make sense
SHIPPED_RANK = 48  # of the mean: what the ranks of three trainings have in common, in 8 MB
HELD_BACK = 0.05  # of the seed rows, for calibration beside the gold rows


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows for training, partly labelled rows to draw from each epoch, and the two development parts."""

    full: list[LabelledRow]
    partial: list[LabelledRow]
    dev: list[LabelledRow]
    gold: list[LabelledRow]

    @property
    def held(self) -> list[LabelledRow]:
        """What thresholds and epochs are chosen on."""
        return self.gold * GOLD_WEIGHT + self.dev

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


@dataclass(frozen=True, slots=True)
class Start:
    """Where trainings start, how texts reach it, and what says that it is the same."""

    network: Network
    tokenizer: TextTokenizer
    fingerprint: str


def common_start(rows: Corpus, taxonomy: Taxonomy, plan: Plan, cache: Path, say: Say) -> Start:
    """Where every training starts: a network that has read every row once, the partly labelled ones too."""
    network, tokenizer = fresh_network(RANK, ALPHA, len(taxonomy.ids), "attention", START)
    every = rows.full + rows.partial
    same = fingerprint(every, plan, RANK, ALPHA, taxonomy.ids)
    checkpoint = Checkpoint(cache / "training-default-start", same)
    train(network, tokenizer, taxonomy.ids, lambda _: every, plan, say, checkpoint=checkpoint)
    return Start(network, tokenizer, same)


def train_once(
    start: Start,
    rows: Corpus,
    partial: int,
    taxonomy: Taxonomy,
    plan: Plan,
    cache: Path,
    say: Say,
) -> Network:
    """One training from a copy of the common start; `plan.seed` orders its rows, and the rows held back choose its
    epoch. After a kill it goes on from its checkpoint."""
    network, tokenizer = copy.deepcopy(start.network), start.tokenizer
    held = rows.held
    wanted = targets(held, taxonomy.ids)
    same = fingerprint(held, start.fingerprint, plan, partial)
    checkpoint = Checkpoint(cache / f"training-default-{plan.seed}", same)
    train(
        network,
        tokenizer,
        taxonomy.ids,
        lambda epoch: rows.epoch(epoch + plan.seed, partial),
        plan,
        say,
        lambda: development_score(predict(network, tokenizer, held, plan), wanted),
        checkpoint,
    )
    return network.eval()


def build_model(rows: Corpus, networks: Sequence[Network], taxonomy: Taxonomy, plan: Plan, data: Path) -> ModelFolder:
    """The mean of the trainings, calibrated; without a version and golden sentences yet."""
    adapters = [adapter_arrays(network.encoder) for network in networks]
    heads = [head_weights(network.heads) for network in networks]
    mean, tokenizer = mean_network(adapters, heads, SHIPPED_RANK, len(taxonomy.ids))
    logits = predict(mean, tokenizer, rows.held, plan)
    return ModelFolder(
        version="",
        encoder=EncoderRef(),
        taxonomy=taxonomy,
        heads=head_weights(mean.heads),
        calibration=fit_calibration(logits, rows.held, rows.full, taxonomy, read_rules(data).policy),
        adapter=adapter_arrays(mean.encoder),
        training={
            "plan": asdict(plan),
            "rank": SHIPPED_RANK,
            "trainings": len(networks),
            "rows": len(rows.full),
            "partial_pool": len(rows.partial),
        },
    )


def main() -> None:
    """Trains, calibrates and writes the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("data/models/default"))
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="where the filled encoder is kept")
    parser.add_argument("--version", default="2026.11.3")
    parser.add_argument("--partial", type=int, default=2500, help="partly labelled rows drawn for each epoch")
    parser.add_argument("--epochs", type=int, default=5, help="of each training, after the start that they share")
    parser.add_argument("--trainings", type=int, default=3, help="whose mean is shipped")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    rows = corpus(arguments.data, arguments.datasets)
    taxonomy = read_taxonomy(arguments.data / "taxonomy.yaml")
    say(f"{len(rows.full)} labelled rows, {arguments.partial} of {len(rows.partial)} partly labelled an epoch")
    start = common_start(rows, taxonomy, Plan(epochs=1, seed=START), arguments.cache, say)
    plans = [Plan(epochs=arguments.epochs, seed=START + number) for number in range(arguments.trainings)]
    networks = [train_once(start, rows, arguments.partial, taxonomy, plan, arguments.cache, say) for plan in plans]
    model = build_model(rows, networks, taxonomy, plans[0], arguments.data)
    model = replace(model, version=arguments.version)
    save_model(with_golden(model, compose(model, arguments.data, arguments.cache)), arguments.out)
    print(json.dumps({"written": str(arguments.out), "version": arguments.version}))


if __name__ == "__main__":
    main()
