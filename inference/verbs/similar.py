# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane similar``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..console import ProgressLine, duration, note, run_cancellable, say
from ..errors import InputError
from ..types import Cancel
from .common import add_json, print_json


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "find patches that are like others"
    parser = verbs.add_parser("similar", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    parser.add_argument("embeddings", help="a raster of embeddings, as terrane embed makes them")
    parser.add_argument(
        "--points",
        nargs="+",
        action="extend",
        default=[],
        metavar="X,Y",
        help="examples: the patches under these points (--points=-9.1,38.7 where the first is negative)",
    )
    parser.add_argument("--crs", metavar="CRS", help="CRS of --points (default: that of the embeddings)")
    parser.add_argument("--region", metavar="FILE", help="examples: polygons or points of a vector file")
    parser.add_argument("--combine", default="max", help="several examples: max (default; like any) or mean")
    parser.add_argument(
        "--centre", action="store_true", help="measure angles from the mean of all patches, not from zero"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="similarity, a GeoTIFF")
    parser.add_argument("--top", type=int, metavar="N", help="the N most similar patches, into --places")
    parser.add_argument(
        "--threshold", type=float, metavar="S", help="patches at least so similar, into --places"
    )
    parser.add_argument("--places", metavar="FILE", help="vector file for --top and --threshold (.gpkg, …)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Find similar patches."""
    from ..tasks.similar import SimilarResult, similar

    line = None if arguments.quiet else ProgressLine(sys.stderr, "")

    def work(cancel: Cancel) -> SimilarResult:
        return similar(_request(arguments), progress=line, cancel=cancel)

    try:
        result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    if arguments.json:
        print_json(result.to_json())
        return 0
    say(result.output)
    if result.places is not None:
        say(result.places)
    if not arguments.quiet:
        note(f"similarity {result.low:.3f} to {result.high:.3f} · {duration(result.seconds)}")
    return 0


def _request(arguments: argparse.Namespace) -> Any:
    from ..io import default_geo
    from ..tasks.region import transform_polygons
    from ..tasks.similar import SimilarRequest, regions_of

    points, regions, crs = [_point(word) for word in arguments.points], None, arguments.crs
    if arguments.region:
        geo = default_geo()
        regions, more, own = regions_of(arguments.region, geo)
        if points:
            # Points are given in one CRS, the file's shapes in another: bring these to the former.
            crs = crs or _crs_of(arguments.embeddings, geo)
            goal = geo.parse_crs(crs)
            regions = transform_polygons(regions, own, goal, geo)
            xs, ys = geo.transform(own, goal, [x for x, _ in more], [y for _, y in more])
            more = list(zip(xs, ys))
        else:
            crs = own
        points += more
    return SimilarRequest(
        embeddings=arguments.embeddings,
        output=arguments.output,
        points=tuple(points),
        regions=regions or None,
        crs=crs,
        combine=arguments.combine,
        centre=arguments.centre,
        places=arguments.places,
        top=arguments.top,
        threshold=arguments.threshold,
        overwrite=arguments.overwrite,
    )


def _crs_of(path: str, geo: Any) -> str:
    from ..tasks.patches import Patches

    return Patches(path, geo).grid.crs


def _point(word: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError as error:
        raise InputError(f"--points takes X,Y, such as 500000,5100000, not {word!r}.") from error
    return x, y
