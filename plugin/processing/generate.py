# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:generate``: built from the engine's GenerateRequest, for toolbox, modeler, batch and terminal."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Optional

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)
from qgis.PyQt.QtGui import QIcon

from .. import runtime_folder
from ..compat import FLAG_ADVANCED, NUMBER_DOUBLE, NUMBER_INTEGER, TYPE_POLYGON, TYPE_RASTER
from ..i18n import tr
from ..icons import icon
from ..words import layer_word, target_word
from .feedback import Listener
from .styling import Styler

TARGETS = ("DEM", "LULC", "NDVI")
DEFAULT_TARGETS = ("DEM", "LULC")
PRESETS = ("balanced", "exact", "fast")
GRIDS = ("model", "input")
MODALITIES = ("auto", "S2L2A", "S2L1C", "RGB", "S1GRD", "S1RTC")


class GenerateAlgorithm(QgsProcessingAlgorithm):
    """A satellite image in; elevation, land cover or NDVI of the same place out."""

    def __init__(self) -> None:
        super().__init__()
        self._request: Any = None
        self._geo: Any = None
        self._stylers: list[Styler] = []

    def createInstance(self) -> GenerateAlgorithm:
        """See QgsProcessingAlgorithm."""
        return GenerateAlgorithm()

    def name(self) -> str:
        """See QgsProcessingAlgorithm."""
        return "generate"

    def displayName(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Generate elevation, land cover and NDVI")

    def shortDescription(self) -> str:
        """See QgsProcessingAlgorithm."""
        return tr("Generates elevation, land cover or NDVI from a Sentinel-2 image with a TerraMind model.")

    def tags(self) -> list[str]:
        """Words under which the toolbox finds it."""
        return tr("terramind,sentinel-2,dem,elevation,land cover,lulc,ndvi,deep learning,generate,ai").split(
            ","
        )

    def icon(self) -> QIcon:
        """See QgsProcessingAlgorithm."""
        return icon("terrane")

    def shortHelpString(self) -> str:
        """What the dialog shows on its right."""
        return "\n\n".join(
            (
                tr(
                    "Generates other data of the same place from a Sentinel-2 image, on this computer, "
                    "with a TerraMind model."
                ),
                tr(
                    "The image has the 12 bands of a level-2A product at 10 m: as one layer, or as several single-band "
                    "layers. Bands are told by name, wavelength or order; the offset of newer products is read from "
                    "the product's metadata, or given."
                ),
                tr(
                    "Results are synthetic: made by a model, not measured. Their metadata say so, and name model, "
                    "preset and seed. Elevations are metres above the EGM2008 geoid, of the surface with trees and "
                    "roofs. The starter model is for trying things out."
                ),
                tr(
                    "In scripts: TARGETS is a list of DEM, LULC and NDVI; a target without an output goes to a "
                    "temporary file."
                ),
            )
        )

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Declare the parameters (contracts.md, Processing ids)."""
        self._add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Satellite image"), optional=True),
            tr("One layer that holds all bands. Leave it empty when the bands are separate layers."),
        )
        self._add(
            QgsProcessingParameterMultipleLayers(
                "INPUTS", tr("Single-band layers of one image"), TYPE_RASTER, optional=True
            ),
            tr(
                "In place of one layer: the bands as separate layers, in any order; their names say which is which."
            ),
        )
        self._add(
            QgsProcessingParameterEnum(
                "TARGETS",
                tr("Generate"),
                list(TARGETS),
                allowMultiple=True,
                defaultValue=list(DEFAULT_TARGETS),
                usesStaticStrings=True,
            ),
            tr("DEM: elevation. LULC: land cover. NDVI: vegetation index."),
        )
        self._add(
            QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
            tr("Where to generate; empty: the whole image."),
        )
        self._add(
            QgsProcessingParameterFeatureSource("REGION", tr("Polygons"), [TYPE_POLYGON], optional=True),
            tr("Generate inside these polygons only."),
        )
        self._add(
            QgsProcessingParameterString("MODEL", tr("Model"), "starter"),
            tr("A model's id, or the path of a model pack."),
        )
        self._add(
            QgsProcessingParameterEnum(
                "PRESET", tr("Quality"), list(PRESETS), defaultValue="balanced", usesStaticStrings=True
            ),
            tr(
                "exact: as the published model does it. balanced: the likeliest result. fast: for a first look."
            ),
        )
        self._add_advanced()
        for target in TARGETS:
            parameter = QgsProcessingParameterRasterDestination(
                f"OUTPUT_{target}",
                target_word(target),
                optional=True,
                createByDefault=target in DEFAULT_TARGETS,
            )
            self._add(parameter, tr("Used when {target} is among what is generated.").format(target=target))

    def _add_advanced(self) -> None:
        self._add(
            QgsProcessingParameterNumber("SEED", tr("Seed"), NUMBER_INTEGER, 0, minValue=0),
            tr("The same seed draws the same result again."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterEnum(
                "MODALITY", tr("Kind of image"), list(MODALITIES), defaultValue="auto", usesStaticStrings=True
            ),
            tr("What the image is, where its bands do not tell."),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterNumber(
                "BOA_OFFSET", tr("Reflectance offset"), NUMBER_DOUBLE, None, optional=True
            ),
            tr(
                "What is added to each value: −1000 for products since January 2022 that still carry the offset, "
                "0 for others. Empty: as the metadata say."
            ),
            advanced=True,
        )
        self._add(
            QgsProcessingParameterEnum(
                "GRID", tr("Pixels of the results"), list(GRIDS), defaultValue="model", usesStaticStrings=True
            ),
            tr("model: at the model's pixel size. input: warped onto the image's own pixels."),
            advanced=True,
        )

    def _add(
        self, parameter: QgsProcessingParameterDefinition, words: str, *, advanced: bool = False
    ) -> None:
        parameter.setHelp(words)
        if advanced:
            parameter.setFlags(parameter.flags() | FLAG_ADVANCED)
        self.addParameter(parameter)

    def canExecute(self) -> tuple[bool, str]:
        """Whether ONNX Runtime is there."""
        if runtime_folder.is_installed():
            return True, ""
        return False, tr("ONNX Runtime is not installed yet: open the Terrane dock and press Install.")

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Refuse before anything is read."""
        single = self.parameterAsRasterLayer(parameters, "INPUT", context)
        several = self.parameterAsLayerList(parameters, "INPUTS", context)
        if single is None and not several:
            return False, tr("Name a satellite image, or the layers of its bands.")
        if single is not None and several:
            return False, tr("Name either one satellite image or the layers of its bands, not both.")
        if not self.parameterAsEnumStrings(parameters, "TARGETS", context):
            return False, tr("Name at least one of {targets}.").format(targets=", ".join(TARGETS))
        accepted, words = super().checkParameterValues(parameters, context)
        return bool(accepted), str(words)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Main thread: snapshot layers and settings into a frozen request."""
        from ...inference import TerraneError

        problem = ""
        try:
            self._request = self._snapshot(parameters, context, feedback)
        except TerraneError as error:
            problem = str(error)
        if problem:
            # Not from inside the handler: QGIS keeps the frames of what is raised here until it exits, and
            # must not keep layers with them.
            raise QgsProcessingException(problem)
        return True

    def _snapshot(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Any:
        from ...inference import GenerateRequest, open_scene
        from .. import layers, settings

        single = self.parameterAsRasterLayer(parameters, "INPUT", context)
        chosen = layers.from_layers(
            [single] if single is not None else self.parameterAsLayerList(parameters, "INPUTS", context)
        )
        modality = self.parameterAsEnumString(parameters, "MODALITY", context)
        offset = parameters.get("BOA_OFFSET")
        scene = open_scene(
            chosen.source,
            modality=None if modality == "auto" else modality,
            geo=chosen.geo,
            boa_offset=None
            if offset in (None, "")
            else self.parameterAsDouble(parameters, "BOA_OFFSET", context),
        )
        for warning in scene.warnings:
            feedback.pushWarning(warning)
        targets = tuple(self.parameterAsEnumStrings(parameters, "TARGETS", context))
        area = self._area(parameters, context)
        preferences = settings.preferences()
        self._geo = chosen.geo
        return GenerateRequest(
            scenes=(scene,),
            targets=targets,
            outputs={},
            model=self.parameterAsString(parameters, "MODEL", context),
            preset=self.parameterAsEnumString(parameters, "PRESET", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            extent=area.extent,
            extent_crs=area.crs,
            region=area.region,
            grid=self.parameterAsEnumString(parameters, "GRID", context),
            overwrite=True,
            device=preferences.device,
            threads=preferences.threads or None,
        )

    def _area(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Any:
        from .. import layers

        region = self.parameterAsSource(parameters, "REGION", context)
        box = self.parameterAsExtent(parameters, "EXTENT", context)
        if region is not None:
            polygons = [feature.geometry() for feature in region.getFeatures()]
            inside = layers.area_of_polygons(polygons, region.sourceCrs())
            if box.isNull():
                return inside
            there = self.parameterAsExtent(parameters, "EXTENT", context, region.sourceCrs())
            return layers.Area(
                layers.area_of_box(there, region.sourceCrs()).extent, inside.crs, inside.region
            )
        if box.isNull():
            return layers.Area()
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        return layers.area_of_box(box, crs)

    def _output(self, parameters: dict[str, Any], target: str, context: QgsProcessingContext) -> str:
        """Where a target goes: its destination, else a temporary file."""
        path = self.parameterAsOutputLayer(parameters, f"OUTPUT_{target}", context)
        if not path:
            path = QgsProcessingUtils.generateTempFilename(f"{target}.tif")
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        return str(path)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Worker thread: run the request."""
        from ...inference import Cancelled, TerraneError, generate

        # Here, not on the main thread: in the background QGIS keeps only the layers to load that this
        # context knows of.
        outputs = {target: self._output(parameters, target, context) for target in self._request.targets}
        request = replace(self._request, outputs=outputs)
        listener = Listener(feedback)
        try:
            result = generate(request, progress=listener.progress, cancel=listener.cancel, geo=self._geo)
        except Cancelled:
            return {}
        except TerraneError as error:
            raise QgsProcessingException(str(error)) from error
        finally:
            listener.close()
        listener.report(result)
        for target, path in result.outputs.items():
            self._style(path, target, context)
        return {f"OUTPUT_{target}": path for target, path in result.outputs.items()}

    def _style(self, path: str, target: str, context: QgsProcessingContext) -> None:
        """Have the layer named and styled when it is loaded."""
        if not context.willLoadLayerOnCompletion(path):
            return
        details = context.layerToLoadOnCompletionDetails(path)
        details.name = layer_word(target)
        styler = Styler(target)
        self._stylers.append(styler)
        details.setPostProcessor(styler)
