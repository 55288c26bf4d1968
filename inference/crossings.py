# SPDX-License-Identifier: GPL-2.0-or-later
"""Arcs that cross, touch or jump over each other, found by sorting their pieces into cells."""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol

import numpy as np
import numpy.typing as npt

from .outlines import Float64, Int, Mask
from .types import Cancel

CELL = 8.0
"""Pixels to a cell at least."""


class Lines(Protocol):
    """Lines one after the other: line i has vertices ``first[i]`` to ``first[i + 1]``."""

    @property
    def x(self) -> Float64:
        """Across."""
        ...

    @property
    def y(self) -> Float64:
        """Down."""
        ...

    @property
    def first(self) -> Int:
        """(n + 1,)"""
        ...


class _Segments(NamedTuple):
    ax: Float64
    ay: Float64
    bx: Float64
    by: Float64
    line: Int


def crossing(lines: Lines, cancel: Optional[Cancel] = None) -> Mask:
    """Which lines (n,) have a segment in common with another line or themselves but for shared ends."""
    counts = np.diff(lines.first)
    line = np.repeat(np.arange(len(counts)), counts)
    inside = np.ones(len(line), np.bool_)
    inside[lines.first[1:] - 1] = False
    start = np.flatnonzero(inside)
    segments = _Segments(lines.x[start], lines.y[start], lines.x[start + 1], lines.y[start + 1], line[start])
    bad = np.zeros(len(counts), np.bool_)
    cell, member = _cells(segments)
    step = 1
    while True:
        if cancel is not None:
            cancel.raise_if_set()
        near = np.flatnonzero(cell[step:] == cell[:-step])
        if not len(near):
            return bad
        first, second = member[near], member[near + step]
        hit = _meet(
            _Segments(*(part[first] for part in segments)), _Segments(*(part[second] for part in segments))
        )
        bad[segments.line[first[hit]]] = True
        bad[segments.line[second[hit]]] = True
        step += 1


def _cells(s: _Segments) -> tuple[Int, Int]:
    """Cell and segment, sorted by cells: long segments are looked at in pieces of a cell's length."""
    length = np.hypot(s.bx - s.ax, s.by - s.ay)
    size = max(CELL, float(length.mean()) if len(length) else CELL)
    pieces = np.ceil(length / size).astype(np.int64).clip(1)
    member = np.repeat(np.arange(len(length)), pieces)
    nth = np.arange(len(member)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low, high = nth / pieces[member], (nth + 1) / pieces[member]
    dx, dy = (s.bx - s.ax)[member], (s.by - s.ay)[member]
    ax, ay = s.ax[member], s.ay[member]
    # A hair more on each side, so that rounding puts no piece into too few cells.
    slack = np.array([[-1e-6], [1e-6]])
    x = np.sort(np.stack((ax + low * dx, ax + high * dx)), axis=0) + slack
    y = np.sort(np.stack((ay + low * dy, ay + high * dy)), axis=0) + slack
    columns, rows = np.floor(x / size).astype(np.int64), np.floor(y / size).astype(np.int64)
    wide = int(columns.max(initial=0)) + 3
    both = [(columns[i] + 1) + (rows[j] + 1) * wide for i in (0, 1) for j in (0, 1)]
    pairs = np.unique(np.stack((np.concatenate(both), np.tile(member, 4))), axis=1)
    return pairs[0], pairs[1]


def _side(ax: Float64, ay: Float64, bx: Float64, by: Float64, px: Float64, py: Float64) -> Float64:
    """On which side of a line points lie: −1, 0 or 1."""
    return np.asarray(np.sign((bx - ax) * (py - ay) - (by - ay) * (px - ax)))


def _meet(s: _Segments, t: _Segments) -> Mask:
    """Whether segments have more in common than one end of both."""
    c, d = _side(*s[:4], t.ax, t.ay), _side(*s[:4], t.bx, t.by)
    a, b = _side(*t[:4], s.ax, s.ay), _side(*t[:4], s.bx, s.by)
    overlap = (
        (np.minimum(s.ax, s.bx) <= np.maximum(t.ax, t.bx))
        & (np.minimum(t.ax, t.bx) <= np.maximum(s.ax, s.bx))
        & (np.minimum(s.ay, s.by) <= np.maximum(t.ay, t.by))
        & (np.minimum(t.ay, t.by) <= np.maximum(s.ay, s.by))
    )
    meet = overlap & (a * b <= 0) & (c * d <= 0)
    for one, other in ((False, False), (False, True), (True, False), (True, True)):
        px, py, qx, qy = (s.bx, s.by, s.ax, s.ay) if one else (s.ax, s.ay, s.bx, s.by)
        ux, uy, vx, vy = (t.bx, t.by, t.ax, t.ay) if other else (t.ax, t.ay, t.bx, t.by)
        shared = (px == ux) & (py == uy)
        along = ((qx - px) * (vx - px) + (qy - py) * (vy - py) > 0) & (a * b == 0) & (c * d == 0)
        straight = along & (_side(px, py, qx, qy, vx, vy) == 0)
        closed = (qx == vx) & (qy == vy)
        meet = np.where(shared, straight | closed, meet)
    return np.asarray(meet)


def between(old: Lines, new: Lines, changed: Mask, cancel: Optional[Cancel] = None) -> Mask:
    """Which changed lines have an end of another line between what they were and what they are.

    Neither crosses anything: what lies between has been jumped over as a whole, and its ends with it.
    """
    ends = np.concatenate((old.first[:-1], old.first[1:] - 1))
    spots = np.unique(np.stack((old.x[ends], old.y[ends])), axis=1)
    bad = np.zeros(len(changed), np.bool_)
    for i in np.flatnonzero(changed).tolist():
        if cancel is not None:
            cancel.raise_if_set()
        was, now = slice(old.first[i], old.first[i + 1]), slice(new.first[i], new.first[i + 1])
        x = np.concatenate((old.x[was], new.x[now][::-1]))
        y = np.concatenate((old.y[was], new.y[now][::-1]))
        low, high = np.searchsorted(spots[0], (x.min(), x.max()), side="left")
        px, py = spots[:, low : int(high) + 1]
        inside = (py > y.min()) & (py < y.max()) & (px > x.min()) & (px < x.max())
        own = ((px == x[0]) & (py == y[0])) | ((px == old.x[was][-1]) & (py == old.y[was][-1]))
        px, py = px[inside & ~own], py[inside & ~own]
        bad[i] = len(px) > 0 and bool(_inside(px, py, x, y).any())
    return bad


def _inside(px: Float64, py: Float64, x: Float64, y: Float64) -> npt.NDArray[np.bool_]:
    """Whether points lie in a ring, by the even-odd rule."""
    bx, by = np.roll(x, -1), np.roll(y, -1)
    spans = (y[:, None] > py) != (by[:, None] > py)
    rise = np.where(by == y, 1.0, by - y)[:, None]
    right = px < x[:, None] + (py - y[:, None]) * (bx - x)[:, None] / rise
    return np.asarray((spans & right).sum(axis=0) % 2 == 1)
