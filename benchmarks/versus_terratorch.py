# SPDX-License-Identifier: GPL-2.0-or-later
"""This engine against terratorch's ``tiled_inference``: one run, one machine, the same random weights.

``python benchmarks/versus_terratorch.py --reference-python ENV/bin/python [--work DIR] [--rounds 2]``

Random weights of the official tiny model (S2L2A to DEM and LULC) are made in the official layout and
converted to a pack with an int8 variant. Both sides stay loaded in a process of their own and take turns, so
that whatever else the machine does meets both. Ratios are of medians over the rounds; CPU seconds stand beside
them, because other programs do not change those as much. Rows:

- the same steps and tiling: preset *exact* (10 steps, top-p) against crop 224, stride 192, 10 steps;
- defaults: *balanced* against IBM's notebook (crop 256, stride 192, batch 16, 10 steps), per km² of a large
  scene: both strides are 192 pixels, so that a tile stands for 3.69 km²;
- from the start of the program to the first tile, weights in the system's cache;
- peak memory at 8192 × 8192: ours measured (see ``memory_row``), the reference's from its own source
  (``reference_bytes``), which is compared with a measured run first;
- the part of a run that is not the model, twice: beside the model, and with a model that answers at once;
- a graphics card's row (``cuda_row.py``), which says so where there is none.

Random weights saturate the decoders, so that int8's error says nothing here and no preset would choose it:
it is asked for by name.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "unit")]

REFERENCE = ROOT / "benchmarks" / "reference_side.py"
OURS = ROOT / "benchmarks" / "our_side.py"
TILE_KM2 = (192 * 10 / 1000) ** 2
"""What a tile adds to a large scene at a stride of 192 pixels of 10 m."""
ROWS = ("speed", "first", "share", "memory", "cuda")


class Side:
    """A process that answers lines of JSON."""

    def __init__(self, *command: object) -> None:
        words = [str(word) for word in command]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} has ended")
        return json.loads(line)

    def ask(self, **given: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(given) + "\n")
        self.process.stdin.flush()
        return self.read()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def machine() -> str:
    """The processor, what of it matters for int8, memory, and versions."""
    import onnxruntime

    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    has = ", ".join(f"{flag}: {'yes' if flag in flags else 'no'}" for flag in wanted)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{fields.get('model name', platform.processor())}, {cores} cores, {memory:.0f} GB ({has}); "
        f"{platform.system()}, Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}"
    )


def prepare(work: Path, given: argparse.Namespace) -> None:
    """Weights, pack, int8 variant and scenes, where they are not there yet."""
    import numpy as np
    import rasterio
    from scenes import write_scene
    from terrane.inference.packs.convert import convert_checkpoint
    from terrane.inference.tasks.quantise import QuantiseRequest, quantise

    work.mkdir(parents=True, exist_ok=True)
    weights, pack = work / "weights", work / "pack"
    if not (weights / "TerraMind_v1_tiny.pt").exists():
        command = [given.reference_python, REFERENCE, "weights", weights]
        subprocess.run([str(word) for word in command], check=True, cwd=ROOT)
    for size in (400, 432, given.share_size):
        path = write_scene(work / f"s2_{size}.tif", size, size)
        with rasterio.open(path) as file:
            np.save(work / f"s2_{size}.npy", file.read())
    if not (pack / "pack.json").exists():
        convert_checkpoint(weights / "TerraMind_v1_tiny.pt", weights, ["S2L2A"], ["DEM", "LULC"], pack)
    if not (work / "pack8" / "pack.json").exists():
        quantise(QuantiseRequest(pack, work / "s2_432.tif", work / "pack8", tiles=2, threads=given.threads))


def speed_rows(work: Path, given: argparse.Namespace) -> list[str]:
    """Same steps in fp32 and int8, and defaults against defaults."""
    theirs = Side(given.reference_python, REFERENCE, "serve", work / "weights")
    theirs.read()
    ours = Side(sys.executable, OURS, "serve")
    base = {"scene": str(work / "s2_400.tif"), "pack": str(work / "pack8"), "threads": given.threads}
    tiled = {"scene": str(work / "s2_400.npy"), "stride": 192, "batch": 16, "threads": given.threads}
    runs: dict[str, tuple[Side, dict[str, Any]]] = {
        "terratorch, crop 224": (theirs, {**tiled, "crop": 224, "steps": 10}),
        "Terrane exact, fp32": (ours, {**base, "preset": "exact", "options": {"precision": "fp32"}}),
        "Terrane exact, int8": (ours, {**base, "preset": "exact", "options": {"precision": "int8"}}),
        "terratorch, crop 256": (
            theirs,
            {**tiled, "scene": str(work / "s2_432.npy"), "crop": 256, "steps": 10},
        ),
        "Terrane balanced, int8": (ours, {**base, "preset": "balanced", "options": {"precision": "int8"}}),
        "Terrane balanced, fp32": (ours, {**base, "preset": "balanced", "options": {"precision": "fp32"}}),
    }
    for precision in ("fp32", "int8"):  # load everything first
        ours.ask(**base, preset="fast", options={"precision": precision})
    theirs.ask(**tiled, crop=224, steps=1)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for number in range(given.rounds):
        for name, (side, words) in runs.items():
            found[name].append(side.ask(**words))
            seconds = found[name][-1]["seconds"]
            print(f"round {number + 1}: {name} {seconds:.1f} s", file=sys.stderr, flush=True)
    for side in (theirs, ours):
        side.end()
    return _speed_table(found)


def _speed_table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    def per_tile(name: str, what: str) -> float:
        return statistics.median(run[what] / run["tiles"] for run in found[name])

    against = {
        "Terrane exact, fp32": "terratorch, crop 224",
        "Terrane exact, int8": "terratorch, crop 224",
        "Terrane balanced, int8": "terratorch, crop 256",
        "Terrane balanced, fp32": "terratorch, crop 256",
    }
    lines = [
        "| | seconds a tile | CPU seconds a tile | seconds per km² | times as fast (CPU seconds) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in found:
        seconds, cpu = per_tile(name, "seconds"), per_tile(name, "cpu_seconds")
        ratio = "–"
        if name in against:
            other = against[name]
            times = per_tile(other, "seconds") / seconds
            ratio = f"{times:.2f} ({per_tile(other, 'cpu_seconds') / cpu:.2f})"
        lines.append(f"| {name} | {seconds:.2f} | {cpu:.2f} | {seconds / TILE_KM2:.2f} | {ratio} |")
    return lines


def first_row(work: Path, given: argparse.Namespace) -> list[str]:
    """From the start of the program to the first tile, less a tile; the second start finds everything cached."""
    lines = ["| | first tile after, s | a tile, s | beyond a tile, s |", "| --- | --- | --- | --- |"]
    for precision in ("int8", "fp32"):
        words = {
            "scene": str(work / "s2_400.tif"),
            "pack": str(work / ("pack8" if precision == "int8" else "pack")),
            "preset": "balanced",
            "options": {"precision": precision},
            "threads": given.threads,
        }
        runs = []
        for _ in range(given.rounds + 1):
            command = [sys.executable, str(OURS), "first", json.dumps(words), str(time.time())]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
            times = json.loads(done.stdout.splitlines()[-1])["tiles_done"]
            tile = statistics.median(b - a for a, b in zip(times, times[1:]))
            runs.append((times[0] - tile, times[0], tile))
        extra, first, tile = sorted(runs[1:])[len(runs[1:]) // 2]
        lines.append(f"| balanced, {precision} | {first:.2f} | {tile:.2f} | {extra:.2f} |")
    return lines


def share_row(work: Path, given: argparse.Namespace) -> list[str]:
    """How much of a run is not the model."""
    ours = Side(sys.executable, OURS, "serve")
    words = {
        "scene": str(work / f"s2_{given.share_size}.tif"),
        "pack": str(work / "pack8"),
        "preset": "balanced",
        "options": {"precision": "int8"},
        "threads": given.threads,
    }
    ours.ask(**{**words, "scene": str(work / "s2_400.tif")})
    real, null = ours.ask(**words), ours.ask(**words, null=True)
    ours.end()
    beside = 1 - real["model_seconds"] / real["seconds"]
    rest = null["seconds"] - null["model_seconds"]
    side = f"{given.share_size} × {given.share_size} pixels, {real['tiles']} tiles, {real['seconds']:.1f} s"
    alone = f"{rest:.2f} s, {100 * rest / real['seconds']:.1f} %"
    busy = f"{null['cpu_seconds']:.1f} of {real['cpu_seconds']:.1f} CPU seconds, one tile's model included"
    return [
        f"{side}: not in the model {100 * beside:.1f} % of the time.",
        f"The same run with a model that answers at once: {alone} ({busy}).",
    ]


def reference_bytes(size: int, *, crop: int = 256, stride: int = 192, delta: int = 8) -> int:
    """What ``tiled_inference`` of terratorch 1.2.11 holds at its end for 12 bands in and 11 channels out.

    From ``tasks/tiled_inference.py``: the input, its padded copy (tiles are views of it), the output of every
    tile, the accumulator and the weights (both padded), and the quotient of the two; float32 all of them.
    """
    padded = size + 2 * delta
    along = len(range(0, padded - crop - 1, stride)) + 1
    tiles = along * along
    pixels = 12 * size**2 + 12 * padded**2 + tiles * 11 * crop**2 + (11 + 1) * padded**2 + 11 * size**2
    return 4 * pixels


def memory_row(work: Path, given: argparse.Namespace) -> list[str]:
    """Peaks: the reference's formula against measured runs; ours with the real model on a row of tiles as wide
    as the scene, and the engine alone (a model of no size) on that row and on the whole scene.
    """
    lines = ["| tiled_inference alone | formula, MB | measured, MB |", "| --- | --- | --- |"]
    for size in (1024, 2048, 3072):
        command = [given.reference_python, str(REFERENCE), "memory", str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        measured = json.loads(done.stdout.splitlines()[-1])["beyond_mb"]
        lines.append(f"| {size} × {size} | {reference_bytes(size) / 1e6:.0f} | {measured:.0f} |")
    theirs = Side(given.reference_python, REFERENCE, "serve", work / "weights")
    loaded = theirs.read()["rss_mb"]
    theirs.end()
    reference = loaded + reference_bytes(given.memory_size) / 1e6
    row, null_row, null_all = our_peaks(work, given)
    ours = row + max(0.0, null_all - null_row)
    wide = f"{given.memory_size} × {given.memory_size}"
    formula = reference_bytes(given.memory_size) / 1e6
    engine = f"the engine alone {null_row:.0f} MB there and {null_all:.0f} MB at {wide}"
    theirs_text = f"weights {loaded:.0f} MB, formula {formula:.0f} MB, together {reference:.0f} MB"
    ours_text = f"{given.memory_size} × 432 with the model {row:.0f} MB; {engine}; together {ours:.0f} MB"
    return [
        *lines,
        "",
        f"Reference at {wide}, activations left out: {theirs_text}.",
        f"Terrane: {ours_text}, {ours / reference:.3f} of the reference's.",
    ]


def our_peaks(work: Path, given: argparse.Namespace) -> tuple[float, float, float]:
    """MB: the model on one row, the engine alone on that row and on the whole."""
    from memory import null_pack
    from scenes import write_scene

    null = null_pack(work)
    peaks = []
    for pack, height in (
        (str(work / "pack"), 432),
        (null, 432),
        (null, given.memory_size),
    ):
        scene = write_scene(work / "wide.tif", given.memory_size, height)
        side = Side(sys.executable, OURS, "serve")
        words = {"scene": str(scene), "pack": pack, "preset": "fast", "threads": given.threads}
        peaks.append(side.ask(**words)["peak_rss_mb"])
        side.end()
        scene.unlink()
        print(f"{pack} {height}: {peaks[-1]:.0f} MB", file=sys.stderr, flush=True)
    return peaks[0], peaks[1], peaks[2]


def cuda_rows(work: Path, _: argparse.Namespace) -> list[str]:
    from cuda_row import row
    from terrane.inference.registry import find

    return row(find(str(work / "pack")), "decode_DEM", "cuda")


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference-python", required=True, help="the Python that has terratorch and onnx")
    parser.add_argument("--work", type=Path, default=Path("/tmp/terrane-versus"), help="kept between runs")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--share-size", type=int, default=1184, help="pixels of the scene for the share")
    parser.add_argument("--memory-size", type=int, default=8192)
    given = parser.parse_args(arguments)
    prepare(given.work, given)
    print(f"Machine: {machine()}\n", flush=True)
    functions = {
        "speed": speed_rows,
        "first": first_row,
        "share": share_row,
        "memory": memory_row,
        "cuda": cuda_rows,
    }
    for name in given.rows:
        print("\n".join((f"## {name}", "", *functions[name](given.work, given), "")), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
