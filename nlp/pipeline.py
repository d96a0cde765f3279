"""From responses to classifications: one encoder pass between rules before it and read-outs after it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp.encoder import Encoded, Encoder
from nlp.heads import Heads, Reading, evidence_spans, joined_spans, membership, mood_of
from nlp.justify import JustifyRules, rule_kind
from nlp.language import LanguageDetector
from nlp.policy import Policy
from nlp.priority import position, rank
from nlp.redact import Redactor
from nlp.segments import Segmenter, trimmed
from nlp.taxonomy import Taxonomy
from nlp.text import normalise
from nlp.types import (
    MOODS,
    SIGNALS,
    Classification,
    Failure,
    Justification,
    Language,
    Redacted,
    Response,
    Sentiment,
    Span,
    ThemeTag,
    Versions,
)
from nlp.zeroshot import THRESHOLD, zero_shot

GENERAL = "general"
SURE_SENTIMENT = 0.6  # below it a person should look: about where one reading in two is wrong on development rows
SURE_REASON = 0.7
RULE_CONFIDENCE = 0.99  # rules are exact lists; what they miss is left to the model
SILENT = ("empty", "junk")  # kinds with nothing to read


@dataclass(frozen=True, slots=True)
class Prepared:
    """A response ready for the encoder."""

    response: Response
    redacted: Redacted
    question: str | None
    language: Language
    kind: str | None
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is data rather than training: patterns, policies and the code frame."""

    redactor: Redactor
    detector: LanguageDetector
    segmenter: Segmenter
    justify: JustifyRules
    policy: Policy


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The spans of a verbatim: their mean token states float32 (spans, d) and mood probabilities (spans, moods)."""

    spans: tuple[Span, ...]
    points: np.ndarray
    moods: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A classification and what it rests on: the reading of every label and the mean token state, float32 (d,).

    `reading` is in the order of the heads' own themes. All are None where a rule settled it or the work failed.
    """

    classification: Classification
    reading: Reading | None = None
    vector: np.ndarray | None = None
    pieces: Pieces | None = None


