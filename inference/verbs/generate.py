# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane generate``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import TYPE_CHECKING, Any, Union

from ..console import ProgressLine, duration, note, run_cancellable, say
from ..types import BBox, Cancel
from . import common
from .common import add_json, add_scene, ids, output_folder, print_json, region_of

if TYPE_CHECKING:
    from ..tasks.generate import Engine, Forecast, GenerateRequest, GenerateResult

LONG = 32
"""Tiles from which on a run is measured and announced before it starts."""


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "generate other modalities of a scene"
    parser = verbs.add_parser("generate", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_scene(parser)
    common.add_also(parser)
    parser.add_argument("--coords", action="store_true", help="the place on the Earth as one more input")
    parser.add_argument(
        "--to", nargs="+", required=True, metavar="TARGET", help="DEM, LULC, NDVI, …, in order"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_TARGET.tif")
    parser.add_argument("--model", default="starter", help="id or path of a model pack (default: starter)")
    parser.add_argument("--preset", default="balanced", help="exact, balanced (default) or fast")
    parser.add_argument("--seed", type=int, default=0, help="for presets that draw (default: 0)")
    common.add_area(parser)
    _add_uncertainty(parser)
    _add_levels(parser)
    common.add_options(parser)
    common.add_running(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def _add_uncertainty(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--samples",
        type=int,
        default=1,
        metavar="N",
        help="draw N times: mean and standard deviation, or class probability and entropy",
    )
    parser.add_argument(
        "--probability", action="store_true", help="also the probability of the chosen class (land cover)"
    )


def _add_levels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--levels",
        default="solved",
        help="elevation tiles: solved (default), or tiles: as the model gives them",
    )
    parser.add_argument("--coarse-dem", metavar="FILE", help="an elevation model to tie the levels to")


def run(arguments: argparse.Namespace) -> int:
    """Generate modalities of a scene."""
    from ..tasks.generate import forecast, generate

    line = None if arguments.quiet else ProgressLine(sys.stderr)

    def work(cancel: Cancel) -> Union[GenerateResult, Forecast]:
        with output_folder(arguments.output) as folder:
            request = _request(arguments, folder)
            engine = None
            seen = forecast(request)
            many = seen.tiles - seen.tiles_done >= LONG
            if seen.seconds is None and (arguments.forecast or (many and not arguments.quiet)):
                engine = _measure(request, cancel)
                seen = forecast(request)
            if arguments.forecast:
                return seen
            if many and not arguments.quiet:
                note(common.forecast_words(seen))
            return generate(request, progress=line, cancel=cancel, engine=engine)

    try:
        with common.telling_what_is_kept():
            result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    if arguments.forecast:
        return _show_forecast(result, arguments)
    return _show(result, arguments)


def _request(arguments: argparse.Namespace, folder: str) -> GenerateRequest:
    from ..tasks.request import GenerateRequest, output_paths, product_names

    scenes = (common.open_scene(arguments), *(common.open_also(words) for words in arguments.also))
    coarse = arguments.coarse_dem
    targets = ids(arguments.to)
    extent = BBox(*arguments.extent) if arguments.extent else None
    region, crs = region_of(arguments)
    names = product_names(targets, samples=arguments.samples, probability=arguments.probability)
    return GenerateRequest(
        scenes=scenes,
        targets=targets,
        outputs=output_paths(folder, scenes[0].name, names),
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
        coords=arguments.coords,
        samples=arguments.samples,
        probability=arguments.probability,
        options=common.options_of(arguments),
        levels=arguments.levels,
        coarse_dem=common.open_also([f"DEM={coarse}"]) if coarse else None,
        resume=arguments.resume,
    )


def _measure(request: GenerateRequest, cancel: Cancel) -> Engine:
    """Load the model and run it on a few tiles, for the forecast."""
    from .. import registry
    from ..tasks.generate import calibrate, load_engine

    pack = registry.find(request.model)
    engine = load_engine(pack, runtime=request.runtime, device=request.device, threads=request.threads)
    calibrate(request, cancel=cancel, engine=engine)
    return engine


def _show_forecast(seen: Any, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"schema": common.SCHEMA, "verb": "generate", "forecast": dataclasses.asdict(seen)})
    else:
        say(common.forecast_words(seen))
    return 0


def _show(result: Any, arguments: argparse.Namespace) -> int:
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
