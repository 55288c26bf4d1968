# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane worker``."""

from __future__ import annotations

import argparse
from typing import Any


def add(verbs: Any) -> None:
    """Declare the arguments."""
    text = "serve requests on stdin and stdout, for QGIS"
    parser = verbs.add_parser(
        "worker",
        help=text,
        description=text.capitalize() + "; the protocol stands in inference/worker.py.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stdin ends."""
    del arguments
    from ..worker import main

    main()
    return 0
