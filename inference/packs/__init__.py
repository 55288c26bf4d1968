# SPDX-License-Identifier: GPL-2.0-or-later
"""Model packs: reading, checking and writing them, and making them from official weights."""
