# SPDX-License-Identifier: GPL-2.0-or-later
"""The ``terrane`` command: a thin face over the tasks.

Results go to stdout (with ``--json`` exactly one object), everything else to stderr. Exit codes: 0 done,
2 bad input or usage, 3 the machine cannot, 130 cancelled; anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Optional

from .. import __version__
from . import commands
from .console import forgiving_streams, note
from .errors import Cancelled, InputError, TerraneError


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence; the caller decides on the exit code."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return its exit code."""
    forgiving_streams()
    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.run(arguments)
    except TerraneError as error:
        note(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        note(str(Cancelled()))
        return Cancelled.exit_code
    except BrokenPipeError:
        # Whoever read our output has left: there is nobody to tell, and nothing wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="terrane", description="TerraMind on your own machine.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"terrane {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, dest="verb")
    _add_generate(verbs)
    _add_inspect(verbs)
    _add_models(verbs)
    for name, text, run in (
        ("presets", "list the presets", commands.presets),
        ("devices", "list the devices that can run models", commands.devices),
    ):
        verb = verbs.add_parser(name, help=text, description=text.capitalize() + ".", allow_abbrev=False)
        _add_json(verb)
        verb.set_defaults(run=run)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def _add_scene(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scene", nargs="+", help="a stacked raster, single-band files, a .SAFE folder or zip, a STAC item"
    )
    parser.add_argument("--modality", help="what the scene is (S2L2A, …); recognised where not given")
    parser.add_argument(
        "--bands",
        nargs="+",
        metavar="NAME=BAND",
        help="which band is which: B02=1 B03=2 …, or B02=FILE, or B02=FILE:1",
    )
    parser.add_argument(
        "--boa-offset",
        type=float,
        metavar="N",
        help="added to digital numbers (−1000 for Sentinel-2 since baseline 04.00); read from metadata "
        "where there is any",
    )


def _add_generate(verbs: Any) -> None:
    text = "generate other modalities of a scene"
    parser = verbs.add_parser("generate", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    _add_scene(parser)
    parser.add_argument(
        "--to", nargs="+", required=True, metavar="TARGET", help="DEM, LULC, NDVI, …, in order"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for NAME_TARGET.tif")
    parser.add_argument("--model", default="starter", help="id or path of a model pack (default: starter)")
    parser.add_argument("--preset", default="balanced", help="exact, balanced (default) or fast")
    parser.add_argument("--seed", type=int, default=0, help="for presets that draw (default: 0)")
    parser.add_argument("--extent", nargs=4, type=float, metavar=("XMIN", "YMIN", "XMAX", "YMAX"))
    parser.add_argument("--extent-crs", metavar="CRS", help="CRS of --extent (default: the scene's)")
    parser.add_argument("--region", metavar="FILE", help="GeoJSON polygons: only inside of them")
    parser.add_argument("--grid", default="model", help="pixels of the result: model (default) or input")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument("--runtime", default="onnx", help="onnx (default) or torch")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, …; see: terrane devices")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all cores)")
    parser.add_argument("--batch", type=int, metavar="N", help="tiles per run of the model")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    _add_json(parser)
    parser.set_defaults(run=commands.generate)


def _add_inspect(verbs: Any) -> None:
    text = "say what a scene is recognised as"
    parser = verbs.add_parser("inspect", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    _add_scene(parser)
    _add_json(parser)
    parser.set_defaults(run=commands.inspect)


def _add_models(verbs: Any) -> None:
    text = "list, describe and convert models"
    parser = verbs.add_parser("models", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    listed = actions.add_parser("list", help="list the models there are", allow_abbrev=False)
    _add_json(listed)
    listed.set_defaults(run=commands.models_list)
    info = actions.add_parser("info", help="describe a model", allow_abbrev=False)
    info.add_argument("model", help="id or path of a model pack")
    _add_json(info)
    info.set_defaults(run=commands.models_info)
    convert = actions.add_parser("convert", help="make a pack of official weights", allow_abbrev=False)
    convert.add_argument("--checkpoint", required=True, metavar="FILE", help="TerraMind_v1_SIZE.pt")
    convert.add_argument(
        "--tokenizers", required=True, metavar="DIR", help="folder of TerraMind_Tokenizer_*.pt"
    )
    convert.add_argument("--inputs", required=True, nargs="+", metavar="MODALITY", help="S2L2A, …")
    convert.add_argument("--to", required=True, nargs="+", metavar="TARGET", help="DEM, LULC, …")
    convert.add_argument("-o", "--output", required=True, metavar="PACK", help="the pack's folder")
    convert.add_argument("--name", help="the model's name")
    convert.add_argument("--torch", action="store_true", help="add the torch form of each graph")
    convert.add_argument("--overwrite", action="store_true", help="replace a pack that exists")
    convert.add_argument("--quiet", action="store_true", help="no progress")
    _add_json(convert)
    convert.set_defaults(run=commands.models_convert)
