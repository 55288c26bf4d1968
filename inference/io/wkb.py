# SPDX-License-Identifier: GPL-2.0-or-later
"""Well-known binary (OGC 06-103r4, clause 8) of the few geometries that are made or clicked here.

Pure Python: the same bytes whichever Geo is in use. Written little-endian and two-dimensional; read in
either byte order, with Z and M (ISO and the older high-bit spelling) skipped.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Callable, NamedTuple

from ..types import BBox

Point = tuple[float, float]
Ring = Sequence[Point]

POINT, LINE, POLYGON, MULTIPOINT, MULTILINE, MULTIPOLYGON, COLLECTION = 1, 2, 3, 4, 5, 6, 7
"""Geometry types that are read."""


class Shapes(NamedTuple):
    """What a geometry holds: points, polygons as lists of rings, the outer one first, and lines."""

    points: list[Point]
    polygons: list[list[list[Point]]]
    lines: list[list[Point]]


def point(x: float, y: float) -> bytes:
    """A point in map units. Raises ValueError for coordinates that are no numbers."""
    return struct.pack("<BI", 1, POINT) + _positions([(x, y)])


def polygon(rings: Sequence[Ring]) -> bytes:
    """A polygon from its rings, outer first; open rings are closed.

    Raises ValueError for a ring of fewer than three different positions or with infinite coordinates.
    """
    parts = [struct.pack("<BII", 1, POLYGON, len(rings))]
    for ring in rings:
        places = [(float(x), float(y)) for x, y in ring]
        if places and places[0] != places[-1]:
            places.append(places[0])
        if len(places) < 4:
            raise ValueError("a ring has at least three different positions")
        parts += [struct.pack("<I", len(places)), _positions(places)]
    return b"".join(parts)


def multipolygon(polygons: Sequence[Sequence[Ring]]) -> bytes:
    """Several polygons, each a list of rings, as one geometry. Raises ValueError as ``polygon`` does."""
    return struct.pack("<BII", 1, MULTIPOLYGON, len(polygons)) + b"".join(map(polygon, polygons))


def box(bbox: BBox) -> bytes:
    """A rectangle along the axes, counter-clockwise from its lower left corner."""
    x0, y0, x1, y1 = bbox
    return polygon([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]])


def shapes(data: bytes) -> Shapes:
    """The points and polygons of a geometry; collections are opened.

    Raises ValueError where the bytes are cut short or hold lines, curves or surfaces.
    """
    found = parts(data)
    if found.lines:
        raise ValueError("only points and polygons can be used")
    return found


def parts(data: bytes) -> Shapes:
    """The points, lines and polygons of a geometry; collections are opened. Raises ValueError as ``shapes``."""
    try:
        found, end = _shapes(data, 0)
    except struct.error as error:
        raise ValueError("the geometry is cut short") from error
    if end != len(data):
        raise ValueError("the geometry has bytes left over")
    return found


def transform(
    data: bytes, function: Callable[[list[float], list[float]], tuple[list[float], list[float]]]
) -> bytes:
    """A point, polygon or multipolygon with its vertices moved by ``function(xs, ys)``."""
    kind = struct.unpack_from("<I" if data[0] else ">I", data, 1)[0] % 1000
    found = shapes(data)
    if kind == POINT:
        xs, ys = function([found.points[0][0]], [found.points[0][1]])
        return point(xs[0], ys[0])

    def move(ring: Ring) -> list[Point]:
        xs, ys = function([x for x, _ in ring], [y for _, y in ring])
        return list(zip(xs, ys))

    moved = [[move(ring) for ring in rings] for rings in found.polygons]
    return polygon(moved[0]) if kind == POLYGON else multipolygon(moved)


def _positions(places: Sequence[Point]) -> bytes:
    flat = [float(value) for place in places for value in place]
    if not all(map(math.isfinite, flat)):
        raise ValueError("coordinates are finite")
    return struct.pack(f"<{len(flat)}d", *flat)


def _shapes(data: bytes, at: int) -> tuple[Shapes, int]:
    """The geometry that begins at a byte, and where it ends."""
    order = "<" if data[at : at + 1] == b"\x01" else ">"
    (code,) = struct.unpack_from(order + "I", data, at + 1)
    at += 5
    dimensions = 2 + bool(code & 0x80000000) + bool(code & 0x40000000)
    if code & 0x20000000:  # an EWKB's SRID
        at += 4
    code &= 0x0FFFFFFF
    dimensions += {0: 0, 1: 1, 2: 1, 3: 2}.get(code // 1000, 0)
    kind = code % 1000
    if kind == POINT:
        places, at = _read(data, at, order, dimensions, 1)
        return Shapes([p for p in places if not math.isnan(p[0])], [], []), at
    (count,) = struct.unpack_from(order + "I", data, at)
    at += 4
    found = Shapes([], [], [])
    if kind == LINE:
        places, at = _read(data, at, order, dimensions, count)
        if places:
            found.lines.append(places)
        return found, at
    if kind == POLYGON:
        rings = []
        for _ in range(count):
            (length,) = struct.unpack_from(order + "I", data, at)
            places, at = _read(data, at + 4, order, dimensions, length)
            rings.append(places)
        if rings:
            found.polygons.append(rings)
        return found, at
    if kind not in (MULTIPOINT, MULTILINE, MULTIPOLYGON, COLLECTION):
        raise ValueError("only points, lines and polygons can be used")
    for _ in range(count):
        part, at = _shapes(data, at)
        found.points.extend(part.points)
        found.polygons.extend(part.polygons)
        found.lines.extend(part.lines)
    return found, at


def _read(data: bytes, at: int, order: str, dimensions: int, count: int) -> tuple[list[Point], int]:
    if count * dimensions * 8 > len(data) - at:
        raise ValueError("the geometry is cut short")
    flat = struct.unpack_from(f"{order}{count * dimensions}d", data, at)
    places = list(zip(flat[0::dimensions], flat[1::dimensions]))
    return places, at + count * dimensions * 8
