# SPDX-License-Identifier: GPL-2.0-or-later
"""One picture per chip and pair: inputs, truth, what was generated, and how the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..drawing import (
    DIVERGING,
    GREY,
    LAND,
    MISSING,
    RGB,
    VEGETATION,
    Panel,
    Ramp,
    Swatch,
    colored,
    picture,
)
from ..io.base import Float32, Mask
from ..modalities import MODALITIES, Modality
from .evaluate_scores import LEVELLED

TRUE_COLOUR = ("B04", "B03", "B02")
NDVI_RANGE = (-0.4, 0.8)
"""Ends of the ramp, as in resources/styles/NDVI.qml."""
SAME, OTHER = (232, 232, 232), (136, 34, 85)
"""Pixels whose class is right, and wrong."""

Span = tuple[float, float]


def number(value: float) -> str:
    """A figure for people: "1,205", "12.3", "−0.041"."""
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"
    return text.replace("-", "−")


def draw(
    lines: Sequence[str],
    inputs: Mapping[str, Float32],
    target: str,
    truth: Float32,
    guess: Float32,
    valid: Mask,
) -> RGB:
    """Compose the picture of one chip; all arrays (bands, h, w) in their modality's unit, NaN where empty.

    ``valid`` (h, w) is where truth and guess are compared.
    """
    panels = [
        _panel(f"Input · {name}", MODALITIES[name], values, _span(name, values))
        for name, values in inputs.items()
    ]
    modality = MODALITIES[target]
    if modality.classes:
        panels += _class_panels(modality, truth, guess, valid)
    elif target in LEVELLED:
        panels += _level_panels(modality, truth, guess, valid)
    else:
        panels += _value_panels(modality, truth, guess, valid)
    shown = [inputs[name][0] for name in inputs if MODALITIES[name].classes]
    shown += [truth[0], guess[0]] if modality.classes else []
    return picture(lines, panels, _legend(shown))


def _span(name: str, values: Float32) -> Span:
    """Values at the two ends of a panel's ramp: 2nd and 98th percentile of the band that is shown."""
    if name == "NDVI":
        return NDVI_RANGE
    return _percentiles(values[0])


def _percentiles(values: Float32) -> Span:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = np.percentile(known, (2, 98))
    return float(low), float(high)


def _panel(title: str, modality: Modality, values: Float32, span: Span) -> Panel:
    """A modality in its colours; titles name the band where only one is shown."""
    if modality.classes:
        return Panel(title, _classes(modality, values[0]))
    if _is_colour(modality):
        return Panel(title, _true_colour(modality, values, values), caption="true colour")
    unit = _unit(modality)
    stops = LAND if modality.id == "DEM" else VEGETATION if modality.id == "NDVI" else GREY
    ramp = Ramp(stops, f"{number(span[0])}{unit}", f"{number(span[1])}{unit}")
    if len(modality.bands) > 1:
        title += f" {modality.band_names[0]}"
    return Panel(title, colored(values[0], stops, *span), ramp)


def _unit(modality: Modality) -> str:
    """The unit after a number, where it is short enough to stand there."""
    return f" {modality.unit}" if 0 < len(modality.unit) < 5 else ""


def _is_colour(modality: Modality) -> bool:
    return modality.id == "RGB" or modality.id.startswith("S2")


def _true_colour(modality: Modality, values: Float32, stretch: Float32) -> RGB:
    """Red, green and blue; reflectance from the 2nd to the 98th percentile of each band of ``stretch``."""
    names = modality.band_names
    places = [names.index(band) for band in TRUE_COLOUR] if "B04" in names else [0, 1, 2]
    chosen = values[places]
    if modality.id == "RGB":
        stretched = chosen / 255
    else:
        spans = [_percentiles(band) for band in stretch[places]]
        stretched = np.stack([(b - low) / max(high - low, 1) for b, (low, high) in zip(chosen, spans)])
    known = np.isfinite(chosen).all(axis=0)
    result: RGB = (np.clip(np.nan_to_num(stretched), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    result[~known] = MISSING
    return result


def _classes(modality: Modality, values: Float32) -> RGB:
    table = np.full((256, 3), MISSING, np.uint8)
    for item in modality.classes:
        if item.color[3]:
            table[item.value] = item.color[:3]
    known = np.isfinite(values)
    numbers = np.clip(np.where(known, values, 0), 0, 255).astype(np.uint8)
    result: RGB = table[numbers]
    return result


def _value_panels(modality: Modality, truth: Float32, guess: Float32, valid: Mask) -> list[Panel]:
    """Truth and guess with the colours of the truth's range, and their difference."""
    if _is_colour(modality):
        panels = [
            Panel(title, _true_colour(modality, values, truth), caption="true colour")
            for title, values in (("Truth", truth), ("Generated, same stretch", guess))
        ]
    else:
        span = _span(modality.id, truth)
        panels = [_panel("Truth", modality, truth, span), _panel("Generated", modality, guess, span)]
    return [*panels, _difference("Generated − true", modality, guess - truth, valid)]


def _class_panels(modality: Modality, truth: Float32, guess: Float32, valid: Mask) -> list[Panel]:
    counted = valid & (np.nan_to_num(truth[0]) > 0)
    right = truth[0] == guess[0]
    pixels: RGB = np.where(right[..., None], SAME, OTHER).astype(np.uint8)
    pixels[~counted] = MISSING
    share = f"{right[counted].mean():.0%} the same" if counted.any() else "nothing to compare"
    return [
        Panel("Truth", _classes(modality, truth[0])),
        Panel("Generated", _classes(modality, guess[0])),
        Panel("Dark: another class", pixels, caption=share),
    ]


def _level_panels(modality: Modality, truth: Float32, guess: Float32, valid: Mask) -> list[Panel]:
    """Truth and guess each about its own mean, over the same span; the difference with and without means."""
    if not valid.any():
        return [_panel("Truth", modality, truth, _span("", truth))]
    means = [float(values[0][valid].mean()) for values in (truth, guess)]
    deviations = np.concatenate(
        [np.abs(values[0][valid] - mean) for values, mean in zip((truth, guess), means)]
    )
    half = max(float(np.percentile(deviations, 98)), 0.5)
    panels = [
        _panel(title, modality, values, (mean - half, mean + half))
        for title, values, mean in zip(("Truth", "Generated, same span"), (truth, guess), means)
    ]
    difference = guess - truth
    panels.append(_difference("Generated − true", modality, difference, valid))
    centred = difference - (means[1] - means[0])
    panels.append(_difference("The same, means removed", modality, centred, valid))
    return panels


def _difference(title: str, modality: Modality, values: Float32, valid: Mask) -> Panel:
    """Generated less true, about 0; the mean over bands where there are several."""
    if len(values) > 1:
        title += ", band mean"
    mean = np.where(valid, values.mean(axis=0), np.nan)
    known = np.abs(mean[np.isfinite(mean)])
    most = max(float(np.percentile(known, 98)) if len(known) else 0.0, 1e-6)
    unit = _unit(modality)
    ramp = Ramp(DIVERGING, f"−{number(most)}{unit}", f"+{number(most)}{unit}")
    return Panel(title, colored(mean, DIVERGING, -most, most), ramp)


def _legend(rasters: Sequence[Float32]) -> list[Swatch]:
    """The land-cover classes that some raster shows."""
    seen = {int(value) for raster in rasters for value in np.unique(raster[np.isfinite(raster)])}
    return [
        Swatch(item.color[:3], item.name)
        for item in MODALITIES["LULC"].classes
        if item.value in seen and item.color[3]
    ]
