"""From responses to classifications, over an encoder that knows a few words and heads that are made by hand."""

import hashlib
import re
import subprocess
import sys
import weakref
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

from nlp.artifact import read_rules, read_yaml
from nlp.encoder import Encoded
from nlp.heads import Calibration, Heads, HeadWeights
from nlp.pipeline import RULE_CONFIDENCE, Pipeline, Rules
from nlp.redact import Redactor, parse_patterns
from nlp.segments import Segmenter
from nlp.taxonomy import Taxonomy, Theme
from nlp.types import SIGNALS, Redacted, Response, Scale, Span

DATA = Path(__file__).parents[2] / "data"
TAXONOMY = Taxonomy(
    "own-1", (Theme("delivery", "Delivery", ""), Theme("staff", "Staff", ""), Theme("general", "General", ""))
)
THEMES = len(TAXONOMY.themes)
LABELS = THEMES + len(SIGNALS) + 1
AXES = {"slow": 0, "rude": 1, "fine": 2, "lawyer": 3, "because": 4, "great": 5}
WIDTH = 16
BROKEN = "dynamite"


class WordEncoder:
    """Tokens are words; a known word points along its axis, any other one in a direction drawn from its hash."""

    version = "words"
    dimension = WIDTH

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.contexts: list[str | None] = []

    def encode(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]], contexts: Sequence[str | None]
    ) -> list[Encoded]:
        assert len(texts) == len(spans) == len(contexts)
        self.texts += texts
        self.contexts += contexts
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Encoded:
        words = list(re.finditer(r"\w+|[^\w\s]", text))
        states = np.array([vector(word.group().casefold()) for word in words], np.float32).reshape(-1, WIDTH)
        offsets = np.array([word.span() for word in words], np.int32).reshape(-1, 2)
        return Encoded(states, offsets)


def vector(word: str) -> np.ndarray:
    out = np.zeros(WIDTH, np.float32)
    if word in AXES:
        out[AXES[word]] = 10.0
    else:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        out[len(AXES) :] = np.random.default_rng(seed).normal(size=WIDTH - len(AXES))
    return out


def heads() -> Heads:
    """A word on a label's axis gives it a logit of about 5, its absence one of -5."""
    query, weight = np.zeros((LABELS + 1, WIDTH), np.float32), np.zeros((LABELS, WIDTH), np.float32)
    labels = {0: "slow", 1: "rude", 2: "fine", THEMES + SIGNALS.index("legal_threat"): "lawyer", LABELS - 1: "because"}
    for label, word in labels.items():
        query[label, AXES[word]], weight[label, AXES[word]] = 1.0, 1.0
    sentiment = np.zeros((4, WIDTH), np.float32)
    sentiment[0, [AXES["slow"], AXES["rude"]]], sentiment[2, AXES["great"]] = 5.0, 5.0
    mood_in = np.eye(WIDTH, dtype=np.float32)
    mood_out = np.zeros((4, WIDTH), np.float32)
    mood_out[0, [AXES["slow"], AXES["rude"]]], mood_out[2, AXES["fine"]] = 0.3, 0.3
    weights = HeadWeights(
        query=query,
        weight=weight,
        bias=np.full(LABELS, -5.0, np.float32),
        sentiment_weight=sentiment,
        sentiment_bias=np.array([0.0, 1.0, 0.0, 0.0], np.float32),
        mood_in_weight=mood_in,
        mood_in_bias=np.zeros(WIDTH, np.float32),
        mood_out_weight=mood_out,
        mood_out_bias=np.zeros(4, np.float32),
    )
    return Heads(weights, _plain_calibration(), THEMES)


def random_heads(seed: int) -> Heads:
    rng = np.random.default_rng(seed)
    shapes = {
        "query": (LABELS + 1, WIDTH),
        "weight": (LABELS, WIDTH),
        "bias": (LABELS,),
        "sentiment_weight": (4, WIDTH),
        "sentiment_bias": (4,),
        "mood_in_weight": (8, WIDTH),
        "mood_in_bias": (8,),
        "mood_out_weight": (4, 8),
        "mood_out_bias": (4,),
    }
    drawn = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return Heads(HeadWeights.from_arrays(drawn, THEMES, WIDTH), _plain_calibration(), THEMES)


