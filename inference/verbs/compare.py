# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane compare``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Optional

from ..console import ProgressLine, duration, note, run_cancellable, say
from ..errors import InputError
from ..types import Cancel
from .common import add_json, band_map, print_json

if TYPE_CHECKING:
    from ..tasks.compare import CompareRequest, CompareResult


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "tell what changed between two dates"
    parser = verbs.add_parser("compare", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    parser.add_argument("before", help="the first date: a raster of classes, or a scene")
    parser.add_argument("after", help="the second date, of the same kind")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="a GeoTIFF: which class became which, or how much places changed",
    )
    parser.add_argument("--polygons", metavar="FILE", help="what changed as polygons (.gpkg, .shp, …)")
    parser.add_argument("--table", metavar="FILE", help="how much of each class became what (.csv)")
    parser.add_argument("--method", default="auto", help="auto (default), classes, model or bands")
    parser.add_argument("--model", default="starter", help="id or path of a model pack (default: starter)")
    parser.add_argument(
        "--threshold", type=float, metavar="M", help="scenes: more than so much is change (default: Otsu's)"
    )
    parser.add_argument(
        "--min-area", type=float, default=0.0, metavar="M2", help="smaller polygons are left out"
    )
    parser.add_argument("--modality", help="what both scenes are (S2L2A, …); recognised where not given")
    parser.add_argument(
        "--bands", nargs="+", metavar="NAME=BAND", help="which band of both scenes is which: B02=1 B03=2 …"
    )
    parser.add_argument(
        "--boa-offset",
        nargs="+",
        type=float,
        metavar="N",
        help="added to digital numbers: one for both dates, or one each; read from metadata where there is any",
    )
    parser.add_argument("--runtime", default="onnx", help="onnx (default) or torch")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, …; see: terrane devices")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all cores)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare two dates."""
    from ..tasks.compare import compare

    request = _request(arguments)
    line = None if arguments.quiet else ProgressLine(sys.stderr, "")

    def work(cancel: Cancel) -> CompareResult:
        return compare(request, progress=line, cancel=cancel)

    try:
        result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    if arguments.json:
        print_json(result.to_json())
        return 0
    for path in (result.output, result.polygons, result.table):
        if path is not None:
            say(path)
    for warning in result.warnings:
        note(warning)
    if not arguments.quiet:
        note(_summary(result))
    return 0


def _request(arguments: argparse.Namespace) -> CompareRequest:
    from ..tasks.compare import CompareRequest

    return CompareRequest(
        before=arguments.before,
        after=arguments.after,
        output=arguments.output,
        polygons=arguments.polygons,
        table=arguments.table,
        method=arguments.method,
        model=arguments.model,
        threshold=arguments.threshold,
        min_area=arguments.min_area,
        modality=arguments.modality.upper() if arguments.modality else None,
        bands=band_map(arguments.bands),
        boa_offset=_offsets(arguments.boa_offset),
        overwrite=arguments.overwrite,
        runtime=arguments.runtime,
        device=arguments.device,
        threads=arguments.threads,
    )


def _offsets(values: Optional[list[float]]) -> tuple[Optional[float], Optional[float]]:
    if not values:
        return None, None
    if len(values) > 2:
        raise InputError(f"--boa-offset takes one number for both dates, or two, not {len(values)}.")
    return values[0], values[-1]


def _summary(result: CompareResult) -> str:
    share = 100 * result.changed.pixels / result.compared.pixels
    words = [f"{share:.1f} % changed ({result.changed.area / 10000:.2f} ha)"]
    if result.threshold is not None:
        words.append(f"threshold {result.threshold:.4f}" + (" (Otsu)" if result.chosen_by == "otsu" else ""))
    if result.found is not None:
        words.append(f"{result.found} polygons")
    return " · ".join((*words, duration(result.seconds)))
