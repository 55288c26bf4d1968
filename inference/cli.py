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
from typing import NoReturn, Optional

from .. import __version__
from .console import forgiving_streams, note
from .errors import Cancelled, InputError, TerraneError
from .verbs import VERBS


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
    for verb in VERBS:
        verb.add(verbs)
    return parser
