# SPDX-License-Identifier: GPL-2.0-or-later
"""Accuracy of a pack through terrane's own engine: ``python -m training.evaluate --model starter``.

Runs on simulated scenes whose seeds were never trained on and, where a folder of chips in TerraMesh's
layout is given or found, on those. Beside the model stands a rule on four spectral indices. Needs
terrane's environment (rasterio, onnxruntime), not terratorch.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from terrane.inference.metrics import Confusion, Errors

from .simulate import UNSEEN_SEED, simulate
from .spectra import BANDS, BARE, BUILT, CLASS_NAMES, CLOUDS, CROPS, RANGE, SNOW, TREES, WATER

TERRAMESH = Path(__file__).resolve().parents[2] / "shared" / "data" / "terramesh"

Truth = Mapping[str, NDArray[Any]]


@dataclass
class Scores:
    """Sums over chips, from which the figures are made."""

    confusion: Confusion = field(default_factory=lambda: Confusion(10))
    ndvi: Errors = field(default_factory=Errors)
    dem_error: list[float] = field(default_factory=list)
    dem_relief: list[float] = field(default_factory=list)
    dem_detail: list[float] = field(default_factory=list)

    def add(self, truth: Truth, guess: Truth) -> None:
        """Count one chip: (h, w) arrays by modality."""
        if "LULC" in guess:
            self.confusion.add(truth["LULC"], guess["LULC"])
        if "NDVI" in guess:
            self.ndvi.add(truth["NDVI"], guess["NDVI"])
        if "DEM" in guess:
            pair = np.stack([truth["DEM"].ravel(), guess["DEM"].ravel()]).astype(np.float64)
            pair -= pair.mean(axis=1, keepdims=True)  # the level cannot be seen in an image
            self.dem_error.append(float(np.abs(pair[0] - pair[1]).mean()))
            self.dem_relief.append(float(np.abs(pair[0]).mean()))
            if pair.std(axis=1).min() > 0.5:
                self.dem_detail.append(float(np.corrcoef(pair)[0, 1]))

    def figures(self) -> dict[str, Any]:
        """Return what was measured, rounded."""
        out: dict[str, Any] = {}
        if self.confusion.matrix.any():
            iou = self.confusion.iou
            out["LULC accuracy"] = round(self.confusion.accuracy, 3)
            out["LULC mean IoU"] = round(self.confusion.mean_iou, 3)
            out["LULC IoU"] = {CLASS_NAMES[c]: round(iou[c], 2) for c in self.confusion.present}
        if self.ndvi.count.any():
            out["NDVI mean absolute error"] = round(self.ndvi.mae, 3)
        if self.dem_error:
            out["DEM mean absolute error about the scene's mean, m"] = round(
                float(np.mean(self.dem_error)), 1
            )
            out["the same of flat ground, m"] = round(float(np.mean(self.dem_relief)), 1)
        if self.dem_detail:
            out["DEM correlation within a scene"] = round(float(np.mean(self.dem_detail)), 3)
        return out


def spectral_rule(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return land cover by thresholds on NDVI, NDWI, NDSI and NDBI of (12, h, w) reflectance x 10000, (h, w).

    The thresholds are the customary ones: McFeeters 1996 (NDWI), Dozier 1989 (NDSI), Zha 2003 (NDBI).
    """
    band = {name: image[index].astype(np.float32) for index, name in enumerate(BANDS)}

    def ratio(a: str, b: str) -> NDArray[np.float32]:
        return (band[a] - band[b]) / np.maximum(band[a] + band[b], 1.0)

    ndvi, ndwi, ndsi, ndbi = (
        ratio("B08", "B04"),
        ratio("B03", "B08"),
        ratio("B03", "B11"),
        ratio("B11", "B08"),
    )
    out = np.full(ndvi.shape, RANGE, np.uint8)
    out[ndvi > 0.55] = CROPS
    out[(ndvi > 0.6) & (band["B11"] < 1700)] = TREES
    out[(ndvi < 0.2) & (ndbi > 0.0)] = BARE
    out[(ndvi < 0.3) & (np.abs(ndbi) < 0.1)] = BUILT
    out[(ndwi > 0.1) & (band["B11"] < 1200)] = WATER
    out[(ndsi > 0.4) & (band["B03"] > 3500)] = SNOW
    out[(band["B02"] > 4000) & (ndsi <= 0.4)] = CLOUDS
    return out


