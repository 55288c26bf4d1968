# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into users' own models and what comes out, as pure functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..packs.peer_settings import PeerSettings

Floats = npt.NDArray[np.float32]
FAINT = 1e-6
"""Weight of pixels that a model did not answer for: it counts where nothing else does."""


def prepared(image: npt.NDArray[Any], settings: PeerSettings) -> Floats:
    """Pixels (B, bands, T, T) as a model wants them: (x - low) / (high - low), then (x - mean) / std.

    Pixels without data (NaN) become 0 before the mean is taken, as where Deepness pads.
    """
    bands = (1, -1, 1, 1)
    low = np.asarray(settings.low, np.float32).reshape(bands)
    high = np.asarray(settings.high, np.float32).reshape(bands)
    values = (image.astype(np.float32) - low) / (high - low)
    values = np.where(np.isfinite(values), values, np.float32(0))
    if settings.mean and settings.std:
        values -= np.asarray(settings.mean, np.float32).reshape(bands)
        values /= np.asarray(settings.std, np.float32).reshape(bands)
    return np.ascontiguousarray(values, np.float32)


def likelihoods(output: npt.NDArray[Any], activation: str, single: bool) -> Floats:
    """A segmentor's output (B, H, W) or (B, C, H, W) to (B, classes, H, W).

    They are 0 to 1, unless the model gives something else and ``activation`` is "none".
    ``single``: one channel, the likelihood p of class 1, becomes (1 - p, p).
    """
    values = np.asarray(output, np.float32)
    if values.ndim == 3:
        values = values[:, None]
    if activation == "sigmoid" or (activation == "softmax" and single):
        values = sigmoid(values)
    elif activation == "softmax":
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    if single:
        values = np.concatenate((1 - values, values), axis=1)
    return values


def sigmoid(values: npt.NDArray[Any]) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def chosen(values: Floats, threshold: float, single: bool) -> npt.NDArray[np.intp]:
    """Likelihoods (classes, h, w) to the numbers of the classes (h, w).

    What is below ``threshold`` counts as 0, and then the first of the greatest is taken: class 0 where none
    is likely enough. With ``single``, class 1 where it reaches the threshold (with 0: one half).
    """
    if single:
        return np.asarray(values[1] >= (threshold or 0.5), np.intp)
    return np.asarray(np.where(values >= threshold, values, 0).argmax(axis=0), np.intp)


def framed(values: Floats, tile: int) -> Floats:
    """A smaller answer (B, C, h, w) in the middle of its tile, as weighted values and weight (B, C + 1, T, T).

    The frame repeats the nearest answer with next to no weight: it shows only at the edge of a scene, where
    no other tile answers. Divide by the last channel after blending (``unframed``).
    """
    side = values.shape[-1]
    margin = (tile - side) // 2
    pad = ((0, 0), (0, 0), (margin, margin), (margin, margin))
    weight = np.pad(np.ones((len(values), 1, side, side), np.float32), pad, constant_values=FAINT)
    return np.concatenate((np.pad(values, pad, mode="edge") * weight, weight), axis=1)


def unframed(values: Floats) -> Floats:
    """Blended values of ``framed`` (C + 1, h, w) to what they stand for (C, h, w); 0 where nothing is."""
    weight = values[-1]
    return np.divide(values[:-1], weight, out=np.zeros_like(values[:-1]), where=weight > 0)


def cosine(vectors: npt.NDArray[Any], example: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How alike vectors (n, D) are to one (D,): the cosine of their angle, -1 to 1; 0 where one is 0."""
    many, one = np.asarray(vectors, np.float64), np.asarray(example, np.float64)
    lengths = np.linalg.norm(many, axis=1) * np.linalg.norm(one)
    return np.divide(many @ one, lengths, out=np.zeros(len(many)), where=lengths > 0)
