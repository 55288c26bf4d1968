# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane segment``."""

from __future__ import annotations

import argparse
from typing import Any

from .common import output_folder
from .predicting import add_predicting, run_predicting


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "tell classes apart in a scene, pixel by pixel, with a fine-tuned model"
    parser = verbs.add_parser("segment", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_predicting(parser, "segment")
    parser.add_argument("--probability", action="store_true", help="also the probability of the class")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_classes.tif")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Segment a scene."""
    from ..registry import find
    from ..tasks.peer import class_outputs
    from ..tasks.request import output_paths
    from ..tasks.segment import SegmentRequest, forecast_segment, segment

    names = class_outputs(find(arguments.model, verify=False), probability=arguments.probability)
    with output_folder(arguments.output) as folder:
        return run_predicting(
            arguments,
            SegmentRequest,
            lambda stem: output_paths(folder, stem, names),
            segment,
            forecast_segment,
        )
