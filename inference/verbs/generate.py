# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane generate``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..console import ProgressLine, duration, note, run_cancellable, say
from ..types import BBox, Cancel
from . import common
from .common import add_json, add_scene, ids, output_folder, print_json, region_of


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "generate other modalities of a scene"
    parser = verbs.add_parser("generate", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_scene(parser)
    parser.add_argument(
        "--to", nargs="+", required=True, metavar="TARGET", help="DEM, LULC, NDVI, …, in order"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_TARGET.tif")
    parser.add_argument("--model", default="starter", help="id or path of a model pack (default: starter)")
    parser.add_argument("--preset", default="balanced", help="exact, balanced (default) or fast")
    parser.add_argument("--seed", type=int, default=0, help="for presets that draw (default: 0)")
    parser.add_argument("--extent", nargs=4, type=float, metavar=("XMIN", "YMIN", "XMAX", "YMAX"))
    parser.add_argument("--extent-crs", metavar="CRS", help="CRS of --extent (default: the scene's)")
    parser.add_argument("--region", metavar="FILE", help="GeoJSON polygons: only inside of them")
    parser.add_argument("--grid", default="model", help="pixels of the result: model (default) or input")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument("--runtime", default="onnx", help="onnx (default) or torch")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, …; see: terrane devices")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all cores)")
    parser.add_argument("--batch", type=int, metavar="N", help="tiles per run of the model")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generate modalities of a scene."""
    from ..tasks.generate import GenerateRequest, GenerateResult, generate
    from ..tasks.request import output_paths

    line = None if arguments.quiet else ProgressLine(sys.stderr)

    def work(cancel: Cancel) -> GenerateResult:
        scene = common.open_scene(arguments)
        targets = ids(arguments.to)
        extent = BBox(*arguments.extent) if arguments.extent else None
        region, crs = region_of(arguments)
        with output_folder(arguments.output) as folder:
            request = GenerateRequest(
                scenes=(scene,),
                targets=targets,
                outputs=output_paths(folder, scene.name, targets),
                model=arguments.model,
                preset=arguments.preset,
                seed=arguments.seed,
                extent=extent,
                extent_crs=crs,
                region=region,
                grid=arguments.grid,
                overwrite=arguments.overwrite,
                runtime=arguments.runtime,
                device=arguments.device,
                threads=arguments.threads,
                batch=arguments.batch,
            )
            return generate(request, progress=line, cancel=cancel)

    try:
        result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    for warning in result.warnings:
        note(warning)
    if arguments.json:
        print_json(result.to_json())
        return 0
    for path in result.outputs.values():
        say(path)
    if not arguments.quiet:
        note(f"{result.tiles} tiles · {duration(result.seconds)} · {result.device}")
    return 0
