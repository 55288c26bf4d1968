# SPDX-License-Identifier: GPL-2.0-or-later
"""Masks to polygons along the very edges of their pixels, and areas on the ellipsoid. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .geodesic import EQUATORIAL_RADIUS, FLATTENING

Float64 = npt.NDArray[np.float64]
Point = tuple[int, int]
Ring = list[Point]


def outlines(mask: npt.NDArray[np.bool_]) -> list[list[Ring]]:
    """Polygons of the True pixels (h, w): each the outer ring and then its holes, corners as (col, row).

    Pixels that touch at a corner only are apart, as in GDAL's polygonize with 4-connectedness. Rings are
    open, without corners on straight edges; outer ones run clockwise as one sees them, holes the other way.
    """
    ways = _edges(mask)
    rings = []
    while ways:
        rings.append(_ring(ways))
    outer = [[ring] for ring in rings if _twice(ring) > 0]
    for hole in (ring for ring in rings if _twice(ring) <= 0):
        # A hole belongs to the smallest outer ring around it: next to a corner of it, inside the hole.
        col, row = min(hole)
        around = [one for one in outer if _holds(one[0], col + 0.5, row + 0.5)]
        min(around, key=lambda one: _twice(one[0])).append(hole)
    return outer


def _edges(mask: npt.NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """From each corner the corners where an edge of the mask leads, the mask on the right (y points down)."""
    padded = np.pad(mask, 1)
    ways: dict[Point, list[Point]] = {}

    def add(cells: npt.NDArray[np.bool_], start: Point, end: Point) -> None:
        rows, cols = np.nonzero(cells)
        for row, col in zip((rows - 1).tolist(), (cols - 1).tolist()):
            ways.setdefault((col + start[0], row + start[1]), []).append((col + end[0], row + end[1]))

    inner = padded[1:-1, 1:-1]
    frame = np.zeros_like(padded)

    def bare(row: int, col: int) -> npt.NDArray[np.bool_]:
        """Pixels whose neighbour in a direction is none."""
        result = frame.copy()
        neighbour = padded[1 + row : padded.shape[0] - 1 + row, 1 + col : padded.shape[1] - 1 + col]
        result[1:-1, 1:-1] = inner & ~neighbour
        return result

    add(bare(-1, 0), (0, 0), (1, 0))
    add(bare(0, 1), (1, 0), (1, 1))
    add(bare(1, 0), (1, 1), (0, 1))
    add(bare(0, -1), (0, 1), (0, 0))
    return ways


def _ring(ways: dict[Point, list[Point]]) -> Ring:
    """Follow edges from any corner until it is reached again, and take them out."""
    start = min(ways)
    ring: Ring = []
    here, step = start, (0, 0)
    while True:
        choices = ways[here]
        if len(choices) == 1:
            there = choices[0]
        else:
            # Two pixels meet at this corner: turn right, to stay with the same one.
            right = (-step[1], step[0])
            there = next((c for c in choices if (c[0] - here[0], c[1] - here[1]) == right), choices[0])
        choices.remove(there)
        if not choices:
            del ways[here]
        onward = (there[0] - here[0], there[1] - here[1])
        if onward != step:
            ring.append(here)
        here, step = there, onward
        if here == start:
            return ring


def _twice(ring: Sequence[Point]) -> int:
    """Twice the area; positive for rings that run clockwise where y points down."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]]))


def _holds(ring: Sequence[Point], x: float, y: float) -> bool:
    inside = False
    for (ax, ay), (bx, by) in zip(ring, [*ring[1:], ring[0]]):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            inside = not inside
    return inside


def inside(rings: Sequence[Sequence[tuple[float, float]]], x: Float64, y: Float64) -> npt.NDArray[np.bool_]:
    """Which places (n,) lie in a polygon: inside of an odd number of its rings."""
    result = np.zeros(len(x), np.bool_)
    for ring in rings:
        for (ax, ay), (bx, by) in zip(ring, [*ring[1:], ring[0]]):
            if ay == by:
                continue
            spans = (ay > y) != (by > y)
            result ^= spans & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return result


def ellipsoid_area(lon: Float64, lat: Float64) -> float:
    """Square metres on WGS 84 inside a ring of places in degrees; never negative.

    Shoelace in Lambert's cylindrical equal-area projection (J. P. Snyder, Map Projections, USGS Professional
    Paper 1395, 1987, eq. 3-12 and 10-1 ff.), where straight edges between near places stand for themselves.
    """
    first = np.sqrt(FLATTENING * (2 - FLATTENING))
    sine = np.sin(np.radians(lat))
    q = (1 - first**2) * (
        sine / (1 - (first * sine) ** 2) - np.log((1 - first * sine) / (1 + first * sine)) / (2 * first)
    )
    turn = np.radians(np.remainder(lon - lon[0] + 180, 360) - 180)
    x, y = EQUATORIAL_RADIUS * turn, EQUATORIAL_RADIUS * (q - q[0]) / 2
    return float(abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2)
