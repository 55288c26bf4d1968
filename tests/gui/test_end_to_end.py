# SPDX-License-Identifier: GPL-2.0-or-later
"""One run in a real QGIS window: dock, Generate, layers; compared with a headless run; a screenshot kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import real_qgis
from osgeo import gdal

gdal.UseExceptions()
pytestmark = pytest.mark.gui
ROOT = Path(__file__).resolve().parents[2]
SCENE = ROOT / "resources" / "demo" / "s2_demo.tif"
EXTENT = (562000.0, 5274000.0, 566000.0, 5277000.0)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds ONNX Runtime and nothing else of the test environment."""
    import onnxruntime

    folder = tmp_path_factory.mktemp("runtime")
    (folder / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
    return folder


def test_generate_in_a_real_window(tmp_path: Path, runtime: Path) -> None:
    lacking = real_qgis.missing()
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    report = real_qgis.run(
        tmp_path,
        Path(__file__).with_name("driver.py"),
        told={
            "TERRANE_GUI_SCENE": str(SCENE),
            "TERRANE_GUI_MODEL": "starter",
            "TERRANE_GUI_EXTENT": ",".join(map(str, EXTENT)),
            "TERRANE_MODELS": str(tmp_path / "models"),
            "TERRANE_RUNTIME": str(runtime),
        },
    )
    shots = tmp_path / "shots"
    keep = os.environ.get("TERRANE_SCREENSHOTS")
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        for picture in shots.glob("*.png"):
            shutil.copy(picture, keep)
    assert (shots / "window.png").stat().st_size > 20_000
    assert report["exit_code"] == 0, "QGIS did not leave by itself"
    assert report["unchanged"], "the project's CRS or the map's extent changed"
    assert not report["torch"]
    names = [layer["name"] for layer in report["layers"]]
    assert names == ["Land cover (generated)", "Hillshade (generated)", "Elevation (generated)"]
    assert any("added" in text for text in report["messages"])
    assert report["dialog"] == ["terrane:vectorize", True]
    _compare(report, shots, tmp_path)


def _compare(report: dict, shots: Path, folder: Path) -> None:
    """Georeference and values are those of the same request without QGIS's window."""
    from terrane.inference import BBox, GdalGeo, GenerateRequest, generate, open_scene

    targets = ("DEM", "LULC")
    outputs = {target: str(folder / f"headless_{target}.tif") for target in targets}
    scene = open_scene(str(SCENE))
    geo = GdalGeo()
    generate(
        GenerateRequest(
            (scene,),
            targets,
            outputs,
            model="starter",
            extent=BBox(*report["extent"]),
            extent_crs=scene.grid.crs,
        ),
        geo=geo,
    )
    for target in targets:
        made, expected = gdal.Open(str(shots / f"s2_demo_{target}.tif")), gdal.Open(outputs[target])
        assert made.GetGeoTransform() == expected.GetGeoTransform()
        assert geo.same_crs(made.GetProjection(), expected.GetProjection())
        a, b = made.ReadAsArray(), expected.ReadAsArray()
        assert a.shape == b.shape
        if target == "LULC":
            assert (a == b).mean() > 0.9999
        else:
            np.testing.assert_allclose(a, b, atol=0.1)
        left, top = made.GetGeoTransform()[0], made.GetGeoTransform()[3]
        assert (left - 560000.0) % 10 == 0
        assert (top - 5280000.0) % 10 == 0
