# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane models quantise``, and what int8 adds to other actions: options, and the table of errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any, Optional

from ..console import ProgressLine, run_cancellable, say, table
from ..errors import InputError
from ..tasks.request import SCHEMA
from ..types import Cancel
from .common import add_json, print_json


def add_action(actions: Any) -> None:
    """Declare the action."""
    text = "add an int8 variant to a pack, calibrated on your scenes"
    parser = actions.add_parser("quantise", help=text, description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("pack", help="id or path of a model pack")
    parser.add_argument(
        "--chips", required=True, metavar="DIR", help="a scene, a folder of scenes, or TerraMesh's layout"
    )
    parser.add_argument("-o", "--output", metavar="PACK", help="a new pack's folder, instead of in place")
    add_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an int8 variant or a pack")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json(parser)
    parser.set_defaults(run=run)


_DESCRIPTION = (
    "Adds an int8 variant to a pack: diffusion decoders with ranges seen on your scenes, land-cover decoders "
    "with ranges found while running. Half of the tiles calibrate; on the others the error against fp32 is "
    "measured, per modality in its own unit, and stored in the pack. Presets use the variant where the error "
    "is accepted; --precision int8 always does."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What quantise shares with convert and pull."""
    parser.add_argument("--modality", help="what the scenes to calibrate with are (S2L2A, …)")
    parser.add_argument("--tiles", type=int, metavar="N", help="tiles to calibrate and measure with (12)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to calibrate with")


def add_int8(parser: argparse.ArgumentParser) -> None:
    """Offer the int8 variant where a pack is made."""
    parser.add_argument("--int8", action="store_true", help="add an int8 variant (needs --calibrate)")
    parser.add_argument("--calibrate", metavar="DIR", help="scenes to calibrate int8 with")
    add_options(parser)


def check_int8(arguments: argparse.Namespace) -> None:
    """Refuse --int8 without scenes, and scenes without --int8, before any work. Raises InputError."""
    if arguments.int8 and not arguments.calibrate:
        raise InputError("--int8 needs scenes to calibrate with: --calibrate DIR.")
    if arguments.calibrate and not arguments.int8:
        raise InputError("--calibrate says what to calibrate int8 with; add --int8.")
    if arguments.int8 and not os.path.exists(arguments.calibrate):
        raise InputError(f"There is nothing at {arguments.calibrate} to calibrate with.")


def quantised(
    arguments: argparse.Namespace, pack: Any, chips: str, line: Optional[ProgressLine], cancel: Cancel
) -> Any:
    """The pack with its int8 variant, made in place or at ``arguments.output``."""
    from ..tasks.quantise import TILES, QuantiseRequest, quantise

    request = QuantiseRequest(
        pack,
        chips,
        output=arguments.output if arguments.action == "quantise" else None,
        modality=arguments.modality.upper() if arguments.modality else None,
        tiles=TILES if arguments.tiles is None else arguments.tiles,
        threads=arguments.threads,
        overwrite=arguments.overwrite,
    )
    return quantise(request, progress=line, cancel=cancel)


def run(arguments: argparse.Namespace) -> int:
    """Add an int8 variant to a pack."""
    from ..registry import place_of

    line = None if arguments.quiet else ProgressLine(sys.stderr, "")
    try:
        place = place_of(arguments.pack)
        pack = run_cancellable(lambda cancel: quantised(arguments, place, arguments.chips, line, cancel))
    finally:
        if line is not None:
            line.close()
    if arguments.json:
        print_json(
            {
                "schema": SCHEMA,
                "verb": "models quantise",
                "outputs": {"pack": str(pack.root)},
                "model": pack.id,
                "variants": variants_json(pack.variants),
            }
        )
    else:
        say(str(pack.root))
        say_errors(pack.variants)
    return 0


def variants_json(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The variants as pack.json holds them, and with which steps the presets use them."""
    from ..packs.variants import error_rows

    found: dict[str, Any] = {name: dict(variant) for name, variant in variants.items()}
    for row in error_rows(variants):
        accepted = found[row.variant].setdefault("accepted", {})
        accepted[row.target] = accepted.get(row.target, True) and row.accepted
    return found


def say_errors(variants: Mapping[str, Mapping[str, Any]]) -> None:
    """The table of errors against fp32, where there are any."""
    from ..packs.variants import error_rows

    rows = [
        (row.variant, row.target, str(row.steps or "–"), row.text, "yes" if row.accepted else "on request")
        for row in error_rows(variants)
    ]
    if rows:
        say("")
        table([("variant", "target", "steps", "error against fp32", "used by presets"), *rows])
