# SPDX-License-Identifier: GPL-2.0-or-later
"""Getting models in real QGIS: from files, from the hub (a server of its own), from terratorch's worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import write_checkpoint
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis_window import finish, pump, read_raster, settle
from terrane.inference import GenerateRequest, cards, generate, models_folder, open_scene
from terrane.inference.packs.bind import load_skeletons
from terrane.plugin.download import Download, Item, problem_of
from terrane.plugin.models_dialog import ModelsDialog
from terrane.plugin.models_list import describe

pytestmark = pytest.mark.qgis
OWNER = "ibm-esa-geospatial"
SERVER = Path(__file__).resolve().parents[1] / "unit" / "hub_server.py"


@pytest.fixture
def own_models(monkeypatch, tmp_path):
    """A folder of models that a test may fill."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("TERRANE_MODELS", str(folder))
    return folder


@pytest.fixture
def dialog(dock, plugin, own_models):
    made = ModelsDialog(plugin.jobs, dock)
    made.show()
    yield made
    made.deleteLater()


def random_weights(skeleton) -> dict[str, np.ndarray]:
    """Small random numbers for everything that a skeleton binds."""
    rng = np.random.default_rng(0)
    weights = {weight.key: weight for bin_ in skeleton.bins.values() for weight in bin_}
    return {
        key: (0.02 * rng.standard_normal(weight.shape)).astype(np.float32) for key, weight in weights.items()
    }


def write_official(folder, tokenizers=None):
    """A tiny model in the official layout: the starter's shapes under the official names."""
    skeletons = {skeleton.path.stem: skeleton for skeleton in load_skeletons()}
    folder.mkdir(parents=True, exist_ok=True)
    (tokenizers or folder).mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "TerraMind_v1_tiny.pt"
    write_checkpoint(checkpoint, random_weights(skeletons["starter"]))
    write_checkpoint(
        (tokenizers or folder) / "TerraMind_Tokenizer_LULC.pt", random_weights(skeletons["starter-LULC"])
    )
    return checkpoint


def tick(choice, *wanted):
    for key, box in choice.boxes.items():
        box.setChecked(key in wanted)


def test_files_are_checked_as_they_are_named(dialog, plugin, tmp_path):
    page = dialog.files
    assert not page.button.isEnabled()
    page.checkpoint.setFilePath(str(tmp_path / "none.pt"))
    assert "There is no file" in page.note.words()
    bogus = tmp_path / "TerraMind_v1_tiny.pt"
    bogus.write_bytes(b"not a checkpoint")
    page.checkpoint.setFilePath(str(bogus))
    page.tokenizers.setFilePath(str(tmp_path))
    assert page.button.isEnabled()
    page.press()
    finish(plugin)
    assert bogus.name in page.note.words()
    assert not (models_folder() / "TerraMind_v1_tiny").exists()


