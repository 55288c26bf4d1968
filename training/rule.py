# SPDX-License-Identifier: GPL-2.0-or-later
"""Land cover by twenty lines of thresholds: the baseline that a trained model has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spectra import BANDS, BARE, BUILT, CLOUDS, CROPS, RANGE, SNOW, TREES, WATER


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
