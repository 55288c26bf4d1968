# SPDX-License-Identifier: GPL-2.0-or-later
"""Peak memory against the scene's height: 4096 pixels wide, 1024, 2048 and 4096 high.

``python benchmarks/memory.py [--model starter|PACK|null] [--preset fast]`` runs ``terrane generate`` once per
height, each in a process of its own, and prints the peak of its resident memory, less the model's weights.
Issue 2 asks for less than 2.5 GB, and no growth with height. GDAL's block cache (192 MB) is part of it: a
scene of 1024 rows (100 MB) does not fill it yet.

``--model null`` is not a model: it is the toy pack of the tests, three orders of magnitude faster than
TerraMind. It measures what the engine itself holds (strips, tiles, blending, writing), and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "unit")]

LIMIT_MB = 2500
WIDTH = 4096


def run(
    scene: Path, model: str, preset: str, targets: list[str], folder: Path, more: list[str]
) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "terrane",
        "generate",
        str(scene),
        "--modality",
        "S2L2A",
        "--to",
        *targets,
    ]
    command += [
        "-o",
        str(folder),
        "--model",
        model,
        "--preset",
        preset,
        "--json",
        "--quiet",
        "--overwrite",
        *more,
    ]
    env = {**os.environ, "TERRANE_CACHE": str(folder / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def null_pack(folder: Path) -> str:
    from toy_pack import build_toy_pack

    return str(build_toy_pack(folder / "null", tile=224, patch=16).root)


def weights_mb(model: str, targets: list[str]) -> float:
    """Bytes of the graphs that the targets need, on disk."""
    from terrane.inference.registry import find

    pack = find(model)
    wanted = ["embed_S2L2A", "encoder"]
    wanted += [f"{part}_{t}" for t in targets for part in ("predict", "decode")]
    wanted += [f"embed_{t}_ids" for t in targets[:-1]]
    files = [f for f in pack.files if Path(f).suffix in (".onnx", ".bin") and Path(f).stem in wanted]
    if not any(f.endswith(".bin") for f in files):
        files = [f for f in pack.files if Path(f).suffix in (".onnx", ".bin")]
    return sum((pack.root / f).stat().st_size for f in files) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="starter")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--to", nargs="+", default=["DEM", "LULC"])
    parser.add_argument("--heights", nargs="+", type=int, default=[1024, 2048, 4096])
    parser.add_argument("options", nargs="*", help="after --: more options for terrane generate")
    given = parser.parse_args()
    from scenes import write_scene

    with tempfile.TemporaryDirectory(prefix="terrane-memory-") as name:
        folder = Path(name)
        null = given.model == "null"
        model = null_pack(folder) if null else given.model
        weights = weights_mb(model, given.to)
        print(f"model {given.model}{' (toy graphs: the engine alone, no TerraMind)' if null else ''}")
        print(f"preset {given.preset}, targets {' '.join(given.to)}, weights {weights:.0f} MB\n")
        print("| scene | tiles | seconds | peak RSS MB | beyond the weights MB |")
        print("| --- | --- | --- | --- | --- |")
        beyond = []
        for height in given.heights:
            scene = write_scene(folder / f"s2_{height}.tif", WIDTH, height)
            result = run(scene, model, given.preset, given.to, folder, given.options)
            scene.unlink()
            beyond.append(result["peak_rss_mb"] - weights)
            cells = (
                f"{WIDTH} × {height}",
                result["tiles"],
                f"{result['seconds']:.0f}",
                result["peak_rss_mb"],
            )
            print(f"| {' | '.join(map(str, cells))} | {beyond[-1]:.0f} |", flush=True)
    growth = beyond[-1] - beyond[-2] if len(beyond) > 1 else 0.0
    print(
        f"\nlargest {max(beyond):.0f} MB of {LIMIT_MB}; growth from the last height but one {growth:.0f} MB"
    )
    return 0 if max(beyond) < LIMIT_MB and growth < 0.05 * max(beyond) else 1


if __name__ == "__main__":
    sys.exit(main())
