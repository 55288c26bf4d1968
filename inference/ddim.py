# SPDX-License-Identifier: GPL-2.0-or-later
"""Denoising diffusion implicit models (DDIM, arXiv 2010.02502), deterministic (eta 0), in numpy.

The schedule is that of TerraMind's tokenizers: linear betas rescaled to zero terminal signal-to-noise
ratio (arXiv 2305.08891), trailing steps, x0 prediction clamped to ±c. With x0 prediction and zero terminal
SNR, one step gives E[x0 | condition], the estimate with the least squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Optional

import numpy as np
import numpy.typing as npt

from .packs.manifest import DiffusionSpec
from .types import Cancel

Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=16)
def alphas_cumprod(spec: DiffusionSpec) -> Floats:
    """(train_steps,) float32: how much of the signal's power is left after each training step.

    Rounded to float32 where the reference rounds, so that both walk the same steps.
    """
    betas = np.linspace(spec.beta_start, spec.beta_end, spec.train_steps, dtype=np.float64).astype(np.float32)
    one = np.float32(1)
    if spec.zero_terminal_snr:
        root = np.sqrt(_cumprod(one - betas))
        scale = root[0] / (root[0] - root[-1])
        squared: Floats = ((root - root[-1]) * scale) ** 2
        betas = one - np.concatenate([squared[:1], squared[1:] / squared[:-1]])
    result = _cumprod(one - betas)
    result.setflags(write=False)
    return result


def _cumprod(values: Floats) -> Floats:
    return np.cumprod(values.astype(np.float64)).astype(np.float32)


def timesteps(spec: DiffusionSpec, steps: int) -> list[int]:
    """The training steps to visit, noisiest first.

    As in the reference, trailing steps lie ``train_steps // steps`` apart, so that a count that does not
    divide evenly gives more steps than asked for: 3 of 1000 are four (999, 666, 333, 0).
    """
    if not 1 <= steps <= spec.train_steps:
        raise ValueError(f"{steps} denoising steps; must be 1 to {spec.train_steps}")
    ratio = spec.train_steps // steps
    if spec.spacing == "trailing":
        return [int(t) - 1 for t in range(spec.train_steps, 0, -ratio)]
    if spec.spacing == "leading":
        return [i * ratio for i in reversed(range(steps))]
    return [int(t) - 1 for t in np.linspace(spec.train_steps, 1, steps).round()]


def denoise(
    predict: Callable[[Floats, int], Floats],
    noise: Floats,
    spec: DiffusionSpec,
    *,
    steps: int,
    clamp: float,
    cancel: Optional[Cancel] = None,
) -> Floats:
    """Walk from noise to an image.

    ``predict(noisy, timestep)`` is the network: (B, C, H, W) float32 to its prediction of the same shape.
    ``noise`` is standard normal. Each x0 is clamped to ±``clamp`` standard deviations; returns the last.
    Raises Cancelled between steps.
    """
    alphas = alphas_cumprod(spec)
    ratio = spec.train_steps // steps
    image = noise
    for t in timesteps(spec, steps):
        if cancel is not None:
            cancel.raise_if_set()
        before = alphas[t - ratio] if t >= ratio else np.float32(1)
        image = _step(predict(image, t), image, alphas[t], before, spec.prediction, clamp)
    return image


def _step(
    output: Floats, image: Floats, alpha: np.float32, before: np.float32, prediction: str, clamp: float
) -> Floats:
    """One DDIM step, formula (12) with sigma 0. Like the reference, the noise is that of the unclamped x0."""
    beta = np.float32(1) - alpha
    signal, sigma = np.sqrt(alpha), np.sqrt(beta)
    if prediction == "sample":
        x0, noise = output, (image - signal * output) / sigma
    elif prediction == "epsilon":
        x0, noise = (image - sigma * output) / signal, output
    else:
        x0, noise = signal * image - sigma * output, signal * output + sigma * image
    x0 = np.clip(x0, np.float32(-clamp), np.float32(clamp))
    if before == 1:
        return x0.astype(np.float32, copy=False)
    result: Floats = np.sqrt(before) * x0 + np.sqrt(np.float32(1) - before) * noise
    return result.astype(np.float32, copy=False)
