# SPDX-License-Identifier: GPL-2.0-or-later
"""What the dock and the layers say of the starter model, and how the official weights are offered the first time."""

from __future__ import annotations

import json
import shutil

import pytest
from osgeo import gdal
from qgis.core import QgsProject
from qgis.PyQt.QtCore import QLocale, QPoint, QSize, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QPushButton, QRadioButton
from qgis_window import finish, pump, settle
from terrane.inference import (
    OFFICIAL_SIZES,
    GdalGeo,
    GenerateRequest,
    cards,
    generate,
    is_starter,
    official_bytes,
    official_files,
    open_scene,
)
from terrane.inference.packs.manifest import write_pack
from terrane.plugin import results, settings
from terrane.plugin.card_dialog import CardDialog
from terrane.plugin.models_list import describe

pytestmark = pytest.mark.qgis

ACCURACY = {
    "simulated": {"LULC": {"accuracy": 0.824}, "NDVI": {"mean absolute error": 0.041}},
    "real": {"mean": {"LULC": {"accuracy": 0.516}}},
}


def with_figures(folder, accuracy):
    """A pack's manifest with what it was measured to reach."""
    content = json.loads((folder / "pack.json").read_text())
    content["training"] = {"data": "scenes", "accuracy": accuracy}
    (folder / "README.md").write_text("# Toy\n\nThe **whole** card.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    write_pack(folder, content)


@pytest.fixture
def measured(packs, tmp_path, monkeypatch):
    """A folder of models with a toy that was measured."""
    folder = tmp_path / "models"
    shutil.copytree(packs / "toy", folder / "toy")
    with_figures(folder / "toy", ACCURACY)
    monkeypatch.setenv("TERRANE_MODELS", str(folder))
    return folder


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No model but the starter."""
    folder = tmp_path / "none"
    monkeypatch.setenv("TERRANE_MODELS", str(folder))
    return folder


def plain(text):
    return text.replace("\u00a0", " ")


def test_the_note_is_the_short_form_of_the_card(measured, dock):
    words = plain(dock.generate.starter.words())
    assert words.startswith(
        "Toy model for tests. It gets 52 % of real land cover right. Do not rely on its maps."
    )
    assert "Get TerraMind…" in words
    assert plain(dock.generate.starter.accessibleName()) in words
    about = plain(describe(dock.models.card))
    for figure in ("0.82 simulated, 0.52 real", "0.04 simulated"):
        assert figure in about


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        ({"simulated": ACCURACY["simulated"]}, "It gets 82 % of simulated land cover right. Do not"),
        ({}, "tests. Do not rely"),
        ({"simulated": {"LULC": {"accuracy": "<b>"}}, "real": []}, "tests. Do not rely"),
    ],
)
def test_what_was_not_measured_is_not_said(measured, accuracy, words, dock):
    with_figures(measured / "toy", accuracy)
    dock.models.reload()
    assert words in plain(dock.generate.starter.words())


def test_the_whole_card_is_a_click_away(measured, dock):
    dock.generate.starter.text.linkActivated.emit("#card")
    (dialog,) = dock.generate.starter.findChildren(CardDialog)
    assert dialog.isVisible()
    assert not dialog.isModal()
    text = dialog.page.toPlainText()
    assert "The whole card." in text
    assert "|" not in text  # a table, not its source
    dialog.close()


def test_layers_and_files_carry_the_short_form(measured, dock, plugin):
    dock.generate.area.choose("layer")
    dock.generate.targets.set_targets(["DEM", "LULC", "NDVI"])
    dock.generate.run()
    finish(plugin)
    made = [node.layer() for node in QgsProject.instance().layerTreeRoot().findGroups()[0].findLayers()]
    described = [layer for layer in made if "Hillshade" not in layer.name()]
    assert len(described) == 3
    for layer in described:
        tags = gdal.Open(layer.source()).GetMetadata()
        assert tags["TERRANE_NOTICE"] == "toy model for tests"
        assert "0.82 simulated, 0.52 real" in tags["TERRANE_ACCURACY"]
        abstract = layer.metadata().abstract()
        assert "Toy model for tests." in abstract
        assert tags["TERRANE_ACCURACY"] in abstract


def test_vector_layers_carry_it_too(packs, scene_path, tmp_path):
    folder = tmp_path / "models" / "full"
    shutil.copytree(packs / "full", folder)
    with_figures(folder, ACCURACY)
    path = str(tmp_path / "places.gpkg")
    request = GenerateRequest((open_scene(scene_path),), ("COORDS",), {"COORDS": path}, model=str(folder))
    generate(request, geo=GdalGeo())
    abstract = results.open_result(path, "COORDS").metadata().abstract()
    for words in ("Synthetic", "Toy model for tests.", "0.82 simulated, 0.52 real", "full 1.0.0", "S2_scene"):
        assert words in abstract


def test_the_first_time_the_official_weights_are_offered(alone, dock, window):
    offer = dock.generate.offer
    assert [is_starter(card) for card in cards()] == [True]
    assert offer.isVisible()
    assert list(offer.buttons) == list(OFFICIAL_SIZES)
    for size, button in offer.buttons.items():
        needed = official_bytes(official_files(size, ("S2L2A",), ("DEM", "LULC")))
        amount = f"{QLocale().toString(needed / 1e9, 'f', 1)} GB"
        assert amount in button.accessibleName()
        assert any(plain(label.text()) == amount for label in offer.findChildren(type(offer.offline)))
    words = " ".join(plain(label.text()) for label in offer.findChildren(type(offer.offline)))
    assert "Apache-2.0" in words
    # Nothing is in the way: no window has opened, and a run can start.
    assert QApplication.activeModalWidget() is None
    dock.generate.area.choose("layer")
    pump(dock.generate.bar.button.isEnabled)


def test_the_offer_fits_and_is_reached_by_keyboard(alone, dock, window):
    offer = dock.generate.offer
    for width in (300, 400):
        window.window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)
        settle(100)
        right = offer.mapToGlobal(QPoint(offer.width(), 0)).x()
        for child in (*offer.findChildren(QPushButton), *offer.findChildren(QRadioButton)):
            assert child.mapToGlobal(QPoint(child.width(), 0)).x() <= right, child.text()
            assert child.width() >= child.minimumSizeHint().width(), child.text()
        assert offer.height() >= offer.layout().heightForWidth(offer.width())
        assert isinstance(offer.sizeHint(), QSize)
    window.window.activateWindow()
    order = [next(iter(offer.buttons.values())), offer.later, offer.download, offer.offline]
    seen, widget = [], order[0]
    for _ in range(300):
        seen.append(widget)
        widget = widget.nextInFocusChain()
    places = [seen.index(one) for one in order]
    assert places == sorted(places)
    buttons = list(offer.buttons.values())
    buttons[0].setFocus()
    QTest.keyClick(buttons[0], Qt.Key.Key_Down)
    assert offer.size == OFFICIAL_SIZES[1]


def test_it_is_asked_once(alone, dock, window, plugin):
    offer = dock.generate.offer
    QTest.mouseClick(offer.later, Qt.MouseButton.LeftButton)
    assert not offer.isVisible()
    assert settings.offer_dismissed()
    dock.models.reload()
    dock.refresh()
    assert not offer.isVisible()
    assert "Get TerraMind…" in plain(dock.generate.starter.words())  # the way stays


def test_whoever_has_models_is_not_asked(dock):
    assert not dock.generate.offer.isVisible()


def test_without_network_files_are_named(alone, dock, plugin, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    offer = dock.generate.offer
    offer.buttons["base"].setChecked(True)
    offer.offline.linkActivated.emit("#")
    dialog = dock.models.dialog
    assert dialog.tabs.currentWidget() is dialog.files
    for name in (
        "TerraMind_v1_base.pt",
        "TerraMind_Tokenizer_DEM.pt",
        "TerraMind_Tokenizer_LULC.pt",
        "3.4 GB",
    ):
        assert name in plain(dialog.files.needed.text())
    # And who presses Download all the same is told.
    QTest.mouseClick(offer.download, Qt.MouseButton.LeftButton)
    assert dock.models.dialog is dialog
    assert not dialog.isModal()
    pump(lambda: not dialog.download.running, 60)
    assert "could not be fetched" in dialog.download.note.words()
    assert "From files" in dialog.download.note.words()
    dialog.reject()
    assert dock.models.dialog is None
