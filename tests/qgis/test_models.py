# SPDX-License-Identifier: GPL-2.0-or-later
"""Adding a model in real QGIS: from a checkpoint in the official layout to a row in the dock."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from checkpoint_files import write_checkpoint
from qgis_window import finish, read_raster
from terrane.inference import GenerateRequest, generate, open_scene
from terrane.inference.packs.bind import load_skeletons
from terrane.plugin.models_dialog import ModelsDialog


def test_models_dialog_checks_what_is_named(dock, plugin, tmp_path):
    dialog = ModelsDialog(plugin.jobs, dock)
    assert not dialog.add.isEnabled()
    dialog.checkpoint.setFilePath(str(tmp_path / "none.pt"))
    assert "There is no file" in dialog.note.words()
    bogus = tmp_path / "TerraMind_v1_tiny.pt"
    bogus.write_bytes(b"not a checkpoint")
    dialog.checkpoint.setFilePath(str(bogus))
    dialog.tokenizers.setFilePath(str(tmp_path))
    assert dialog.add.isEnabled()
    dialog.convert()
    finish(plugin)
    assert bogus.name in dialog.note.words()
    assert not (Path(os.environ["TERRANE_MODELS"]) / "TerraMind_v1_tiny").exists()
    dialog.deleteLater()


def random_weights(skeleton) -> dict[str, np.ndarray]:
    """Small random numbers for everything that a skeleton binds."""
    rng = np.random.default_rng(0)
    weights = {weight.key: weight for bin_ in skeleton.bins.values() for weight in bin_}
    return {
        key: (0.02 * rng.standard_normal(weight.shape)).astype(np.float32) for key, weight in weights.items()
    }


def test_a_checkpoint_becomes_a_model_that_generates(dock, plugin, layer, tmp_path):
    """Random weights in the official layout: numpy alone turns them into layers, inside QGIS."""
    skeletons = {skeleton.path.stem: skeleton for skeleton in load_skeletons()}
    checkpoint = tmp_path / "TerraMind_v1_starter.pt"
    write_checkpoint(checkpoint, random_weights(skeletons["starter"]))
    write_checkpoint(tmp_path / "TerraMind_Tokenizer_LULC.pt", random_weights(skeletons["starter-LULC"]))
    dialog = ModelsDialog(plugin.jobs, dock)
    added = []
    dialog.added.connect(added.append)
    dialog.checkpoint.setFilePath(str(checkpoint))
    assert dialog.tokenizers.filePath() == str(tmp_path)
    dialog.targets["DEM"].setChecked(False)
    dialog.name.setText("Mine")
    dialog.convert()
    finish(plugin)
    assert dialog.note.words() == ""
    assert len(added) == 1
    pack = Path(os.environ["TERRANE_MODELS"]) / "Mine"
    assert (pack / "pack.json").is_file()
    assert not list(pack.rglob("*DEM*"))
    out = tmp_path / "lulc.tif"
    request = GenerateRequest((open_scene(layer.source()),), ("LULC",), {"LULC": str(out)}, model=str(pack))
    generate(request)
    assert read_raster(str(out))[0].max() <= 9
    dialog.deleteLater()
