# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane fewshot``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from ..console import ProgressLine, duration, note, run_cancellable, say
from ..presets import Options
from ..types import BBox, Cancel
from . import common

if TYPE_CHECKING:
    from ..tasks.blocked import Report
    from ..tasks.fewshot import FewShotRequest, FewShotResult


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "map classes from a few places that you know (few-shot classification)"
    parser = verbs.add_parser("fewshot", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    common.add_scene(parser)
    common.add_also(parser)
    parser.add_argument(
        "--samples",
        required=True,
        metavar="FILE",
        help="points or polygons of places that you know (.gpkg, …)",
    )
    parser.add_argument(
        "--class-field", default="class", metavar="NAME", help="attribute with their class (default: class)"
    )
    parser.add_argument("--layer", metavar="NAME", help="layer of --samples (default: the first)")
    parser.add_argument(
        "--model", default="starter", help="whose features are used: any that gives embeddings (starter)"
    )
    parser.add_argument(
        "--classifier", default="logistic", help="logistic (default), or forest: needs scikit-learn"
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="C", help="less is smoother, more follows the samples"
    )
    parser.add_argument(
        "--block", type=float, metavar="METRES", help="blocks of cross-validation (default: four patches)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which pixels of polygons are drawn")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_classes.tif")
    parser.add_argument("--probability", action="store_true", help="also the probability of the class")
    parser.add_argument("--uncertainty", action="store_true", help="also how undecided the model is")
    parser.add_argument("--suggest", metavar="FILE", help="vector file of places to mark next (.gpkg, …)")
    parser.add_argument(
        "--suggestions", type=int, default=10, metavar="N", help="so many of them at most (default: 10)"
    )
    parser.add_argument("--report", metavar="FILE", help="accuracy and confusion matrix as JSON")
    parser.add_argument(
        "--save-model", metavar="NAME", help="keep it, for: terrane segment SCENE --model NAME"
    )
    parser.add_argument("--preset", default="balanced", help="exact, balanced (default) or fast")
    common.add_area(parser)
    parser.add_argument("--precision", help="fp32 or int8, in place of what the preset says")
    parser.add_argument("--stride", type=int, metavar="PIXELS", help="from one tile to the next")
    common.add_running(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, test and map."""
    from ..io.output import check_output
    from ..tasks.fewshot import fewshot, forecast_fewshot

    line = None if arguments.quiet else ProgressLine(sys.stderr)

    def work(cancel: Cancel) -> Any:
        with common.output_folder(arguments.output) as folder:
            request = _request(arguments, folder)
            if arguments.forecast:
                return forecast_fewshot(request)
            if arguments.report:
                check_output(arguments.report, overwrite=arguments.overwrite)
            return fewshot(request, progress=line, cancel=cancel)

    try:
        with common.telling_what_is_kept():
            result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    if arguments.forecast:
        from .predicting import show_forecast

        return show_forecast(result, arguments)
    if arguments.report:
        _write_report(result, arguments.report)
    return _show(result, arguments)


def _request(arguments: argparse.Namespace, folder: str) -> FewShotRequest:
    from ..io import default_geo
    from ..tasks.fewshot import SUGGESTIONS, UNCERTAINTY, FewShotRequest
    from ..tasks.peer import CLASSES, PROBABILITY
    from ..tasks.request import output_paths
    from ..tasks.samples import read_samples

    scenes = (common.open_scene(arguments), *(common.open_also(words) for words in arguments.also))
    region, crs = common.region_of(arguments)
    names = [CLASSES]
    names += [PROBABILITY] if arguments.probability else []
    names += [UNCERTAINTY] if arguments.uncertainty else []
    outputs = output_paths(folder, scenes[0].name, names)
    if arguments.suggest:
        outputs[SUGGESTIONS] = arguments.suggest
    return FewShotRequest(
        scenes=scenes,
        outputs=outputs,
        samples=read_samples(arguments.samples, arguments.class_field, default_geo(), layer=arguments.layer),
        model=arguments.model,
        classifier=arguments.classifier,
        strength=arguments.strength,
        block=arguments.block,
        seed=arguments.seed,
        suggestions=arguments.suggestions,
        save_model=arguments.save_model,
        preset=arguments.preset,
        extent=BBox(*arguments.extent) if arguments.extent else None,
        extent_crs=crs,
        region=region,
        grid=arguments.grid,
        overwrite=arguments.overwrite,
        resume=arguments.resume,
        runtime=arguments.runtime,
        device=arguments.device,
        threads=arguments.threads,
        batch=arguments.batch,
        options=Options(precision=arguments.precision, stride=arguments.stride),
    )


def _write_report(result: FewShotResult, path: str) -> None:
    from ..errors import OutputError

    part = path + ".part"
    try:
        with open(part, "w", encoding="utf-8", newline="\n") as file:
            json.dump(result.report.to_json(), file, indent=1, ensure_ascii=False, allow_nan=False)
            file.write("\n")
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}).") from error


def _show(result: FewShotResult, arguments: argparse.Namespace) -> int:
    for warning in result.warnings:
        note(warning)
    if arguments.json:
        common.print_json(result.to_json())
        return 0
    for path in (*result.outputs.values(), result.features, arguments.report):
        if path is not None:
            say(path)
    if not arguments.quiet:
        if result.report.accuracy is not None:
            note(result.report.sentence())
            note(table(result.report))
        if result.saved is not None:
            note(f"Saved as the model {result.saved}: terrane segment SCENE --model {result.saved}")
        trained = f"trained in {duration(result.training_seconds)}"
        note(f"{result.tiles} tiles · {duration(result.seconds)}, {trained} · {result.device}")
    return 0


def table(report: Report) -> str:
    """The confusion matrix as lines: a row per class, a column per class it was taken for, and F1."""
    width = max(8, *(len(name) for name in report.classes))
    names = [f"{name[:12]:>12}" for name in (*report.classes, "F1")]
    lines = [" " * width + "".join(names)]
    for name, row, f1 in zip(report.classes, report.confusion, report.f1):
        cells = "".join(f"{value:>12}" for value in row)
        lines.append(f"{name:<{width}}{cells}{'not tested' if f1 is None else f'{f1:.2f}':>12}")
    return "\n".join(lines)