def test_a_checkpoint_becomes_a_model_that_generates(dialog, plugin, layer, tmp_path):
    """Random weights in the official layout: numpy alone turns them into layers, inside QGIS."""
    checkpoint = write_official(tmp_path / "files")
    page = dialog.files
    added = []
    dialog.added.connect(added.append)
    page.checkpoint.setFilePath(str(checkpoint))
    assert page.tokenizers.filePath() == str(tmp_path / "files")
    tick(page.targets, "LULC")
    page.name.setText("Mine")
    page.press()
    finish(plugin)
    assert page.note.words() == ""
    assert len(added) == 1
    pack = models_folder() / "Mine"
    assert (pack / "pack.json").is_file()
    assert not list(pack.rglob("*DEM*"))
    assert dialog.tabs.currentWidget() is dialog.list
    assert dialog.list.card.id == added[0]
    out = tmp_path / "lulc.tif"
    generate(GenerateRequest((open_scene(layer.source()),), ("LULC",), {"LULC": str(out)}, model=str(pack)))
    assert read_raster(str(out))[0].max() <= 9
    # And away again.
    dialog.list.remove_chosen()
    assert not pack.exists()
    assert added[0] not in [card.id for card in cards()]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A server process that answers as the hub does; yields (root folder, requests so far)."""
    root, log = tmp_path / "hub", tmp_path / "hub.log"
    write_official(root / OWNER / "TerraMind-1.0-tiny", root / OWNER / "TerraMind-1.0-Tokenizer-LULC")
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(root), str(log)], stdout=subprocess.PIPE, text=True
    )
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.stdout.readline().strip()}")

    def requests():
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    yield root, requests
    server.terminate()
    server.wait(10)
    server.stdout.close()


def press_download(dialog, monkeypatch):
    page = dialog.download
    monkeypatch.setattr(type(page), "_amount", lambda *_: 1_000_000)  # the real files' size, not the test's
    tick(page.targets, "LULC")
    page.accept_licence.setChecked(True)
    page.press()
    return page


def ended(page, plugin):
    pump(lambda: not page.running, 60)
    finish(plugin)


def test_official_weights_are_fetched_and_become_a_model(dialog, plugin, hub, monkeypatch, own_models):
    page = dialog.download
    assert not page.button.isEnabled()  # the licence first
    added = []
    dialog.added.connect(added.append)
    page = press_download(dialog, monkeypatch)
    assert page.button.text() == "Cancel"
    ended(page, plugin)
    assert page.note.words() == ""
    assert len(added) == 1
    manifest = json.loads((own_models / "terramind-tiny" / "pack.json").read_text())
    assert [source["repo"] for source in manifest["sources"]] == [
        f"{OWNER}/TerraMind-1.0-tiny",
        f"{OWNER}/TerraMind-1.0-Tokenizer-LULC",
    ]
    assert not (own_models / ".downloads").exists()
    assert (own_models / "terramind-tiny") in [card.path for card in cards()]


def test_one_click_of_the_offer_gets_the_official_weights(dock, plugin, own_models, hub, monkeypatch):
    dock.models.reload()
    offer = dock.generate.offer
    assert offer.isVisible()
    monkeypatch.setattr("terrane.plugin.models_page.DEFAULT_TARGETS", ("LULC",))
    monkeypatch.setattr("terrane.plugin.models_download.DEFAULT_TARGETS", ("LULC",))
    monkeypatch.setattr("terrane.plugin.models_download.official_bytes", lambda _files: 1_000_000)
    QTest.mouseClick(offer.download, Qt.MouseButton.LeftButton)
    page = dock.models.dialog.download
    assert page.running
    ended(page, plugin)
    assert page.note.words() == ""
    assert (own_models / "terramind-tiny" / "pack.json").is_file()
    assert dock.models.model == json.loads((own_models / "terramind-tiny" / "pack.json").read_text())["id"]
    assert not offer.isVisible()


def test_a_download_goes_on_where_it_was_cut(dialog, plugin, hub, monkeypatch):
    root, requests = hub
    (root / "settings.json").write_text(json.dumps({"drop_after": 150_000}))
    page = press_download(dialog, monkeypatch)
    ended(page, plugin)
    assert "press Download to go on" in page.note.words()
    page.press()
    ended(page, plugin)
    assert page.note.words() == ""
    starts = [entry["start"] for entry in requests() if entry["method"] == "GET" and "start" in entry]
    assert starts[0] == 0
    assert starts[1] >= 100_000  # not from the beginning


def test_a_download_goes_on_after_cancel(dialog, plugin, hub, monkeypatch, own_models):
    root, requests = hub
    (root / "settings.json").write_text(json.dumps({"rate": 400_000}))
    page = press_download(dialog, monkeypatch)
    part = own_models / ".downloads" / "TerraMind_v1_tiny.pt.part"
    pump(lambda: part.exists() and part.stat().st_size > 50_000, 30)
    page.press()
    ended(page, plugin)
    assert "kept" in page.note.words()
    kept = part.stat().st_size
    assert kept > 50_000
    (root / "settings.json").write_text("{}")
    page.press()
    ended(page, plugin)
    assert page.note.words() == ""
    assert kept in [entry.get("start") for entry in requests()]


def test_a_damaged_download_is_no_model(dialog, plugin, hub, monkeypatch, own_models):
    root, _ = hub
    (root / "settings.json").write_text(json.dumps({"damage": "TerraMind_Tokenizer_LULC.pt"}))
    page = press_download(dialog, monkeypatch)
    ended(page, plugin)
    assert "checksum" in page.note.words()
    assert not (own_models / "terramind-tiny").exists()
    assert not (own_models / ".downloads" / "TerraMind_Tokenizer_LULC.pt").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"gated": f"{OWNER}/TerraMind-1.0-Tokenizer-LULC"}, "wants an account"), ({}, "has no file")],
)
def test_a_hub_that_refuses_is_one_sentence(dialog, plugin, hub, monkeypatch, settings, words):
    root, _ = hub
    (root / "settings.json").write_text(json.dumps(settings))
    if not settings:
        next(root.rglob("TerraMind_Tokenizer_LULC.pt")).unlink()
    page = press_download(dialog, monkeypatch)
    ended(page, plugin)
    assert words in page.note.words()


def test_no_network_is_one_sentence(dialog, plugin, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    page = press_download(dialog, monkeypatch)
    ended(page, plugin)
    assert "could not be fetched" in page.note.words()


def test_too_small_a_disk_is_told_before_the_first_byte(qgis_app, hub, tmp_path):
    _, requests = hub
    url = f"{os.environ['HF_ENDPOINT']}/{OWNER}/TerraMind-1.0-tiny/resolve/main/TerraMind_v1_tiny.pt"
    item = Item(url, tmp_path / "to" / "model.pt")
    download = Download([item], spare=10**18)
    said = []
    download.done.connect(said.append)
    download.start()
    pump(lambda: said, 30)
    assert "make room" in said[0]
    assert "GET" not in [entry["method"] for entry in requests()]
    assert item.size > 0
    assert len(item.etag) == 64


def test_git_checksums_of_small_files(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b"hello\n")
    item = Item("", path, 6, "ce013625030ba8dba906f756967f9e9ca394464a")  # git hash-object
    assert problem_of(item) == ""
    path.write_bytes(b"hullo\n")
    assert "checksum" in problem_of(item)


def test_licence_and_amount_are_shown(dialog):
    page = dialog.download
    tick(page.targets, "DEM", "LULC")
    assert page.amount.text().startswith("3 files, about 2.1 GB")
    tick(page.inputs, "S2L2A", "COORDS")
    assert page.amount.text().startswith("4 files")


def test_models_are_described_with_their_error(packs):
    card = next(card for card in cards() if card.id == "toy")
    from dataclasses import replace

    error = {"DEM": {"unit": "m", "measured": [{"steps": 2, "mae": 1.1, "rmse": 1.6, "max": 14.0}]}}
    card = replace(card, variants={"fp32": {"error": {}}, "int8": {"error": error}})
    words = describe(card)
    for expected in (
        "Toy model (toy)",
        "CC0-1.0",
        "fp32 and int8",
        "MAE 1.1 m, RMSE 1.6 m",
        "2 steps",
        "10 m",
    ):
        assert expected in words
    assert "<script" not in describe(replace(card, name="<script>"))


def test_fine_tuned_models_are_converted_in_a_child_process(dialog, plugin, tmp_path):
    """A Python without terratorch answers in one sentence, and QGIS stays as it is."""
    page = dialog.finetuned
    assert not page.button.isEnabled()
    checkpoint = tmp_path / "flood.ckpt"
    checkpoint.write_bytes(b"x")
    page.checkpoint.setFilePath(str(checkpoint))
    page.python.setFilePath("/usr/bin/python3")
    page.classes.setText("land, water")
    page.pretraining.setChecked(True)
    request = page.request()
    assert request["statistics"] == "pretraining"
    assert request["options"] == {"name": None, "classes": ["land", "water"], "trust": False}
    assert page.button.isEnabled()
    page.press()
    finish(plugin)
    settle(50)
    assert page.note.words()
    assert "bug" not in page.note.words()
    assert not page.running
    assert not (models_folder() / "flood").exists()