def _plain_calibration() -> Calibration:
    return Calibration(
        theme_scale=np.ones(THEMES, np.float32),
        theme_shift=np.zeros(THEMES, np.float32),
        theme_threshold=np.full(THEMES, 0.5, np.float32),
        signal_scale=np.ones(len(SIGNALS), np.float32),
        signal_shift=np.zeros(len(SIGNALS), np.float32),
        signal_threshold=np.full(len(SIGNALS), 0.5, np.float32),
        justified_scale=1.0,
        justified_shift=0.0,
        sentiment_temperature=1.0,
        mood_temperature=1.0,
        mood_weight=0.0,
        mood_weight_many=0.0,
        fallback=0.4,
    )


@pytest.fixture(scope="module")
def rules() -> Rules:
    return read_rules(DATA)


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def pipeline(rules, encoder) -> Pipeline:
    return Pipeline(encoder, heads(), TAXONOMY, rules, "2026.1.1")


def response(text: str, id: str = "r", **fields) -> Response:
    return Response(id=id, text=text, **fields)


def only(pipeline: Pipeline, text: str, **fields):
    (said,) = pipeline.classify([response(text, **fields)])
    return said


SLOW = "The delivery was so slow because the van broke down. The office building has a blue door."


def test_a_verbatim_is_read_with_its_evidence(pipeline):
    said = only(pipeline, SLOW, metric="nps", score=1)
    (theme,) = said.themes
    assert (theme.id, theme.label, theme.threshold, theme.sentiment.label) == ("delivery", "Delivery", 0.5, "negative")
    assert theme.confidence > 0.9
    first = Span(0, SLOW.index(". "))
    assert theme.spans == (first,) == said.justification.spans
    assert (said.justification.justified, said.justification.kind) == (True, "reason")
    assert said.sentiment.label == "negative" and said.sentiment.score < 0
    assert (said.ranking.group, said.ranking.priority) == ("detractor", 1)
    assert (said.status, said.language.code, said.signals, said.error) == ("ok", "en", (), None)
    assert vars_of(said.versions) == ("2026.1.1", "own-1", "default-1")


def vars_of(versions) -> tuple[str, str, str]:
    return versions.model, versions.taxonomy, versions.policy


def test_a_verdict_without_a_reason_is_told_with_the_probability_of_that(pipeline):
    said = only(pipeline, "The delivery was slow today")
    assert (said.justification.justified, said.justification.kind, said.justification.spans) == (
        False,
        "verdict_only",
        (),
    )
    assert 0.9 < said.justification.confidence <= 1.0


def test_themes_come_surest_first_and_the_general_one_gives_way(pipeline):
    said = only(pipeline, "The staff was rude rude rude because it was so slow, otherwise all was fine")
    assert {theme.id for theme in said.themes} == {"staff", "delivery"}
    assert [theme.confidence for theme in said.themes] == sorted((t.confidence for t in said.themes), reverse=True)
    assert [theme.id for theme in only(pipeline, "Everything with this shop was fine today").themes] == ["general"]


def test_signals_reach_the_ranking(pipeline):
    said = only(pipeline, "My lawyer will write to the company about this")
    assert said.signals == ("legal_threat",) and said.ranking.priority == 1


def test_a_scale_of_ones_own_reaches_the_ranking(pipeline):
    low = only(pipeline, SLOW, metric="rating", score=2, scale=Scale(0, 100))
    high = only(pipeline, SLOW, metric="rating", score=95, scale=Scale(0, 100))
    assert (low.ranking.group, high.ranking.group) == ("detractor", "promoter")


@pytest.mark.parametrize(
    ("text", "review"),
    [
        ("The delivery was so slow because the van broke down", False),
        ("It is like this because the moon is round today", True),  # a reason without a theme
    ],
)
def test_what_is_unsure_is_marked_for_a_person(pipeline, text, review):
    assert only(pipeline, text).needs_review is review


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\u200b\u200b", "\u0007", "...", "?!"])
def test_an_empty_text_is_not_read(pipeline, encoder, text):
    said = only(pipeline, text, metric="nps", score=2)
    assert (said.status, said.themes, said.signals) == ("ok", (), ())
    assert (said.justification.kind, said.justification.justified) == ("empty", False)
    assert said.justification.confidence == RULE_CONFIDENCE
    assert (said.sentiment.label, said.sentiment.score) == ("neutral", 0.0)
    assert said.ranking.priority == 2  # the score speaks all the same
    assert encoder.texts == []


def test_keyboard_mash_is_not_read(pipeline, encoder):
    assert only(pipeline, "asdasdasd asdfgh").justification.kind == "junk"
    assert encoder.texts == []


