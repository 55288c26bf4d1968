# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks: a frozen request, a frozen result and one function each."""
