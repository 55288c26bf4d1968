# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated scenes: ``python -m training.simulate --count 1500 --size 224 --out training/runs/chips``.

Needs numpy only (previews need matplotlib). The same seed and size give the same scene to the last bit.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fields import Field
from .sensors import ndvi_of, render_s2l2a
from .world import Climate, make_world

#: Version of the simulator: chips made by another one are not mixed with these.
VERSION = 1

#: First seeds of the sets; sets are far apart, so that they never share a scene.
TRAIN_SEED, UNSEEN_SEED, DEMO_SEED = 1_000_000, 9_000_000, 5_000_000


@dataclass(frozen=True)
class Chip:
    """One scene seen by its sensors, 10 m pixels."""

    seed: int
    s2l2a: NDArray[np.uint16]
    """(12, h, w), reflectance x 10000, no offset."""
    dem: Field
    """(h, w), metres."""
    lulc: NDArray[np.uint8]
    """(h, w), ESRI class indices 1 to 9."""
    ndvi: Field
    """(h, w), -1 to 1, from the image's own B08 and B04."""


def simulate(seed: int, height: int = 224, width: int = 224, climate: Climate | None = None) -> Chip:
    """Return the scene of a seed."""
    world = make_world(seed, height, width, climate)
    image = render_s2l2a(world)
    return Chip(seed, image, world.elevation, world.lulc, ndvi_of(image))


def _arrays(seed: int, size: int) -> tuple[NDArray[np.uint16], Field, NDArray[np.uint8]]:
    chip = simulate(seed, size, size)
    return chip.s2l2a, chip.dem, chip.lulc


def make_set(out: Path, first_seed: int, count: int, size: int, workers: int = 2) -> None:
    """Write a set of chips as s2l2a.npy, dem.npy, lulc.npy and set.json; nothing is done when it is there.

    NDVI is left out: it is computed from the bands.
    """
    card = {"version": VERSION, "first_seed": first_seed, "count": count, "size": size}
    note = out / "set.json"
    if note.is_file() and json.loads(note.read_text()) == card:
        return
    out.mkdir(parents=True, exist_ok=True)
    images = np.lib.format.open_memmap(out / "s2l2a.npy", "w+", np.uint16, (count, 12, size, size))
    heights = np.lib.format.open_memmap(out / "dem.npy", "w+", np.float32, (count, size, size))
    covers = np.lib.format.open_memmap(out / "lulc.npy", "w+", np.uint8, (count, size, size))
    began = time.perf_counter()
    with ExitStack() as stack:
        mapped: Callable[..., Iterable[Any]] = map
        if workers > 1:
            mapped = partial(stack.enter_context(ProcessPoolExecutor(workers)).map, chunksize=8)
        seeds = range(first_seed, first_seed + count)
        for index, arrays in enumerate(mapped(partial(_arrays, size=size), seeds)):
            images[index], heights[index], covers[index] = arrays
            if index % 200 == 199:
                print(
                    f"{out.name}: {index + 1}/{count} chips, {time.perf_counter() - began:.0f} s", flush=True
                )
    for array in (images, heights, covers):
        array.flush()
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