@pytest.mark.parametrize("text", ["nie wiem", "Nothing", "n/a", "не знаю", "немає"])
def test_a_non_answer_is_no_reason_whatever_the_model_says(rules, text):
    eager = heads()
    eager.weights.bias[-1] = 50.0
    said = only(Pipeline(WordEncoder(), eager, TAXONOMY, rules, "m"), text)
    assert (said.justification.kind, said.justification.justified) == ("non_answer", False)
    assert said.justification.confidence == RULE_CONFIDENCE and said.sentiment is not None


def test_other_languages_are_read_but_marked(pipeline):
    said = only(pipeline, "Die Lieferung war sehr langsam und niemand hat mir am Telefon geholfen.")
    assert said.status == "unsupported_language" and not said.language.supported
    assert said.needs_review and said.error is None and said.sentiment and said.justification and said.ranking
    assert said.to_dict()["status"] == "unsupported_language"


def test_offsets_refer_to_the_redacted_text(pipeline, encoder):
    text = "Call me at +48 601 234 567 please 😀. The delivery was slow because of the van.\u200b"
    said = only(pipeline, text)
    assert "601" not in said.text and encoder.texts == [said.text]
    (redaction,) = said.redactions
    assert said.text[redaction.start : redaction.end] == f"<{redaction.kind}>" == "<PHONE>"
    (theme,) = said.themes
    assert [span.of(said.text) for span in theme.spans] == ["The delivery was slow because of the van"]


def test_the_question_is_redacted_before_the_encoder_sees_it(pipeline, encoder):
    only(pipeline, "It was slow today", question="Anna, call +48 601 234 567: what could be better?")
    (context,) = encoder.contexts
    assert "<PHONE>" in context and "601" not in context


TEXTS = [
    SLOW,
    "",
    "Kurier był niemiły, ale paczka doszła cała i na czas.",
    "nie wiem",
    "Дуже привітний персонал, дякую!",
    "asdasdasd",
    "Приложение постоянно вылетает при оплате, звоните +7 912 345-67-89.",
    "Die Lieferung war sehr langsam und niemand hat mir geholfen.",
    "great great great",
]


def test_answers_come_in_order_and_in_number(pipeline):
    responses = [response(text, f"r-{index}") for index, text in enumerate(TEXTS)]
    said = pipeline.classify(responses)
    assert [each.id for each in said] == [each.id for each in responses]
    kinds = ["reason", "empty", None, "non_answer", None, "junk", None, None, None]
    assert all(kind in (None, each.justification.kind) for kind, each in zip(kinds, said, strict=True))
    assert pipeline.classify([]) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_text_has_the_same_answer_in_any_company(rules, seed):
    pipeline = Pipeline(WordEncoder(), random_heads(seed), TAXONOMY, rules, "m")
    responses = [response(text, f"r-{index}", metric="nps", score=index % 11) for index, text in enumerate(TEXTS)]
    alone = {each.id: pipeline.classify([each])[0].to_dict() for each in responses}
    shuffled = [responses[index] for index in np.random.default_rng(seed).permutation(len(responses))]
    for batch in (responses, shuffled, responses + shuffled):
        assert [each.to_dict() for each in pipeline.classify(batch)] == [alone[each.id] for each in batch]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_heads_say_the_answer_is_well_formed(rules, seed):
    for said in Pipeline(WordEncoder(), random_heads(seed), TAXONOMY, rules, "m").classify(
        [response(t) for t in TEXTS]
    ):
        out = said.to_dict()
        assert out["status"] != "error"
        assert -1 <= out["sentiment"]["score"] <= 1
        assert all(0 <= p <= 1 for p in (out["sentiment"]["confidence"], out["justification"]["confidence"]))
        assert (
            out["justification"]["justified"]
            == (out["justification"]["kind"] == "reason")
            == bool(out["justification"]["spans"])
        )
        for theme in out["themes"]:
            assert theme["spans"] and 0 <= theme["confidence"] <= 1 and "score" not in theme["sentiment"]
            for span in theme["spans"]:
                part = said.text[span["start"] : span["end"]]
                assert part and part == part.strip()


class BrokenRedactor(Redactor):
    def redact(self, text: str) -> Redacted:
        if BROKEN in text:
            raise ValueError(f"cannot take {text}")
        return super().redact(text)


class BrokenSegmenter(Segmenter):
    def segment(self, text: str, language: str) -> tuple[Span, ...]:
        if BROKEN in text:
            raise RuntimeError(text)
        return super().segment(text, language)


