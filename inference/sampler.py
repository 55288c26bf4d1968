# SPDX-License-Identifier: GPL-2.0-or-later
"""From logits to tokens, and the random numbers behind it: argmax, or top-p with a temperature.

Every draw comes from its own counter-based generator (Philox), keyed by what it is for, so that results
do not depend on batching, order, or what else was run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_BINS = 1024
"""Classes of probability in which the edge of the nucleus is looked for."""


def generator(seed: int, tile: int, target: str, step: int = 0, sample: int = 0) -> np.random.Generator:
    """The random numbers for one purpose: Philox keyed by (seed, tile, target, step, sample).

    The 128-bit key is a BLAKE2 hash of the five, so that any integers and names will do and no two
    purposes share a stream.
    """
    text = f"{seed}\0{tile}\0{target}\0{step}\0{sample}".encode()
    key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))


def argmax(logits: npt.NDArray[Any]) -> Ids:
    """The likeliest token of each row: (..., V) to (...) int64; the first among equals."""
    return cast(Ids, logits.argmax(axis=-1).astype(np.int64))


def top_p(logits: Floats, rng: np.random.Generator, *, p: float, temperature: float = 1.0) -> Ids:
    """Draw one token per row from the smallest set of likeliest tokens whose probability exceeds ``p``.

    logits: (N, V), finite. As in the reference: the set is found on the logits as they are (the token
    that crosses ``p`` is kept; p = 0 keeps all), then the temperature is applied to what is left. A
    temperature of 0 is argmax. Rows draw in order, one number each. Returns (N,) int64.
    """
    rows = len(logits)
    draws = rng.random(rows)
    if temperature <= 0:
        return argmax(logits)
    shifted: Floats = logits - logits.max(axis=1, keepdims=True)
    weights: Floats = np.exp(shifted)
    final = weights if temperature == 1 else np.exp(shifted / np.float32(temperature))
    ids = np.empty(rows, np.int64)
    for row, kept in enumerate(_nuclei(shifted, weights, p)):
        cumulative = final[row, kept].cumsum(dtype=np.float64)
        place = int(np.searchsorted(cumulative, draws[row] * cumulative[-1], side="right"))
        ids[row] = kept[min(place, len(kept) - 1)]
    return ids


def _nuclei(shifted: Floats, weights: Floats, p: float) -> Iterator[Ids]:
    """Per row, the tokens of the nucleus in ascending order, without sorting the vocabulary.

    shifted: logits less the row's largest; weights: their exponentials. Tokens are counted into bins of
    equal width in logits; all before the bin in which the sum crosses ``p`` are in, and only that bin is
    sorted (equal logits by index). Tokens below ``(1 - p) / V`` share the last bin: together they weigh
    less than 1 - p, so that the crossing never lies there.
    """
    rows, size = shifted.shape
    if not 0 < p < 1:
        yield from (np.arange(size, dtype=np.int64) for _ in range(rows))
        return
    total = weights.sum(axis=1, dtype=np.float64)
    floor = np.log(total * ((1 - p) / size)) - 1e-3
    bins = np.minimum(shifted * (_BINS / floor).astype(np.float32)[:, None], np.float32(_BINS)).astype(
        np.int64
    )
    flat = (bins + np.arange(rows)[:, None] * (_BINS + 1)).ravel()
    mass = np.bincount(flat, weights.ravel(), minlength=rows * (_BINS + 1)).reshape(rows, _BINS + 1)
    before = mass.cumsum(axis=1)
    edges = np.minimum((before <= (p * total)[:, None]).sum(axis=1), _BINS)
    for row, edge in enumerate(edges):
        inside = np.flatnonzero(bins[row] < edge)
        border = np.flatnonzero(bins[row] == edge)
        border = border[np.argsort(-shifted[row, border], kind="stable")]
        reached = (before[row, edge - 1] if edge else 0.0) + weights[row, border].cumsum(dtype=np.float64)
        count = int((reached <= p * total[row]).sum()) + 1
        yield np.sort(np.concatenate([inside, border[:count]]))
