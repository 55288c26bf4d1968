# SPDX-License-Identifier: GPL-2.0-or-later
"""Start-up times: ``import terrane`` (under 0.15 s), and loading the plugin where QGIS is (under 0.3 s).

``python benchmarks/startup.py`` runs each in fresh processes and prints the median and the slowest, and
whether torch or onnxruntime were imported.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from importlib.util import find_spec

IMPORT = """
import time; t = time.perf_counter()
import terrane
print(time.perf_counter() - t, [m for m in ("torch", "onnxruntime", "numpy") if m in sys.modules])
"""

PLUGIN = """
from qgis.core import QgsApplication
app = QgsApplication([], True)
app.initQgis()
from qgis.PyQt.QtWidgets import QMainWindow
from qgis.gui import QgisInterface
import processing
t = time.perf_counter()
import terrane
plugin = terrane.classFactory(None)
plugin.initProcessing()
print(time.perf_counter() - t, [m for m in ("torch", "onnxruntime") if m in sys.modules])
sys.stdout.flush()
os._exit(0)
"""


def measure(label: str, code: str, limit: float, runs: int = 7) -> bool:
    seconds, heavy = [], set()
    for _ in range(runs):
        env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": os.pathsep.join(sys.path)}
        line = [sys.executable, "-c", "import os, sys, time\n" + code]
        done = subprocess.run(line, capture_output=True, text=True, env=env, check=False)
        if done.returncode:
            print(f"{label}: failed\n{done.stderr}")
            return False
        first, _, rest = done.stdout.strip().splitlines()[-1].partition(" ")
        seconds.append(float(first))
        heavy.add(rest)
    middle, worst = statistics.median(seconds), max(seconds)
    print(
        f"{label}: median {middle:.3f} s, slowest {worst:.3f} s of {runs} (limit {limit} s); heavy: {heavy}"
    )
    return middle < limit


def main() -> int:
    good = measure("import terrane", IMPORT, 0.15)
    if find_spec("qgis") is None:
        print("plugin load: QGIS is not here")
    else:
        sys.path.append("/usr/share/qgis/python/plugins")
        good &= measure("plugin load (classFactory and initProcessing)", PLUGIN, 0.3)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
