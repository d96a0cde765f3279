"""What the shipped model learns from: tokenised Polish made plain, seed rows, labels over public sets."""

import gzip
import json

import pytest

from training.dataset import text_key
from training.sources import (
    LONG_REVIEW,
    default_rows,
    detokenise,
    keys,
    relabelled_rows,
    seed_rows,
    sentiment_rows,
)


@pytest.mark.parametrize(
    ("tokens", "plain"),
    [
        ("Bardzo miło , polecam .", "Bardzo miło, polecam."),
        ("Drogo ; ale dobrze : naprawdę !", "Drogo; ale dobrze: naprawdę!"),
        ("Czekała m godzinę .", "Czekałam godzinę."),
        ("Był em tam wczoraj", "Byłem tam wczoraj"),
        ("Był eś tam ?", "Byłeś tam?"),
        ("Obiecała ś pomoc", "Obiecałaś pomoc"),
        ("Zapłacili śmy z góry", "Zapłaciliśmy z góry"),
        ("Czekały śmy długo", "Czekałyśmy długo"),
        ("Pomogli ście nam", "Pomogliście nam"),
        ("Warto , aby m wrócił", "Warto, abym wrócił"),
        ("Było by mnie stać", "Było by mnie stać"),
        ("Była moja kolej", "Była moja kolej"),
        ("Chciał emocji", "Chciał emocji"),
        ("To było śmieszne", "To było śmieszne"),
        ("by mnie obsłużono", "by mnie obsłużono"),
        ("Chciała by m wrócić", "Chciałabym wrócić"),
        ("Chcieli by śmy wrócić", "Chcielibyśmy wrócić"),
        ("Droga była m.in. kawa", "Droga była m.in. kawa"),
        ("Droga była m . in . kawa", "Droga była m. in. kawa"),
        ("Nie była m .", "Nie byłam."),
        ("Kupił by m , gdyby m mógł", "Kupiłbym, gdybym mógł"),
        ('Powiedział " nie wiem " i poszedł', 'Powiedział "nie wiem" i poszedł'),
        ('" Dobry " i " tani " sklep', '"Dobry" i "tani" sklep'),
        ("`` Dobry '' sklep", '"Dobry" sklep'),
        ("Sklep ( ten duży ) zamknięty", "Sklep (ten duży) zamknięty"),
        ("Rabat [ 10 % ] nie działa", "Rabat [10%] nie działa"),
        ("No i . . . nic", "No i... nic"),
        ("Ile można ? ! ?", "Ile można?!?"),
        ("Po prostu … nie", "Po prostu… nie"),
        ("Już zwykły tekst, jak trzeba.", "Już zwykły tekst, jak trzeba."),
        ("", ""),
    ],
)
def test_tokenised_polish_is_made_plain(tokens, plain):
    assert detokenise(tokens) == plain


def test_plain_text_is_left_as_it_is():
    once = detokenise('Mówiła m : " nie , dziękuję " ( dwa razy ) . . .')
    assert once == 'Mówiłam: "nie, dziękuję" (dwa razy)...' == detokenise(once)


def write(path, rows) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_seed_rows_come_from_every_seed_file_by_name(tmp_path):
    write(tmp_path / "seed_b.jsonl", [{"id": "2", "text": "dwa", "themes": []}])
    write(tmp_path / "seed_a.jsonl", [{"id": "1", "text": "jeden", "themes": ["general"]}])
    write(tmp_path / "other.jsonl", [{"id": "3", "text": "trzy"}])
    assert [(row.id, row.source) for row in seed_rows(tmp_path)] == [("1", "seed_a"), ("2", "seed_b")]


def test_default_rows_are_those_of_one_part(tmp_path):
    rows = [
        {"id": "polemo-1", "text": "Była m tam .", "split": "train"},
        {"id": "own-1", "text": "Była m tam .", "split": "train"},
        {"id": "own-2", "text": "Nie", "split": "dev"},
    ]
    write(tmp_path / "default_train.jsonl.gz", rows)
    assert [row.text for row in default_rows(tmp_path, "train")] == ["Byłam tam.", "Była m tam ."]
    assert [row.id for row in default_rows(tmp_path, "dev")] == ["own-2"]


