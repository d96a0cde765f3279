"""Where the heads of a new model start: from what the base model knows, and for new themes from examples and names."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nlp.encoder import Encoder
from nlp.folder import ModelFolder
from nlp.heads import HeadWeights
from nlp.taxonomy import Taxonomy
from training.assemble import head_weights
from training.dataset import Targets
from training.fewshot import Prototypes, known, name_texts, pooled, prototypes, with_prototypes
from training.inherit import TASKS, inherited, with_themes
from training.network import Heads


def start(
    heads: Heads,
    base: ModelFolder,
    frame: Taxonomy,
    read: Callable[[], Sequence[np.ndarray]],
    wanted: Targets,
    encoder: Encoder,
) -> HeadWeights:
    """Heads for `frame`; `read` gives the rows' token states (tokens, d) in the order of `wanted`, where needed."""
    own = known_themes(inherited(head_weights(heads), base.heads, TASKS), base, frame)
    labelled = known(wanted.themes)
    new = [index for index, theme in enumerate(frame.ids) if theme not in base.taxonomy.ids]
    if not new or not labelled.any():
        return own
    texts = name_texts(frame.themes)
    names = pooled([each.tokens for each in encoder.encode(texts, [()] * len(texts), [None] * len(texts))])
    made = prototypes(pooled(read())[labelled], wanted.themes[labelled] == 1, names)
    return with_prototypes(own, _rare(made, wanted.themes[labelled]), new)


def known_themes(own: HeadWeights, base: ModelFolder, frame: Taxonomy) -> HeadWeights:
    """`own` with the base model's read-outs of the themes that both frames have."""
    return with_themes(own, frame.ids, base.heads, base.taxonomy.ids)


def _rare(made: Prototypes, themes: np.ndarray) -> Prototypes:
    """With each theme's share of the rows in its bias: prototypes take all themes for equally frequent."""
    share = np.clip((themes == 1).mean(axis=0), 1e-3, 0.5)
    return replace(made, bias=(made.bias + np.log(share / (1 - share))).astype(np.float32))
