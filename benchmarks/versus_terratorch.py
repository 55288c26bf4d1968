# SPDX-License-Identifier: GPL-2.0-or-later
"""This engine against terratorch's ``tiled_inference``: one run, one machine, one scene, the same weights.

``python benchmarks/versus_terratorch.py --reference-python ENV/bin/python``

Random weights of the official tiny model (S2L2A to DEM and LULC) are made in the official layout,
converted to a pack, and run by both sides in fp32 with equally many denoising steps, each in a process of
its own with the same number of threads. The reference has IBM's settings for large scenes (crop 256,
stride 192, batch 16, 10 steps); this engine has the preset *exact*, whose stride is 192, too. Its time
includes reading the scene, loading the model and writing the GeoTIFFs; the reference's is
``tiled_inference`` alone, from memory to memory, the model loaded. Where other programs are busy on the
machine, compare CPU seconds, with one thread (waiting threads of torch count as busy).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

SIDE = ROOT / "benchmarks" / "reference_side.py"


def reference(python: str, *words: object) -> None:
    subprocess.run([python, str(SIDE), *map(str, words)], check=True, cwd=ROOT)


def ours(folder: Path, scene: Path, steps: int, threads: int) -> dict[str, Any]:
    """Runs in a child of its own, so that its peak of memory is its own, too."""
    command = [sys.executable, __file__, "--child", str(folder), str(scene), str(steps), str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def child(folder: Path, scene: Path, steps: int, threads: int) -> None:
    from terrane.inference import presets
    from terrane.inference.io.scene import open_scene
    from terrane.inference.tasks.generate import GenerateRequest, generate

    exact = dataclasses.replace(presets.PRESETS["exact"], steps=steps)
    presets.PRESETS = {**presets.PRESETS, "exact": exact}
    targets = ("DEM", "LULC")
    request = GenerateRequest(
        scenes=(open_scene(str(scene), modality="S2L2A"),),
        targets=targets,
        outputs={t: str(folder / f"{t}.tif") for t in targets},
        model=str(folder / "pack"),
        preset="exact",
        device="cpu",
        threads=threads,
        overwrite=True,
    )
    result = generate(request).to_json()
    print(json.dumps({**result, "cpu_seconds": time.process_time()}))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference-python", required=True, help="the Python that has terratorch and onnx")
    parser.add_argument("--size", type=int, default=640, help="side of the square scene in pixels")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=16, help="the reference's batch")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", help="keep weights and pack here, and use them again")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    with tempfile.TemporaryDirectory(prefix="terrane-versus-") as temporary:
        folder = Path(given.folder or temporary)
        prepare(folder, given)
        print(f"{given.size} × {given.size} pixels, {given.steps} steps, {given.threads} threads", flush=True)
        print(f"load average before: {os.getloadavg()[0]:.1f}", flush=True)
        report(given, *measure(folder, given))
    return 0


def prepare(folder: Path, given: argparse.Namespace) -> None:
    import rasterio
    from scenes import write_scene

    if not (folder / "weights" / "TerraMind_v1_tiny.pt").exists():
        reference(given.reference_python, "weights", folder / "weights")
    if not (folder / "pack" / "pack.json").exists():
        from terrane.inference.packs.convert import convert_checkpoint

        weights = folder / "weights"
        checkpoint = weights / "TerraMind_v1_tiny.pt"
        convert_checkpoint(checkpoint, weights, ["S2L2A"], ["DEM", "LULC"], folder / "pack")
    path = write_scene(folder / "s2.tif", given.size, given.size)
    import numpy as np

    with rasterio.open(path) as file:
        np.save(folder / "s2.npy", file.read())


def measure(folder: Path, given: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    mine = ours(folder, folder / "s2.tif", given.steps, given.threads)
    settings = (
        "crop=256",
        "stride=192",
        f"steps={given.steps}",
        f"batch={given.batch}",
        f"threads={given.threads}",
    )
    result = folder / "reference.json"
    reference(given.reference_python, "run", folder / "weights", folder / "s2.npy", result, *settings)
    return mine, json.loads(result.read_text())


def report(given: argparse.Namespace, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    area = (given.size * 10 / 1000) ** 2
    print("| | seconds | CPU seconds | tiles | ms/km² | peak RSS MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, side in (("terratorch", theirs), ("terrane", mine)):
        times = (f"{side['seconds']:.1f}", f"{side['cpu_seconds']:.1f}")
        cells = (*times, side["tiles"], f"{1000 * side['seconds'] / area:.0f}")
        print(f"| {name} | {' | '.join(map(str, cells))} | {side['peak_rss_mb']:.0f} |")
    print(f"\nspeed {theirs['seconds'] / mine['seconds']:.2f} × the reference's")
    print(f"CPU time {mine['cpu_seconds'] / theirs['cpu_seconds']:.2f} × the reference's")
    print(f"memory {mine['peak_rss_mb'] / theirs['peak_rss_mb']:.2f} × the reference's")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        sys.exit(main())
