# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane devices``."""

from __future__ import annotations

import argparse
from typing import Any

from ..console import say
from ..tasks.request import SCHEMA
from .common import add_json, print_json


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "list the devices that can run models"
    parser = verbs.add_parser("devices", help=text, description=text.capitalize() + ".", allow_abbrev=False)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List the devices that can run models."""
    from ..runtime import available_devices

    devices = available_devices()
    if arguments.json:
        print_json({"schema": SCHEMA, "verb": "devices", "devices": devices})
        return 0
    say("\n".join(devices) if devices else "ONNX Runtime is not installed.")
    return 0
