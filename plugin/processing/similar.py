# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:similar``: how alike each patch is to examples."""

from __future__ import annotations

import os
from typing import Any, Optional

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterPoint,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)
from qgis.PyQt.QtGui import QIcon

from .. import similarity
from ..compat import FLAG_ADVANCED, NUMBER_DOUBLE, NUMBER_INTEGER, TYPE_POINT, TYPE_POLYGON
from ..i18n import tr
from ..icons import icon
from ..words import duration
from .embed import SimilarityStyler
from .feedback import Listener

COMBINE = ("max", "mean")


class SimilarAlgorithm(QgsProcessingAlgorithm):
    """A raster of embeddings and examples in, similarity out."""

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._stylers: list[SimilarityStyler] = []

    def createInstance(self) -> SimilarAlgorithm:
        """See QgsProcessingAlgorithm."""
        return SimilarAlgorithm()

    def name(self) -> str:
        """See QgsProcessingAlgorithm."""
        return "similar"

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Find similar places")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Tells how alike each patch of an image is to examples that you point to.")

    def shortHelpString(self) -> str:
        """What the dialog shows on its right."""
        return "\n\n".join(
            (
                self.shortDescription(),
                tr(
                    "Similarity is the cosine between embeddings, from −1 to 1; the example itself has 1. A point "
                    "stands for the patch under it, a polygon for the mean of the patches whose centres it holds. "
                    "Make the embeddings with “Embeddings of an image”."
                ),
            )
        )

    def icon(self) -> QIcon:
        """See QgsProcessingAlgorithm."""
        return icon("terrane")

    def tags(self) -> list[str]:
        """Words under which the toolbox finds it."""
        return tr("terramind,embeddings,similarity,search,more like this,cosine,ai").split(",")

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare the parameters (contracts.md, Processing ids)."""
        self._add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Embeddings")),
            tr("A raster of embeddings: one pixel per patch, many bands."),
        )
        self._add(
            QgsProcessingParameterPoint("POINT", tr("Example"), optional=True),
            tr("A place that shows what to look for."),
        )
        self._add(
            QgsProcessingParameterFeatureSource("POINTS", tr("Example points"), [TYPE_POINT], optional=True),
            tr("Places that show what to look for, one example each."),
        )
        self._add(
            QgsProcessingParameterFeatureSource(
                "REGIONS", tr("Example polygons"), [TYPE_POLYGON], optional=True
            ),
            tr("Areas that show what to look for, one example each. Each must hold the centre of a patch."),
        )
        self._add_knobs()
        self._add(
            QgsProcessingParameterRasterDestination(
                "OUTPUT_SIMILARITY", similarity.product_word("similarity")
            ),
            similarity.meaning("similarity"),
        )
        self._add(
            QgsProcessingParameterVectorDestination(
                "OUTPUT_PLACES",
                similarity.product_word("places"),
                TYPE_POLYGON,
                optional=True,
                createByDefault=False,
            ),
            similarity.meaning("places"),
        )

    def _add_knobs(self) -> None:
        self._add(
            QgsProcessingParameterEnum(
                "COMBINE", tr("Several examples"), list(COMBINE), defaultValue="max", usesStaticStrings=True
            ),
            tr("max: like any of them. mean: like their mean."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterBoolean("CENTRE", tr("Leave out what all patches share"), False),
            tr("Measures from the mean of all patches. Tells more apart where everything looks alike."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterNumber(
                "TOP", tr("So many places at most"), NUMBER_INTEGER, 100, minValue=1
            ),
            tr("How many polygons the similar places have at most."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterNumber(
                "THRESHOLD",
                tr("Least similarity"),
                NUMBER_DOUBLE,
                None,
                optional=True,
                minValue=-1,
                maxValue=1,
            ),
            tr("Similar places are at least so similar. Empty: no limit."),
            advanced=True,
        )

    def _add(
        self, parameter: QgsProcessingParameterDefinition, words: str, *, advanced: bool = False
    ) -> None:
        parameter.setHelp(words)
        if advanced:
            parameter.setFlags(parameter.flags() | FLAG_ADVANCED)
        self.addParameter(parameter)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> bool:
        """Main thread: snapshot the layers."""
        from ...inference import TerraneError

        problem = ""
        try:
            self._fields = self._snapshot(parameters, context)
        except TerraneError as error:
            problem = str(error)
        if problem:
            raise QgsProcessingException(problem)
        return True

    def _snapshot(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Everything of a request but its outputs. Raises TerraneError."""
        from ...inference import SourceError
        from ..layers import area_of_polygons, gdal_source, wkt

        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None or layer.providerType() != "gdal":
            raise SourceError(tr("The embeddings must be a raster file."))
        crs = layer.crs()
        points = []
        if parameters.get("POINT") not in (None, ""):
            place = self.parameterAsPoint(parameters, "POINT", context, crs)
            points.append((place.x(), place.y()))
        regions: tuple[Any, ...] = ()
        for name in ("POINTS", "REGIONS"):
            source = self.parameterAsSource(parameters, name, context)
            if source is None:
                continue
            geometries = similarity.in_crs(source.getFeatures(), source.sourceCrs(), crs)
            if name == "POINTS":
                points += [(v.x(), v.y()) for geometry in geometries for v in geometry.vertices()]
            else:
                regions = area_of_polygons(geometries, crs).region or ()
        top = self.parameterAsInt(parameters, "TOP", context)
        limit = parameters.get("THRESHOLD")
        return {
            "embeddings": gdal_source(layer),
            "points": tuple(points),
            "regions": regions or None,
            "crs": wkt(crs),
            "combine": self.parameterAsEnumString(parameters, "COMBINE", context),
            "centre": self.parameterAsBool(parameters, "CENTRE", context),
            "top": top,
            "threshold": None
            if limit in (None, "")
            else self.parameterAsDouble(parameters, "THRESHOLD", context),
        }

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Worker thread: compare."""
        from ...inference import Cancelled, SimilarRequest, TerraneError, similar

        outputs = {
            similarity.SIMILARITY: self.parameterAsOutputLayer(parameters, "OUTPUT_SIMILARITY", context)
        }
        fields = dict(self._fields)
        places = self.parameterAsOutputLayer(parameters, "OUTPUT_PLACES", context)
        if places:
            outputs[similarity.PLACES] = fields["places"] = places
        else:
            fields.update(top=None, threshold=None)
        for path in outputs.values():
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        listener = Listener(feedback)
        try:
            request = SimilarRequest(output=outputs[similarity.SIMILARITY], overwrite=True, **fields)
            result = similar(request, progress=listener.progress, cancel=listener.cancel)
        except Cancelled:
            return {}
        except TerraneError as error:
            raise QgsProcessingException(str(error)) from error
        finally:
            listener.close()
        feedback.pushInfo(tr("Compared in {time}").format(time=duration(result.seconds)))
        for product, path in outputs.items():
            self._style(path, product, context)
        return {f"OUTPUT_{product.upper()}": path for product, path in outputs.items()}

    def _style(self, path: str, product: str, context: QgsProcessingContext) -> None:
        if not context.willLoadLayerOnCompletion(path):
            return
        details = context.layerToLoadOnCompletionDetails(path)
        details.name = similarity.product_word(product)
        styler = SimilarityStyler(product)
        self._stylers.append(styler)
        details.setPostProcessor(styler)
