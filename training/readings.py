"""Classifications together with the probability of every theme, the ones not tagged too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.pipeline import Pipeline
from nlp.types import Classification, Response


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model says of responses, in their order; probabilities float32 (responses, themes) for `themes`.

    A response that cannot be read, or says nothing, has no theme: its probabilities are 0.
    """

    classifications: list[Classification]
    themes: tuple[str, ...]
    probabilities: np.ndarray


def answer(pipeline: Pipeline, responses: Sequence[Response]) -> Answers:
    """Classifies and reads responses, each encoded once; the pipeline tags the themes its heads were trained on."""
    themes = tuple(pipeline.taxonomy.ids)
    if len(themes) != pipeline.heads.themes:
        raise ValueError(f"the heads know {pipeline.heads.themes} themes, the frame has {len(themes)}: read without it")
    said: list[Classification] = []
    probabilities = np.zeros((len(responses), len(themes)), np.float32)
    for index, each in enumerate(pipeline.analyse(responses)):
        said.append(each.classification)
        if each.reading is not None:
            probabilities[index] = each.reading.themes
    return Answers(said, themes, probabilities)
