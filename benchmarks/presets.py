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
    from terrane.inference.presets import Options
    from terrane.inference.registry import starter_folder
    from terrane.inference.tasks.quantise import QuantiseRequest, quantise

    from training.evaluate import Scores, simulated, write_chip

    with tempfile.TemporaryDirectory(prefix="terrane-presets-") as name:
        folder = Path(name)
        (folder / "chips").mkdir()
        scenes = []
        for number, (image, truth) in enumerate(simulated(given.scenes)):
            path = folder / "chips" / f"{number:03}.tif"
            write_chip(path, image)
            scenes.append((path, truth))
        request = QuantiseRequest(starter_folder(), given.chips or folder / "chips", folder / "pack")
        quantise(request)
        model = terrane.load(folder / "pack", device="cpu", threads=given.threads)
        area = sum(truth["DEM"].size for _, truth in scenes) * 1e-4
        first: list[Any] = []
        print("| | s/km² | CPU s/km² | DEM MAE, m | LULC, % | NDVI MAE | DEM from the first row, m |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for label, preset, knobs in ROWS:
            scores, apart = Scores(), []
            began, worked = time.perf_counter(), time.process_time()
            for number, (path, truth) in enumerate(scenes):
                scene = terrane.open(path, modality="S2L2A", boa_offset=0.0)
                made = model.generate(scene, to=list(TARGETS), preset=preset, options=Options(**knobs))
                guess = {target: made[target].read()[0] for target in TARGETS}
                scores.add(truth, guess)
                if len(first) == number:
                    first.append(guess["DEM"])
                apart.append(float(np.abs(guess["DEM"] - first[number]).mean()))
            seconds, cpu = time.perf_counter() - began, time.process_time() - worked
            figures = scores.figures()
            dem = figures["DEM mean absolute error about the scene's mean, m"]
            cells = (f"{seconds / area:.2f}", f"{cpu / area:.2f}", f"{dem:.1f}")
            rest = (f"{100 * figures['LULC accuracy']:.1f}", f"{figures['NDVI mean absolute error']:.3f}")
            print(f"| {' | '.join((label, *cells, *rest, f'{np.mean(apart):.2f}'))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