def test_labels_of_our_own_are_joined_to_texts_in_place(tmp_path):
    data, labels = tmp_path / "data", tmp_path / "labels"
    data.mkdir()
    labels.mkdir()
    write(data / "shop.jsonl.gz", [{"id": "a", "text": "Slow. Kind staff.", "lang": "en", "sentiment": "mixed"}])
    write(data / "bank.jsonl.gz", [{"id": "a", "text": "Fees!", "question": "Why?", "lang": "en"}])
    write(
        labels / "en.jsonl",
        [
            {"dataset": "shop", "id": "a", "start": 6, "end": 17, "themes": ["staff"], "sentiment": "positive"},
            {"dataset": "bank", "id": "a", "themes": ["price"]},
        ],
    )
    shop, bank = relabelled_rows(labels, data)
    assert (shop.text, shop.themes, shop.sentiment, shop.language) == ("Kind staff.", {"staff"}, "positive", "en")
    assert (bank.text, bank.question, bank.sentiment, bank.source) == ("Fees!", "Why?", None, "bank")


@pytest.fixture
def public(tmp_path):
    polemo = [
        {
            "id": f"polemo-{mood}-{index}",
            "text": f"Tekst {mood} {index} .",
            "sentiment": mood,
            "split": part,
            "domain": area,
        }
        for mood in ("negative", "positive", "mixed", "neutral")
        for index, (part, area) in enumerate([("train", "hotels"), ("train", "medicine"), ("test", "hotels")] * 20)
    ]
    write(tmp_path / "polemo2_sentence_pl.jsonl.gz", polemo)
    sky = {"lang": "en", "split": "train", "sentiment": "negative", "themes": ["hidden"]}
    skytrax = [
        sky | {"id": "sky-1", "text": "Late again"},
        sky | {"id": "sky-2", "text": "x" * (LONG_REVIEW + 1)},
        sky | {"id": "sky-3", "text": "No verdict", "sentiment": None},
        sky | {"id": "sky-4", "text": "Held back", "split": "dev"},
    ]
    write(tmp_path / "skytrax_en.jsonl.gz", skytrax)
    mams = [
        {
            "id": "mams-1",
            "text": "Food!",
            "split": "train",
            "theme_sentiments": {"food": "positive", "place": "negative"},
        },
        {"id": "mams-2", "text": "Place", "split": "train", "theme_sentiments": {"place": "negative"}},
        {"id": "mams-3", "text": "Menu", "split": "test", "theme_sentiments": {"menu": "negative"}},
    ]
    write(tmp_path / "mams_acsa_en.jsonl.gz", mams)
    return tmp_path


def test_partly_labelled_rows_are_of_the_training_parts_and_lend_what_they_know(public):
    rows = {row.id: row for row in sentiment_rows(public, lambda text: False, 1000, seed=1)}
    polemo = [row for row in rows.values() if row.id.startswith("polemo")]
    moods = {
        mood: sum(row.sentiment == mood for row in polemo) for mood in ("negative", "positive", "mixed", "neutral")
    }
    assert moods["negative"] == moods["positive"] == 40 and moods["mixed"] == 0
    assert 0 < moods["neutral"] < 20
    assert all(row.text.endswith(row.id.rsplit("-")[-1] + ".") for row in polemo)  # detokenised
    assert "sky-1" in rows and rows["sky-1"].themes is None
    assert rows["mams-1"].theme_sentiments == {"product.quality": "positive"} and rows["mams-1"].themes is None
    assert {id for id in rows if not id.startswith("polemo")} == {"sky-1", "mams-1"}


def test_partly_labelled_rows_are_limited_drawn_by_seed_and_kept_out_on_request(public):
    def ids(limit=10, seed=1, exclude=lambda text: False):
        return [row.id for row in sentiment_rows(public, exclude, limit, seed) if row.id.startswith("polemo")]

    assert len(ids()) == 10 and ids() == ids() and ids() != ids(seed=2)
    assert ids(exclude=lambda text: True) == []


def test_keys_are_text_keys(row):
    assert keys([row(text="Ala!"), row(text="ala"), row(text="kot")]) == {text_key("ala"), text_key("kot")}
