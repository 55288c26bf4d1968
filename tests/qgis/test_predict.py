# SPDX-License-Identifier: GPL-2.0-or-later
"""Models for one task in QGIS: the algorithms, the Segment panel, and the layers that come of both."""

from __future__ import annotations

import numpy as np
import pytest
import toy_finetuned as toy
from osgeo import gdal
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis_window import pump, read_raster, show_on_map, write_raster
from toy_pack import BANDS, build_toy_pack

pytestmark = pytest.mark.qgis


@pytest.fixture(scope="session")
def task_packs(tmp_path_factory):
    """A model for each task, one that takes two inputs, and one that generates."""
    folder = tmp_path_factory.mktemp("task-models")
    for task in ("segment", "regress", "classify"):
        toy.build_finetuned_pack(folder / task, task, pack_id=task)
    toy.build_finetuned_pack(folder / "both", "segment", ("S2L2A", "S1GRD"), pack_id="both")
    build_toy_pack(folder / "toy")
    return folder


@pytest.fixture(autouse=True)
def own_models(clean, monkeypatch, task_packs):
    monkeypatch.setenv("TERRANE_MODELS", str(task_packs))


@pytest.fixture
def provider(qgis_app):
    from terrane import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


@pytest.fixture
def radar(tmp_path):
    image = np.stack([np.full((70, 100), -9.0), np.full((70, 100), -17.0)]).astype(np.float32)
    path = tmp_path / "S1_scene.tif"
    write_raster(path, image, names=("VV", "VH"), nodata=-9999, kind=gdal.GDT_Float32)
    layer = QgsRasterLayer(str(path), "S1 scene")
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


def run(provider, name, *, context=None, **parameters):
    algorithm = provider.algorithm(name).create()
    context = context or QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = QgsProcessingFeedback()
    accepted, words = algorithm.checkParameterValues({"MODEL": name, **parameters}, context)
    if not accepted:
        raise QgsProcessingException(words)
    results, done = algorithm.run({"MODEL": name, **parameters}, context, feedback, {}, False)
    if not done:
        raise QgsProcessingException(feedback.textLog())
    return results


def expected_classes(scene_path):
    image = read_raster(scene_path).astype(np.float32)
    z = toy.standardised({"S2L2A": image[[BANDS.index(b) for b in toy.BANDS["S2L2A"]]]})
    return toy.logits(z).argmax(axis=0), (image == 0).all(axis=0)


# --- Processing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["segment", "regress", "classify"])
def test_every_parameter_is_documented(provider, name):
    algorithm = provider.algorithm(name)
    for parameter in algorithm.parameterDefinitions():
        assert parameter.help(), parameter.name()
    names = {parameter.name() for parameter in algorithm.parameterDefinitions()}
    assert {"INPUT", "INPUTS", "MODEL", "EXTENT", "REGION", "PRESET", "RESUME", "STRIDE"} <= names
    assert "TARGETS" not in names and algorithm.shortHelpString() and algorithm.canExecute()[0]


def test_segment_writes_the_models_classes(provider, layer, scene_path, tmp_path):
    path = str(tmp_path / "classes.tif")
    results = run(provider, "segment", INPUT=layer, OUTPUT_CLASSES=path)
    assert results == {"OUTPUT_CLASSES": path}
    classes, empty = expected_classes(scene_path)
    np.testing.assert_array_equal(read_raster(path)[0], np.where(empty, 255, classes))


def test_probability_is_made_when_it_is_wanted(provider, layer, tmp_path):
    outputs = {"OUTPUT_CLASSES": str(tmp_path / "c.tif"), "OUTPUT_PROBABILITY": str(tmp_path / "p.tif")}
    assert run(provider, "segment", INPUT=layer, **outputs) == outputs
    values = read_raster(outputs["OUTPUT_PROBABILITY"])[0]
    assert values[0, 0] <= 1 and values[0, 0] > 1 / 3 and values[6, 90] == -9999
    assert set(run(provider, "segment", INPUT=layer, PROBABILITY=True)) == set(outputs)


def test_regress_and_classify(provider, layer, tmp_path):
    path = str(tmp_path / "values.tif")
    assert run(provider, "regress", INPUT=layer, OUTPUT_VALUES=path) == {"OUTPUT_VALUES": path}
    assert read_raster(path).shape == (2, 70, 100)
    path = str(tmp_path / "tiles.gpkg")
    assert run(provider, "classify", INPUT=layer, OUTPUT_TILES=path) == {"OUTPUT_TILES": path}
    tiles = QgsVectorLayer(path, "tiles")
    assert tiles.featureCount() == 12
    assert [f.name() for f in tiles.fields()][1:5] == ["class", "name", "score", "model"]


def test_two_inputs(provider, layer, radar, tmp_path):
    path = str(tmp_path / "classes.tif")
    run(provider, "segment", INPUT=layer, INPUTS=[radar], MODEL="both", OUTPUT_CLASSES=path)
    assert read_raster(path).shape == (1, 70, 100)
    with pytest.raises(QgsProcessingException, match="needs S1GRD as well"):
        run(provider, "segment", INPUT=layer, MODEL="both", OUTPUT_CLASSES=str(tmp_path / "no.tif"))


