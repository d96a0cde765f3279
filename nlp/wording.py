"""How texts are worded: points near one another where the same word parts are used, rare ones first.

Vectors of a small encoder miss what a rare word tells apart; parts of words tell it in every inflection.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from nlp.neighbours import BLOCK, Neighbours, top
from nlp.spread import unit

AXES = 150  # directions kept: synonyms that share their company come together, as in latent semantic analysis
PARTS = (3, 4, 5)  # letters in a part: shorter ones stand in any word, longer ones in one form of it only
FEWEST = 2  # texts in which a part must stand: one of a single text links it to none
BUCKETS = 1 << 18  # numbers that parts are hashed to: the parts of 100,000 answers rarely share one
SPARE, ROUNDS = 20, 3  # of the randomised decomposition (Halko et al. 2011): enough for cosines to the third decimal
_WORD = re.compile(r"[^\W_]+(?:['’ʼ-][^\W_]+)*")


def wording(texts: Sequence[str], seed: int) -> np.ndarray:
    """float32 (n, m), unit rows, m at most AXES; zeros for a text that shares no part of a word with another."""
    parts = _weighted(_counted(texts))
    axes = min(AXES, min(parts.shape) - 1)
    if axes < 1 or not parts.nnz:
        return np.zeros((len(texts), 0), np.float32)
    random = np.random.default_rng(seed)
    found = parts @ random.standard_normal((parts.shape[1], min(axes + SPARE, min(parts.shape))), np.float32)
    for _ in range(ROUNDS):
        found = parts @ (parts.T @ np.linalg.qr(found)[0])
    basis = np.linalg.qr(found)[0]
    left, scale, _ = np.linalg.svd((parts.T @ basis).T, full_matrices=False)
    return unit(basis @ (left[:, :axes] * scale[:axes]))


def reworded(
    near: Neighbours, said: np.ndarray, languages: Sequence[str] | None, share: float, count: int
) -> Neighbours:
    """The `count` nearest of each row's candidates where `share` of the similarity is that of the wording.

    Texts of two languages share few parts whatever they mean: they are taken to be worded as alike as the row and its
    candidates of its own language are on average, so that wording draws no border between languages.
    """
    rows, candidates = near.index.shape
    count = min(count, candidates)
    spoken = np.unique(languages, return_inverse=True)[1] if languages is not None else np.zeros(rows, np.int64)
    index, similarity = np.empty((rows, count), np.int32), np.empty((rows, count), np.float32)
    for start in range(0, rows if count else 0, BLOCK):
        block = slice(start, start + BLOCK)
        known, other = near.index[block] >= 0, near.index[block]
        alike = np.einsum("ijk,ik->ij", said[other], said[block])
        own = known & (spoken[other] == spoken[block, None])
        usual = (alike * own).sum(axis=1, keepdims=True) / np.maximum(own.sum(axis=1, keepdims=True), 1)
        mixed = (1.0 - share) * near.similarity[block] + share * np.where(own, alike, usual)
        columns, similarity[block] = top(np.where(known, mixed, -1.0).astype(np.float32), count)
        index[block] = np.take_along_axis(other, columns, axis=1)  # what is not known is least alike and stays -1
    return Neighbours(index, similarity)


def _counted(texts: Sequence[str]) -> sparse.csr_matrix:
    """How often each part, a column, stands in each text, a row: words are taken to pieces once each."""
    number: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for word, count in Counter(_WORD.findall(text.casefold())).items():
            rows.append(row)
            columns.append(number.setdefault(word, len(number)))
            counts.append(count)
    said = sparse.csr_matrix((np.array(counts, np.float32), (rows, columns)), (len(texts), len(number)))
    pieces = [_parts(word) for word in number]
    owner = np.repeat(np.arange(len(pieces)), [len(found) for found in pieces])
    held = np.concatenate([*pieces, np.zeros(0, np.int64)]).astype(np.int64)
    return (said @ sparse.csr_matrix((np.ones(len(held), np.float32), (owner, held)), (len(number), BUCKETS))).tocsr()


def _parts(word: str) -> np.ndarray:
    """Numbers of a word's parts, int64; blanks mark where it starts and ends."""
    marked = f" {word} "
    parts = {marked[at : at + size] for size in PARTS for at in range(max(1, len(marked) - size + 1))}
    return np.array(sorted(_number(part) for part in parts), np.int64)


def _number(part: str) -> int:
    return int.from_bytes(hashlib.blake2b(part.encode(), digest_size=4).digest(), "big") % BUCKETS


def _weighted(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Counts dampened and weighed by rarity, each row of length one; parts of fewer than FEWEST texts are left out."""
    texts = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(texts >= FEWEST)
    found = counts[:, kept].tocsr()
    found.data = 1.0 + np.log(found.data)
    rarity = np.log((1.0 + counts.shape[0]) / (1.0 + texts[kept])) + 1.0
    found = found.multiply(rarity).tocsr().astype(np.float32)
    length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    return (sparse.diags((1.0 / np.maximum(length, math.ulp(1.0))).astype(np.float32)) @ found).tocsr()
