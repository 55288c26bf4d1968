# SPDX-License-Identifier: GPL-2.0-or-later
"""Places as a point layer: where the model believes each tile to be, and where it is.

Two points per tile, in longitude and latitude on WGS 84: ``role`` is "predicted" or "true", ``tile`` joins
the two, and both carry the distance between them along the ellipsoid. A GIS styles them by role, measures
with ``dist_km`` or draws lines by tile. Where the model's tokens spell no place, the true point stands
alone and its distance is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..geodesic import distance
from ..io import wkb
from ..io.base import Features, Geo
from .assemble import PlacedVectors
from .request import COORDS
from .strips import LONLAT, centres

PREDICTED, TRUE = "predicted", "true"


class PlacesWriter:
    """Writes the places of a run; call it with the vectors of all grids and a path."""

    def __init__(self, geo: Geo, tags: Mapping[str, str]) -> None:
        self._geo, self._tags = geo, tags
        self.warnings: list[str] = []
        """What the user should know, once the file is written."""

    def __call__(self, placed: Sequence[PlacedVectors], path: str) -> None:
        """Write the point layer. Raises OutputError, DiskFull."""
        guesses = np.concatenate([one.values[COORDS].reshape(-1, 2) for one in placed])
        truths = np.concatenate([centres(one.part, one.tiles, self._geo).reshape(-1, 2) for one in placed])
        tiles = [one.part.first_tile + tile.index for one in placed for tile in one.tiles]
        found = features_of(tiles, guesses, truths, self._geo.parse_crs(LONLAT))
        self._geo.write_features(path, replace(found, tags=self._tags))
        missing = int((~np.isfinite(guesses).all(axis=1)).sum())
        if missing:
            self.warnings.append(f"For {missing} of {len(tiles)} tiles the model gave no place.")


def features_of(
    tiles: Sequence[int], guesses: npt.NDArray[np.float64], truths: npt.NDArray[np.float64], crs: str
) -> Features:
    """The features of tiles (n,) with predicted and true longitude and latitude (n, 2) in degrees."""
    kilometres = distance(guesses[:, 0], guesses[:, 1], truths[:, 0], truths[:, 1]) / 1000
    rows = []
    for tile, guess, truth, away in zip(tiles, guesses, truths, kilometres):
        if np.isfinite(guess).all():
            rows.append((int(tile), PREDICTED, float(guess[0]), float(guess[1]), float(away)))
        rows.append((int(tile), TRUE, float(truth[0]), float(truth[1]), float(away)))
    names = ("tile", "role", "lon", "lat", "dist_km")
    columns = dict(zip(names, zip(*rows))) if rows else dict.fromkeys(names, ())
    return Features(crs, "Point", [wkb.point(row[2], row[3]) for row in rows], columns)
