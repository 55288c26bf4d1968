# SPDX-License-Identifier: GPL-2.0-or-later
"""Icons: ours, and the theme's."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QIcon

_FOLDER = Path(__file__).resolve().parent.parent / "resources" / "icons"


def icon(name: str) -> QIcon:
    """One of resources/icons: terrane, elevation, landcover, ndvi."""
    return QIcon(str(_FOLDER / f"{name}.svg"))


def theme(name: str) -> QIcon:
    """An icon of QGIS's theme, for example ``mActionOptions``."""
    return QgsApplication.getThemeIcon(f"/{name}.svg")
