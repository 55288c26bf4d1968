# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:generate`` through Processing: in this process, and with qgis_process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis_window import pump, ramp_image, read_raster, write_raster
from toy_pack import BANDS

pytestmark = pytest.mark.qgis
PARAMETERS = (
    "INPUT INPUTS TARGETS EXTENT REGION MODEL PRESET SAMPLES PROBABILITY LEVELS COARSE_DEM COORDS SEED STEPS "
    "CLAMP SAMPLER PRECISION MODALITY MODALITIES BOA_OFFSET GRID STRIDE BATCH RESUME"
)
OUTPUTS = (
    "DEM LULC NDVI S1GRD S1RTC S2L2A COORDS DEM_STD NDVI_STD S1GRD_STD S1RTC_STD S2L2A_STD LULC_PROBABILITY "
    "LULC_ENTROPY"
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def provider(qgis_app):
    """The plugin without iface, as qgis_process has it."""
    from terrane import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


def run(provider, *, feedback=None, context=None, **parameters):
    """Runs as Processing does."""
    algorithm = provider.algorithm("generate").create()
    context = context or QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = feedback or QgsProcessingFeedback()
    accepted, words = algorithm.checkParameterValues({"MODEL": "toy", **parameters}, context)
    if not accepted:
        raise QgsProcessingException(words)
    results, done = algorithm.run({"MODEL": "toy", **parameters}, context, feedback, {}, False)
    if not done:
        raise QgsProcessingException(feedback.textLog())
    return results


def test_every_parameter_and_output_is_documented(provider):
    algorithm = provider.algorithm("generate")
    for parameter in algorithm.parameterDefinitions():
        assert parameter.help(), parameter.name()
    names = [parameter.name() for parameter in algorithm.parameterDefinitions()]
    assert set(PARAMETERS.split()) == {name for name in names if not name.startswith("OUTPUT_")}
    assert set(OUTPUTS.split()) == {name[7:] for name in names if name.startswith("OUTPUT_")}
    assert algorithm.shortHelpString()
    assert algorithm.canExecute()[0]


def test_default_targets_land_in_place(provider, layer, tmp_path):
    outputs = {f"OUTPUT_{t}": str(tmp_path / f"{t}.tif") for t in ("DEM", "LULC")}
    results = run(provider, INPUT=layer, **outputs)
    assert results == outputs
    for path in outputs.values():
        made, source = gdal.Open(path), gdal.Open(layer.source())
        assert made.GetGeoTransform() == source.GetGeoTransform()
        assert (made.RasterXSize, made.RasterYSize) == (100, 70)


def test_targets_without_outputs_go_to_temporary_files(provider, layer):
    results = run(provider, INPUT=layer, TARGETS=["NDVI"])
    assert list(results) == ["OUTPUT_NDVI"]
    assert read_raster(results["OUTPUT_NDVI"]).shape == (1, 70, 100)


def test_extent_and_region(provider, layer, tmp_path):
    inner = QgsRectangle(500100, 5099500, 500500, 5099900)
    results = run(provider, INPUT=layer, TARGETS=["DEM"], EXTENT=inner)
    assert QgsRasterLayer(results["OUTPUT_DEM"]).extent() == inner
    polygons = QgsVectorLayer("Polygon?crs=EPSG:32632", "p", "memory")
    feature = QgsFeature()
    feature.setGeometry(
        QgsGeometry.fromWkt("POLYGON((500100 5099500,500500 5099500,500100 5099900,500100 5099500))")
    )
    polygons.dataProvider().addFeature(feature)
    results = run(provider, INPUT=layer, TARGETS=["LULC"], REGION=polygons)
    values = read_raster(results["OUTPUT_LULC"])[0]
    assert values.shape == (40, 40)
    assert values[-1, 0] > 0
    assert values[0, -1] == 0


def test_single_band_layers(provider, tmp_path):
    image = ramp_image(40, 40)
    layers = [
        QgsRasterLayer(write_raster(tmp_path / f"a_{name}.tif", image[i : i + 1], names=None), name)
        for i, name in enumerate(BANDS)
    ]
    QgsProject.instance().addMapLayers(layers)
    results = run(provider, INPUTS=layers, TARGETS=["LULC"])
    stacked = QgsRasterLayer(write_raster(tmp_path / "stack.tif", image), "stack")
    np.testing.assert_array_equal(
        read_raster(results["OUTPUT_LULC"]),
        read_raster(run(provider, INPUT=stacked, TARGETS=["LULC"])["OUTPUT_LULC"]),
    )


def test_offset_is_the_users_word(provider, tmp_path):
    image = ramp_image(40, 40)
    plain = QgsRasterLayer(write_raster(tmp_path / "plain.tif", image), "plain")
    shifted = QgsRasterLayer(write_raster(tmp_path / "shifted.tif", image + 1000), "shifted")
    expected = run(provider, INPUT=plain, TARGETS=["DEM"])["OUTPUT_DEM"]
    found = run(provider, INPUT=shifted, TARGETS=["DEM"], BOA_OFFSET=-1000)["OUTPUT_DEM"]
    np.testing.assert_array_equal(read_raster(found), read_raster(expected))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "Name a satellite image"),
        ({"MODEL": "nothing"}, "no model 'nothing'"),
        ({"TARGETS": ["WATER"]}, "TARGETS"),
        ({"EXTENT": "0,10,0,10 [EPSG:32632]"}, "extent"),
    ],
)
def test_bad_input_is_one_sentence(provider, layer, parameters, words):
    if parameters:
        parameters = {"INPUT": layer, **parameters}
    with pytest.raises(QgsProcessingException, match=words) as error:
        run(provider, **parameters)
    assert "Traceback" not in str(error.value)


