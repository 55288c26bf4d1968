# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane inspect``: what a scene is recognised as."""

from __future__ import annotations

import argparse
from typing import Any

from ..console import note, say, table
from ..tasks.request import SCHEMA
from .common import add_json, add_scene, open_scene, print_json


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "say what a scene is recognised as"
    parser = verbs.add_parser("inspect", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_scene(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Say what a scene is recognised as."""
    scene = open_scene(arguments)
    from ..io import default_geo

    grid = scene.grid
    bands = {band.name: f"{band.ref.path}:{band.ref.index}" for band in scene.bands}
    described = {
        "schema": SCHEMA,
        "verb": "inspect",
        "modality": scene.modality,
        "bands": bands,
        "crs": default_geo().crs_name(grid.crs),
        "width": grid.width,
        "height": grid.height,
        "resolution": list(grid.resolution),
        "offset": scene.offset_note,
        "warnings": list(scene.warnings),
    }
    if arguments.json:
        print_json(described)
        return 0
    say(f"{scene.name}: {scene.modality}, {len(scene.bands)} bands, {scene.offset_note or 'no offset'}")
    say(f"{described['crs']}, {grid.width} × {grid.height} pixels of {grid.resolution[0]:g}")
    table([("band", "from"), *bands.items()])
    for warning in scene.warnings:
        note(warning)
    return 0
