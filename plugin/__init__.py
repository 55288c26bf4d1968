# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that knows QGIS or Qt. Talks to the engine through ``terrane.inference`` only."""
