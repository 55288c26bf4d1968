# SPDX-License-Identifier: GPL-2.0-or-later
"""The row of a graphics card: a decoder's denoising step with CUDA, in batches of 1 to 32, fp32 and fp16.

``python benchmarks/cuda_row.py PACK [--device cuda]`` uses ONNX Runtime's IO binding: tokens and noise lie on
the device, and the result stays there, as a loop of steps on the device would have it. Where this ONNX
Runtime has no CUDA, or there is no card, it says so and does nothing. ``--device cpu`` runs the same code.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

BATCHES = (1, 2, 4, 8, 16, 32)


def half(source: Path, folder: Path) -> Path:
    """The graph in half precision; inputs and outputs stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(str(source)), keep_io_types=True)
    path = folder / f"{source.stem}.fp16.onnx"
    onnx.save_model(model, str(path), save_as_external_data=True, location=path.stem + ".bin")
    return path


def feeds(pack: Any, graph: str, batch: int) -> dict[str, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    target = pack.targets[graph[len("decode_") :]]
    tile = (batch, target.channels, pack.tile, pack.tile)
    codes = int(np.prod(target.codebook))
    made = {
        "noisy": rng.standard_normal(tile).astype(np.float32),
        "timestep": np.full(batch, 999, np.int64),
        "ids": rng.integers(0, codes, (batch, pack.tokens)),
    }
    return {name: made[name] for name in pack.graphs[graph].inputs}


def seconds_per_tile(session: Any, given: dict[str, Any], batch: int, device: str, runs: int) -> float:
    import onnxruntime as ort

    binding = session.io_binding()
    for name, array in given.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, device, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, device)
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:]) / batch


def row(pack: Any, graph: str, device: str, batches: tuple[int, ...] = BATCHES, runs: int = 5) -> list[str]:
    """Lines of the table; one that says why it is missing where there is no card."""
    import onnxruntime as ort
    from terrane.inference.runtime import make_runtime

    runtime = make_runtime("onnx", device=device)
    if device == "cuda" and runtime.device != "CUDAExecutionProvider":
        reason = getattr(runtime, "warnings", ["no CUDA"])[0]
        return [f"CUDA row skipped: {reason}"]
    lines = ["| batch | fp32, ms per tile and step | fp16, ms per tile and step |", "| --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as name:
        source = Path(pack.graph_path(graph))
        sessions: dict[str, Optional[Any]] = {}
        for precision, path in (("fp32", source), ("fp16", half(source, Path(name)))):
            provider = [(runtime.device, {"use_tf32": "0"} if device == "cuda" else {})]
            try:
                sessions[precision] = ort.InferenceSession(str(path), providers=provider)
            except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
                print(f"{precision} skipped: {str(error)[:120]}", file=sys.stderr)
                sessions[precision] = None
        for batch in batches:
            cells = [str(batch)]
            for session in sessions.values():
                if session is None:
                    cells.append("–")
                    continue
                given = feeds(pack, graph, batch)
                cells.append(f"{1000 * seconds_per_tile(session, given, batch, device, runs):.1f}")
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack")
    parser.add_argument("--graph", default="decode_DEM")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    from terrane.inference.registry import find

    print("\n".join(row(find(given.pack), given.graph, given.device, tuple(given.batches), given.runs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
