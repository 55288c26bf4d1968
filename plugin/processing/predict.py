# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:segment``, ``terrane:regress`` and ``terrane:classify``: models that were trained for one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from .. import predictions
from ..compat import TYPE_POLYGON
from ..i18n import tr
from ..predictions import Model
from .base import SceneAlgorithm
from .styling import Styler


class PredictionStyler(Styler):
    """Names, styles and describes a layer that a model for one task made."""

    def __init__(self, product: str, model: Model) -> None:
        super().__init__(product)
        self._model = model

    def postProcessLayer(self, layer: Any, _context: Any, _feedback: Any) -> None:
        """See QgsProcessingLayerPostProcessorInterface (main thread)."""
        if layer.isValid():
            layer.setName(predictions.layer_word(self._product, self._model))
            predictions.finish(layer, self._product, self._model)
            layer.triggerRepaint()


class PredictAlgorithm(SceneAlgorithm):
    """What the three have in common."""

    TASK = ""

    def __init__(self) -> None:
        super().__init__()
        self._model = Model("")
        self._products: tuple[str, ...] = ()

    def name(self) -> str:
        """See QgsProcessingAlgorithm."""
        return self.TASK

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare the parameters (contracts.md, Processing ids)."""
        self.add_inputs(tr("Satellite image"))
        self.add_model(None)
        self.add_area()
        self.add_preset()
        self.add_reading()
        self.add_running()
        self.add_outputs()

    def add_outputs(self) -> None:
        """One destination per product."""
        for product in predictions.PRODUCTS[self.TASK]:
            name, words = self.output_name(product), predictions.product_word(product)
            parameter: Any = (
                QgsProcessingParameterVectorDestination(name, words, TYPE_POLYGON, optional=True)
                if product == "tiles"
                else QgsProcessingParameterRasterDestination(
                    name, words, optional=True, createByDefault=product != "probability"
                )
            )
            self.add(parameter, predictions.meaning(product))

    def make_request(
        self, common: Mapping[str, Any], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> Any:
        """See SceneAlgorithm."""
        from ...inference import Options

        self._model = predictions.known(common["model"])
        self._products = self.wanted(parameters, context)
        options = Options(stride=self.optional_int(parameters, "STRIDE", context))
        return predictions.request_class(self.TASK)(**common, outputs={}, options=options)

    def wanted(self, _parameters: dict[str, Any], _context: QgsProcessingContext) -> tuple[str, ...]:
        """The products that were asked for."""
        return predictions.PRODUCTS[self.TASK]

    def products(self, _request: Any) -> Sequence[str]:
        """See SceneAlgorithm."""
        return self._products

    def suffix(self, product: str) -> str:
        """See SceneAlgorithm."""
        return "gpkg" if product == "tiles" else "tif"

    def styler(self, product: str) -> Styler:
        """See SceneAlgorithm."""
        return PredictionStyler(product, self._model)

    def layer_name(self, product: str) -> str:
        """See SceneAlgorithm."""
        return predictions.layer_word(product, self._model)

    def work(self, request: Any, *, progress: Any, cancel: Any, geo: Any) -> Any:
        """See SceneAlgorithm."""
        return predictions.run(request, progress=progress, cancel=cancel, geo=geo)

    def tags(self) -> list[str]:
        """Words under which the toolbox finds it."""
        return tr("terramind,terratorch,fine-tuned,deep learning,classes,estimate,flood,crops,ai").split(",")

    def shortHelpString(self) -> str:
        """What the dialog shows on its right."""
        return "\n\n".join(
            (
                self.shortDescription(),
                tr(
                    "The model is one that was fine-tuned with terratorch for this task and converted: in the dock, "
                    "Add model… › Fine-tuned, or with “terrane models convert-finetuned”. It takes all of its inputs "
                    "together; name the first as satellite image and the others as further layers."
                ),
                tr(
                    "Results are estimates of a model, not measured: they are as good as the data that the model was "
                    "trained on, and worse where a place looks different."
                ),
            )
        )


class SegmentAlgorithm(PredictAlgorithm):
    """A raster of classes."""

    TASK = "segment"

    def createInstance(self) -> SegmentAlgorithm:
        """See QgsProcessingAlgorithm."""
        return SegmentAlgorithm()

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Segment with a fine-tuned model")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Tells the classes of a fine-tuned model apart, pixel by pixel: flood, fire, crops, …")

    def add_outputs(self) -> None:
        """See PredictAlgorithm."""
        self.add(
            QgsProcessingParameterBoolean("PROBABILITY", tr("Probability of the class"), False),
            tr("One more layer: how likely the chosen class is, from 0 to 1."),
            advanced=True,
        )
        super().add_outputs()

    def wanted(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[str, ...]:
        """See PredictAlgorithm."""
        asked = self.parameterAsBool(parameters, "PROBABILITY", context)
        named = parameters.get(self.output_name("probability")) not in (None, "")
        return ("classes", "probability") if asked or named else ("classes",)


class RegressAlgorithm(PredictAlgorithm):
    """A raster of values."""

    TASK = "regress"

    def createInstance(self) -> RegressAlgorithm:
        """See QgsProcessingAlgorithm."""
        return RegressAlgorithm()

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Estimate with a fine-tuned model")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Estimates what a fine-tuned model was trained for, pixel by pixel: biomass, heights, …")


class ClassifyAlgorithm(PredictAlgorithm):
    """Polygons of tiles with their class."""

    TASK = "classify"

    def createInstance(self) -> ClassifyAlgorithm:
        """See QgsProcessingAlgorithm."""
        return ClassifyAlgorithm()

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Classify tiles with a fine-tuned model")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Tells what each tile of an image shows: one polygon per tile with its class and score.")
