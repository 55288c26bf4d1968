# SPDX-License-Identifier: GPL-2.0-or-later
"""Pull the plug: SIGKILL ten times at random moments, ``--resume`` each time, compare every pixel.

``python benchmarks/resume.py [--size 4096] [--kills 10] [--model starter|null] [--preset fast]`` first runs
``terrane generate`` uninterrupted, then once more, killed again and again. Moments are drawn from the seconds that
the uninterrupted run took, so that they fall into both phases. Ends with 1 where a pixel or a tag differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "unit")]


def differing(one: Path, other: Path) -> int:
    """Pixels that differ, read in strips; a tag or the grid that differs counts as all of them."""
    with rasterio.open(one) as a, rasterio.open(other) as b:
        if (a.profile, a.tags(), a.descriptions) != (b.profile, b.tags(), b.descriptions):
            return a.width * a.height
        return sum(int(np.count_nonzero(a.read(window=w) != b.read(window=w))) for _, w in a.block_windows(1))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    given = parser.parse_args()
    from memory import null_pack
    from mosaic import write_mosaic
    from terrane.inference.tasks.journal import find_journal
    from terrane.inference.tasks.request import output_paths

    moments = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="terrane-resume-") as name:
        folder = Path(name)
        whole, broken = folder / "whole", folder / "broken"
        scene = write_mosaic(folder, given.size)
        model = null_pack(folder) if given.model == "null" else given.model
        env = {**os.environ, "TERRANE_CACHE": str(folder / "cache")}
        command = [sys.executable, "-m", "terrane", "generate", str(scene), "--modality", "S2L2A"]
        command += ["--boa-offset", "0", "--to", "DEM,LULC", "--model", model, "--preset", given.preset]
        command += ["--json", "--quiet", "-o"]
        started = time.monotonic()
        done = subprocess.run([*command, str(whole)], capture_output=True, text=True, env=env, check=False)
        took = time.monotonic() - started
        if done.returncode:
            sys.exit(done.stderr)
        first = json.loads(done.stdout)
        print(
            f"{given.size} × {given.size}, {first['tiles']} tiles, model {given.model}: {took:.0f} s",
            flush=True,
        )

        outputs = output_paths(str(broken), scene.stem, ("DEM", "LULC"))

        def wrong() -> dict[str, int]:
            return {t: differing(Path(first["outputs"][t]), Path(path)) for t, path in outputs.items()}

        killed = 0
        while killed < given.kills:
            if find_journal(outputs) is None and all(map(os.path.exists, outputs.values())):
                print(f"it had finished: pixels that differ: {wrong()}; thrown away, and begun anew")
                if any(wrong().values()):
                    return 1
                for path in outputs.values():
                    Path(path).unlink()
            wait = moments.uniform(0.02, 0.3) * took
            run = subprocess.Popen(
                [*command, str(broken), "--resume"],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env,
            )  # fmt: skip
            try:
                words = run.communicate(timeout=wait)[1]
                if run.returncode:
                    sys.exit(words)
                continue
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.communicate()
                killed += 1
            left = find_journal(outputs)
            state = f"{left.done} of {left.total} tiles" if left else "nothing"
            print(f"kill {killed} after {wait:.1f} s: {state} in the journal", flush=True)
        for path in outputs.values() if find_journal(outputs) is None else ():
            Path(path).unlink(missing_ok=True)
        done = subprocess.run(
            [*command, str(broken), "--resume"], capture_output=True, text=True, env=env, check=False
        )
        if done.returncode:
            sys.exit(done.stderr)
        result = wrong()
        left = sorted(path.name for path in broken.glob(".terrane*"))
        print(f"resumed to the end: {json.loads(done.stdout).get('resumed', 0)} tiles taken from the journal")
        print(f"pixels that differ: {result}; left behind: {', '.join(left) or 'nothing'}")
    return 1 if any(result.values()) or left else 0


if __name__ == "__main__":
    sys.exit(main())
