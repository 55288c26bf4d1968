# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane classify``."""

from __future__ import annotations

import argparse
import os
from typing import Any

from .common import output_folder
from .predicting import add_predicting, run_predicting


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "tell classes apart in a scene, tile by tile, with a fine-tuned model"
    parser = verbs.add_parser("classify", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_predicting(parser, "classify")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the tiles as polygons: .gpkg, .geojson, .shp, .fgb or .parquet",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Classify the tiles of a scene."""
    from ..io.vectors import suffix_of
    from ..tasks.classify import TILES, ClassifyRequest, classify, forecast_classify

    suffix_of(arguments.output)
    with output_folder(os.path.dirname(os.path.abspath(arguments.output))):
        return run_predicting(
            arguments,
            ClassifyRequest,
            lambda _: {TILES: arguments.output},
            classify,
            forecast_classify,
        )