def simulated(count: int) -> Iterator[tuple[NDArray[Any], dict[str, NDArray[Any]]]]:
    """Yield images and truths of scenes that no training saw."""
    for seed in range(UNSEEN_SEED, UNSEEN_SEED + count):
        chip = simulate(seed)
        yield chip.s2l2a, {"LULC": chip.lulc, "DEM": chip.dem, "NDVI": chip.ndvi}


def write_chip(path: Path, image: NDArray[Any]) -> None:
    """Write (12, h, w) reflectance x 10000 as a stacked GeoTIFF at 10 m, without offset."""
    import rasterio
    from rasterio.transform import from_origin

    count, height, width = image.shape
    transform = from_origin(500000.0, 5000000.0, 10.0, 10.0)
    profile = {"width": width, "height": height, "count": count, "dtype": "uint16", "nodata": 0}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32632", transform=transform, **profile) as file:
        file.write(image)
        file.descriptions = BANDS
        file.update_tags(BOA_ADD_OFFSET="0")


def generate(model: Any, path: Path, targets: Sequence[str], preset: str) -> dict[str, NDArray[Any]]:
    """Return what the model makes of a scene, (h, w) arrays by target."""
    import terrane

    scene = terrane.open(path, modality="S2L2A", boa_offset=0.0)
    made = model.generate(scene, to=list(targets), preset=preset)
    return {target: raster.read()[0] for target, raster in made.items()}


def evaluate(model: Any, count: int, preset: str) -> dict[str, Any]:
    """Return the figures on simulated scenes, the model's and the rule's."""
    targets = list(model.pack.targets)
    scores, rule = Scores(), Scores()
    with tempfile.TemporaryDirectory() as folder:
        for image, truth in simulated(count):
            path = Path(folder) / "chip.tif"
            write_chip(path, image)
            scores.add(truth, generate(model, path, targets, preset))
            rule.add(truth, {"LULC": spectral_rule(image)})
    return {"scenes": count, "preset": preset, "model": scores.figures(), "spectral rule": rule.figures()}


def evaluate_real(model: Any, folder: Path, preset: str) -> dict[str, Any]:
    """Return the figures on each chip of a folder in TerraMesh's layout (S2L2A/, LULC/, DEM/, NDVI/)."""
    import rasterio

    targets = list(model.pack.targets)
    out = {}
    for path in sorted((folder / "S2L2A").glob("*.tif")):
        truth = {}
        for target in targets:
            with rasterio.open(folder / target / path.name) as file:
                truth[target] = file.read(1)
        with rasterio.open(path) as file:
            image = file.read()
        scores, rule = Scores(), Scores()
        scores.add(truth, generate(model, path, targets, preset))
        rule.add(truth, {"LULC": spectral_rule(image)})
        out[path.stem] = {"model": scores.figures(), "spectral rule": rule.figures()["LULC accuracy"]}
    return out


def main(arguments: Optional[list[str]] = None) -> None:
    """Parse the command line and print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--count", type=int, default=60, help="simulated scenes")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--terramesh", type=Path, default=TERRAMESH)
    chosen = parser.parse_args(arguments)
    import terrane

    model = terrane.load(chosen.model)
    figures = {"simulated": evaluate(model, chosen.count, chosen.preset)}
    if chosen.terramesh.is_dir():
        figures["real"] = evaluate_real(model, chosen.terramesh, chosen.preset)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
