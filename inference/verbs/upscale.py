# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane upscale``."""

from __future__ import annotations

import argparse
from typing import Any

from .common import output_folder
from .predicting import add_predicting, run_predicting


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "give a scene finer pixels with your own super-resolution model"
    parser = verbs.add_parser("upscale", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_predicting(parser, "upscale")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_upscaled.tif")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Upscale a scene."""
    from ..tasks.request import output_paths
    from ..tasks.upscale import PICTURE, UpscaleRequest, forecast_upscale, upscale

    with output_folder(arguments.output) as folder:
        return run_predicting(
            arguments,
            UpscaleRequest,
            lambda stem: output_paths(folder, stem, (PICTURE,)),
            upscale,
            forecast_upscale,
        )
