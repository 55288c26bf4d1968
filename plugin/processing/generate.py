# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:generate``: built from the engine's GenerateRequest, for toolbox, modeler, batch and terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from ..compat import NUMBER_DOUBLE, NUMBER_INTEGER, TYPE_POINT
from ..i18n import tr
from ..words import product_word
from .base import SceneAlgorithm

TARGETS = ("DEM", "LULC", "NDVI", "S1GRD", "S1RTC", "S2L2A", "COORDS")
DEFAULT_TARGETS = ("DEM", "LULC")
AS_PRESET = "preset"
SAMPLERS = (AS_PRESET, "argmax", "top_p")
PRECISIONS = (AS_PRESET, "fp32", "int8")
LEVELS = ("solved", "tiles")


class GenerateAlgorithm(SceneAlgorithm):
    """A satellite image in; elevation, land cover and more of the same place out."""

    def createInstance(self) -> GenerateAlgorithm:
        """See QgsProcessingAlgorithm."""
        return GenerateAlgorithm()

    def name(self) -> str:
        """See QgsProcessingAlgorithm."""
        return "generate"

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Generate elevation, land cover and more")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr(
            "Generates elevation, land cover, NDVI, radar or optical images from layers of the same place with "
            "a TerraMind model."
        )

    def tags(self) -> list[str]:
        """Words under which the toolbox finds it."""
        return tr(
            "terramind,sentinel-2,sentinel-1,radar,dem,elevation,land cover,lulc,ndvi,deep learning,generate,ai"
        ).split(",")

    def shortHelpString(self) -> str:
        """What the dialog shows on its right."""
        return "\n\n".join(
            (
                tr(
                    "Generates other data of the same place from one or several layers (Sentinel-2, Sentinel-1, "
                    "elevation, land cover, …), on this computer, with a TerraMind model."
                ),
                tr(
                    "A Sentinel-2 image has the 12 bands of a level-2A product at 10 m: as one layer, or as several "
                    "single-band layers. Bands are told by name, wavelength or order; the offset of newer products "
                    "is read from the product's metadata, or given."
                ),
                tr(
                    "Results are synthetic: made by a model, not measured. Their metadata say so, and name model, "
                    "preset and seed. Elevations are metres above the EGM2008 geoid, of the surface with trees and "
                    "roofs. The starter model is for trying things out."
                ),
                tr(
                    "In scripts: TARGETS is a list, in the order in which things are made; what was made before helps "
                    "with what follows. A target without an output goes to a temporary file."
                ),
            )
        )

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare the parameters (contracts.md, Processing ids)."""
        self.add_inputs(tr("Satellite image"))
        self.add(
            QgsProcessingParameterEnum(
                "TARGETS",
                tr("Generate"),
                list(TARGETS),
                allowMultiple=True,
                defaultValue=list(DEFAULT_TARGETS),
                usesStaticStrings=True,
            ),
            tr(
                "DEM: elevation. LULC: land cover. NDVI: vegetation index. S1GRD, S1RTC: radar. S2L2A: optical. "
                "COORDS: where the model believes the place to be. The model must offer them."
            ),
        )
        self.add_area()
        self.add_model()
        self.add_preset()
        self._add_uncertainty()
        self._add_elevation()
        self._add_knobs()
        self.add_reading()
        self.add_running()
        self._add_outputs()

    def _add_uncertainty(self) -> None:
        self.add(
            QgsProcessingParameterNumber("SAMPLES", tr("Repetitions"), NUMBER_INTEGER, 1, minValue=1),
            tr(
                "From 2 on: draws so many times, and shows how sure the model is: the mean and its spread, for land "
                "cover the probability and the disagreement. Takes as many times longer."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("PROBABILITY", tr("Probability of the land cover class"), False),
            tr("One more layer: how likely the chosen class is, from 0 to 1."),
            advanced=True,
        )

    def _add_elevation(self) -> None:
        self.add(
            QgsProcessingParameterEnum(
                "LEVELS",
                tr("Levels of the elevation tiles"),
                list(LEVELS),
                defaultValue="solved",
                usesStaticStrings=True,
            ),
            tr(
                "The model gives every tile a height of its own. solved: neighbouring tiles are made to agree. "
                "tiles: left as they are."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterRasterLayer("COARSE_DEM", tr("Coarse elevation layer"), optional=True),
            tr("A measured elevation model, for instance of 30 or 90 m, that the heights are tied to."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("COORDS", tr("Use the location"), False),
            tr("Tells the model where on Earth the place is, if the model takes it."),
            advanced=True,
        )

    def _add_knobs(self) -> None:
        self.add(
            QgsProcessingParameterNumber("SEED", tr("Seed"), NUMBER_INTEGER, 0, minValue=0),
            tr("The same seed draws the same result again."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                "STEPS", tr("Denoising steps"), NUMBER_INTEGER, None, optional=True, minValue=1, maxValue=1000
            ),
            tr(
                "1 gives the expected value, smooth; more add texture and take longer. Empty: as the quality has it."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterNumber(
                "CLAMP", tr("Range of values"), NUMBER_DOUBLE, None, optional=True, minValue=0.1
            ),
            tr(
                "How far results may lie from the mean of the training data, in standard deviations; the published "
                "model uses 1. Empty: as the quality has it."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterEnum(
                "SAMPLER", tr("Choice"), list(SAMPLERS), defaultValue=AS_PRESET, usesStaticStrings=True
            ),
            tr("argmax: the likeliest. top_p: drawn by chance among the likely."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterEnum(
                "PRECISION",
                tr("Numbers"),
                list(PRECISIONS),
                defaultValue=AS_PRESET,
                usesStaticStrings=True,
            ),
            tr("fp32: exact. int8: rounded, which is faster where the model has it."),
            advanced=True,
        )

    def _add_outputs(self) -> None:
        from ...inference import product_names

        for product in product_names(TARGETS, samples=2):
            name, words = self.output_name(product), product_word(product)
            if product == "COORDS":
                parameter: Any = QgsProcessingParameterVectorDestination(
                    name, words, TYPE_POINT, optional=True, createByDefault=True
                )
            else:
                parameter = QgsProcessingParameterRasterDestination(
                    name, words, optional=True, createByDefault=True
                )
            self.add(parameter, self._output_help(product))

    @staticmethod
    def _output_help(product: str) -> str:
        if product in TARGETS:
            return tr("Used when {target} is among what is generated.").format(target=product)
        if product.endswith("_probability"):
            return tr("Used with several repetitions, or when the probability is asked for.")
        return tr("Used with several repetitions.")

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Refuse before anything is read."""
        if not self.parameterAsEnumStrings(parameters, "TARGETS", context):
            return False, tr("Name at least one of {targets}.").format(targets=", ".join(TARGETS))
        return super().checkParameterValues(parameters, context)

    def make_request(
        self,
        common: Mapping[str, Any],
        parameters: dict[str, Any],
        context: QgsProcessingContext,
    ) -> Any:
        """See SceneAlgorithm."""
        from ...inference import GenerateRequest

        return GenerateRequest(
            **common,
            targets=tuple(self.parameterAsEnumStrings(parameters, "TARGETS", context)),
            outputs={},
            seed=self.parameterAsInt(parameters, "SEED", context),
            samples=self.parameterAsInt(parameters, "SAMPLES", context),
            probability=self.parameterAsBool(parameters, "PROBABILITY", context),
            options=self._options(parameters, context),
            levels=self.parameterAsEnumString(parameters, "LEVELS", context),
            coarse_dem=self._coarse(parameters, context),
            coords=self.parameterAsBool(parameters, "COORDS", context),
        )

    def _options(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Any:
        from ...inference import Options

        def choice(name: str) -> Optional[str]:
            value = self.parameterAsEnumString(parameters, name, context)
            return None if value in ("", AS_PRESET) else str(value)

        return Options(
            steps=self.optional_int(parameters, "STEPS", context),
            clamp=self.optional_float(parameters, "CLAMP", context),
            sampler=choice("SAMPLER"),
            precision=choice("PRECISION"),
            stride=self.optional_int(parameters, "STRIDE", context),
        )

    def _coarse(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Any:
        from ...inference import open_scene
        from ..layer_geo import LayerGeo
        from ..layers import from_layers

        layer = self.parameterAsRasterLayer(parameters, "COARSE_DEM", context)
        if layer is None:
            return None
        chosen = from_layers([layer])
        self._geo = LayerGeo(self._geo, chosen.geo)
        return open_scene(chosen.source, modality="DEM", geo=self._geo)

    def products(self, request: Any) -> Sequence[str]:
        """See SceneAlgorithm."""
        return tuple(request.products)

    def work(self, request: Any, *, progress: Any, cancel: Any, geo: Any) -> Any:
        """See SceneAlgorithm."""
        from ...inference import generate

        return generate(request, progress=progress, cancel=cancel, geo=geo)