def test_a_model_that_generates_is_refused(provider, layer, tmp_path):
    with pytest.raises(QgsProcessingException, match="does not segment"):
        run(provider, "segment", INPUT=layer, MODEL="toy", OUTPUT_CLASSES=str(tmp_path / "no.tif"))
    with pytest.raises(QgsProcessingException, match="does not generate"):
        run(provider, "generate", INPUT=layer, MODEL="segment", TARGETS=["DEM"])


def test_loaded_layers_are_named_and_styled(provider, layer):
    context = QgsProcessingContext()
    project = QgsProject.instance()
    for name, output, words in (
        ("segment", "OUTPUT_CLASSES", "Classes (estimated)"),
        ("regress", "OUTPUT_VALUES", "Biomass (t/ha) (estimated)"),
        ("classify", "OUTPUT_TILES", "Classified tiles (estimated)"),
    ):
        destination = QgsProcessingOutputLayerDefinition("TEMPORARY_OUTPUT", project)
        algorithm = provider.algorithm(name).create()  # keeps what styles its layers
        parameters, feedback = {"MODEL": name, "INPUT": layer, output: destination}, QgsProcessingFeedback()
        assert algorithm.prepare(parameters, context, feedback)
        path = algorithm.runPrepared(parameters, context, feedback)[output]
        details = context.layerToLoadOnCompletionDetails(path)
        made = QgsVectorLayer(path) if name == "classify" else QgsRasterLayer(path)
        assert made.isValid(), path
        details.postProcessor().postProcessLayer(made, context, QgsProcessingFeedback())
        assert details.name == made.name() == words
        check_style(made, name)


def check_style(made, task):
    renderer = made.renderer()
    if task == "segment":
        assert isinstance(renderer, QgsPalettedRasterRenderer)
        found = [(c.value, c.label, c.color.name().upper()) for c in renderer.classes()]
        assert found == [(0, "Bare", "#4477AA"), (1, "Grass", "#EE6677"), (2, "Wood", "#228833")]
    elif task == "regress":
        assert isinstance(renderer, QgsSingleBandPseudoColorRenderer)
        assert renderer.classificationMax() > renderer.classificationMin()
    else:
        assert isinstance(renderer, QgsCategorizedSymbolRenderer) and renderer.classAttribute() == "name"
        assert [c.label() for c in renderer.categories()] == list(toy.CLASSES)
    assert "not measured" in made.metadata().abstract()


# --- the panel -------------------------------------------------------------------------------------------


@pytest.fixture
def panel(plugin, window, layer):
    from terrane.plugin.panels.segment import SegmentPanel

    show_on_map(window, layer)
    window.active = layer
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock.generate.source.scene is not None)
    made = next(panel for panel in plugin.dock.panels if isinstance(panel, SegmentPanel))
    plugin.dock.tabs.setCurrentIndex(plugin.dock.panels.index(made))
    plugin.dock.models.choose("segment")
    pump(lambda: made.source.scene is not None and not plugin.jobs.running)
    return made


def made_layers():
    root = QgsProject.instance().layerTreeRoot()
    groups = [group for group in root.findGroups() if "Terrane" in group.name()]
    return [node.layer() for group in groups for node in group.findLayers()]


def test_panel_runs_and_adds_styled_layers(plugin, panel, scene_path):
    assert panel.makes.text() == "Bare, Grass and Wood" and panel.bar.button.text() == "Segment"
    panel.area.choose("layer")
    pump(panel.bar.button.isEnabled)
    assert "12 tiles" in panel.area.forecast.text().replace("\u00a0", " ")
    panel.probability.setChecked(True)
    panel.bar.button.click()
    pump(lambda: len(made_layers()) == 2)
    classes = next(layer for layer in made_layers() if layer.name().startswith("Classes"))
    check_style(classes, "segment")
    expected, empty = expected_classes(scene_path)
    np.testing.assert_array_equal(read_raster(classes.source())[0], np.where(empty, 255, expected))


@pytest.mark.parametrize(("task", "verb"), [("regress", "Estimate"), ("classify", "Classify")])
def test_panel_follows_the_models_task(plugin, panel, task, verb):
    plugin.dock.models.choose(task)
    assert panel.bar.button.text() == verb and panel.probability.isHidden()
    panel.area.choose("layer")
    pump(panel.bar.button.isEnabled)
    panel.bar.button.click()
    pump(lambda: len(made_layers()) == 1)
    check_style(made_layers()[0], task)


def test_panel_says_which_model_it_needs(plugin, panel):
    plugin.dock.models.choose("toy")
    assert "finds objects" in panel.needs.words() and not panel.bar.button.isEnabled()
    assert panel.rows.isHidden() and panel.bar.isHidden()
    panel.needs.text.linkActivated.emit("#")
    assert panel.task and plugin.dock.models.model != "toy"


def test_panel_asks_for_the_missing_input(plugin, panel, radar):
    plugin.dock.models.choose("both")
    assert "Radar" in panel.problem.words() and not panel.bar.button.isEnabled()
    panel.inputs.add_input(radar)
    panel.area.choose("layer")
    pump(panel.bar.button.isEnabled)
    assert not panel.problem.words()


def test_generate_refuses_a_model_for_one_task(plugin, panel):
    plugin.dock.tabs.setCurrentIndex(plugin.dock.panels.index(plugin.dock.generate))
    assert "does not generate" in plugin.dock.generate.problem.words()
    assert not plugin.dock.generate.bar.button.isEnabled()
