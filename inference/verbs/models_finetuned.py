# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane models convert-finetuned``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Optional

from ..console import ProgressLine, note, run_cancellable, say
from ..tasks.request import SCHEMA
from ..types import Cancel
from .common import add_json, print_json

PRETRAINING = "pretraining"
"""In place of a file: TerraMind's own statistics."""


def add_action(actions: Any) -> None:
    """Declare the arguments, as an action of ``terrane models``."""
    text = "make a pack of a fine-tuned terratorch model"
    parser = actions.add_parser(
        "convert-finetuned",
        help=text,
        description=f"{text.capitalize()}. Needs terratorch in this Python, or one named by --python.",
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", metavar="CKPT", help="a Lightning .ckpt that terratorch wrote")
    parser.add_argument("--config", metavar="YAML", help="the yaml that it was trained with")
    parser.add_argument(
        "--statistics",
        metavar="FILE.json",
        help='{"S2L2A": {"bands": […], "mean": […], "std": […]}, …}, or "pretraining"',
    )
    parser.add_argument("--task", help="segment, regress or classify, where the files do not say")
    parser.add_argument("--tile", type=int, metavar="N", help="pixels (default: the yaml's crop, else 224)")
    parser.add_argument("--gsd", type=float, default=10.0, metavar="METRES", help="pixel size (default: 10)")
    parser.add_argument("--name", help="the model's name (default: the file's)")
    parser.add_argument(
        "--classes", metavar="A,B,…", help="names of the classes, or of a regression's values"
    )
    parser.add_argument("--unit", default="", help="unit of a regression's values")
    parser.add_argument(
        "--keep-offset", action="store_true", help="the model was trained on Sentinel-2 with its offset"
    )
    parser.add_argument("--license", default="NOASSERTION", metavar="SPDX", help="the model's licence")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="load a checkpoint that can run programs: only from a source you trust",
    )
    parser.add_argument("--python", metavar="PATH", help="a Python with terratorch that does the work")
    parser.add_argument("-o", "--output", required=True, metavar="PACK", help="the pack's folder")
    parser.add_argument("--overwrite", action="store_true", help="replace a pack that exists")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json(parser)
    parser.set_defaults(run=run)


def request_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The worker's request for the arguments; paths are absolute, as a worker works in a folder of its own."""

    def path(text: Optional[str]) -> Optional[str]:
        return None if text is None else os.path.abspath(text)

    statistics = arguments.statistics
    return {
        "checkpoint": path(arguments.checkpoint),
        "output": path(arguments.output),
        "config": path(arguments.config),
        "statistics": statistics if statistics == PRETRAINING else path(statistics),
        "overwrite": arguments.overwrite,
        "options": {
            "task": arguments.task,
            "tile": arguments.tile,
            "gsd": arguments.gsd,
            "name": arguments.name,
            "classes": arguments.classes.split(",") if arguments.classes else None,
            "unit": arguments.unit,
            "offset": "keep" if arguments.keep_offset else "remove",
            "license": arguments.license,
            "trust": arguments.trust,
        },
    }


def run(arguments: argparse.Namespace) -> int:
    """Make a pack of a fine-tuned model, here or in a worker."""
    from ..worker import run_here
    from ..worker_client import run_worker

    line = None if arguments.quiet else ProgressLine(sys.stderr, "")

    def work(cancel: Cancel) -> dict[str, Any]:
        request = request_of(arguments)
        if arguments.python:
            return run_worker(
                arguments.python,
                "convert-finetuned",
                request,
                progress=line,
                cancel=cancel,
                on_memory=None if arguments.quiet else _say_memory,
            )
        return run_here("convert-finetuned", request, progress=line, cancel=cancel)

    try:
        result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    for warning in result.get("warnings", ()):
        note(warning)
    if arguments.json:
        print_json({"schema": SCHEMA, "verb": "models convert-finetuned", **result})
        return 0
    say(result["outputs"]["pack"])
    if not arguments.quiet:
        note(f"{result['model']}: differs from terratorch by {result['difference']['max']:.2g} at most")
    return 0


def _say_memory(needed: int) -> None:
    note(f"this takes up to {needed / 1e9:.1f} GB of memory")
