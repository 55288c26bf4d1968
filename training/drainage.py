# SPDX-License-Identifier: GPL-2.0-or-later
"""Where water runs on a coarse grid of 40 m: depressions, receivers, upslope areas, smooth channel lines."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from .fields import Noise

Grid = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

PIXEL_M = 10.0
#: Pixels to a coarse cell, and coarse cells of margin on each side of the scene (320 m).
STEP = 4
MARGIN = 8
CELL_M2 = (STEP * PIXEL_M) ** 2
#: Upslope area at which a channel begins, m2 (Montgomery & Dietrich 1988, doi:10.1038/336232a0: 1e4 to 1e5).
CHANNEL_M2 = 6.0e4


@dataclass(frozen=True)
class Network:
    """Drainage of the coarse grid: flat arrays over its cells, a cell's receiver being lower than it."""

    order: list[int]
    receiver: Index
    area: Grid
    filled: Grid


@dataclass(frozen=True)
class Channels:
    """Points along smoothed channel lines: pixel coordinates, surface in metres, upslope area in m2."""

    row: Grid
    column: Grid
    level: Grid
    area: Grid


def edge_cells(shape: tuple[int, ...]) -> Mask:
    """Return the outermost cells, bool."""
    edge = np.ones(shape, dtype=bool)
    edge[1:-1, 1:-1] = False
    return edge


def outlets(height: Grid, coast: float) -> Mask:
    """Return the cells where water leaves: the lowest eighth of the edge, and the sea."""
    edge = edge_cells(height.shape)
    out: Mask = edge & (height <= np.quantile(height[edge], 0.12))
    if coast > 0.0:
        inner = height[MARGIN:-MARGIN, MARGIN:-MARGIN]
        out |= height <= np.quantile(inner, min(coast, 0.98))
    return out


def flood(height: Grid, outlet: Mask) -> Grid:
    """Return heights with depressions filled to just above their spill (Barnes et al. 2014,
    doi:10.1016/j.cageo.2013.04.024)."""
    rows, columns = height.shape
    wide = columns + 2
    fill: list[float] = np.pad(height, 1).ravel().tolist()
    closed = bytearray(np.pad(outlet, 1, constant_values=True).astype(np.uint8).tobytes())
    seeds = np.flatnonzero(np.pad(outlet, 1).ravel()).tolist()
    heap = [(fill[i], i) for i in seeds]
    heapq.heapify(heap)
    step = 1e-5 * max(float(np.ptp(height)), 1e-6)
    around = (-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1)
    pop, push = heapq.heappop, heapq.heappush
    while heap:
        level, i = pop(heap)
        level += step
        for k in around:
            j = i + k
            if closed[j]:
                continue
            closed[j] = 1
            fill[j] = max(fill[j], level)
            push(heap, (fill[j], j))
    return np.array(fill).reshape(rows + 2, wide)[1:-1, 1:-1]


def route(rng: np.random.Generator, height: Grid, outlet: Mask, supply: Grid) -> Network:
    """Return receivers (D8, O'Callaghan & Mark 1984, slopes jittered to hide the grid) and upslope areas."""
    rows, columns = height.shape
    filled = flood(height, outlet)
    padded = np.pad(filled, 1, constant_values=np.inf)
    best = np.zeros(height.shape)
    receiver = np.arange(rows * columns).reshape(rows, columns)
    own = receiver.copy()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy == 0 and dx == 0:
                continue
            drop = (filled - padded[1 + dy : rows + 1 + dy, 1 + dx : columns + 1 + dx]) / math.hypot(dy, dx)
            drop *= 0.7 + 0.6 * rng.random(height.shape, dtype=np.float32)
            better = (drop > best) & ~outlet
            best[better] = drop[better]
            receiver[better] = own[better] + dy * columns + dx
    flat = receiver.ravel()
    order: list[int] = np.argsort(filled, axis=None, kind="stable").tolist()
    area, to = supply.tolist(), flat.tolist()
    for i in reversed(order):
        if to[i] != i:
            area[to[i]] += area[i]
    return Network(order, flat, np.array(area), filled)


def trace(noise: Noise, network: Network, level: Grid) -> Channels:
    """Return points along the channels: quadratic curves through the middles of the drainage steps."""
    columns = noise.shape[1]
    wander = 0.45 * np.stack([noise.smooth(5.0, 20.0, 1.5).ravel(), noise.smooth(5.0, 20.0, 1.5).ravel()])
    cells = np.arange(network.area.size)
    place = np.stack([cells // columns, cells % columns]).astype(np.float64) + wander
    to = network.receiver
    for _ in range(3):
        place = np.where(to == cells, place, 0.6 * place + 0.4 * place[:, to]) if _ % 2 == 0 else place
    start = np.flatnonzero((network.area >= CHANNEL_M2) & (to != cells))
    second, third = to[start], to[to[start]]
    t = (np.arange(12) / 12.0)[:, None]

    def curve(values: Grid) -> Grid:
        a, b, c = (
            0.5 * (values[start] + values[second]),
            values[second],
            0.5 * (values[second] + values[third]),
        )
        bent: Grid = ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c).ravel()
        return bent

    row, column = ((curve(axis) - MARGIN + 0.5) * STEP - 0.5 for axis in place)
    area = np.where(t < 0.5, network.area[start], network.area[second]).ravel()
    return Channels(row, column, curve(level), area)


def inside(channels: Channels, shape: tuple[int, int]) -> Channels:
    """Return the points that lie in the scene."""
    row, column = np.rint(channels.row), np.rint(channels.column)
    ok = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    return Channels(channels.row[ok], channels.column[ok], channels.level[ok], channels.area[ok])


def nearest(points: Channels, shape: tuple[int, int]) -> tuple[Grid, Index]:
    """Return each pixel's distance to the nearest channel point in metres, and that point's number."""
    order = np.argsort(points.area, kind="stable")
    number = np.full(shape, -1, dtype=np.int64)
    row, column = np.rint(points.row).astype(int)[order], np.rint(points.column).astype(int)[order]
    np.maximum.at(number, (row, column), np.arange(order.size))
    at = ndimage.distance_transform_edt(number < 0, return_distances=False, return_indices=True)
    which = order[number[at[0], at[1]]]
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    distance: Grid = np.hypot(y - points.row[which], x - points.column[which]) * PIXEL_M
    return distance, which
