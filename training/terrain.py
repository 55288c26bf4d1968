# SPDX-License-Identifier: GPL-2.0-or-later
"""Heights, rivers, lakes and coasts by fractals and erosion. Pixels are 10 m; numpy and scipy.ndimage only.

A fractal surface on a coarse grid of 40 m is worn down by streams and creep, brought to 10 m, roughened,
and cut by rivers that follow its drainage. Heights in metres, rows run south, columns east.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from .drainage import (
    CELL_M2,
    CHANNEL_M2,
    MARGIN,
    PIXEL_M,
    STEP,
    Channels,
    Grid,
    Mask,
    Network,
    edge_cells,
    inside,
    nearest,
    outlets,
    route,
    trace,
)
from .fields import Field, Noise

#: Heights stay inside this range, metres.
HEIGHT_RANGE_M = (-50.0, 4000.0)
#: Bankfull width over the square root of upslope area, m/m: about 3 m at 1 km2, width as Q^0.5
#: (Leopold & Maddock 1953, USGS Professional Paper 252) with discharge in proportion to area.
WIDTH_PER_ROOT_AREA = 0.003
#: Depth over width of a channel, m/m (Leopold & Maddock 1953: 10 to 40 wide for 1 deep), at most 6 m.
DEPTH_PER_WIDTH = 0.05
#: Steepest slope that loose ground keeps, tangent of 40 degrees (Burbank et al. 1996, doi:10.1038/379505a0).
TALUS = 0.84
#: Rounds of routing and incision: until uplift and incision nearly balance, as they do in worn land, whose valleys
#: lie a few hundred metres apart (Perron et al. 2009, doi:10.1038/nature08174).
ROUNDS = 9


@dataclass(frozen=True)
class Terrain:
    """A piece of land; all arrays are (h, w)."""

    #: Ground, or the water surface where there is water; metres, float32, within HEIGHT_RANGE_M.
    elevation: Field
    #: Where water lies open, bool.
    water: Mask
    #: Metres of water over the bed, float32, 0 on land.
    depth: Field
    #: Upslope area in m2, float32, with what rivers bring from beyond the scene.
    area: Field
    #: Height above the nearest drainage in metres, float32 >= 0 (Nobre et al. 2011,
    #: doi:10.1016/j.jhydrol.2011.03.051); 0 on water.
    drain_height: Field


@dataclass(frozen=True)
class _Wish:
    """What the caller asked for; see make_terrain."""

    relief_m: float
    base_m: float
    coast: float
    lake: float
    river_m: float
    roughness: float


def make_terrain(
    noise: Noise, relief_m: float, base_m: float, coast: float, lake: float, river_m: float, roughness: float
) -> Terrain:
    """Return the terrain of a scene of ``noise.shape``; the same generator state gives the same bits.

    ``relief_m``: 5-95 % range of heights; ``base_m``: their mean, ignored near a coast; ``coast`` and
    ``lake``: shares of the scene under sea (at 0 m) and under lakes; ``river_m``: width of the largest
    river, metres, 0 for none; ``roughness``: 0 rolling to 1 dissected.
    """
    wish = _Wish(relief_m, base_m, coast, lake, river_m, roughness)
    shape = (-(-noise.shape[0] // STEP) + 2 * MARGIN, -(-noise.shape[1] // STEP) + 2 * MARGIN)
    coarse = Noise(noise.rng, *shape)
    start, inlet = _start(coarse, wish)
    worn = _wear(coarse, start, inlet, wish)
    worn = _settle(worn, wish)
    if lake > 0.0:
        worn = worn + _bowl(coarse, worn, lake)
    fine = _refine(noise, worn, wish)
    fine, scale, offset = _to_metres(fine, wish)
    fine = _talus(fine, TALUS * PIXEL_M, 8)
    height = worn * scale + offset
    ground, water, depth = _still_water(fine, wish)
    outlet = outlets(height, wish.coast)
    network = route(noise.rng, height, outlet, _supply(shape, inlet, wish))
    level = _levels(network, height, ground, water, wish)
    channels = trace(coarse, network, level)
    return _finish(noise.shape, wish, network, channels, ground, water, depth)


def _start(noise: Noise, wish: _Wish) -> tuple[Grid, int]:
    """Return the coarse surface before erosion (std near 1) and the flat cell where a river enters, or -1."""
    rows, columns = noise.shape
    angle = noise.rng.uniform(0.0, 2.0 * math.pi)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    y, x = (y - rows / 2) / min(rows, columns), (x - columns / 2) / min(rows, columns)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    massif = min(wish.relief_m / 1200.0, 1.0)  # high ground holds its relief in long slopes
    surface = noise.smooth(3.0 + 6.0 * massif, 70.0, 2.3 - 0.5 * wish.roughness).astype(np.float64)
    bend = 0.12 * noise.smooth(8.0, 40.0, 2.0)
    if wish.coast > 0.0:
        surface = 1.2 * surface - along * noise.rng.uniform(0.5, 3.5)
    if wish.river_m <= 0.0 and wish.coast > 0.0:
        return surface, -1
    if wish.river_m <= 0.0:
        return surface - (1.5 + 1.5 * massif) * along, -1
    if wish.coast <= 0.0:
        surface = 0.8 * surface - (1.2 + 1.5 * massif) * along
    surface = surface - (1.4 if wish.coast <= 0.0 else 0.7) * np.clip(0.55 + along, 0.05, 1.0) * np.exp(
        -(((across + bend) / 0.16) ** 2)
    )
    edge = edge_cells(noise.shape) & (along < np.quantile(along, 0.2))
    return surface, int(np.argmin(np.where(edge, np.abs(across + bend), np.inf)))


def _supply(shape: tuple[int, int], inlet: int, wish: _Wish) -> Grid:
    """Return the area each cell brings, m2, flat: its own, and the basin upstream of the river's inlet."""
    supply = np.full(shape[0] * shape[1], CELL_M2)
    if inlet >= 0:
        basin = (wish.river_m / WIDTH_PER_ROOT_AREA) ** 2
        supply[inlet] += max(basin - 0.5 * supply.sum(), 0.0)
    return supply


