# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m terrane``: the same as the ``terrane`` command."""

from __future__ import annotations

import sys

from terrane.inference.cli import main

if __name__ == "__main__":
    sys.exit(main())
