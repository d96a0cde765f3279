"""The data the shipped model learns from: seed rows of the project, and the public sets that may train it."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from training.dataset import LabelledRow, parse_row, read_jsonl, text_key

LONG_REVIEW = 420  # characters; a longer review with one recommend flag says little about any of its sentences

_SPACE_BEFORE = re.compile(r"\s+([,.;:!?%)\]…])")
_SPACE_AFTER = re.compile(r"([(\[])\s+")
_QUOTED = re.compile(r"\"\s+([^\"]*?)\s+\"")
# PolEmo's tokeniser cuts the personal ending off past forms: "była m" -> "byłam", "zrobili śmy" -> "zrobiliśmy", and
# both parts off conditionals: "chciała by m" -> "chciałabym". The "m" of "m.in." is no ending.
_ENDING = re.compile(r"\b(\w+(?:ł|ła|ło|li|ły|by))(?:\s(by))?\s(m|em|eś|ś|śmy|ście)\b(?!\s?\.\s?in\b)")

MAMS_THEMES = {
    "food": "product.quality",
    "staff": "staff.attitude",
    "service": "staff.attitude",
    "ambience": "place.comfort",
    "price": "price.level",
    "menu": "product.assortment",
}


def detokenise(text: str) -> str:
    """PolEmo's tokenised Polish as a person would have typed it."""
    text = _ENDING.sub(r"\1\2\3", text.replace("``", '"').replace("''", '"'))
    text = _QUOTED.sub(r'"\1"', text)
    return _SPACE_AFTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", text))


def seed_rows(folder: Path) -> list[LabelledRow]:
    """Every seed_*.jsonl of the folder, fully labelled."""
    return [parse_row(row, path.stem) for path in sorted(folder.glob("seed_*.jsonl")) for row in read_jsonl(path)]


def default_rows(datasets: Path, part: str) -> list[LabelledRow]:
    """Rows of default_train whose split is `part` ("train" or "dev"), PolEmo's detokenised."""
    rows = read_jsonl(datasets / "default_train.jsonl.gz")
    return [_plain(parse_row(row, "default_train")) for row in rows if row.get("split") == part]


def relabelled_rows(labels: Path, datasets: Path) -> list[LabelledRow]:
    """Rows of public sets under labels of our own: `labels` holds ids and places, the texts are read in place."""
    wanted = [row for path in sorted(labels.glob("*.jsonl")) for row in read_jsonl(path)]
    texts: dict[tuple[str, str], dict] = {}
    for name in sorted({row["dataset"] for row in wanted}):
        ids = {row["id"] for row in wanted if row["dataset"] == name}
        texts |= {(name, row["id"]): row for row in read_jsonl(datasets / f"{name}.jsonl.gz") if row["id"] in ids}
    out = []
    for label in wanted:
        row = texts[label["dataset"], label["id"]]
        text = row["text"][label.get("start", 0) : label.get("end")]
        merged = {key: row.get(key) for key in ("question", "lang")} | label | {"text": text}
        out.append(_plain(parse_row(merged, label["dataset"])))
    return out


def sentiment_rows(datasets: Path, exclude: Callable[[str], bool], limit: int, seed: int) -> list[LabelledRow]:
    """Partly labelled rows: moods of PolEmo sentences, Skytrax verdicts, moods of MAMS categories.

    PolEmo's `mixed` is left out (half of it is one-sided to other readers) and its neutral is thinned: mostly articles.
    """
    rng = random.Random(seed)
    polemo = [row for row in read_jsonl(datasets / "polemo2_sentence_pl.jsonl.gz") if row["split"] == "train"]
    polemo = [row for row in polemo if row["sentiment"] in ("negative", "positive") or _ordinary_neutral(row, rng)]
    rng.shuffle(polemo)
    rows = [_plain(parse_row(row, "polemo2_sentence_pl")) for row in polemo[:limit]]
    rows += [
        parse_row({key: row[key] for key in ("id", "text", "lang", "sentiment")}, "skytrax_en")
        for row in read_jsonl(datasets / "skytrax_en.jsonl.gz")
        if row["split"] == "train" and len(row["text"]) <= LONG_REVIEW and row.get("sentiment")
    ]
    rows += list(_mams(datasets))
    return [row for row in rows if not exclude(row.text)]


def _ordinary_neutral(row: dict, rng: random.Random) -> bool:
    return row["sentiment"] == "neutral" and row["domain"] != "medicine" and rng.random() < 0.3


def _mams(datasets: Path) -> Iterator[LabelledRow]:
    for row in read_jsonl(datasets / "mams_acsa_en.jsonl.gz"):
        if row["split"] != "train":
            continue
        moods = {MAMS_THEMES[name]: mood for name, mood in row["theme_sentiments"].items() if name in MAMS_THEMES}
        if moods:
            plain = {"id": row["id"], "text": row["text"], "lang": "en", "theme_sentiments": moods}
            yield parse_row(plain, "mams_acsa_en")


def _plain(row: LabelledRow) -> LabelledRow:
    return replace(row, text=detokenise(row.text)) if row.id.startswith("polemo") else row


def keys(rows: Sequence[LabelledRow]) -> set[str]:
    """Text keys of rows, for keeping them out of other parts."""
    return {text_key(row.text) for row in rows}
