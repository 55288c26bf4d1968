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
from typing import Any

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


class Trial:
    """A scene, the command that generates from it, and an uninterrupted run to compare with."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        from memory import null_pack
        from mosaic import write_mosaic
        from terrane.inference.tasks.request import output_paths

        self.broken = folder / "broken"
        scene = write_mosaic(folder, given.size)
        model = null_pack(folder) if given.model == "null" else given.model
        self.env = {**os.environ, "TERRANE_CACHE": str(folder / "cache")}
        self.command = [sys.executable, "-m", "terrane", "generate", str(scene), "--modality", "S2L2A"]
        self.command += ["--boa-offset", "0", "--to", "DEM,LULC", "--model", model]
        self.command += ["--preset", given.preset, "--json", "--quiet", "-o"]
        self.outputs = output_paths(str(self.broken), scene.stem, ("DEM", "LULC"))
        started = time.monotonic()
        self.whole = self.finish(str(folder / "whole"))
        self.took = time.monotonic() - started

    def finish(self, *words: str) -> dict[str, Any]:
        """Run to the end."""
        done = subprocess.run(
            [*self.command, *words], capture_output=True, text=True, env=self.env, check=False
        )
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(done.stdout)

    def killed_after(self, seconds: float) -> bool:
        """Run, and kill it then; False where it had ended by itself."""
        run = subprocess.Popen(
            [*self.command, str(self.broken), "--resume"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self.env,
        )  # fmt: skip
        try:
            words = run.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.communicate()
            return True
        if run.returncode:
            sys.exit(words)
        return False

    def wrong(self) -> dict[str, int]:
        """Pixels of each output that differ from the uninterrupted run's."""
        whole = self.whole["outputs"]
        return {name: differing(Path(whole[name]), Path(path)) for name, path in self.outputs.items()}

    def remove_outputs(self) -> None:
        for path in self.outputs.values():
            Path(path).unlink(missing_ok=True)


def kill_often(trial: Trial, kills: int, seed: int) -> bool:
    """Kill runs at random moments; whether those that ended in between were right."""
    from terrane.inference.tasks.journal import find_journal

    moments, killed = random.Random(seed), 0
    while killed < kills:
        if find_journal(trial.outputs) is None and all(map(os.path.exists, trial.outputs.values())):
            print(f"it had finished: pixels that differ: {trial.wrong()}; thrown away, and begun anew")
            if any(trial.wrong().values()):
                return False
            trial.remove_outputs()
        wait = moments.uniform(0.02, 0.3) * trial.took
        if not trial.killed_after(wait):
            continue
        killed += 1
        left = find_journal(trial.outputs)
        state = f"{left.done} of {left.total} tiles" if left else "nothing"
        print(f"kill {killed} after {wait:.1f} s: {state} in the journal", flush=True)
    if find_journal(trial.outputs) is None:
        trial.remove_outputs()
    return True


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
    with tempfile.TemporaryDirectory(prefix="terrane-resume-") as name:
        trial = Trial(Path(name), given)
        tiles = f"{given.size} × {given.size}, {trial.whole['tiles']} tiles"
        print(f"{tiles}, model {given.model}: {trial.took:.0f} s", flush=True)
        if not kill_often(trial, given.kills, given.seed):
            return 1
        last = trial.finish(str(trial.broken), "--resume")
        wrong = trial.wrong()
        left = sorted(path.name for path in trial.broken.glob(".terrane*"))
        print(f"resumed to the end: {last.get('resumed', 0)} tiles taken from the journal")
        print(f"pixels that differ: {wrong}; left behind: {', '.join(left) or 'nothing'}")
    return 1 if any(wrong.values()) or left else 0


if __name__ == "__main__":
    sys.exit(main())
