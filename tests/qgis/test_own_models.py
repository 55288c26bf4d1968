# SPDX-License-Identifier: GPL-2.0-or-later
"""A user's own ONNX model: dropped on the dock, asked about once, listed and remembered."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import peer_models
import pytest
from qgis.PyQt.QtCore import QMimeData, QPointF, Qt, QUrl
from qgis.PyQt.QtGui import QDragEnterEvent, QDropEvent
from qgis.PyQt.QtWidgets import QComboBox
from qgis_window import pump, settle

pytestmark = pytest.mark.qgis
SHARED = Path(os.environ.get("TERRANE_SHARED", Path(__file__).resolve().parents[3] / "shared"))


@pytest.fixture
def dock(plugin):
    plugin.action.setChecked(True)
    return plugin.dock


@pytest.fixture
def detector(tmp_path):
    """Two boxes of one class, wherever it looks; the file says nothing of itself."""
    boxes = np.array([[[20, 20, 10, 10, 0.9, 1.0], [50, 40, 8, 12, 0.8, 1.0]]], np.float32)
    return peer_models.constant(tmp_path / "Storage Tanks.onnx", {"out": np.tile(boxes, (1, 20, 1))})


def drop(dock, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    actions, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(9, 9).toPoint(), actions, mime, left, none)
    enter.ignore()
    dock.dragEnterEvent(enter)
    assert enter.isAccepted()
    dock.dropEvent(QDropEvent(QPointF(9, 9), actions, mime, left, none))
    return dock.models.dialog


def close(dialog):
    dialog.done(0)


def test_a_dropped_model_is_asked_about_added_and_listed(plugin, dock, detector):
    from terrane.inference import find_model, models_folder

    dialog = drop(dock, detector)
    page = dialog.own
    try:
        assert dialog.tabs.currentWidget() is page
        assert page.file.filePath() == str(detector)
        assert page.note.words() == ""
        assert page.button.isEnabled()
        assert "find objects" in page.about.text()
        assert "3 bands and tiles of 64 pixels" in page.about.text()
        assert {"resolution", "classes"} <= set(page.fields)
        if os.environ.get("TERRANE_SCREENSHOTS"):
            settle(300)
            dialog.grab().save(os.path.join(os.environ["TERRANE_SCREENSHOTS"], "own-model.png"))
        page.fields["resolution"].setEditText("25")
        page.fields["classes"].setText("tank")
        page.fields["classes"].editingFinished.emit()
        assert page.button.isEnabled()
        added = []
        dialog.added.connect(added.append)
        page.press()
        pump(lambda: not plugin.jobs.running)
        assert page.note.words() == ""
        assert added == ["storage-tanks"]
        pack = find_model("storage-tanks", verify=True)
        assert pack.gsd == 0.25
        assert [c.name for c in pack.classes] in (["tank"], [])
        assert pack.tasks == ("detect",)
        assert (
            models_folder() / "storage-tanks" / "Storage Tanks.onnx"
        ).read_bytes() == detector.read_bytes()
        assert dialog.list.card.id == "storage-tanks"
        assert dock.models.combo.findText("Storage Tanks") >= 0
    finally:
        close(dialog)
        shutil.rmtree(models_folder() / "storage-tanks", ignore_errors=True)


def test_an_answer_changes_what_is_asked(dock, tmp_path):
    """A square output may be an image or objects; what else has to be known depends on it."""
    path = peer_models.relu(tmp_path / "m.onnx", (1, 3, 32, 32), (1, 2, 32, 32))
    dialog = drop(dock, path)
    page = dialog.own
    try:
        kind = page.fields["kind"]
        assert isinstance(kind, QComboBox)
        kind.setCurrentText("regressor")
        assert page.note.words() == ""
        assert "estimate" in page.about.text()
        assert page.answers["kind"] == "regressor"
    finally:
        close(dialog)


@pytest.mark.parametrize(
    ("content", "words"), [(b"no model at all", "ONNX"), (b"", "is empty")], ids=["text", "empty"]
)
def test_what_is_no_model_is_refused_in_words(dock, tmp_path, content, words):
    from terrane.inference import models_folder

    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    dialog = drop(dock, path)
    try:
        assert words in dialog.own.note.words()
        assert not dialog.own.button.isEnabled()
        assert not (models_folder() / "broken").exists()
    finally:
        close(dialog)


def test_models_of_others_are_understood(dock):
    folder = SHARED / "data" / "onnx_peer"
    paths = sorted(folder.rglob("*.onnx"))
    if not paths:
        pytest.skip(f"{folder} is not here")
    for path in paths:
        dialog = drop(dock, path)
        assert dialog.own.note.words() == "", path
        assert dialog.own.button.isEnabled(), path
        close(dialog)
