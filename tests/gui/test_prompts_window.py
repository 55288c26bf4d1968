# SPDX-License-Identifier: GPL-2.0-or-later
"""Marking forests in a real QGIS window; the Shapefile that comes of it; a screenshot kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import prompt_models
import pytest
import real_qgis
from osgeo import ogr
from terrane.inference import add_promptable

ogr.UseExceptions()
pytestmark = pytest.mark.gui
ROOT = Path(__file__).resolve().parents[2]
SCENE = ROOT / "resources" / "demo" / "s2_demo.tif"
EXTENT = (562000.0, 5274000.0, 566000.0, 5277000.0)
SIDE = 512
"""Pixels that the model sees along the longer side."""
TOLERANCE = 0.6
"""Standard deviations of colour that an object of the noisy scene may span."""
MARKS = [
    ("Forest", [("box", 564330, 5277030, 565330, 5276230), ("point", 564777, 5276580, True)]),
    ("Forest", [("box", 562730, 5277200, 563500, 5276680), ("point", 563230, 5276909, True)]),
    ("Cloud", [("box", 563900, 5274600, 564260, 5274320), ("point", 564086, 5274460, True)]),
    (
        "Forest",
        [
            ("box", 565000, 5275480, 565960, 5273950),
            ("point", 565402, 5274539, True),
            ("point", 565205, 5275000, True),
            ("point", 565764, 5274868, False),
        ],
    ),
]
NAMES = [name for name, _ in MARKS]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds ONNX Runtime and nothing else of the test environment."""
    import onnxruntime

    folder = tmp_path_factory.mktemp("runtime")
    (folder / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
    return folder


@pytest.mark.parametrize("theme", ["", "Night Mapping"])
def test_click_and_save_in_a_real_window(tmp_path: Path, runtime: Path, theme: str) -> None:
    lacking = real_qgis.missing()
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    models = tmp_path / "models"
    graphs = (
        prompt_models.encoder(tmp_path / "encoder.onnx", side=SIDE),
        prompt_models.decoder(tmp_path / "decoder.onnx", side=SIDE, tolerance=TOLERANCE),
    )
    add_promptable(graphs, models, name="clicker")
    saved = tmp_path / "objects.shp"
    report = real_qgis.run(
        tmp_path,
        Path(__file__).with_name("driver_prompts.py"),
        told={
            "TERRANE_GUI_SCENE": str(SCENE),
            "TERRANE_GUI_MODEL": "clicker",
            "TERRANE_GUI_EXTENT": ",".join(map(str, EXTENT)),
            "TERRANE_GUI_MARKS": json.dumps(MARKS),
            "TERRANE_GUI_SAVE": str(saved),
            "TERRANE_MODELS": str(models),
            "TERRANE_RUNTIME": str(runtime),
        },
        theme=theme,
    )
    keep = os.environ.get("TERRANE_SCREENSHOTS")
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        for picture in (tmp_path / "shots").glob("*.png"):
            shutil.copy(picture, Path(keep) / f"{picture.stem}{'-dark' if theme else ''}.png")
    assert (tmp_path / "shots" / "prompts.png").stat().st_size > 20_000
    assert report["exit_code"] == 0, "QGIS did not leave by itself"
    assert not report["torch"]
    assert [name for name, _, _ in report["objects"]] == NAMES
    assert any("saved" in text for text in report["messages"])
    _on_the_grid(saved, report)


def _on_the_grid(path: Path, report: dict) -> None:
    """Every vertex of the file lies on a corner of the scene's pixels; attributes are what the dock said."""
    a, _, c, _, e, f = report["transform"]
    assert (a, e) == (10.0, -10.0), "the scene's own pixels"
    layer = ogr.Open(str(path))
    rows = list(layer.GetLayer(0))
    assert [row.GetField("name") for row in rows] == NAMES
    for row, (_, pixels, area) in zip(rows, report["objects"]):
        shape = row.GetGeometryRef()
        assert row.GetField("pixels") == pixels
        assert shape.GetArea() == pytest.approx(100.0 * pixels)
        assert row.GetField("area_m2") == pytest.approx(area, rel=1e-6)
        flat = json.loads(shape.ExportToJson())["coordinates"]
        rings = flat if shape.GetGeometryName() == "POLYGON" else [r for part in flat for r in part]
        places = np.concatenate([np.array(ring) for ring in rings])
        cols, lines = (places[:, 0] - c) / a, (places[:, 1] - f) / e
        np.testing.assert_allclose(cols, np.rint(cols), atol=1e-6)
        np.testing.assert_allclose(lines, np.rint(lines), atol=1e-6)
