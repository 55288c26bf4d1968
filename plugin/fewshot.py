# SPDX-License-Identifier: GPL-2.0-or-later
"""Few-shot maps: samples out of features, and the layers that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsMapLayer,
    QgsMarkerSymbol,
    QgsProject,
    QgsRasterLayer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)

from . import predictions, results, styles
from .compat import POINT_GEOMETRY, POLYGON_GEOMETRY
from .i18n import tr
from .layers import area_of_polygons, wkt

CLASSES, PROBABILITY, UNCERTAINTY, SUGGESTIONS = "classes", "probability", "uncertainty", "suggestions"
PRODUCTS = (CLASSES, PROBABILITY, UNCERTAINTY, SUGGESTIONS)


def product_word(product: str) -> str:
    """A product as a field or message calls it."""
    if product == UNCERTAINTY:
        return tr("Uncertainty")
    if product == SUGGESTIONS:
        return tr("Places to mark next")
    return predictions.product_word(product)


def layer_word(product: str) -> str:
    """The name of a result layer."""
    if product in (UNCERTAINTY, SUGGESTIONS):
        return product_word(product)
    return predictions.layer_word(product, predictions.Model(""))


def meaning(product: str) -> str:
    """What a product holds."""
    if product == UNCERTAINTY:
        return tr("How undecided the model is between the two likeliest classes: 0 is sure, 1 undecided.")
    if product == SUGGESTIONS:
        return tr("Where the model is least sure, spread out over the map: marking these helps most.")
    return predictions.meaning(product)


def samples_of(
    features: Iterable[QgsFeature], field: str, crs: QgsCoordinateReferenceSystem
) -> tuple[list[Any], int]:
    """The engine's samples of points and polygons with their class, and how many features have no class.

    Raises InputError for other geometries.
    """
    from ..inference import Sample, class_name

    found: list[Any] = []
    unnamed = 0
    for feature in features:
        value = feature[field]
        name = class_name(None if _is_null(value) else value)
        geometry = QgsGeometry(feature.geometry())
        if not name or geometry.isNull() or geometry.isEmpty():
            unnamed += 1
            continue
        found += [Sample(name, **shape) for shape in shapes_of(geometry, crs)]
    return found, unnamed


def shapes_of(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> list[dict[str, Any]]:
    """Points and polygons of a geometry as fields of a sample. Raises InputError for lines."""
    from ..inference import InputError

    if geometry.type() == POINT_GEOMETRY:
        return [{"point": (vertex.x(), vertex.y())} for vertex in geometry.vertices()]
    if geometry.type() == POLYGON_GEOMETRY:
        return [{"polygon": polygon} for polygon in area_of_polygons([geometry], crs).region or ()]
    raise InputError(tr("Samples must be points or polygons."))


def engine_samples(
    places: Sequence[Any],
    crs: QgsCoordinateReferenceSystem,
    *,
    colors: Sequence[tuple[str, str]] = (),
    unnamed: int = 0,
) -> Any:
    """Samples in one CRS as the engine takes them."""
    from ..inference import Samples

    return Samples(tuple(places), wkt(crs) or None, tuple(colors), unnamed)


def _is_null(value: Any) -> bool:
    return value is None or (hasattr(value, "isNull") and value.isNull())


def model_of(classes: Sequence[tuple[str, str]]) -> predictions.Model:
    """What layers need to know: names and colours of the classes."""
    return predictions.Model(tr("few-shot"), classes=tuple(classes))


def open_result(
    path: str, product: str, classes: Sequence[tuple[str, str]], *, scene: str = ""
) -> QgsMapLayer:
    """A result as a layer with name, style and metadata. It is not added to the project."""
    if product == SUGGESTIONS:
        layer: QgsMapLayer = QgsVectorLayer(path, layer_word(product), "ogr")
    else:
        layer = QgsRasterLayer(path, layer_word(product), "gdal")
    if layer.isValid():
        finish(layer, product, classes, scene=scene)
    return layer


def finish(layer: QgsMapLayer, product: str, classes: Sequence[tuple[str, str]], *, scene: str = "") -> None:
    """Style and metadata of a result layer."""
    if product == SUGGESTIONS:
        looks = {"name": "cross_fill", "angle": "45", "color": "#ffd400", "outline_color": "#1a1a1a"}
        symbol = QgsMarkerSymbol.createSimple({**looks, "outline_width": "0.4", "size": "4.5"})
        layer.setRenderer(QgsSingleSymbolRenderer(symbol))
        return
    if product == UNCERTAINTY:
        styles.apply(layer, "CLASSES_entropy")
        return
    predictions.finish(layer, product, model_of(classes), scene=scene)


def add(
    outputs: Mapping[str, str], classes: Sequence[tuple[str, str]], title: str, replacing: Sequence[str] = ()
) -> results.Results:
    """Add the layers of a map on top of the layer tree, in place of those of the last one (main thread)."""
    project = QgsProject.instance()
    old = [layer for layer in replacing if project.mapLayer(layer) is not None]
    if old:
        results.undo(results.Results("", tuple(old), {}))
    name = results.group_name(title)
    layers: list[tuple[QgsMapLayer, bool, bool]] = []
    made: dict[str, str] = {}
    for product in (SUGGESTIONS, CLASSES, PROBABILITY, UNCERTAINTY):
        if product in outputs:
            layer = open_result(outputs[product], product, classes, scene=title)
            layers.append((layer, product == CLASSES, product in (CLASSES, SUGGESTIONS)))
            made[product] = layer.id()
    results.show(name, layers)
    return results.Results(name, tuple(layer.id() for layer, _, _ in layers), made)


def report_words(report: Any) -> str:
    """The accuracy in words."""
    if report.accuracy is None:
        return tr("How good it is cannot be told yet: mark each class in places further apart.")
    words = tr(
        "About {share} right, tested on {count} pixels at least {metres} m from those it learnt on."
    ).format(share=f"{100 * report.accuracy:.0f} %", count=report.tested, metres=f"{report.margin_m:g}")
    if report.untested:
        words += " " + tr("Not tested: {classes}; mark them in places further apart.").format(
            classes=", ".join(report.untested)
        )
    return words


def weakest(report: Any) -> Optional[str]:
    """The confusion that happens most, in words; None where there is none."""
    worst, where = 0, (0, 0)
    for i, row in enumerate(report.confusion):
        for j, count in enumerate(row):
            if i != j and count > worst:
                worst, where = count, (i, j)
    if not worst:
        return None
    return tr("Most often {one} is taken for {other}.").format(
        one=report.classes[where[0]], other=report.classes[where[1]]
    )
