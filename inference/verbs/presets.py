# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane presets``."""

from __future__ import annotations

import argparse
from typing import Any

from ..console import table
from ..tasks.request import SCHEMA
from .common import add_json, print_json


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "list the presets"
    parser = verbs.add_parser("presets", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List the presets."""
    from dataclasses import asdict

    from ..presets import DEFAULT, PRESETS

    if arguments.json:
        print_json(
            {
                "schema": SCHEMA,
                "verb": "presets",
                "default": DEFAULT,
                "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
            }
        )
        return 0
    rows = [
        (
            name + (" (default)" if name == DEFAULT else ""),
            " or ".join(preset.precision),
            preset.sampler,
            str(preset.steps or "model's"),
            f"{preset.clamp:g} std" if preset.clamp else "model's",
            f"{preset.overlap:.3f}",
            preset.summary,
        )
        for name, preset in PRESETS.items()
    ]
    table([("preset", "precision", "tokens", "steps", "clamp", "overlap", "what it does"), *rows])
    return 0
