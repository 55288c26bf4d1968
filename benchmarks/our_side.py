# SPDX-License-Identifier: GPL-2.0-or-later
"""This engine's part of ``versus_terratorch.py``.

``serve`` runs requests, one line of JSON in, one out; models stay loaded. ``first`` starts cold, runs one
scene and tells when each tile was done, counted from STARTED (seconds since 1970, given by the caller).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

TARGETS = ("DEM", "LULC")


class Timed:
    """An adapter that knows how long the model took; ``null`` gives the first answer again, at once."""

    def __init__(self, adapter: Any, null: bool = False) -> None:
        self._adapter, self._null = adapter, null
        self._answer: Optional[Mapping[str, Any]] = None
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def generate(self, *words: Any, **named: Any) -> Any:
        began = time.perf_counter()
        if not self._null or self._answer is None:
            self._answer = self._adapter.generate(*words, **named)
        self.seconds += time.perf_counter() - began
        return self._answer


def request(given: Mapping[str, Any], folder: str) -> Any:
    from terrane.inference.io.scene import open_scene
    from terrane.inference.presets import Options
    from terrane.inference.tasks.generate import GenerateRequest

    return GenerateRequest(
        scenes=(open_scene(given["scene"], modality="S2L2A"),),
        targets=TARGETS,
        outputs={target: str(Path(folder) / f"{target}.tif") for target in TARGETS},
        model=given["pack"],
        preset=given["preset"],
        options=Options(**given.get("options", {})),
        device=given.get("device", "cpu"),
        threads=given["threads"],
        batch=given.get("batch"),
        overwrite=True,
    )


def run(engines: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    from dataclasses import replace

    from terrane.inference.registry import find
    from terrane.inference.tasks.generate import generate, load_engine
    from terrane.inference.tasks.machine import peak_rss_mb

    if given["pack"] not in engines:
        engines[given["pack"]] = load_engine(find(given["pack"]), device="cpu", threads=given["threads"])
    engine = engines[given["pack"]]
    adapter = Timed(engine.adapter, bool(given.get("null")))
    with tempfile.TemporaryDirectory() as folder:
        began, worked = time.perf_counter(), time.process_time()
        result = generate(request(given, folder), engine=replace(engine, adapter=adapter))
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "model_seconds": adapter.seconds,
        "tiles": result.tiles,
        "peak_rss_mb": peak_rss_mb(),
    }


def serve() -> None:
    engines: dict[str, Any] = {}
    for line in sys.stdin:
        print(json.dumps(run(engines, json.loads(line))), flush=True)


def first(given: Mapping[str, Any], started: float) -> None:
    from terrane.inference.tasks.generate import generate

    times: list[float] = []

    def note(progress: Any) -> None:
        if progress.done > len(times):
            times.append(time.time() - started)

    with tempfile.TemporaryDirectory() as folder:
        generate(request(given, folder), progress=note)
    print(json.dumps({"tiles_done": times}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        first(json.loads(sys.argv[2]), float(sys.argv[3]))