def test_too_few_bands(provider, tmp_path):
    three = QgsRasterLayer(write_raster(tmp_path / "t.tif", ramp_image(20, 20)[:3], names=None), "three")
    QgsProject.instance().addMapLayer(three)  # QGIS leaks the parameters of an algorithm that refuses them
    with pytest.raises(QgsProcessingException, match="band"):
        run(provider, INPUT=three, MODALITY="S2L2A")


def test_runs_in_the_background_styles_and_loads(provider, layer, tmp_path):
    """As the Processing dialog does it: a task, then layers loaded with their post-processor."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    path = str(tmp_path / "lulc.tif")
    output = QgsProcessingOutputLayerDefinition(path, QgsProject.instance())
    feedback = QgsProcessingFeedback()
    algorithm = provider.algorithm("generate").create()
    task = QgsProcessingAlgRunnerTask(
        algorithm,
        {"INPUT": layer.id(), "MODEL": "toy", "TARGETS": ["LULC"], "OUTPUT_LULC": output},
        context,
        feedback,
    )
    done = []
    task.executed.connect(lambda ok, results: done.append((ok, results)))
    QgsApplication.taskManager().addTask(task)
    pump(lambda: done)
    assert done[0][0], feedback.textLog()
    loaded = QgsRasterLayer(path, "x")
    post = context.layersToLoadOnCompletion()[path].postProcessor()
    post.postProcessLayer(loaded, context, feedback)
    assert loaded.name() == "Land cover (generated)"
    assert len(loaded.renderer().classes()) == 9
    assert "Synthetic" in loaded.metadata().abstract()


class Told(QgsProcessingFeedback):
    """Remembers what it was told of progress."""

    def __init__(self):
        super().__init__()
        self.words = []

    def setProgressText(self, text):
        self.words.append(text)


def test_cancel(provider, layer, tmp_path):
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = Told()
    algorithm = provider.algorithm("generate").create()
    path = tmp_path / "lulc.tif"
    task = QgsProcessingAlgRunnerTask(
        algorithm,
        {"INPUT": layer.id(), "MODEL": "slow", "TARGETS": ["LULC"], "OUTPUT_LULC": str(path)},
        context,
        feedback,
    )
    done = []
    task.executed.connect(lambda ok, results: done.append(ok))
    task.taskTerminated.connect(lambda: done.append(None))
    QgsApplication.taskManager().addTask(task)
    pump(lambda: feedback.words or done)
    assert not done
    feedback.cancel()
    pump(lambda: done, 15)
    assert not path.exists()
    assert list(tmp_path.glob(".terrane*")) == []


def qgis_process(profile, *arguments, **env):
    program = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    if program is None:
        pytest.skip("qgis_process is not installed")
    clean = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    clean.update(QT_QPA_PLATFORM="offscreen", QGIS_CUSTOM_CONFIG_PATH=str(profile), **env)
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=180, check=False, env=clean
    )


def test_qgis_process(layer, scene_path, packs, tmp_path):
    """The plugin as installed, with a runtime folder of its own, in another process."""
    plugins, profile, runtime = (tmp_path / name for name in ("plugins", "profile", "runtime"))
    for folder in (plugins, profile, runtime):
        folder.mkdir()
    (plugins / "terrane").symlink_to(ROOT)
    import onnxruntime

    # onnxruntime alone: nothing else of the test environment may get into QGIS.
    (runtime / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
    env = {"QGIS_PLUGINPATH": str(plugins), "TERRANE_RUNTIME": str(runtime), "TERRANE_MODELS": str(packs)}
    assert qgis_process(profile, "plugins", "enable", "terrane", **env).returncode == 0
    out = tmp_path / "out.tif"
    arguments = [
        f"--INPUT={scene_path}",
        "--MODEL=toy",
        "--TARGETS=LULC",
        "--EXTENT=500000,500500,5099500,5100000 [EPSG:32632]",
        f"--OUTPUT_LULC={out}",
    ]
    done = qgis_process(profile, "--json", "run", "terrane:generate", *arguments, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout[done.stdout.index("{") :])
    assert told["results"] == {"OUTPUT_LULC": str(out)}
    assert read_raster(out).shape == (1, 50, 50)
    # A sentence, not a traceback.
    wrong = qgis_process(
        profile,
        "run",
        "terrane:generate",
        f"--INPUT={scene_path}",
        "--MODEL=none",
        f"--OUTPUT_LULC={out}",
        **env,
    )
    assert wrong.returncode != 0
    assert "There is no model 'none'" in wrong.stdout + wrong.stderr
    assert "Traceback" not in wrong.stdout + wrong.stderr
