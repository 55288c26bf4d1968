# SPDX-License-Identifier: GPL-2.0-or-later
"""Convex polygons by the thousand: areas, intersections, overlap. Exact clipping, vectorised over pairs.

Polygons are (n, k, 2) float64, k corners in either direction of turning; corners may repeat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def corners(boxes: npt.NDArray[Any]) -> Float64:
    """Oriented boxes (n, 5) as centre x, y, width, height and angle in radians to their corners (n, 4, 2).

    The angle turns the x axis towards the y axis, as Ultralytics has it; in pixels that is clockwise.
    """
    x, y, width, height, angle = np.asarray(boxes, np.float64).T
    cos, sin = np.cos(angle), np.sin(angle)
    along = np.stack((cos * width / 2, sin * width / 2), axis=1)
    across = np.stack((-sin * height / 2, cos * height / 2), axis=1)
    centre = np.stack((x, y), axis=1)
    places = (
        centre - along - across,
        centre + along - across,
        centre + along + across,
        centre - along + across,
    )
    return np.stack(places, axis=1)


def areas(polygons: Float64) -> Float64:
    """Areas (n,), never negative (the shoelace formula about the first corner)."""
    moved = polygons - polygons[:, :1]
    x, y = moved[..., 0], moved[..., 1]
    twice = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    return np.asarray(np.abs(twice) / 2)


def intersections(first: Float64, second: Float64) -> Float64:
    """Areas (n,) of what each of ``first`` has in common with its partner in ``second``.

    Cuts ``first`` by every edge of ``second`` (Sutherland and Hodgman, CACM 17, 1974, doi
    10.1145/360767.360802). Coordinates are taken relative to the pair, so that large ones lose nothing.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    origin = second[:, :1]
    first, second = first - origin, second - origin
    turn = _turn(second)
    count = second.shape[1]
    for edge in range(count):
        start, end = second[:, edge], second[:, (edge + 1) % count]
        first = _cut(first, start, end, turn)
    return areas(first)


def overlaps(first: Float64, second: Float64) -> Float64:
    """Intersection over union (n,) of pairs of polygons, 0 to 1; 0 where both are without area."""
    common = intersections(first, second)
    union = areas(first) + areas(second) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _turn(polygons: Float64) -> Float64:
    """+1 or -1 (n,): which way the corners go round; 0 without area."""
    x, y = polygons[..., 0], polygons[..., 1]
    twice = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    return np.asarray(np.sign(twice))


def _cut(polygons: Float64, start: Float64, end: Float64, turn: Float64) -> Float64:
    """The parts of polygons (n, k, 2) on the inner side of a line each, as (n, k + 1, 2)."""
    rows, count = polygons.shape[:2]
    along = end - start
    offset = polygons - start[:, None]
    side = (along[:, None, 0] * offset[..., 1] - along[:, None, 1] * offset[..., 0]) * turn[:, None]
    # An edge without length cuts nothing; a partner without area leaves nothing.
    side = np.where((turn == 0)[:, None], -1.0, side)
    following, next_side = np.roll(polygons, -1, axis=1), np.roll(side, -1, axis=1)
    inside = side >= 0
    crosses = inside != (next_side >= 0)
    span = np.where(crosses, side - next_side, 1.0)
    crossing = polygons + (np.where(crosses, side, 0.0) / span)[..., None] * (following - polygons)
    made = np.empty((rows, 2 * count, 2))
    made[:, 0::2], made[:, 1::2] = polygons, crossing
    kept = np.empty((rows, 2 * count), np.bool_)
    kept[:, 0::2], kept[:, 1::2] = inside, crosses
    # A convex polygon gains one corner at most; free places repeat the first corner, which adds no area.
    order = np.argsort(~kept, axis=1, kind="stable")[:, : count + 1]
    made = np.take_along_axis(made, order[..., None], axis=1)
    kept = np.take_along_axis(kept, order, axis=1)
    return np.where(kept[..., None], made, made[:, :1])
