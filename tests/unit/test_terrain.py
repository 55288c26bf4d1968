# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated terrain keeps its promises: heights, water, drainage, sizes, bits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from training.drainage import CELL_M2, outlets, route
from training.fields import Noise
from training.terrain import HEIGHT_RANGE_M, Terrain, make_terrain


def _make(seed: int = 3, shape: tuple[int, int] = (224, 224), **wish: float) -> Terrain:
    """Return a terrain with the given wishes over a plain default."""
    asked = {
        "relief_m": 80.0,
        "base_m": 300.0,
        "coast": 0.0,
        "lake": 0.0,
        "river_m": 0.0,
        "roughness": 0.4,
    } | wish
    return make_terrain(Noise(np.random.default_rng(seed), *shape), **asked)


def test_a_seed_gives_the_same_bits_again() -> None:
    """Every array of two terrains of one seed is equal; another seed differs."""
    first, again, other = (_make(seed, lake=0.1, river_m=30.0) for seed in (3, 3, 4))
    for name in ("elevation", "water", "depth", "area", "drain_height"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.elevation != other.elevation).any()


@pytest.mark.parametrize("relief", [2.0, 20.0, 300.0, 1500.0])
@pytest.mark.parametrize("river", [0.0, 40.0])
def test_relief_and_mean_are_as_asked(relief: float, river: float) -> None:
    """The 5-95 % range is within a tenth of the relief, the mean at the level asked for."""
    land = _make(relief_m=relief, base_m=1900.0, river_m=river)
    low, high = np.quantile(land.elevation, (0.05, 0.95))
    assert abs(high - low - relief) <= 0.1 * relief
    assert abs(float(land.elevation.mean(dtype=np.float64)) - 1900.0) < 0.05 * relief + 0.5


@pytest.mark.parametrize("share", [0.03, 0.2, 0.4])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_lake_is_flat_and_as_large_as_asked(share: float, seed: int) -> None:
    """All lake pixels have one height to the millimetre, and their share is close to that asked for."""
    land = _make(seed, lake=share)
    levels = land.elevation[land.water]
    assert float(np.ptp(levels)) < 1e-3
    assert abs(float(land.water.mean()) - share) < 0.02
    assert (land.depth[land.water] > 0).all()
    assert (land.depth[~land.water] == 0).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
def test_the_sea_lies_at_nought(share: float) -> None:
    """The sea covers the share asked for at height 0, and land lies above it."""
    land = _make(coast=share)
    assert abs(float(land.water.mean()) - share) < 0.02
    assert (land.elevation[land.water] == 0).all()
    assert (land.elevation[~land.water] > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_river_falls_downstream(seed: int) -> None:
    """Water of larger upslope area is never markedly higher than water of smaller area beside it."""
    land = _make(seed, river_m=60.0)
    area, height, wet = land.area, land.elevation, land.water
    assert wet.any()
    for a, b in (((slice(1, None),), (slice(None, -1),)), ((..., slice(1, None)), (..., slice(None, -1)))):
        rising = wet[a] & wet[b] & (area[a] > area[b]) & (height[a] > height[b] + 1e-3)
        assert rising.mean() < 0.002


def test_routing_falls_and_gathers() -> None:
    """Receivers lie lower, carry more area, and all area reaches the outlets."""
    rng = np.random.default_rng(5)
    height = rng.normal(size=(30, 41))
    outlet = outlets(height, 0.0)
    network = route(rng, height, outlet, np.full(height.size, CELL_M2))
    moving = network.receiver != np.arange(height.size)
    to = network.receiver[moving]
    assert (network.filled.ravel()[to] < network.filled.ravel()[moving]).all()
    assert (network.area[to] > network.area[moving]).all()
    np.testing.assert_allclose(network.area[~moving].sum(), height.size * CELL_M2)
    assert (~moving == outlet.ravel()).all()


@pytest.mark.parametrize("shape", [(40, 40), (41, 97), (300, 130)])
@pytest.mark.parametrize(
    "wish", [{"coast": 0.4, "lake": 0.05}, {"lake": 0.2, "river_m": 80.0}, {"relief_m": 1500.0}]
)
def test_any_size_is_whole(shape: tuple[int, int], wish: dict[str, float]) -> None:
    """Arrays have the size and types promised and finite values within the range of heights."""
    land = _make(7, shape, base_m=0.0, **wish)
    for name in ("elevation", "depth", "area", "drain_height"):
        field = getattr(land, name)
        assert field.shape == shape and field.dtype == np.float32 and np.isfinite(field).all()
    assert land.water.dtype == bool
    assert land.elevation.min() >= HEIGHT_RANGE_M[0]
    assert land.elevation.max() <= HEIGHT_RANGE_M[1]
    assert (
        (land.area > 0).all()
        and (land.drain_height >= 0).all()
        and (land.drain_height[land.water] == 0).all()
    )
