#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's commands: demo, test, link, package. ``python3 build.py COMMAND -h`` tells more.

Needs nothing but Python 3.9 or newer; what a command needs beyond that, it installs into the checkout
(and, as root on Debian or Ubuntu, QGIS with apt).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional

if sys.version_info < (3, 9):  # noqa: UP036 - this is the message for those who have less
    sys.exit("build.py needs Python 3.9 or newer.")

from tools.environment import BuildError


def main(arguments: Optional[list[str]] = None) -> int:
    """Parse the command line, run one command, return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    cut = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:cut])
    try:
        return int(options.run(options, words[cut + 1 :]))
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="generate layers from the demo scene through the real plugin")
    demo.add_argument("--headless", action="store_true", help="do not use QGIS even when it is there")
    demo.set_defaults(run=_demo)

    test = commands.add_parser(
        "test",
        help="install what the tests need and run all checks and tests",
        epilog="What follows -- goes to pytest, for instance: build.py test unit -k tiling -- --pdb",
    )
    test.add_argument(
        "part", nargs="*", metavar="PART", help="checks, unit, qgis or gui; all when none is named"
    )
    test.add_argument(
        "--parity", action="store_true", help="compare live with terratorch (installs about 6 GB)"
    )
    test.add_argument("-k", metavar="EXPRESSION", help="only tests whose name matches, as in pytest")
    test.add_argument("-x", action="store_true", help="stop at the first failure")
    test.set_defaults(run=_test)

    link = commands.add_parser("link", help="put this checkout into a QGIS profile as a plugin")
    link.add_argument("--profile", default="default", help="the profile's name (default: %(default)s)")
    link.add_argument(
        "--profiles-path", type=Path, help="the folder that holds profiles/ (default: QGIS's own)"
    )
    link.set_defaults(run=_link)

    package = commands.add_parser("package", help="make the zip that QGIS installs")
    package.add_argument("-o", "--output", type=Path, help="where to (default: dist/terrane-VERSION.zip)")
    package.set_defaults(run=_package)
    return parser


def _demo(options: argparse.Namespace, _rest: list[str]) -> int:
    from tools.demo import demo

    return demo(headless=options.headless)


def _test(options: argparse.Namespace, rest: list[str]) -> int:
    from tools.testing import PARTS, test

    unknown = set(options.part) - set(PARTS)
    if unknown:
        raise BuildError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    chosen = (["-k", options.k] if options.k else []) + (["-x"] if options.x else [])
    return test(options.part, options.parity, chosen + rest)


def _link(options: argparse.Namespace, _rest: list[str]) -> int:
    from tools.linking import link

    return link(options.profile, options.profiles_path)


def _package(options: argparse.Namespace, _rest: list[str]) -> int:
    from tools.packaging import package

    return package(options.output)


if __name__ == "__main__":
    sys.exit(main())
