# SPDX-License-Identifier: GPL-2.0-or-later
"""What each knob of the presets costs and brings: the starter model on simulated scenes that it never saw.

``python benchmarks/presets.py [--scenes 20] [--chips DIR]`` runs one knob at a time away from *balanced* and
prints, per row, seconds and CPU seconds per km², the error of elevation about the scene's mean, the share of
land cover that is right, the error of NDVI, and how far elevation is from *balanced*'s. ``--chips`` calibrates
int8 with real chips in place of simulated scenes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

TARGETS = ("DEM", "LULC", "NDVI")
ROWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("balanced, fp32", "balanced", {"precision": "fp32"}),
    ("1 step", "balanced", {"precision": "fp32", "steps": 1}),
    ("4 steps", "balanced", {"precision": "fp32", "steps": 4}),
    ("10 steps", "balanced", {"precision": "fp32", "steps": 10}),
    ("int8", "balanced", {"precision": "int8"}),
    ("top-p tokens", "balanced", {"precision": "fp32", "sampler": "top_p"}),
    ("overlap 1/14", "balanced", {"precision": "fp32", "stride": 104}),
    ("overlap 1/2", "balanced", {"precision": "fp32", "stride": 56}),
    ("fast", "fast", {}),
    ("exact", "exact", {}),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--chips", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    import numpy as np
    import terrane
    from terrane.inference.metrics import Confusion, Errors
    from terrane.inference.presets import Options
    from terrane.inference.registry import starter_folder
    from terrane.inference.tasks.quantise import QuantiseRequest, quantise

    from training.chip_folder import write_chip
    from training.simulate import UNSEEN_SEED, simulate

    with tempfile.TemporaryDirectory(prefix="terrane-presets-") as name:
        folder = Path(name)
        (folder / "chips").mkdir()
        scenes = []
        for number in range(given.scenes):
            chip = simulate(UNSEEN_SEED + number)
            path = folder / "chips" / f"{number:03}.tif"
            write_chip(path, chip.s2l2a)
            scenes.append((path, {"DEM": chip.dem, "LULC": chip.lulc, "NDVI": chip.ndvi}))
        request = QuantiseRequest(starter_folder(), given.chips or folder / "chips", folder / "pack")
        quantise(request)
        model = terrane.load(folder / "pack", device="cpu", threads=given.threads)
        area = sum(truth["DEM"].size for _, truth in scenes) * 1e-4
        first: list[Any] = []
        print("| | s/km² | CPU s/km² | DEM MAE, m | LULC, % | NDVI MAE | DEM from the first row, m |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for label, preset, knobs in ROWS:
            dem, ndvi, lulc, apart = Errors(), Errors(), Confusion(10, ignore=0), []
            began, worked = time.perf_counter(), time.process_time()
            for number, (path, truth) in enumerate(scenes):
                scene = terrane.open(path, modality="S2L2A", boa_offset=0.0)
                made = model.generate(scene, to=list(TARGETS), preset=preset, options=Options(**knobs))
                guess = {target: made[target].read()[0] for target in TARGETS}
                # The level cannot be seen in an image.
                dem.add(truth["DEM"] - truth["DEM"].mean(), guess["DEM"] - guess["DEM"].mean())
                ndvi.add(truth["NDVI"], guess["NDVI"])
                lulc.add(truth["LULC"], guess["LULC"])
                if len(first) == number:
                    first.append(guess["DEM"])
                apart.append(float(np.abs(guess["DEM"] - first[number]).mean()))
            seconds, cpu = time.perf_counter() - began, time.process_time() - worked
            cells = (f"{seconds / area:.2f}", f"{cpu / area:.2f}", f"{dem.mae:.1f}")
            rest = (f"{100 * lulc.accuracy:.1f}", f"{ndvi.mae:.3f}")
            print(f"| {' | '.join((label, *cells, *rest, f'{np.mean(apart):.2f}'))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
