# SPDX-License-Identifier: GPL-2.0-or-later
"""Outlines simplified and smoothed once per shared arc, so that neighbours keep the same edge.

Rings are cut into arcs where three edges meet. An arc that two patches share is one arc, changed once, with
its ends fixed: no gap can open and nothing can overlap but where arcs would cross, touch, fall together or
jump over one another. Those are found, exactly (all coordinates are small whole numbers over powers of two),
and left as they were.

Simplifying: D. H. Douglas and T. K. Peucker, Cartographica 10 (1973), doi 10.3138/FM57-6770-U75U-7727.
Smoothing: G. M. Chaikin, Computer Graphics and Image Processing 3 (1974), doi 10.1016/0146-664X(74)90028-8.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np

from .crossings import between, crossing
from .outlines import Float64, Int, Mask, Rings
from .types import Cancel


class Arcs(NamedTuple):
    """Lines from end to end, one after the other: arc i has vertices ``first[i]`` to ``first[i + 1]``."""

    x: Float64
    y: Float64
    first: Int


class Uses(NamedTuple):
    """Rings as rows of arcs: ring i is made of the uses ``first[i]`` to ``first[i + 1]``."""

    arc: Int
    forward: Mask
    first: Int


def simplify_rings(
    rings: Rings, *, tolerance: float = 0.0, rounds: int = 0, cancel: Optional[Cancel] = None
) -> tuple[Float64, Float64, Int]:
    """Vertices and bounds of rings, in their order, after simplifying by ``tolerance`` (pixels that an
    outline moves by at most) and some rounds of corner cutting. ``rings`` need their nodes marked. Raises
    Cancelled."""
    cancel = cancel or Cancel()
    if not len(rings.patch):
        return rings.x.astype(np.float64), rings.y.astype(np.float64), rings.first
    arcs, uses = arcs_of(rings)
    if tolerance > 0:
        arcs = _settle(arcs, douglas_peucker(arcs, tolerance, cancel), cancel)
    smoothed = arcs
    for _ in range(rounds):
        cancel.raise_if_set()
        smoothed = chaikin(smoothed)
    if rounds:
        arcs = _settle(arcs, smoothed, cancel)
    return rings_of(arcs, uses)


def arcs_of(rings: Rings) -> tuple[Arcs, Uses]:
    """Rings cut at nodes, each shared arc once. Rings without a node are cut at their upper left vertex."""
    lengths = np.diff(rings.first)
    ring = np.repeat(np.arange(len(lengths)), lengths)
    wide = int(rings.x.max(initial=0)) + 1
    spot = rings.y * wide + rings.x
    # Each ring begins at its first node, or where it has none at its least vertex.
    order = np.lexsort((spot, ~rings.node, ring))
    begin = order[rings.first[:-1]] - rings.first[:-1]
    place = np.arange(len(ring)) - np.repeat(rings.first[:-1], lengths)
    turned = np.repeat(rings.first[:-1], lengths) + (place + np.repeat(begin, lengths)) % np.repeat(
        lengths, lengths
    )
    spot, cut = spot[turned], rings.node[turned]
    cut[rings.first[:-1]] = True
    start = np.flatnonzero(cut)
    stop = np.append(start[1:], len(ring))
    last = np.isin(stop, rings.first[1:])
    end = np.where(last, rings.first[:-1][ring[start]], np.minimum(stop, len(ring) - 1))
    heads = np.stack((spot[start], spot[np.where(stop - start > 1, start + 1, end)]))
    tails = np.stack((spot[end], spot[stop - 1]))
    forward = (heads[0] < tails[0]) | ((heads[0] == tails[0]) & (heads[1] <= tails[1]))
    key = np.where(forward, heads, tails)
    rank = np.lexsort((~forward, key[1], key[0]))
    fresh = np.append(True, (key[:, rank][:, 1:] != key[:, rank][:, :-1]).any(axis=0))
    arc = np.empty(len(start), np.int64)
    arc[rank] = np.cumsum(fresh) - 1
    one = rank[fresh]
    counts = stop[one] - start[one] + 1
    bounds = np.concatenate(([0], np.cumsum(counts)))
    inner = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
    # An arc that is only met backwards is kept in the direction in which it would be met forwards.
    inner = np.where(np.repeat(forward[one], counts), inner, np.repeat(counts, counts) - 1 - inner)
    at = np.where(
        inner == np.repeat(counts, counts) - 1,
        np.repeat(end[one], counts),
        np.repeat(start[one], counts) + inner,
    )
    x, y = rings.x[turned][at].astype(np.float64), rings.y[turned][at].astype(np.float64)
    used = np.searchsorted(start, rings.first)
    return Arcs(x, y, bounds), Uses(arc, forward, used)


def rings_of(arcs: Arcs, uses: Uses) -> tuple[Float64, Float64, Int]:
    """Rings put together again: vertices, open, and bounds."""
    counts = np.diff(arcs.first)[uses.arc] - 1
    bounds = np.concatenate(([0], np.cumsum(counts)))
    inner = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
    start, end = np.repeat(arcs.first[uses.arc], counts), np.repeat(arcs.first[uses.arc + 1] - 1, counts)
    at = np.where(np.repeat(uses.forward, counts), start + inner, end - inner)
    return arcs.x[at], arcs.y[at], bounds[uses.first]


def douglas_peucker(arcs: Arcs, tolerance: float, cancel: Optional[Cancel] = None) -> Arcs:
    """Arcs with fewer vertices, none farther than ``tolerance`` from the line that replaces it.

    All arcs at once, one level of splits after the other. A closed arc keeps at least a triangle.
    """
    keep = np.zeros(len(arcs.x), np.bool_)
    low, high = arcs.first[:-1], arcs.first[1:] - 1
    keep[low] = keep[high] = True
    forced = np.where((arcs.x[low] == arcs.x[high]) & (arcs.y[low] == arcs.y[high]), 2, 0)
    while True:
        if cancel is not None:
            cancel.raise_if_set()
        some = high - low > 1
        low, high, forced = low[some], high[some], forced[some]
        if not len(low):
            break
        counts = high - low - 1
        bounds = np.concatenate(([0], np.cumsum(counts)))
        at = np.arange(bounds[-1]) - np.repeat(bounds[:-1] - low - 1, counts)
        far = _distances(arcs, np.repeat(low, counts), np.repeat(high, counts), at)
        most = np.maximum.reduceat(far, bounds[:-1])
        # The first of the farthest.
        best = np.flatnonzero(far == np.repeat(most, counts))
        owner = np.repeat(np.arange(len(low)), counts)[best]
        split = at[best[np.unique(owner, return_index=True)[1]]]
        wanted = (most > tolerance) | ((forced > 0) & (most > 0))
        low, high, forced, split = low[wanted], high[wanted], forced[wanted], split[wanted]
        keep[split] = True
        forced = np.maximum(forced - 1, 0)
        low, high = np.concatenate((low, split)), np.concatenate((split, high))
        forced = np.concatenate((forced, forced))
    left = np.concatenate(([0], np.cumsum(keep)))
    return Arcs(arcs.x[keep], arcs.y[keep], left[arcs.first])


def _distances(arcs: Arcs, low: Int, high: Int, at: Int) -> Float64:
    """From vertices to the segments between two others."""
    ax, ay = arcs.x[low], arcs.y[low]
    dx, dy, px, py = arcs.x[high] - ax, arcs.y[high] - ay, arcs.x[at] - ax, arcs.y[at] - ay
    square = dx * dx + dy * dy
    share = np.divide(px * dx + py * dy, square, out=np.zeros_like(square), where=square > 0)
    share = np.clip(share, 0, 1)
    return np.asarray(np.hypot(px - share * dx, py - share * dy))


def chaikin(arcs: Arcs) -> Arcs:
    """Arcs with their corners cut at a quarter and three quarters of each edge; ends stay."""
    counts = np.diff(arcs.first)
    new = np.where(counts > 2, 2 * counts - 2, counts)
    bounds = np.concatenate(([0], np.cumsum(new)))
    inner = np.arange(bounds[-1]) - np.repeat(bounds[:-1], new)
    start, size = np.repeat(arcs.first[:-1], new), np.repeat(new, new)
    # Vertices 1, 2, 3, 4 … lie behind the middle of edge 0, before that of edge 1, behind it, before that of 2.
    edge = np.where(inner == 0, 0, np.minimum(inner // 2, np.repeat(counts, new) - 2))
    share = np.where(inner % 2 == 1, 0.75, 0.25)
    ends = np.repeat(counts == 2, new)
    share = np.where(inner == 0, 0.0, np.where(inner == size - 1, 1.0, share))
    edge = np.where(ends, 0, edge)
    at = start + edge
    x = arcs.x[at] + share * (arcs.x[at + 1] - arcs.x[at])
    y = arcs.y[at] + share * (arcs.y[at + 1] - arcs.y[at])
    return Arcs(x, y, bounds)


def _settle(old: Arcs, new: Arcs, cancel: Cancel) -> Arcs:
    """``new`` with every arc as in ``old`` that would cross or touch another, or jump over one's end.

    The arcs of ``old`` do neither, so this comes to an end.
    """
    changed = np.diff(old.first) != np.diff(new.first)
    while True:
        arcs = choose(old, new, changed)
        bad = crossing(arcs, cancel) & changed
        if not bad.any():
            bad = between(old, arcs, changed, cancel)
            if not bad.any():
                return arcs
        changed &= ~bad


def choose(old: Arcs, new: Arcs, changed: Mask) -> Arcs:
    """Each arc from ``new`` where it is ``changed``, else from ``old``."""
    counts = np.where(changed, np.diff(new.first), np.diff(old.first))
    bounds = np.concatenate(([0], np.cumsum(counts)))
    start = np.where(changed, new.first[:-1] + len(old.x), old.first[:-1])
    at = np.arange(bounds[-1]) + np.repeat(start - bounds[:-1], counts)
    return Arcs(np.concatenate((old.x, new.x))[at], np.concatenate((old.y, new.y))[at], bounds)
