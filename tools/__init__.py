# SPDX-License-Identifier: GPL-2.0-or-later
"""What build.py is made of. Standard library only, Python 3.9 and newer."""