def _wear(noise: Noise, start: Grid, inlet: int, wish: _Wish) -> Grid:
    """Return the surface after stream-power incision (implicit, Braun & Willett 2013,
    doi:10.1016/j.geomorph.2012.10.008; m = 0.5, n = 1), uplift and creep."""
    height = start
    rise = 0.35 * (1.0 + 0.3 * noise.smooth(10.0, 60.0, 2.0).astype(np.float64))
    supply = np.ones(start.size)
    if inlet >= 0:
        supply[inlet] += 0.5 * start.size
    power = 0.15 + 0.35 * wish.roughness
    for _ in range(ROUNDS):
        outlet = outlets(height, wish.coast)
        network = route(noise.rng, height, outlet, supply)
        height = network.filled + np.where(outlet, 0.0, rise)
        z, to = height.ravel().tolist(), network.receiver.tolist()
        cut = (power * np.sqrt(network.area)).tolist()
        for i in network.order:
            if to[i] != i:
                z[i] = (z[i] + cut[i] * z[to[i]]) / (1.0 + cut[i])
        height = ndimage.gaussian_filter(np.array(z).reshape(start.shape), 0.8 - 0.3 * wish.roughness)
    return height


def _bowl(noise: Noise, height: Grid, lake: float) -> Grid:
    """Return a hollow centred on low ground within the scene, to be added so that a lake can lie there."""
    rows, columns = height.shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    inside = np.zeros(height.shape, dtype=bool)
    inside[rows // 4 : -(rows // 4), columns // 4 : -(columns // 4)] = True
    cy, cx = np.unravel_index(int(np.argmin(np.where(inside, height, np.inf))), height.shape)
    radius = math.sqrt(lake * (rows - 2 * MARGIN) * (columns - 2 * MARGIN) / math.pi) + 2.0
    distance = np.hypot(y - float(cy), x - float(cx)) / radius * (1.0 + 0.15 * noise.smooth(8.0, 40.0, 2.0))
    made: Grid = 0.9 * float(height.std()) * (np.minimum(distance, 2.5) ** 2 / 2.5 - 2.5)
    return made


def _up(coarse: Grid, shape: tuple[int, int]) -> Grid:
    """Return a coarse field on the scene's pixels by cubic B-splines (a box of one cell, four times over)."""
    cut = coarse[MARGIN - 4 : coarse.shape[0] - MARGIN + 4, MARGIN - 4 : coarse.shape[1] - MARGIN + 4]
    fine = np.repeat(np.repeat(cut, STEP, axis=0), STEP, axis=1)
    for origin in (0, -1, 0, -1)[:2]:
        fine = ndimage.uniform_filter(fine, STEP, origin=origin, mode="nearest")
    fine = ndimage.uniform_filter(fine, 3, mode="nearest")
    made: Grid = fine[4 * STEP : 4 * STEP + shape[0], 4 * STEP : 4 * STEP + shape[1]]
    return made


def _refine(noise: Noise, worn: Grid, wish: _Wish) -> Grid:
    """Return the worn surface at 10 m with fractal detail in proportion to the local slope."""
    fine = _up(worn, noise.shape)
    gy, gx = np.gradient(worn)
    steep = _up(ndimage.gaussian_filter(np.hypot(gx, gy), 1.5), noise.shape)
    detail = noise.smooth(4.0, 30.0, 2.0).astype(np.float64)
    made: Grid = (
        fine
        + (0.1 + 0.14 * wish.roughness) * steep * detail
        + 0.004 * float(fine.std()) * noise.smooth(3.0, 12.0, 1.2)
    )
    return made


def _to_metres(fine: Grid, wish: _Wish) -> tuple[Grid, float, float]:
    """Return the surface scaled to the relief and level asked for, and the scale and offset used."""
    sea = float(np.quantile(fine, min(wish.coast, 0.999))) if wish.coast > 0.0 else -math.inf
    shown = np.maximum(fine, sea)
    low, high = np.quantile(shown, (0.05, 0.95))
    span = float(high - low) if wish.coast < 0.9 else float(np.ptp(shown))
    scale = wish.relief_m / max(span, 1e-9)
    offset = -sea * scale if wish.coast > 0.0 else wish.base_m - float(fine.mean()) * scale
    return fine * scale + offset, scale, offset


def _settle(worn: Grid, wish: _Wish) -> Grid:
    """Return the coarse surface with slopes relaxed below the talus angle once scaled to the relief."""
    for _ in range(3):
        low, high = np.quantile(worn[MARGIN:-MARGIN, MARGIN:-MARGIN], (0.05, 0.95))
        limit = 0.75 * TALUS * STEP * PIXEL_M * float(high - low) / wish.relief_m
        worn = _talus(worn, limit, 12)
    return worn


def _talus(height: Grid, limit: float, passes: int) -> Grid:
    """Return the surface with steps above ``limit`` relaxed (Musgrave et al. 1989), so many passes."""
    for _ in range(passes):
        move = np.zeros_like(height)
        for axis in (0, 1):
            step = np.diff(height, axis=axis)
            excess = 0.24 * (step - np.clip(step, -limit, limit))
            if axis == 0:
                move[:-1] += excess
                move[1:] -= excess
            else:
                move[:, :-1] += excess
                move[:, 1:] -= excess
        height = height + move
    return height


def _still_water(height: Grid, wish: _Wish) -> tuple[Grid, Mask, Grid]:
    """Return the ground with the sea and the lake flat, where they lie, and their depth in metres."""
    water = np.zeros(height.shape, dtype=bool)
    depth = np.zeros(height.shape)
    if wish.coast > 0.0:
        water = height <= 0.0
        depth = np.where(water, np.maximum(-height, 0.2), 0.0)
        height = np.where(water, 0.0, height)
    if wish.lake > 0.0:
        level, lake = _lake(height, water, wish.lake)
        depth = np.where(lake, np.maximum(level - height, 0.2), depth)
        height = np.where(lake, level, height)
        water = water | lake
    return height, water, depth


def _lake(height: Grid, sea: Mask, share: float) -> tuple[float, Mask]:
    """Return the level and extent of a lake over ``share`` of the scene: what joins the lowest land."""
    land = np.where(sea, np.inf, ndimage.gaussian_filter(height, 1.0))
    rows, columns = height.shape
    middle = land[rows // 5 : -(rows // 5), columns // 5 : -(columns // 5)]
    top = np.unravel_index(int(np.argmin(middle)), middle.shape)
    spot = (int(top[0]) + rows // 5, int(top[1]) + columns // 5)
    low, high = float(land[spot]), float(land[np.isfinite(land)].max())
    lake = land <= low
    for _ in range(14):
        level = 0.5 * (low + high)
        parts, _count = ndimage.label(land <= level)
        lake = parts == parts[spot]
        if lake.mean() > share:
            high = level
        else:
            low = level
    parts, _count = ndimage.label(land <= low)
    return low, parts == parts[spot]


def _levels(network: Network, height: Grid, ground: Grid, water: Mask, wish: _Wish) -> Grid:
    """Return the level of running water in each coarse cell, metres, flat; it never rises downstream."""
    rows, columns = height.shape
    r, c = np.mgrid[0:rows, 0:columns]
    y, x = (r - MARGIN) * STEP + STEP // 2, (c - MARGIN) * STEP + STEP // 2
    inside = (y >= 0) & (y < ground.shape[0]) & (x >= 0) & (x < ground.shape[1])
    level = np.minimum(height, network.filled)
    level[inside] = np.minimum(ndimage.minimum_filter(ground, STEP)[y[inside], x[inside]], level[inside])
    wet = inside.copy()
    wet[inside] = water[y[inside], x[inside]]
    incision = np.minimum(0.02 * wish.relief_m, 2.0) + 0.2
    level = np.where(
        wet,
        np.where(inside, ground[y.clip(0, ground.shape[0] - 1), x.clip(0, ground.shape[1] - 1)], level),
        level - incision,
    )
    if wish.coast > 0.0:
        level = np.maximum(level, 0.0)
    out, to = level.ravel().tolist(), network.receiver.tolist()
    for i in reversed(network.order):
        out[to[i]] = min(out[to[i]], out[i])
    return np.array(out)


def _finish(
    shape: tuple[int, int],
    wish: _Wish,
    network: Network,
    channels: Channels,
    ground: Grid,
    water: Mask,
    depth: Grid,
) -> Terrain:
    """Return the terrain with rivers cut in, upslope area and height above drainage."""
    grid = network.filled.shape
    hill = np.exp(_up(np.log(np.minimum(network.area, CHANNEL_M2)).reshape(grid), shape))
    seen = inside(channels, shape)
    if seen.area.size:
        hill, ground, water, depth = _cut(seen, wish, ground, water, depth, hill)
    ground = _fit(ground, wish)
    above = _above(ground, water, hill)
    f32 = np.float32
    return Terrain(ground.astype(f32), water, depth.astype(f32), hill.astype(f32), above.astype(f32))


def _cut(
    points: Channels, wish: _Wish, ground: Grid, water: Mask, depth: Grid, hill: Grid
) -> tuple[Grid, Grid, Mask, Grid]:
    """Return the upslope area, ground, water and depth after the channels are cut."""
    still = water
    largest = float(points.area.max())
    width = wish.river_m * np.sqrt(points.area / largest)
    distance, which = nearest(points, (ground.shape[0], ground.shape[1]))
    reach = 0.5 * width[which] + 30.0
    blend = np.clip((distance - 0.5 * width[which]) / 30.0, 0.0, 1.0)
    blend = np.where(distance > reach, 1.0, blend * blend * (3.0 - 2.0 * blend))
    seen = np.clip(width[which] / PIXEL_M, 0.3, 1.0)  # brooks too narrow to see leave a shallow dent
    most = (4.0 + 0.04 * wish.relief_m) * seen
    cut = ground - (1.0 - blend) * seen * np.clip(ground - points.level[which], 0.0, most)
    ground = np.where(still, ground, cut)
    hill = np.where(
        distance <= np.maximum(0.5 * width[which], 7.0), np.maximum(points.area[which], hill), hill
    )
    low = 6.0
    while wish.river_m > low:
        some = (width >= low) & ((width < 2.0 * low) | (4.0 * low > wish.river_m))
        if some.any():
            part = Channels(points.row[some], points.column[some], points.level[some], points.area[some])
            far, index = nearest(part, (ground.shape[0], ground.shape[1]))
            half = 0.5 * np.maximum(width[some][index], PIXEL_M)
            river = (far <= half) & ~still
            ground = np.where(river, part.level[index], ground)
            shore = np.clip(1.3 - far / half, 0.1, 1.0)
            depth = np.where(
                river, np.maximum(depth, np.minimum(2.0 * half * DEPTH_PER_WIDTH, 6.0) * shore), depth
            )
            hill = np.where(river, np.maximum(part.area[index], hill), hill)
            water = water | river
        low *= 2.0
    return hill, ground, water, depth


def _fit(ground: Grid, wish: _Wish) -> Grid:
    """Return the ground scaled once more to the relief and level asked for, within HEIGHT_RANGE_M."""
    low, high = np.quantile(ground, (0.05, 0.95))
    if high - low > 1e-6 and wish.coast < 0.9:
        ground = ground * (wish.relief_m / float(high - low))
    if wish.coast <= 0.0:
        ground = ground + wish.base_m - float(ground.mean())
        ground = ground + max(HEIGHT_RANGE_M[0] - float(ground.min()), 0.0)
        ground = ground - max(float(ground.max()) - HEIGHT_RANGE_M[1], 0.0)
    return np.clip(ground, *HEIGHT_RANGE_M)


def _above(ground: Grid, water: Mask, area: Grid) -> Grid:
    """Return the height above the nearest channel or water, metres >= 0."""
    drain = water | (area >= CHANNEL_M2)
    if not drain.any():
        return ground - float(ground.min())
    at = ndimage.distance_transform_edt(~drain, return_distances=False, return_indices=True)
    level = ndimage.uniform_filter(ground[at[0], at[1]], 9)
    return np.where(water, 0.0, np.maximum(ground - level, 0.0))
