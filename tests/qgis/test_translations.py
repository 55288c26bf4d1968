# SPDX-License-Identifier: GPL-2.0-or-later
"""German is complete, keeps every placeholder, and arrives in the plugin's words."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

pytestmark = pytest.mark.qgis
ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = sorted((ROOT / "i18n").glob("*.ts"))
PLACE = re.compile(r"\{\w+\}")
CALL = re.compile(r"\btr\(\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", re.DOTALL)


def in_code():
    """Every text that the plugin hands to tr()."""
    texts = set()
    for source in (ROOT / "plugin").rglob("*.py"):
        for call in CALL.findall(source.read_text(encoding="utf-8")):
            parts = re.findall(r"\"((?:[^\"\\]|\\.)*)\"", call)
            texts.add("".join(parts).replace('\\"', '"').replace("\\n", "\n"))
    return texts


@pytest.mark.parametrize("file", LANGUAGES, ids=lambda file: file.stem)
def test_every_text_is_translated_with_its_placeholders(file):
    messages = {m.findtext("source"): m.find("translation") for m in ET.parse(file).iter("message")}
    assert in_code() - set(messages) == set(), "run i18n/update.py and translate"
    for source, translation in messages.items():
        assert translation.get("type") is None, source
        assert sorted(PLACE.findall(source)) == sorted(PLACE.findall(translation.text)), source


def test_german_arrives(qgis_app, tmp_path):
    from terrane.plugin.words import class_word, progress_word, target_word

    lrelease = shutil.which("lrelease")
    if lrelease is None:
        pytest.skip("lrelease is not installed")
    compiled = tmp_path / "de.qm"
    subprocess.run(
        [lrelease, "-silent", str(ROOT / "i18n" / "terrane_de.ts"), "-qm", str(compiled)], check=True
    )
    translator = QTranslator()
    assert translator.load(str(compiled))
    QCoreApplication.installTranslator(translator)
    try:
        assert target_word("LULC") == "Landbedeckung"
        assert class_word(1, "Water") == "Wasser"
        assert progress_word(3, 9) == "3 von 9 Kacheln"
    finally:
        QCoreApplication.removeTranslator(translator)
