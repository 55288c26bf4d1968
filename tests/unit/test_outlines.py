# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches and rings of a class raster: the same as GDAL's polygonizer makes, however the strips are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from terrane.inference.outlines import NOTHING, doubled_area, join, label_runs
from terrane.inference.tracing import sieve, survey, trace

maps = arrays(np.int32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-1, 2))


def strips_of(values, rows):
    for top in range(0, len(values), rows):
        yield top, values[top : top + rows], None


def polygons(values, rows=100, **options):
    traced = trace(strips_of(values, rows), values.shape, **options)
    return of_traced(traced), traced


def of_traced(traced):
    rings, found = traced.rings, []
    for i, patch in enumerate(rings.patch):
        ring = slice(rings.first[i], rings.first[i + 1])
        places = list(zip(rings.x[ring].tolist(), rings.y[ring].tolist()))
        if rings.outer[i]:
            found.append((int(traced.value[patch]), places, []))
        else:
            found[-1][2].append(places)
    return found


def normal(places):
    start = places.index(min(places))
    return tuple(places[start:] + places[:start])


def as_set(found):
    return sorted((v, normal(outer), tuple(sorted(map(normal, holes)))) for v, outer, holes in found)


def by_gdal(values):
    features = pytest.importorskip("rasterio.features")
    found = []
    for shape, value in features.shapes(values, mask=values != NOTHING, connectivity=4):
        rings = []
        for number, ring in enumerate(shape["coordinates"]):
            places = [(int(x), int(y)) for x, y in ring[:-1]]
            xs, ys = (np.array(v) for v in zip(*places))
            area = doubled_area(xs, ys, np.array([0, len(xs)]))[0]
            # Ours run with the patch on the left.
            rings.append(places if (area > 0) == (number == 0) else places[::-1])
        found.append((int(value), rings[0], rings[1:]))
    return as_set(found)


@settings(max_examples=100, deadline=None)
@given(maps, st.integers(1, 4))
def test_the_polygons_are_gdals_and_strips_leave_no_trace(values, rows):
    found, traced = polygons(values, rows)
    ours = as_set(found)
    assert ours == by_gdal(values)
    assert traced.pixels.sum() == (values != NOTHING).sum()


def test_one_pixel():
    found, traced = polygons(np.array([[7]], np.int32))
    assert as_set(found) == [(7, ((0, 0), (0, 1), (1, 1), (1, 0)), ())]
    assert traced.pixels.tolist() == [1]


def test_a_hole_is_kept_and_runs_clockwise():
    values = np.full((3, 3), 1, np.int32)
    values[1, 1] = NOTHING
    found, traced = polygons(values, 1)
    assert [len(holes) for _, _, holes in found] == [1]
    assert doubled_area(traced.rings.x, traced.rings.y, traced.rings.first).tolist() == [18, -2]


def test_patches_that_touch_at_a_corner_are_two():
    found, _ = polygons(np.array([[1, -1], [-1, 1]], np.int32))
    assert len(found) == 2


@settings(max_examples=50, deadline=None)
@given(maps)
def test_nodes_lie_where_three_edges_meet(values):
    _, traced = polygons(values, 2, nodes=True)
    rings = traced.rings
    padded = np.pad(values, 1, constant_values=NOTHING)
    for x, y, node in zip(rings.x, rings.y, rings.node):
        a, b, c, d = padded[y : y + 2, x : x + 2].ravel()
        assert node == (sum((a != b, c != d, a != c, b != d)) >= 3)
    # Straight on, nothing changes.
    assert as_set(polygons(values)[0]) == as_set(
        [
            (v, _straight(outer), [_straight(hole) for hole in holes])
            for v, outer, holes in polygons(values, nodes=True)[0]
        ]
    )


def _straight(places):
    """Without vertices on straight lines."""
    kept = []
    for i, (x, y) in enumerate(places):
        (a, b), (c, d) = places[i - 1], places[(i + 1) % len(places)]
        if (x - a) * (d - y) != (y - b) * (c - x):
            kept.append((x, y))
    return kept


def test_runs_of_a_strip():
    runs, labels = label_runs(np.array([[1, 1, -1, 2], [3, 1, 1, 2]], np.int32))
    assert runs.patches == 3
    assert labels.tolist() == [[0, 0, -1, 1], [2, 0, 0, 1]]
    assert (runs.stop - runs.start).tolist() == [2, 1, 1, 1, 2, 1]


@given(st.integers(1, 30), st.data())
def test_join_is_connected_components(count, data):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=40))
    first, second = (np.array([p[i] for p in pairs], np.int64) for i in (0, 1))
    root = join(count, first, second)
    expected = list(range(count))
    for _ in range(count):
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert root.tolist() == expected


def test_a_raster_of_nothing_has_no_rings():
    found, traced = polygons(np.full((3, 4), NOTHING, np.int32))
    assert found == []
    assert len(traced.pixels) == 0


@settings(max_examples=100, deadline=None)
@given(maps, st.integers(2, 6), st.integers(1, 4), st.integers(1, 4))
def test_after_sieving_none_is_small_that_has_a_neighbour(values, least, rows, others):
    def sieved(size):
        classes = sieve(survey(strips_of(values, size)), least)
        return trace(strips_of(values, size), values.shape, classes=classes)

    traced = sieved(rows)
    assert traced.pixels.sum() == (values != NOTHING).sum()
    assert as_set(of_traced(traced)) == as_set(of_traced(sieved(others)))
    image = np.full(values.shape, NOTHING, np.int64)
    features = pytest.importorskip("rasterio.features")
    for value, outer, holes in of_traced(traced):
        patch = features.rasterize(
            [{"type": "Polygon", "coordinates": [_closed(r) for r in (outer, *holes)]}], values.shape
        )
        image[patch == 1] = value
        if patch.sum() < least:
            grown = np.pad(patch, 1)
            ring = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
            assert (values[(ring == 1) & (patch == 0)] == NOTHING).all()
    assert ((image == NOTHING) == (values == NOTHING)).all()


def _closed(places):
    return [*places, places[0]]
