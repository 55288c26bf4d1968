# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane embed``."""

from __future__ import annotations

import argparse
from typing import Any

from . import common
from .predicting import run_predicting


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "write what a model's encoder makes of each patch of a scene"
    parser = verbs.add_parser("embed", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    common.add_scene(parser)
    common.add_also(parser)
    parser.add_argument("--coords", action="store_true", help="each tile's place is one more input")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_embeddings.tif")
    parser.add_argument("--float16", action="store_true", help="half floats: half the size, three digits")
    parser.add_argument(
        "--pca",
        nargs="?",
        type=int,
        const=3,
        metavar="N",
        help="also NAME_pca.tif: the first N (3) principal components, for looking at",
    )
    parser.add_argument(
        "--vectors",
        metavar="FILE",
        help="also one mean vector per tile: .gpkg, .geojson, .shp, .fgb, or .parquet (needs pyarrow)",
    )
    parser.add_argument("--model", default="starter", help="id or path of a model pack (default: starter)")
    parser.add_argument("--preset", default="balanced", help="exact, balanced (default) or fast")
    common.add_area(parser)
    parser.add_argument("--precision", help="fp32 or int8, in place of what the preset says")
    parser.add_argument("--stride", type=int, metavar="PIXELS", help="from one tile to the next")
    common.add_running(parser)
    common.add_json(parser)
    # Settings are of users' own models, which embed nothing.
    parser.set_defaults(run=run, set=[])


def run(arguments: argparse.Namespace) -> int:
    """Embed a scene."""
    from ..tasks.embed import EMBEDDINGS, PCA, VECTORS, EmbedRequest, embed, forecast_embed
    from ..tasks.request import output_paths

    names = (EMBEDDINGS,) if arguments.pca is None else (EMBEDDINGS, PCA)

    def request(**fields: Any) -> EmbedRequest:
        return EmbedRequest(
            half=arguments.float16,
            components=3 if arguments.pca is None else arguments.pca,
            coords=arguments.coords,
            **fields,
        )

    def outputs(stem: str) -> dict[str, str]:
        paths = output_paths(folder, stem, names)
        return {**paths, VECTORS: arguments.vectors} if arguments.vectors else paths

    with common.output_folder(arguments.output) as folder:
        return run_predicting(arguments, request, outputs, embed, forecast_embed)
