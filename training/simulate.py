# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated scenes: ``python -m training.simulate --count 2400 --size 224 --out training/runs/chips``.

Needs numpy and scipy. The same seed and size give the same scene to the last bit.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atmosphere import observe
from .fields import Field
from .places import Place
from .radar import backscatter
from .spectra import BANDS
from .surface import reflectance
from .world import make_world

#: Version of the simulator: chips made by another one are not mixed with these.
VERSION = 3

#: First seeds of the sets; sets are far apart, so that they never share a scene.
TRAIN_SEED, UNSEEN_SEED, DEMO_SEED = 1_000_000, 9_000_000, 5_000_000


@dataclass(frozen=True)
class Chip:
    """One scene seen by its sensors, 10 m pixels."""

    seed: int
    s2l2a: NDArray[np.uint16]
    """(12, h, w), reflectance x 10000, no offset."""
    s2l1c: NDArray[np.uint16]
    """(13, h, w), top of atmosphere reflectance x 10000, no offset."""
    rgb: NDArray[np.uint8]
    """(3, h, w)."""
    s1grd: Field
    """(2, h, w), VV and VH in dB."""
    dem: Field
    """(h, w), metres, a surface model."""
    lulc: NDArray[np.uint8]
    """(h, w), ESRI class indices 1 to 9."""
    ndvi: Field
    """(h, w), -1 to 1, from the image's own B08 and B04."""
    coords: tuple[float, float]
    """Longitude and latitude of the middle, degrees."""


def ndvi_of(s2l2a: NDArray[np.uint16]) -> Field:
    """Return NDVI = (B08 - B04) / (B08 + B04) of an L2A image (12, h, w), float32 (h, w), -1 to 1."""
    red = s2l2a[BANDS.index("B04")].astype(np.float32)
    infrared = s2l2a[BANDS.index("B08")].astype(np.float32)
    return (infrared - red) / np.maximum(infrared + red, 1.0)


def simulate(seed: int, height: int = 224, width: int = 224, place: Place | None = None) -> Chip:
    """Return the scene of a seed, or of a place made to order."""
    world = make_world(seed, height, width, place)
    optical = observe(world, reflectance(world))
    return Chip(
        seed=seed,
        s2l2a=optical.s2l2a,
        s2l1c=optical.s2l1c,
        rgb=optical.rgb,
        s1grd=backscatter(world),
        dem=world.elevation,
        lulc=world.lulc,
        ndvi=ndvi_of(optical.s2l2a),
        coords=(world.place.longitude, world.place.latitude),
    )


#: Arrays of a set: file name, type and channels (None: one plane without a channel axis).
ARRAYS: Mapping[str, tuple[type, int | None]] = {
    "s2l2a": (np.uint16, 12),
    "s2l1c": (np.uint16, 13),
    "rgb": (np.uint8, 3),
    "s1grd": (np.float16, 2),
    "dem": (np.float32, None),
    "lulc": (np.uint8, None),
}


def _arrays(seed: int, size: int) -> dict[str, NDArray[Any]]:
    chip = simulate(seed, size, size)
    return {name: np.asarray(getattr(chip, name)).astype(kind) for name, (kind, _) in ARRAYS.items()} | {
        "coords": np.asarray(chip.coords)
    }


def make_set(out: Path, first_seed: int, count: int, size: int, workers: int = 2) -> None:
    """Write a set of chips, one .npy per array, and set.json; nothing is done when it is there.

    NDVI is left out: it is computed from the bands.
    """
    card = {"version": VERSION, "first_seed": first_seed, "count": count, "size": size}
    note = out / "set.json"
    if note.is_file() and json.loads(note.read_text()) == card:
        return
    out.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    files = {
        name: np.lib.format.open_memmap(
            out / f"{name}.npy", "w+", kind, (count, *([bands] if bands else []), size, size)
        )
        for name, (kind, bands) in ARRAYS.items()
    }
    files["coords"] = np.lib.format.open_memmap(out / "coords.npy", "w+", np.float64, (count, 2))
    began = time.perf_counter()
    with ExitStack() as stack:
        mapped: Callable[..., Iterable[Any]] = map
        if workers > 1:
            mapped = partial(stack.enter_context(ProcessPoolExecutor(workers)).map, chunksize=8)
        seeds = range(first_seed, first_seed + count)
        for index, arrays in enumerate(mapped(partial(_arrays, size=size), seeds)):
            for name, array in arrays.items():
                files[name][index] = array
            if index % 200 == 199:
                print(
                    f"{out.name}: {index + 1}/{count} chips, {time.perf_counter() - began:.0f} s", flush=True
                )
    for file in files.values():
        file.flush()
    note.write_text(json.dumps(card))


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write one set of chips."""
    parser = argparse.ArgumentParser(prog="python -m training.simulate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first-seed", type=int, default=TRAIN_SEED)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args(arguments)
    make_set(chosen.out, chosen.first_seed, chosen.count, chosen.size, chosen.workers)


if __name__ == "__main__":
    main()