class Pipeline:
    """Classifies responses; the same response gives the same answer in any batch and any order.

    `taxonomy` is the frame that the heads were trained on; with a `frame` of the user's own, the themes of that one
    are tagged: by the heads those that they know, by similarity those that are new.
    """

    def __init__(
        self,
        encoder: Encoder,
        heads: Heads,
        taxonomy: Taxonomy,
        rules: Rules,
        model_version: str,
        frame: Taxonomy | None = None,
    ) -> None:
        self.encoder = encoder
        self.heads = heads
        self.taxonomy = frame or taxonomy
        self.rules = rules
        self.versions = Versions(model_version, self.taxonomy.version, rules.policy.version)
        tagged = {theme.id: theme for theme in self.taxonomy.themes}
        self._known = [tagged.get(theme.id) for theme in taxonomy.themes]  # by the heads' order; None: not tagged
        self._zero_shot = zero_shot(frame, taxonomy, encoder) if frame else None
        ids = list(taxonomy.ids)
        self._general = ids.index(GENERAL) if GENERAL in ids else None

    @property
    def policy(self) -> Policy:
        return self.rules.policy

    @property
    def detector(self) -> LanguageDetector:
        return self.rules.detector

    def classify(self, responses: Sequence[Response]) -> list[Classification]:
        """One classification per response, in order; what goes wrong with one stays with it."""
        out = [each.classification for each in self.analyse(responses)]
        if len(out) != len(responses):
            raise AssertionError(f"{len(responses)} responses gave {len(out)} classifications")
        return out

    def analyse(self, responses: Sequence[Response]) -> Iterator[Analysis]:
        """The same one by one, with what the heads said of every theme; each text is encoded once."""
        prepared = [
            self._guarded(response, lambda response=response: self._prepare(response)) for response in responses
        ]
        states = self._states([item for item in prepared if isinstance(item, Prepared) and item.kind not in SILENT])
        for item in prepared:
            found = item
            if isinstance(item, Prepared):
                found = next(states) if item.kind not in SILENT else None
                if not isinstance(found, Classification):
                    found = self._guarded(item.response, lambda i=item, e=found: self._finish(i, e))
            yield found if isinstance(found, Analysis) else Analysis(found)

    def warm(self) -> None:
        """Loads what only rare texts need, so that none waits for it; may run in a thread beside `classify`."""
        self.rules.segmenter.warm()

    def _states(self, items: Sequence[Prepared]) -> Iterator[Encoded | Classification]:
        """The token states of each, in order, or its failure; no more at a time than the encoder has to hold."""
        done = 0
        try:
            for encoded in self._encode(items):
                done += 1
                yield encoded
        except Exception:  # of one text or of their number: the rest are tried one by one
            pass
        for item in items[done:]:
            yield self._guarded(item.response, lambda item=item: next(iter(self._encode([item]))))

    def _encode(self, items: Sequence[Prepared]) -> Iterable[Encoded]:
        encode = getattr(self.encoder, "stream", self.encoder.encode)
        return encode(
            [item.redacted.text for item in items], [item.spans for item in items], [item.question for item in items]
        )

    def _guarded(self, response: Response, work: Callable[[], Any]) -> Any:
        """The work's value; any error in it becomes this item's, so that a batch never fails for one text."""
        try:
            return work()
        except Exception as error:
            detail = (
                f"the text could not be classified ({type(error).__name__}); please report it with the response's id"
            )
            return Classification(response.id, "error", self.versions, error=Failure("internal_error", detail))

    def _prepare(self, response: Response) -> Prepared:
        rules = self.rules
        redacted = rules.redactor.redact(normalise(response.text))
        question = rules.redactor.redact(normalise(response.question)).text if response.question else None
        language = rules.detector.detect(redacted.text, response.language)
        kind = rule_kind(rules.justify, redacted.text, language.code, question)
        spans = () if kind in SILENT else rules.segmenter.segment(redacted.text, language.code)
        return Prepared(response, redacted, question, language, kind, spans)

    def _finish(self, item: Prepared, encoded: Encoded | None) -> Analysis:
        if encoded is None or not len(encoded.tokens):
            neutral = Sentiment("neutral", RULE_CONFIDENCE, 0.0)
            return Analysis(self._result(item, neutral, (), _by_rule(item.kind or "empty"), ()))
        response = item.response
        scored = None if item.kind else response.score  # "n/a" says nothing, whatever the score: nothing to tip
        place = position(self.policy, response.metric, scored, response.scale)
        reading = self.heads.read(encoded.tokens, membership(encoded.offsets, item.spans), place)
        themes = self._themes(item, reading, encoded)
        justification = self._justification(item, reading)
        said = self._result(item, _sentiment(reading.sentiment), themes, justification, self._signals(reading))
        return Analysis(said, reading, encoded.tokens.mean(axis=0), self._pieces(item, reading, encoded))

    def _pieces(self, item: Prepared, reading: Reading, encoded: Encoded) -> Pieces | None:
        members = membership(encoded.offsets, item.spans)
        if not members.any():
            return None
        points = members.T @ encoded.tokens / np.maximum(members.sum(axis=0), 1.0)[:, None]
        moods = np.stack([self.heads.mood_at(point, reading.sentiment, False) for point in points])
        return Pieces(item.spans, points, moods)

    def _themes(self, item: Prepared, reading: Reading, encoded: Encoded) -> tuple[ThemeTag, ...]:
        chosen = self.heads.chosen_themes(reading, self._general)
        new = self._new_themes(item, reading, encoded, alone=not chosen)
        if new:
            chosen = [index for index in chosen if index != self._general]
        moods = self.heads.theme_moods(reading, chosen)
        tags = list(new)
        for index, mood in zip(chosen, moods, strict=True):
            theme = self._known[index]
            if theme is None:
                continue
            label, confidence = mood_of(mood)
            spans = _evidence(item, reading.evidence[index])
            threshold = float(self.heads.calibration.theme_threshold[index])
            probability = float(reading.themes[index])
            tags.append(ThemeTag(theme.id, theme.label, probability, threshold, Sentiment(label, confidence), spans))
        return tuple(sorted(tags, key=lambda tag: (-tag.confidence, tag.id)))

    def _new_themes(self, item: Prepared, reading: Reading, encoded: Encoded, alone: bool) -> list[ThemeTag]:
        """Tags of the themes that the heads do not know, each read off the spans that are near to it."""
        if self._zero_shot is None:
            return []
        members = membership(encoded.offsets, item.spans)
        similar = self._zero_shot.read(encoded.tokens, members)
        tags = []
        for index in similar.chosen:
            theme, near = self._zero_shot.themes[index], similar.spans[index] >= THRESHOLD
            pooled = encoded.tokens[members[:, near].any(axis=1)].mean(axis=0)
            mood = self.heads.mood_at(pooled, reading.sentiment, alone and len(similar.chosen) == 1)
            spans = tuple(span for span, on in zip(item.spans, near, strict=True) if on)
            tags.append(
                ThemeTag(
                    theme.id,
                    theme.label,
                    float(similar.themes[index]),
                    THRESHOLD,
                    Sentiment(*mood_of(mood)),
                    _trimmed(item, spans),
                    zero_shot=True,
                )
            )
        return tags

    def _justification(self, item: Prepared, reading: Reading) -> Justification:
        if item.kind is not None:
            return _by_rule(item.kind)
        if reading.justified < 0.5:
            return Justification(False, 1.0 - reading.justified, "verdict_only")
        return Justification(True, reading.justified, "reason", _evidence(item, reading.evidence[-1]))

    def _signals(self, reading: Reading) -> tuple[str, ...]:
        above = reading.signals >= self.heads.calibration.signal_threshold
        return tuple(name for name, on in zip(SIGNALS, above, strict=True) if on)

    def _result(
        self,
        item: Prepared,
        sentiment: Sentiment,
        themes: tuple[ThemeTag, ...],
        justification: Justification,
        signals: tuple[str, ...],
    ) -> Classification:
        supported = item.language.supported
        unsure = sentiment.confidence < SURE_SENTIMENT or justification.confidence < SURE_REASON
        return Classification(
            id=item.response.id,
            status="ok" if supported else "unsupported_language",
            versions=self.versions,
            language=item.language,
            text=item.redacted.text,
            themes=themes,
            sentiment=sentiment,
            justification=justification,
            signals=signals,
            ranking=rank(self.policy, item.response, sentiment, themes, justification, signals),
            needs_review=unsure or not supported or (justification.justified and not themes),
            redactions=item.redacted.redactions,
        )


def _evidence(item: Prepared, shares: np.ndarray) -> tuple[Span, ...]:
    return _trimmed(item, evidence_spans(shares, item.spans))


def _trimmed(item: Prepared, spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(trimmed(item.redacted.text, span) for span in joined_spans(spans))


def _by_rule(kind: str) -> Justification:
    return Justification(False, RULE_CONFIDENCE, kind)


def _sentiment(probabilities: np.ndarray) -> Sentiment:
    label, confidence = mood_of(probabilities)
    score = float(probabilities[MOODS.index("positive")] - probabilities[MOODS.index("negative")])
    return Sentiment(label, confidence, score)
