# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane regress``."""

from __future__ import annotations

import argparse
from typing import Any

from .common import output_folder
from .predicting import add_predicting, run_predicting


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "estimate values of a scene, pixel by pixel, with a fine-tuned model"
    parser = verbs.add_parser("regress", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_predicting(parser, "regress")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_values.tif")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Estimate values of a scene."""
    from ..tasks.regress import VALUES, RegressRequest, forecast_regress, regress
    from ..tasks.request import output_paths

    with output_folder(arguments.output) as folder:
        return run_predicting(
            arguments,
            RegressRequest,
            lambda stem: output_paths(folder, stem, (VALUES,)),
            regress,
            forecast_regress,
        )
