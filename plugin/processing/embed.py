# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:embed``: what a model makes of each patch of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from .. import similarity
from ..compat import TYPE_POLYGON
from ..i18n import tr
from .base import SceneAlgorithm
from .styling import Styler

PRODUCTS = (similarity.EMBEDDINGS, similarity.PCA, similarity.VECTORS)


class SimilarityStyler(Styler):
    """Names, styles and describes a layer of embeddings or of similarity."""

    def postProcessLayer(self, layer: Any, _context: Any, _feedback: Any) -> None:
        """See QgsProcessingLayerPostProcessorInterface (main thread)."""
        if layer.isValid():
            layer.setName(similarity.product_word(self._product))
            similarity.finish(layer, self._product)
            layer.triggerRepaint()


class EmbedAlgorithm(SceneAlgorithm):
    """Layers in, embeddings out."""

    def __init__(self) -> None:
        super().__init__()
        self._products: tuple[str, ...] = (similarity.EMBEDDINGS,)

    def createInstance(self) -> EmbedAlgorithm:
        """See QgsProcessingAlgorithm."""
        return EmbedAlgorithm()

    def name(self) -> str:
        """See QgsProcessingAlgorithm."""
        return "embed"

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Embeddings of an image")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr(
            "Writes what a model makes of each patch of an image, to find similar places or to train on."
        )

    def shortHelpString(self) -> str:
        """What the dialog shows on its right."""
        return "\n\n".join(
            (
                self.shortDescription(),
                tr(
                    "Each pixel of the result is a patch of the image (160 m for TerraMind), its bands are the "
                    "numbers by which the model knows it. Patches that look alike to the model have numbers alike: "
                    "“Find similar places” compares them."
                ),
            )
        )

    def tags(self) -> list[str]:
        """Words under which the toolbox finds it."""
        return tr("terramind,embeddings,features,similarity,pca,deep learning,ai").split(",")

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare the parameters (contracts.md, Processing ids)."""
        self.add_inputs(tr("Satellite image"))
        self.add_model()
        self.add_area()
        self.add_preset()
        self.add_reading()
        self.add_running()
        self.removeParameter("GRID")
        self.add(
            QgsProcessingParameterBoolean("FLOAT16", tr("Half the size"), False),
            tr("Half floats: three digits, which is enough to compare."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("COORDS", tr("Use the location"), False),
            tr("Tells the model where on Earth each tile lies, where it takes that."),
            advanced=True,
        )
        for product in PRODUCTS:
            name, words = self.output_name(product), similarity.product_word(product)
            first = product == similarity.EMBEDDINGS
            parameter: Any = (
                QgsProcessingParameterVectorDestination(
                    name, words, TYPE_POLYGON, optional=True, createByDefault=False
                )
                if product == similarity.VECTORS
                else QgsProcessingParameterRasterDestination(
                    name, words, optional=not first, createByDefault=first
                )
            )
            self.add(parameter, similarity.meaning(product))

    def make_request(
        self, common: Mapping[str, Any], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> Any:
        """See SceneAlgorithm."""
        from ...inference import EmbedRequest, Options

        self._products = tuple(
            product
            for product in PRODUCTS
            if product == similarity.EMBEDDINGS or parameters.get(self.output_name(product)) not in (None, "")
        )
        return EmbedRequest(
            **common,
            outputs={},
            options=Options(stride=self.optional_int(parameters, "STRIDE", context)),
            half=self.parameterAsBool(parameters, "FLOAT16", context),
            coords=self.parameterAsBool(parameters, "COORDS", context),
        )

    def products(self, _request: Any) -> Sequence[str]:
        """See SceneAlgorithm."""
        return self._products

    def suffix(self, product: str) -> str:
        """See SceneAlgorithm."""
        return "gpkg" if product == similarity.VECTORS else "tif"

    def styler(self, product: str) -> Styler:
        """See SceneAlgorithm."""
        return SimilarityStyler(product)

    def layer_name(self, product: str) -> str:
        """See SceneAlgorithm."""
        return similarity.product_word(product)

    def work(self, request: Any, *, progress: Any, cancel: Any, geo: Any) -> Any:
        """See SceneAlgorithm."""
        from ...inference import embed

        result = embed(request, progress=progress, cancel=cancel, geo=geo)
        if result.features is None:
            return result
        return replace(result, outputs={**result.outputs, similarity.VECTORS: result.features})
