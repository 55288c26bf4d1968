# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the starter is, beside TerraMind tiny: one run, one machine, the same scene, preset *balanced*.

``python benchmarks/starter.py --reference-python ENV/bin/python [--pack starter] [--work DIR] [--rounds 3]``

Sentinel-2 L2A to elevation and land cover in full precision on 2 threads, from a GeoTIFF to two. Tiny has random
weights in the official layout, made by the Python that has terratorch: what they are does not change the
time. Each model stays loaded in a process of its own, and the two take turns, so that whatever else the
machine does meets both; figures are medians over the rounds. A tile of the starter is smaller than one of
tiny: seconds a tile are what the project's target is set in, seconds per km² of scene are what a user waits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "unit")]

TARGET_S = 0.35
"""Seconds a tile that the starter may take on 2 cores (issue 4)."""


def tiny_pack(work: Path, reference_python: str) -> Path:
    """Random weights of the official tiny model as a pack; made once."""
    from terrane.inference.packs.convert import convert_checkpoint

    weights, pack = work / "weights", work / "pack"
    work.mkdir(parents=True, exist_ok=True)
    if not (pack / "pack.json").exists():
        if not (weights / "TerraMind_v1_tiny.pt").exists():
            side = ROOT / "benchmarks" / "reference_side.py"
            command = [reference_python, str(side), "weights", str(weights)]
            subprocess.run(command, check=True, cwd=ROOT)
        convert_checkpoint(weights / "TerraMind_v1_tiny.pt", weights, ["S2L2A"], ["DEM", "LULC"], pack)
    return pack


def measure(packs: dict[str, str], scene: Path, given: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """What each round of each pack took, the models loaded and warm before."""
    from versus_terratorch import OURS, Side

    words = {"scene": str(scene), "preset": "balanced", "threads": given.threads}
    words["options"] = {"precision": "fp32"}
    sides = {name: Side(sys.executable, OURS, "serve") for name in packs}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in packs}
    for number in range(given.rounds + 1):
        for name, side in sides.items():
            run = side.ask(**words, pack=packs[name])
            if number:  # the first loads the model
                found[name].append(run)
                print(f"round {number}: {name} {run['seconds']:.2f} s", file=sys.stderr, flush=True)
    for side in sides.values():
        side.end()
    return found


def table(found: dict[str, list[dict[str, Any]]], km2: float) -> list[str]:
    """Rows of medians, and the ratios of tiny to the starter."""

    def median(name: str, what: str) -> float:
        return statistics.median(run[what] for run in found[name])

    head = "| | tiles | seconds a tile | in the model alone | CPU seconds a tile | seconds per km² | peak memory, MB |"
    lines = [head, "| --- " * 7 + "|"]
    for name, runs in found.items():
        tiles = runs[0]["tiles"]
        each = [median(name, what) / tiles for what in ("seconds", "model_seconds", "cpu_seconds")]
        cells = [f"{value:.3f}" for value in each]
        cells += [f"{median(name, 'seconds') / km2:.3f}", f"{median(name, 'peak_rss_mb'):.0f}"]
        lines.append(f"| {name} | {tiles} | {' | '.join(cells)} |")
    starter, tiny = found
    tiles = {name: runs[0]["tiles"] for name, runs in found.items()}
    a_tile = (median(tiny, "seconds") / tiles[tiny]) / (median(starter, "seconds") / tiles[starter])
    area = median(tiny, "seconds") / median(starter, "seconds")
    busy = median(tiny, "cpu_seconds") / median(starter, "cpu_seconds")
    seconds = median(starter, "seconds") / tiles[starter]
    verdict = "met" if seconds <= TARGET_S else "NOT MET"
    alone = median(starter, "cpu_seconds") / tiles[starter]
    words = (
        f"Tiny takes {a_tile:.0f} times as long a tile and {area:.0f} times as long for the same ground ({busy:.0f} "
        f"times the CPU seconds). The starter may take {TARGET_S} s a tile: {seconds:.3f} s, {verdict}; in CPU "
        f"seconds, which other programs disturb less, {alone:.3f}."
    )
    return [*lines, "", words]


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference-python", required=True, help="the Python that has terratorch and onnx")
    parser.add_argument("--pack", default="starter", help="id or path of the starter's pack")
    parser.add_argument("--work", type=Path, default=Path("/tmp/terrane-versus"), help="kept between runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=608, help="pixels a side of the scene")
    given = parser.parse_args(arguments)
    from scenes import write_scene
    from versus_terratorch import machine

    tiny = tiny_pack(given.work, given.reference_python)
    scene = write_scene(given.work / f"s2_{given.size}.tif", given.size, given.size)
    before = os.getloadavg()[0]
    found = measure({"starter": given.pack, "TerraMind tiny": str(tiny)}, scene, given)
    load = f"load {before:.1f} before the run and {os.getloadavg()[0]:.1f} after it"
    print(f"Machine: {machine()}; {load}; {given.threads} threads.\n")
    print("\n".join(table(found, (given.size * 0.01) ** 2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
