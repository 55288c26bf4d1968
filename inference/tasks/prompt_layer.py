# SPDX-License-Identifier: GPL-2.0-or-later
"""A vector layer as prompts: one object per feature, in pixels of a scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from ..errors import ExtentError, InputError
from ..grid import Grid
from ..io import wkb
from ..io.base import Features, Geo
from ..io.core import short_name
from ..prompts import Place, Prompt

LABEL = "label"
"""The column that says which points lie on the object: one sign for all of a feature's, or one each."""
_SIGNS = {"1": True, "+": True, "0": False, "-": False, "−": False}


def prompts_of(path: str, grid: Grid, geo: Geo) -> tuple[list[Prompt], Features]:
    """The prompts of a layer's features, in pixels of a grid, and the layer as it was read.

    Points are points (multipoints with a column ``label``, such as "++-" or "1 1 0", are points on the object
    and beside it), lines are scribbles, polygons stand for the boxes around them. Any CRS. Raises SourceError,
    InputError for a feature that says nothing, ExtentError for one outside of the grid.
    """
    features = geo.read_features(path)
    if not len(features.wkb):
        raise InputError(f"{short_name(path)} holds no features to start from.")
    labels = next((v for k, v in features.columns.items() if k.lower() == LABEL), None)
    made = []
    for number, data in enumerate(features.wkb):
        who = f"Feature {number + 1} of {short_name(path)}"
        try:
            found = wkb.parts(data) if data else None
        except ValueError as error:
            raise InputError(f"{who} cannot be used: {error}.") from error
        if found is None or not any(found):
            raise InputError(f"{who} has no geometry; delete it, or draw it.")
        prompt = _prompt(found, None if labels is None else labels[number], who, features.crs, grid, geo)
        try:
            made.append(prompt.within(grid.width, grid.height))
        except ExtentError as error:
            raise ExtentError(
                f"{who} lies outside of the scene; check the layer's CRS, {geo.crs_name(features.crs)}."
            ) from error
    return made, features


def _prompt(found: wkb.Shapes, label: Any, who: str, crs: str, grid: Grid, geo: Geo) -> Prompt:
    places = _pixels(found.points, who, crs, grid, geo)
    prompt = Prompt(tuple(places), tuple(_signs(label, len(places), who)))
    for line in found.lines:
        prompt = prompt.with_scribble(_pixels(line, who, crs, grid, geo), _one_sign(label))
    corners = [place for rings in found.polygons for place in rings[0]]
    if corners:
        xs, ys = zip(*_pixels(corners, who, crs, grid, geo))
        prompt = prompt.with_box(min(xs), min(ys), max(xs), max(ys))
    if prompt.box is None and not any(prompt.positive):
        raise InputError(
            f"{who} says what does not belong to the object, but not where it is; add a + point."
        )
    return prompt


def _pixels(places: Sequence[Place], who: str, crs: str, grid: Grid, geo: Geo) -> list[Place]:
    """Places in a CRS as pixels of a grid. Raises ExtentError where the grid's CRS does not know them."""
    if not places:
        return []
    xs, ys = [x for x, _ in places], [y for _, y in places]
    if not geo.same_crs(crs, grid.crs):
        xs, ys = geo.transform(crs, grid.crs, xs, ys)
    if not np.isfinite([*xs, *ys]).all():
        raise ExtentError(f"{who} lies outside of the scene; check the layer's CRS, {geo.crs_name(crs)}.")
    return [grid.transform.invert(float(x), float(y)) for x, y in zip(xs, ys)]


def _signs(label: Any, count: int, who: str) -> list[bool]:
    """Which of ``count`` points lie on the object."""
    signs = _read(label)
    if signs is None or len(signs) == 1:
        return [signs is None or signs[0]] * count
    if len(signs) != count:
        raise InputError(
            f"{who} has {count} points, but its label {label!r} says {len(signs)}: one sign for each."
        )
    return signs


def _one_sign(label: Any) -> bool:
    signs = _read(label)
    return signs is None or signs[0]


def _read(label: Any) -> Optional[list[bool]]:
    """Signs of a label: "++-", "1 1 0", 1, 0.0. None for anything else, such as the object's name."""
    if label is None or (isinstance(label, (float, np.floating)) and math.isnan(label)):
        return None
    text = str(int(label)) if isinstance(label, (int, float, np.integer, np.floating)) else str(label)
    marks = [mark for mark in text if mark not in " ,;"]
    if not marks or any(mark not in _SIGNS for mark in marks):
        return None
    return [_SIGNS[mark] for mark in marks]