class BrokenEncoder(WordEncoder):
    def encode(self, texts, spans, contexts):
        if any(BROKEN in text for text in texts):
            raise RuntimeError("out of memory")
        return super().encode(texts, spans, contexts)


class LopsidedEncoder(WordEncoder):
    def encode(self, texts, spans, contexts):
        out = super().encode(texts, spans, contexts)
        return [replace(e, offsets=e.offsets[:0]) if BROKEN in t else e for t, e in zip(texts, out, strict=True)]


class StreamingEncoder(WordEncoder):
    """Reads a text only when its states are asked for, and remembers how many are still held."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[weakref.ref] = []
        self.most = 0

    def encode(self, texts, spans, contexts):
        raise AssertionError("an encoder that can stream is not asked for all states at once")

    def stream(self, texts, spans, contexts):
        for text in texts:
            if BROKEN in text:
                raise RuntimeError("out of memory")
            encoded = self._one(text)
            self.held.append(weakref.ref(encoded.tokens))
            self.most = max(self.most, sum(held() is not None for held in self.held))
            yield encoded
            del encoded


class ShortEncoder(WordEncoder):
    """Gives up at a text without a word."""

    def encode(self, texts, spans, contexts):
        return list(takewhile(lambda encoded: encoded is not None, map(self._unless_broken, texts)))

    def _unless_broken(self, text: str) -> Encoded | None:
        return None if BROKEN in text else self._one(text)


def broken(part: str, rules: Rules) -> Pipeline:
    encoders = {
        "encoder": BrokenEncoder,
        "offsets": LopsidedEncoder,
        "stream": StreamingEncoder,
        "count": ShortEncoder,
    }
    if part == "redactor":
        file = DATA / "policies" / "redaction.yaml"
        rules = replace(rules, redactor=BrokenRedactor(parse_patterns(read_yaml(file), str(file))))
    elif part == "segmenter":
        rules = replace(rules, segmenter=BrokenSegmenter())
    return Pipeline(encoders.get(part, WordEncoder)(), heads(), TAXONOMY, rules, "m")


@pytest.mark.parametrize("part", ["redactor", "segmenter", "offsets", "encoder", "stream", "count"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_breaks_on_one_text_stays_with_it(rules, part, place):
    texts = [SLOW, "Everything was fine with this shop"]
    texts.insert(place, f"There was secret {BROKEN} in the delivery box")
    responses = [response(text, f"r-{index}") for index, text in enumerate(texts)]
    said = broken(part, rules).classify(responses)
    healthy = Pipeline(WordEncoder(), heads(), TAXONOMY, rules, "m").classify(responses)
    assert [each.id for each in said] == ["r-0", "r-1", "r-2"]
    assert [each.status for each in said] == ["error" if index == place else "ok" for index in range(3)]
    assert [e for i, e in enumerate(said) if i != place] == [e for i, e in enumerate(healthy) if i != place]
    failure = said[place].to_dict()
    assert failure["error"]["code"] == "internal_error" and set(failure) == {"id", "status", "error", "versions"}
    assert "secret" not in failure["error"]["detail"] and BROKEN not in failure["error"]["detail"]


def test_what_the_service_reads_off_a_pipeline(pipeline, rules):
    assert pipeline.policy is rules.policy and pipeline.detector is rules.detector
    assert pipeline.taxonomy.ids == ("delivery", "staff", "general")


def test_no_more_states_are_held_than_the_encoder_streams(rules):
    encoder = StreamingEncoder()
    responses = [response(f"{SLOW} {index}", f"r-{index}") for index in range(8)]
    said = Pipeline(encoder, heads(), TAXONOMY, rules, "m").classify(responses)
    assert said == Pipeline(WordEncoder(), heads(), TAXONOMY, rules, "m").classify(responses)
    assert len(encoder.held) == 8 and encoder.most <= 2  # the one being read and the one before it


def test_warming_loads_spacy_and_changes_no_answer():
    code = f"""
import sys
from pathlib import Path
from nlp.artifact import read_rules
from nlp.pipeline import Pipeline
from nlp.segments import Segmenter
from nlp.taxonomy import Taxonomy
rules = read_rules(Path({str(DATA)!r}))
assert "spacy" not in sys.modules
Pipeline(None, None, Taxonomy("t", ()), rules, "m").warm()
assert "spacy" in sys.modules
text = "Alles gut. Danke."
assert rules.segmenter.segment(text, "de") == Segmenter().segment(text, "de")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=DATA.parent)
