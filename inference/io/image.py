# SPDX-License-Identifier: GPL-2.0-or-later
"""Any raster as a plain picture: bands by number, with the values that the file has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional, Union

from ..errors import BandError
from .base import BandRef, Geo
from .scene import Scene, SceneBand
from .sources import Candidate, SourceLike, gather

IMAGE = "IMAGE"
"""What such a scene is, in place of a modality."""


def open_image(
    source: SourceLike,
    count: int,
    geo: Geo,
    *,
    bands: Optional[Mapping[str, Union[int, BandRef]]] = None,
) -> Scene:
    """The first ``count`` bands of an input; where it has fewer, the last one stands in for the rest.

    Alpha is no band of a picture, unless a model takes more bands than there are without it. ``bands`` says
    which band of the input is the model's "1", "2", …. Raises SourceError, BandError.
    """
    found = gather(source, geo)
    plain = [c for c in found.candidates if c.info.color != "alpha"]
    offered = plain if len(plain) >= count or not plain else list(found.candidates)
    if len(offered) < count:
        offered = plain or offered
    chosen = [offered[min(i, len(offered) - 1)] for i in range(count)]
    for name, choice in (bands or {}).items():
        if not name.isdigit() or not 1 <= int(name) <= count:
            raise BandError(
                f"The model takes the bands 1 to {count}; {name} is none of them: --bands 1=3 2=2."
            )
        chosen[int(name) - 1] = _chosen(name, choice, found.candidates)
    grids = [c.grid for c in chosen if c.grid is not None]
    grid = min(grids, key=lambda g: g.resolution[0] * g.resolution[1])
    made = tuple(SceneBand(str(i + 1), c.ref) for i, c in enumerate(chosen))
    return Scene(IMAGE, made, grid, found.name, source=found.text, warnings=found.warnings)


def _chosen(name: str, choice: Union[int, BandRef], candidates: tuple[Candidate, ...]) -> Candidate:
    if isinstance(choice, BandRef):
        for candidate in candidates:
            if candidate.ref == choice:
                return candidate
        raise BandError(f"Band {name} was set to {choice.path}, which is not in the input.")
    if not 1 <= choice <= len(candidates):
        raise BandError(f"Band {name} was set to band {choice}; the input has {len(candidates)}.")
    return candidates[choice - 1]
