# SPDX-License-Identifier: GPL-2.0-or-later
"""Elevation before and after its tiles are levelled: steps between tiles, errors, and what happens to relief.

``python benchmarks/levels.py [--scenes 3] [--side 8]`` runs on simulated scenes (unseen seeds), on mosaics of the
real chips in ``../shared/data/terramesh`` where they are (each chip mirrored over and over, so that its borders
fit), and on a patchwork: the simulated truth cut into tiles, each with a level of its own (100 m of standard
deviation) and smooth noise (3 m), as a model with good relief and no idea of heights makes it. Everything goes
through the engine's journal, solver and blending, with the starter's tiles.

*step*: root mean square over neighbouring tiles of their mean difference (of the middle half of the pixels)
where they overlap, that is the patchwork one sees. *slope*: in the finished raster, rise across the middle of
overlaps in metres per pixel, averaged along each tile's side, root mean square over all sides; beside it the
same in the middle of tiles. *error*: root mean square against the truth; without heights to tie to, the median
difference is taken out. *inner relief*: least correlation of a tile's middle half with itself, before and after;
*whole tile*: mean correlation of whole tiles.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from scenes import BANDS  # noqa: E402
from terrane.inference import presets, registry  # noqa: E402
from terrane.inference.adapters import adapter_for  # noqa: E402
from terrane.inference.io import default_geo  # noqa: E402
from terrane.inference.io.scene import open_scene  # noqa: E402
from terrane.inference.levels import Edges, Overlaps  # noqa: E402
from terrane.inference.modalities import MODALITIES  # noqa: E402
from terrane.inference.runtime import make_runtime  # noqa: E402
from terrane.inference.seams import Correction  # noqa: E402
from terrane.inference.tasks.elevation import AsTheyCome, Levelled  # noqa: E402
from terrane.inference.tasks.outputs import output_spec, values_to_pixels  # noqa: E402
from terrane.inference.tasks.tiled import Layout, Product, Tiles, lay_out, run_tiled  # noqa: E402
from terrane.inference.tiling import TilePlan  # noqa: E402
from terrane.inference.types import Cancel  # noqa: E402

from training.simulate import UNSEEN_SEED, simulate  # noqa: E402

CHIPS = ROOT.parent / "shared" / "data" / "terramesh"
CORNER = (500000.0, 5100000.0)
Compute = Callable[[Mapping[str, Any], Sequence[Any], Cancel], Mapping[str, Any]]


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def edges_of(plan: TilePlan, tiles: Mapping[int, np.ndarray]) -> Edges:
    found = Overlaps(plan)
    for row in range(len(plan.rows)):
        valid = np.ones((plan.strip(row).height, plan.size.width), bool)
        found.feed_row(row, {t.index: tiles[t.index] for t in plan.row_tiles(row)}, valid)
    return found.edges()


def step(plan: TilePlan, tiles: Mapping[int, np.ndarray]) -> float:
    edges, cols = edges_of(plan, tiles), len(plan.cols)
    apart = np.abs(edges.a // cols - edges.b // cols) + np.abs(edges.a % cols - edges.b % cols)
    return rms(edges.difference[apart == 1])


def slope(plan: TilePlan, raster: np.ndarray) -> tuple[float, float]:
    """Across seams, and in the middle of tiles: (metres per pixel, metres per pixel)."""
    seams, middles = [], []
    overlap, side = plan.tile - plan.stride, plan.tile
    for image, starts, others in ((raster, plan.cols, plan.rows), (raster.T, plan.rows, plan.cols)):
        for first in starts[1:]:
            for top in others:
                along = slice(top + overlap, top + side - overlap)
                for found, place in ((seams, first), (middles, first + side // 2 - overlap // 2)):
                    rise = image[along, place + 3 * overlap // 4] - image[along, place + overlap // 4]
                    found.append(rise.mean() / (overlap // 2))
    return rms(np.array(seams)), rms(np.array(middles))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() < 1e-9:
        return 1.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


class Watched(Levelled):
    """Levels as ever, and keeps what the tiles were and have become."""

    def solve(self, tiles: Tiles, cancel: Cancel) -> Correction:
        fixed = super().solve(tiles, cancel)
        before = {tile.index: tiles.read(tile)[0] for tile in tiles.plan}
        alone = {i: values + np.float32(fixed.offsets[i]) for i, values in before.items()}
        after = {i: fixed.apply(i, values) for i, values in before.items()}
        self.steps = [step(tiles.plan, which) for which in (before, alone, after)]
        quarter = tiles.plan.tile // 4
        inner = np.s_[quarter:-quarter, quarter:-quarter]
        self.inner = min(correlation(before[i][inner], after[i][inner]) for i in before)
        self.whole = float(np.mean([correlation(before[i], after[i]) for i in before]))
        return fixed


def write(path: Path, array: np.ndarray, gsd: float = 10.0, names: Sequence[str] = ()) -> Path:
    place = Affine(gsd, 0, CORNER[0], 0, -gsd, CORNER[1])
    bands, height, width = array.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype=array.dtype,
        crs="EPSG:32632", transform=place,
    ) as out:  # fmt: skip
        out.write(array)
        for index, name in enumerate(names, 1):
            out.set_band_description(index, name)
    return path


def coarse_of(truth: np.ndarray, path: Path) -> Path:
    """The truth in pixels of 40 m."""
    height, width = (4 * (length // 4) for length in truth.shape)
    blocks = truth[:height, :width].reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))
    return write(path, blocks[None].astype(np.float32), 40.0)


def patchwork(layout: Layout, truth: np.ndarray, level: float, noise: float) -> Compute:
    """Tiles of the truth, each with a level of its own and noise that is smooth over some 16 pixels."""
    plan = layout.parts[0].plan
    windows = [tile.window for tile in plan]
    cycles = np.hypot(np.fft.fftfreq(plan.tile)[:, None], np.fft.rfftfreq(plan.tile)[None])

    def one(number: int) -> np.ndarray:
        random = np.random.default_rng((5, number))
        spectrum = np.fft.rfft2(random.normal(size=(plan.tile, plan.tile))) * np.exp(
            -2 * (16 * np.pi * cycles) ** 2
        )
        smooth = np.fft.irfft2(spectrum, s=(plan.tile, plan.tile))
        return truth[windows[number].slices] + level * random.normal() + noise * smooth / smooth.std()

    def compute(images: Mapping[str, Any], keys: Sequence[Any], cancel: Cancel) -> Mapping[str, Any]:
        del images, cancel
        return {"DEM": np.stack([one(key.tile) for key in keys])[:, None].astype(np.float32)}

    return compute


def kept(compute: Compute) -> Compute:
    """Each tile computed once, however often it is asked for."""
    known: dict[int, np.ndarray] = {}

    def again(images: Mapping[str, Any], keys: Sequence[Any], cancel: Cancel) -> Mapping[str, Any]:
        if any(key.tile not in known for key in keys):
            known.update(zip([key.tile for key in keys], compute(images, keys, cancel)["DEM"]))
        return {"DEM": np.stack([known[key.tile] for key in keys])}

    return again


def measure(name: str, layout: Layout, compute: Compute, truth: np.ndarray, folder: Path) -> list[str]:
    """Rows of the table: as the tiles come, levelled, and tied to the truth at 40 m."""
    geo, goal = default_geo(), folder / "dem.tif"
    coarse = open_scene(str(coarse_of(truth, folder / "coarse.tif")), modality="DEM", geo=geo)
    spec = output_spec(MODALITIES["DEM"], ("DEM",), {})
    product = Product("DEM", "DEM", 1, spec, values_to_pixels(spec))
    compute = kept(compute)
    rows = []
    for words, leveller in (
        ("as they come", AsTheyCome()),
        ("solved", Watched(geo)),
        ("tied, 40 m", Watched(geo, coarse)),
    ):
        run_tiled(
            layout, [product], compute, {"DEM": str(goal)},
            fingerprint={}, batch=4, levels={"DEM": leveller}, overwrite=True, geo=geo,
        )  # fmt: skip
        with rasterio.open(goal) as made:
            raster = made.read(1)
        away = raster - truth
        away = away if "tied" in words else away - np.median(away)
        across, inside = slope(layout.parts[0].plan, raster)
        cells = [name, words, "", "", f"{across:.2f} / {inside:.2f}", f"{rms(away):.1f}", "", ""]
        if isinstance(leveller, Watched):
            before, alone, after = leveller.steps
            cells[2] = f"{before:.2f} → {after:.3f} (1/{before / after:.0f})"
            cells[3] = f"{alone:.2f}"
            cells[6:] = [f"{leveller.inner:.6f}", f"{leveller.whole:.3f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=3, help="simulated scenes")
    parser.add_argument("--side", type=int, default=8, help="tiles along each side, 6 or more")
    parser.add_argument("--preset", default="balanced")
    given = parser.parse_args()
    pack, preset = registry.find("starter"), presets.get(given.preset)
    adapter = adapter_for(pack, make_runtime("onnx", device="cpu", threads=2))
    stride = presets.stride(pack.tile, preset, pack.patch)
    size = pack.tile + (given.side - 1) * stride

    def starter(images: Mapping[str, Any], keys: Sequence[Any], cancel: Cancel) -> Mapping[str, Any]:
        return adapter.generate(images, ("DEM",), keys, preset, cancel=cancel)

    print(f"{given.side} × {given.side} tiles of {pack.tile} pixels, stride {stride}, preset {preset.id}\n")
    heads = ["scene", "levels", "step, m", "offsets alone, m", "slope: seams / inside", "error, m"]
    heads += ["inner relief", "whole tile"]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    scenes: list[tuple[str, np.ndarray, np.ndarray]] = []
    for number in range(given.scenes):
        chip = simulate(UNSEEN_SEED + 100_001 + number, size, size)
        scenes.append((f"simulated {number + 1}", chip.s2l2a, chip.dem))
    for path in sorted(CHIPS.glob("S2L2A/*.tif")):
        with rasterio.open(path) as image, rasterio.open(CHIPS / "DEM" / path.name) as dem:
            more = (0, size - image.height), (0, size - image.width)
            pixels = np.pad(image.read(), ((0, 0), *more), mode="symmetric").astype(np.uint16)
            heights = np.pad(dem.read(1), more, mode="symmetric")
        scenes.append((f"real {path.stem.split('_')[0]}, mirrored", pixels, heights.astype(np.float32)))
    with tempfile.TemporaryDirectory(prefix="terrane-levels-") as name:
        folder = Path(name)
        for title, pixels, truth in scenes:
            path = write(folder / "s2.tif", pixels, names=BANDS)
            scene = open_scene(str(path), modality="S2L2A", boa_offset=0)
            layout = lay_out([scene], pack, default_geo(), preset=preset)
            print("\n".join(measure(f"{title}, starter", layout, starter, truth, folder)), flush=True)
            if title.startswith("simulated"):
                made = patchwork(layout, truth, 100.0, 3.0)
                print("\n".join(measure(f"{title}, patchwork", layout, made, truth, folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
