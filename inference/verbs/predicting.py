# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``terrane segment``, ``regress`` and ``classify`` share."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ..console import ProgressLine, duration, note, run_cancellable, say
from ..presets import Options
from ..types import BBox, Cancel
from . import common

if TYPE_CHECKING:
    from ..tasks.predict import PredictResult
    from ..tasks.request import Forecast

Work = Callable[..., "PredictResult"]


def add_predicting(parser: argparse.ArgumentParser, task: str) -> None:
    """The arguments of all three verbs."""
    common.add_scene(parser)
    common.add_also(parser)
    parser.add_argument(
        "--model", required=True, help=f"id or path of a model that can {task}; see: terrane models list"
    )
    parser.add_argument("--preset", default="balanced", help="exact, balanced (default) or fast")
    common.add_area(parser)
    parser.add_argument("--precision", help="fp32 or int8, in place of what the preset says")
    parser.add_argument("--stride", type=int, metavar="PIXELS", help="from one tile to the next")
    common.add_set(parser, "a setting of your own model for this run: scaling=0:65535 threshold=0.4 …")
    common.add_running(parser)
    common.add_json(parser)


def request_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything of a request but its outputs. Raises InputError and its kinds."""
    scenes = (_first_scene(arguments), *(common.open_also(words) for words in arguments.also))
    region, crs = common.region_of(arguments)
    return {
        "scenes": scenes,
        "model": arguments.model,
        "preset": arguments.preset,
        "extent": BBox(*arguments.extent) if arguments.extent else None,
        "extent_crs": crs,
        "region": region,
        "grid": arguments.grid,
        "overwrite": arguments.overwrite,
        "resume": arguments.resume,
        "runtime": arguments.runtime,
        "device": arguments.device,
        "threads": arguments.threads,
        "batch": arguments.batch,
        "options": Options(precision=arguments.precision, stride=arguments.stride),
        "settings": common.settings_of(getattr(arguments, "set", ())),
    }


def _first_scene(arguments: argparse.Namespace) -> Any:
    """The scene, as the model takes it: a modality, or bands by number for users' own models."""
    from ..io.image import IMAGE
    from ..registry import find

    if IMAGE not in find(arguments.model, verify=False).inputs:
        return common.open_scene(arguments)
    source = arguments.scene[0] if len(arguments.scene) == 1 else arguments.scene
    return open_picture(source, arguments.model, common.band_map(arguments.bands))


def open_picture(source: Any, model: str, bands: Any = None) -> Any:
    """A raster with as many bands as a user's own model takes. Raises SourceError, BandError, ModelError."""
    from ..errors import ModelError
    from ..io import default_geo
    from ..io.image import IMAGE, open_image
    from ..registry import find

    pack = find(model, verify=False)
    if IMAGE not in pack.inputs:
        raise ModelError(f"Model {pack.id} does not take plain pictures; it takes {', '.join(pack.inputs)}.")
    return open_image(source, len(pack.inputs[IMAGE].bands), default_geo(), bands=bands)


def run_predicting(
    arguments: argparse.Namespace,
    request_class: Any,
    outputs: Callable[[str], Mapping[str, str]],
    task: Work,
    forecast: Callable[[Any], Forecast],
) -> int:
    """Run one of the three. ``outputs`` makes the paths from the scene's name."""
    line = None if arguments.quiet else ProgressLine(sys.stderr)

    def work(cancel: Cancel) -> Union[PredictResult, Forecast]:
        fields = request_fields(arguments)
        request = request_class(outputs=outputs(fields["scenes"][0].name), **fields)
        if arguments.forecast:
            return forecast(request)
        return task(request, progress=line, cancel=cancel)

    try:
        with common.telling_what_is_kept():
            result: Any = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    return show_forecast(result, arguments) if arguments.forecast else _show(result, arguments)


def show_forecast(seen: Any, arguments: argparse.Namespace) -> int:
    """Print what a run would take."""
    if arguments.json:
        described = {"schema": common.SCHEMA, "verb": arguments.verb, "forecast": dataclasses.asdict(seen)}
        common.print_json(described)
    else:
        say(common.forecast_words(seen))
    return 0


def _show(result: PredictResult, arguments: argparse.Namespace) -> int:
    for warning in result.warnings:
        note(warning)
    if arguments.json:
        common.print_json(result.to_json())
        return 0
    path: Optional[str]
    for path in (*result.outputs.values(), result.features):
        if path is not None:
            say(path)
    if not arguments.quiet:
        note(f"{result.tiles} tiles · {duration(result.seconds)} · {result.device}")
    return 0
