# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:compare``: what changed between two dates."""

from __future__ import annotations

import os
from typing import Any, Optional

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)
from qgis.PyQt.QtGui import QIcon

from .. import change
from ..compat import FLAG_ADVANCED, NUMBER_DOUBLE, TYPE_POLYGON
from ..i18n import tr
from ..icons import icon
from ..words import duration
from .base import MODALITIES
from .feedback import Listener

METHODS = ("auto", "classes", "model", "bands")


class ChangeStyler(QgsProcessingLayerPostProcessorInterface):
    """Kept alive by the algorithm until the layer is loaded."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self._result = result

    def postProcessLayer(self, layer: Any, _context: Any, _feedback: Any) -> None:
        """See QgsProcessingLayerPostProcessorInterface (main thread)."""
        if layer.isValid():
            change.finish(layer, self._result)
            layer.triggerRepaint()


class CompareAlgorithm(QgsProcessingAlgorithm):
    """Two dates in, what changed out."""

    def __init__(self) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._stylers: list[ChangeStyler] = []

    def createInstance(self) -> CompareAlgorithm:
        """See QgsProcessingAlgorithm."""
        return CompareAlgorithm()

    def name(self) -> str:
        """See QgsProcessingAlgorithm."""
        return "compare"

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Change between two dates")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Tells what changed from one date to the other.")

    def shortHelpString(self) -> str:
        """What the dialog shows on its right."""
        return "\n\n".join(
            (
                self.shortDescription(),
                tr(
                    "Two rasters of classes: which class became which, with a table of how much. Two scenes of the "
                    "same kind: how much a model's view of each patch changed, or, where no model reads them, "
                    "how much the bands changed once both dates have the same brightness and contrast. The first "
                    "layer's pixels are the common grid."
                ),
            )
        )

    def icon(self) -> QIcon:
        """See QgsProcessingAlgorithm."""
        return icon("terrane")

    def tags(self) -> list[str]:
        """Words under which the toolbox finds it."""
        return tr("change detection,difference,transition matrix,land cover change,otsu,time").split(",")

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare the parameters (contracts.md, Processing ids)."""
        self._add(
            QgsProcessingParameterRasterLayer("BEFORE", tr("First date")),
            tr("A raster of classes, or a scene. Results lie on its pixels."),
        )
        self._add(
            QgsProcessingParameterRasterLayer("AFTER", tr("Second date")),
            tr("A layer of the same kind and place."),
        )
        self._add(
            QgsProcessingParameterNumber(
                "MIN_AREA", tr("Least area of polygons (m²)"), NUMBER_DOUBLE, 0, minValue=0
            ),
            tr("Smaller polygons are left out; the other results count every pixel."),
        )
        self._add(
            QgsProcessingParameterNumber(
                "THRESHOLD", tr("Threshold"), NUMBER_DOUBLE, None, optional=True, minValue=0
            ),
            tr("Of scenes, more than so much is change. Empty: where the histogram falls into two (Otsu)."),
        )
        self._add_advanced()
        self._add(
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Change")),
            tr("Of classes, the class before × 10 (100, 1000) + the class after; of scenes, the magnitude."),
        )
        self._add(
            QgsProcessingParameterVectorDestination(
                "OUTPUT_POLYGONS", tr("Change polygons"), TYPE_POLYGON, optional=True
            ),
            tr("What changed, with its area and from which class to which, or how much."),
        )
        self._add(
            QgsProcessingParameterFileDestination(
                "OUTPUT_TABLE", tr("Table"), "CSV (*.csv)", optional=True, createByDefault=False
            ),
            tr("Of classes, how much of each became what, in pixels and square metres."),
        )

    def _add_advanced(self) -> None:
        self._add(
            QgsProcessingParameterEnum(
                "METHOD", tr("Compare by"), list(METHODS), defaultValue="auto", usesStaticStrings=True
            ),
            tr("auto: as the layers are recognised. classes, model or bands: your word."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterString("MODEL", tr("Model"), "starter"),
            tr("A model's id, or the path of a model pack. Scenes only."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterEnum(
                "MODALITY", tr("Kind of image"), list(MODALITIES), defaultValue="auto", usesStaticStrings=True
            ),
            tr("What both images are, where their bands do not tell."),
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
        from ..layers import gdal_source

        sources = {}
        for name in ("BEFORE", "AFTER"):
            layer = self.parameterAsRasterLayer(parameters, name, context)
            if layer is None or layer.providerType() != "gdal":
                raise QgsProcessingException(tr("Both dates must be raster files."))
            sources[name.lower()] = gdal_source(layer)
        limit, kind = parameters.get("THRESHOLD"), self.parameterAsEnumString(parameters, "MODALITY", context)
        self._fields = {
            **sources,
            "method": self.parameterAsEnumString(parameters, "METHOD", context),
            "model": self.parameterAsString(parameters, "MODEL", context),
            "min_area": self.parameterAsDouble(parameters, "MIN_AREA", context),
            "modality": None if kind == "auto" else kind,
            "threshold": None
            if limit in (None, "")
            else self.parameterAsDouble(parameters, "THRESHOLD", context),
        }
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Worker thread: compare."""
        from ...inference import Cancelled, CompareRequest, TerraneError, compare

        outputs = {
            "OUTPUT": self.parameterAsOutputLayer(parameters, "OUTPUT", context),
            "OUTPUT_POLYGONS": self.parameterAsOutputLayer(parameters, "OUTPUT_POLYGONS", context),
            "OUTPUT_TABLE": self.parameterAsFileOutput(parameters, "OUTPUT_TABLE", context),
        }
        outputs = {name: path for name, path in outputs.items() if path}
        for path in outputs.values():
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        listener = Listener(feedback)

        def progress(seen: Any) -> None:
            listener.progress(seen)
            feedback.setProgressText(change.phase_word(seen.message))

        try:
            request = CompareRequest(
                output=outputs["OUTPUT"],
                polygons=outputs.get("OUTPUT_POLYGONS"),
                table=outputs.get("OUTPUT_TABLE"),
                overwrite=True,
                **self._fields,
            )
            result = compare(request, progress=progress, cancel=listener.cancel)
        except Cancelled:
            return {}
        except TerraneError as error:
            raise QgsProcessingException(str(error)) from error
        finally:
            listener.close()
        self._tell(result, feedback)
        for name in ("OUTPUT", "OUTPUT_POLYGONS"):
            self._style(outputs.get(name), result, context)
        return outputs

    @staticmethod
    def _tell(result: Any, feedback: QgsProcessingFeedback) -> None:
        for warning in result.warnings:
            feedback.pushWarning(warning)
        share = change.share_words(result.changed.pixels, result.compared.pixels, result.changed.area)
        feedback.pushInfo(
            tr("{share} changed; compared in {time}").format(share=share, time=duration(result.seconds))
        )
        if result.threshold is not None:
            feedback.pushInfo(tr("Threshold: {value}").format(value=f"{result.threshold:.4f}"))

    def _style(self, path: Optional[str], result: Any, context: QgsProcessingContext) -> None:
        if not path or not context.willLoadLayerOnCompletion(path):
            return
        styler = ChangeStyler(result)
        self._stylers.append(styler)
        context.layerToLoadOnCompletionDetails(path).setPostProcessor(styler)
