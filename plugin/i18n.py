# SPDX-License-Identifier: GPL-2.0-or-later
"""Translations: ``tr()`` for every text a user sees, and the translator that the plugin installs."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

CONTEXT = "Terrane"
_FOLDER = Path(__file__).resolve().parent.parent / "i18n"


def tr(text: str) -> str:
    """The text in the user's language (context "Terrane"; extracted by i18n/update.py)."""
    return QCoreApplication.translate(CONTEXT, text)


def install() -> Optional[QTranslator]:
    """Install the translation of QGIS's language; None where there is none (English, or not compiled)."""
    locale = QgsApplication.locale()
    for name in (locale, locale.split("_")[0]):
        file = _FOLDER / f"terrane_{name}.qm"
        if not file.is_file():
            continue
        translator = QTranslator()
        if translator.load(str(file)):
            QCoreApplication.installTranslator(translator)
            return translator
    return None


def remove(translator: Optional[QTranslator]) -> None:
    """Take a translator out again."""
    if translator is not None:
        QCoreApplication.removeTranslator(translator)
