# SPDX-License-Identifier: GPL-2.0-or-later
"""From what is in the project to what the engine takes: layers to sources, map and selection to areas."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry, QgsRasterLayer, QgsRectangle, QgsVectorLayer

from ..inference import BBox, ExtentError, SourceError
from .compat import CRS_WKT, POLYGON_GEOMETRY
from .i18n import tr

PRODUCT_SUFFIXES = (".safe", ".zip", ".json")


@dataclass(frozen=True)
class Input:
    """What the user chose as input, ready for the engine."""

    title: str
    """The name under which the user knows it."""
    source: Union[str, tuple[str, ...]]
    geo: Any
    """The engine's Geo that can read it."""
    layer_id: str = ""
    """The layer, where it is one."""
    modality: Optional[str] = None
    """What it is by the user's word; None: as recognised."""


@dataclass(frozen=True)
class Area:
    """Where to generate, in ``crs`` (WKT); all None: the whole input."""

    extent: Optional[BBox] = None
    crs: Optional[str] = None
    region: Optional[tuple[tuple[tuple[tuple[float, float], ...], ...], ...]] = None


def gdal_source(layer: QgsRasterLayer) -> str:
    """The GDAL name of a layer of the gdal provider, without QGIS's own additions (``|option:…``)."""
    source: str = layer.source()
    return source if os.path.exists(source) else source.split("|", maxsplit=1)[0]


def is_plain_file(layer: QgsRasterLayer) -> bool:
    """Whether GDAL sees what QGIS shows: no CRS and no nodata that only the layer knows of."""
    provider = layer.dataProvider()
    if layer.providerType() != "gdal" or layer.crs() != provider.crs():
        return False
    bands = range(1, provider.bandCount() + 1)
    return not any(provider.userNoDataValues(band) for band in bands) and all(
        provider.useSourceNoDataValue(band) for band in bands if provider.sourceHasNoDataValue(band)
    )


def from_layers(layers: Sequence[QgsRasterLayer]) -> Input:
    """One stacked layer, or several layers that together hold the bands (main thread). Raises SourceError."""
    from .layer_geo import LayerGeo

    geo = LayerGeo()
    names = []
    for layer in layers:
        if not layer.isValid() or layer.dataProvider() is None:
            raise SourceError(
                tr("{layer} cannot be read; repair its data source first.").format(layer=layer.name())
            )
        names.append(gdal_source(layer) if is_plain_file(layer) else geo.add(layer))
    if len(layers) == 1:
        return Input(layers[0].name(), names[0], geo, layers[0].id())
    return Input(tr("{count} layers").format(count=len(layers)), tuple(names), geo)


def several_inputs(layers: Sequence[QgsRasterLayer], kinds: Sequence[Optional[str]] = ()) -> list[Input]:
    """Layers of one place as inputs: each that is a scene by itself, and one of the bands that are left.

    ``kinds``: what each layer is, as modality ids, None where the layer itself tells; layers of the same
    kind are bands of one input. Raises SourceError.
    """
    known = list(kinds) or [None] * len(layers)
    if len(known) != len(layers):
        raise SourceError(
            tr("There are {layers} layers but {kinds} kinds; name one for each.").format(
                layers=len(layers), kinds=len(known)
            )
        )
    groups: dict[str, list[QgsRasterLayer]] = {}
    for place, (layer, kind) in enumerate(zip(layers, known)):
        alone = f"#{place}" if kind is None and _is_scene(layer) else kind or ""
        groups.setdefault(alone, []).append(layer)
    named = {key: from_layers(members) for key, members in groups.items()}
    return [
        replace(found, modality=None if key.startswith("#") else key or None) for key, found in named.items()
    ]


def _is_scene(layer: QgsRasterLayer) -> bool:
    """Whether a layer is recognised as a whole without the others."""
    from ..inference import recognise_source

    chosen = from_layers([layer])
    found = recognise_source(chosen.source, chosen.geo)
    return found.modality is not None and not found.problem


def joined_geo(inputs: Sequence[Input]) -> Any:
    """One Geo that reads all of some inputs."""
    from .layer_geo import LayerGeo

    return inputs[0].geo if len(inputs) == 1 else LayerGeo(*(item.geo for item in inputs))


def from_path(path: str) -> Input:
    """A product (.SAFE, .zip, STAC item) or a file that is not a layer."""
    from .layer_geo import LayerGeo

    return Input(os.path.basename(os.path.normpath(path)), path, LayerGeo())


def is_product(path: str) -> bool:
    """Whether a dropped or chosen path is a product rather than a raster for QGIS to load."""
    return os.path.isdir(path) or path.lower().endswith(PRODUCT_SUFFIXES)


def wkt(crs: QgsCoordinateReferenceSystem) -> str:
    """WKT of a QGIS CRS as the engine takes it."""
    return str(crs.toWkt(CRS_WKT)) if crs.isValid() else ""


def area_of_box(box: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> Area:
    """A rectangle in some CRS (an invalid one: the input's own). Raises ExtentError where it is empty."""
    if box.isEmpty() or not box.isFinite():
        raise ExtentError(tr("The area is empty."))
    return Area(BBox(box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()), wkt(crs) or None)


def area_of_polygons(geometries: Sequence[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> Area:
    """The inside of polygons. Raises ExtentError where there is none."""
    rings = []
    for geometry in geometries:
        if geometry.isNull() or geometry.isEmpty() or geometry.type() != POLYGON_GEOMETRY:
            continue
        straight = QgsGeometry(geometry.constGet().segmentize())
        straight.convertToMultiType()
        rings += [
            tuple(tuple((point.x(), point.y()) for point in ring) for ring in polygon)
            for polygon in straight.asMultiPolygon()
        ]
    if not rings:
        raise ExtentError(tr("There is no polygon to generate in."))
    return Area(None, wkt(crs) or None, tuple(rings))


def area_of_selection(layer: Optional[QgsVectorLayer]) -> Area:
    """The selected polygons of a layer. Raises ExtentError where nothing is selected."""
    if layer is None or not layer.selectedFeatureCount():
        raise ExtentError(tr("No polygon is selected; select one or more in a polygon layer."))
    return area_of_polygons([feature.geometry() for feature in layer.getSelectedFeatures()], layer.crs())


def layer_with_selection(candidates: Sequence[Any]) -> Optional[QgsVectorLayer]:
    """The first polygon layer with selected features."""
    for layer in candidates:
        if (
            isinstance(layer, QgsVectorLayer)
            and layer.geometryType() == POLYGON_GEOMETRY
            and layer.selectedFeatureCount()
        ):
            return layer
    return None
