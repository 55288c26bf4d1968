# SPDX-License-Identifier: GPL-2.0-or-later
"""Elevation that hangs together: the levels of tiles, out of the journal, before they are blended.

Tiles are read once to compare them where they overlap, row by row, and a second time to be blended; no
more than two rows of them are held. What the result says of itself depends on what could be known: levels
are relative unless a coarse elevation model ties them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Optional

import numpy as np

from ..io.base import Float32, Geo, Mask
from ..io.scene import Scene, SceneReader
from ..levels import ANCHOR_STD, Anchors, Overlaps, Solution, solve
from ..modalities import MODALITIES
from ..seams import Correction, correction
from ..types import Cancel
from .assemble import Levels, Tiles
from .request import GenerateRequest

LEVELS_TAG, NOTE_TAG = "TERRANE_LEVELS", "TERRANE_NOTE"
RELATIVE, PER_TILE = "solved, relative", "per tile"
REFERENCE = "EGM2008"
"""The Copernicus DEM, which TerraMind learnt, gives orthometric heights on the EGM2008 geoid (EPSG:3855),
of the surface: vegetation and buildings are in it (Copernicus DEM Product Handbook)."""


def levelling(request: GenerateRequest, geo: Geo) -> dict[str, Levels]:
    """What levels the tiles of a request's targets, per target that has levels."""
    levelled = [t for t in request.targets if t in MODALITIES and MODALITIES[t].levelled]
    if request.levels == "tiles":
        return {target: AsTheyCome() for target in levelled}
    return {target: Levelled(geo, request.coarse_dem) for target in levelled}


class AsTheyCome:
    """Leaves every tile the level that the model gave it, as the reference implementation does."""

    warnings: Sequence[str] = ()

    def solve(self, tiles: Tiles, cancel: Cancel) -> Optional[Correction]:
        """Nothing to add."""
        del tiles, cancel
        return None

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """With a warning of the steps."""
        note = "Each tile has the level that the model gave it: steps between tiles are not on the ground."
        return {**tags, LEVELS_TAG: PER_TILE, NOTE_TAG: _joined(tags.get(NOTE_TAG, ""), note)}


class Levelled:
    """Makes tiles agree with their neighbours and, where there is one, with a coarse elevation model."""

    def __init__(self, geo: Geo, coarse: Optional[Scene] = None) -> None:
        self._geo, self._coarse = geo, coarse
        self._parts = self._tied = 0
        self.warnings: Sequence[str] = ()

    def solve(self, tiles: Tiles, cancel: Cancel) -> Correction:
        """Compare the tiles of a grid and solve for their levels. Raises SourceError, Cancelled."""
        overlaps = Overlaps(tiles.plan)
        found: list[tuple[int, float, float]] = []
        for (row, held, valid), heights in zip(_rows(tiles, cancel), self._heights(tiles)):
            overlaps.feed_row(row, held, valid)
            if heights is not None:
                found += _differences(tiles, row, held, valid, heights)
        columns = np.array(found, np.float64).reshape(-1, 3).T
        anchors = Anchors(columns[0].astype(np.int64), columns[1], columns[2])
        edges = overlaps.edges()
        solution = solve(len(tiles.plan), edges, anchors=anchors)
        self._count(tiles, solution)
        return _finished(tiles, correction(tiles.plan, edges, solution.offsets), cancel)

    def _heights(self, tiles: Tiles) -> Iterator[Optional[Float32]]:
        """The coarse elevation under each row of tiles (h, w), NaN where there is none."""
        if self._coarse is None:
            yield from [None] * len(tiles.plan.rows)
            return
        with closing(SceneReader(self._coarse, tiles.grid, self._geo)) as reader:
            for row in range(len(tiles.plan.rows)):
                yield reader.read(tiles.plan.strip(row))[0][0]

    def _count(self, tiles: Tiles, solution: Solution) -> None:
        """Count the connected parts, and those that coarse heights tie."""
        held = [tile.index for tile in tiles.plan if tiles.holds(tile)]
        parts = set(solution.part[held])
        tied = parts & set(solution.part[[i for i in held if solution.tied[i]]])
        self._parts += len(parts)
        self._tied += len(tied)

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """With what the levels are worth, and the vertical reference."""
        note = tags.get(NOTE_TAG, "")
        if self._coarse is None or self._tied == 0:
            return {**tags, LEVELS_TAG: RELATIVE, NOTE_TAG: _joined(note, *_relative(note), *self._untied())}
        name = self._coarse.name
        if self._tied < self._parts:
            return {
                **tags,
                LEVELS_TAG: f"solved, tied to {name} (in part)",
                NOTE_TAG: _joined(_tied_note(name), *self._untied()),
            }
        return {**tags, LEVELS_TAG: f"solved, tied to {name}", NOTE_TAG: _tied_note(name)}

    def _untied(self) -> list[str]:
        """What to say of parts without a known height."""
        if self._coarse is None or self._tied == self._parts:
            return []
        if self._tied == 0:
            words = f"{self._coarse.name} has no heights here, so the levels are relative."
        else:
            words = (
                f"Of {self._parts} separate areas, {self._parts - self._tied} hold no heights of "
                f"{self._coarse.name}: their levels are relative."
            )
        self.warnings = (words,)
        return [words]


def _finished(tiles: Tiles, first: Correction, cancel: Cancel) -> Correction:
    """The correction with what it leaves over. Mean differences ignore extreme pixels, and so do not add up
    exactly: a second look at the overlaps brings steps from a tenth to a hundredth."""
    overlaps = Overlaps(tiles.plan)
    for row, held, valid in _rows(tiles, cancel):
        overlaps.feed_row(row, {i: first.apply(i, values) for i, values in held.items()}, valid)
    return first.plus(correction(tiles.plan, overlaps.edges(), np.zeros(len(tiles.plan))))


def _rows(tiles: Tiles, cancel: Cancel) -> Iterator[tuple[int, dict[int, Float32], Mask]]:
    """Per row of tiles: its number, the tiles that exist, and the valid pixels under them."""
    for row in range(len(tiles.plan.rows)):
        cancel.raise_if_set()
        held = {tile.index: tiles.read(tile)[0] for tile in tiles.plan.row_tiles(row) if tiles.holds(tile)}
        yield row, held, tiles.valid(tiles.plan.strip(row))


def _differences(
    tiles: Tiles, row: int, held: Mapping[int, Float32], valid: Mask, heights: Float32
) -> Iterator[tuple[int, float, float]]:
    """Per tile of a row: its number, its mean less that of the known heights, and the weight of that."""
    known = valid & np.isfinite(heights)
    side = tiles.plan.tile
    for tile in tiles.plan.row_tiles(row):
        if tile.index not in held:
            continue
        columns = slice(tile.window.col, tile.window.col + side)
        both = known[:, columns]
        values = held[tile.index][: both.shape[0], : both.shape[1]]
        both = both & np.isfinite(values)
        count = int(np.count_nonzero(both))
        if count:
            away = values[both].astype(np.float64) - heights[:, columns][both]
            yield tile.index, float(away.mean()), count / side**2 / ANCHOR_STD**2


def _relative(note: str) -> list[str]:
    """Sentences that say what is not known of heights that only agree with each other."""
    sentences = ["Levels are relative: tiles agree with one another, but not with known heights."]
    if REFERENCE not in note:
        sentences.append(
            f"Heights are of the surface (treetops, roofs) above the {REFERENCE} geoid but for that."
        )
    return sentences


def _tied_note(name: str) -> str:
    """What to say of heights that a coarse elevation model ties."""
    return (
        f"Metres, with the levels and the vertical reference of {name}, which the tiles are tied to; the "
        "relief is the model's, of the surface: treetops and roofs are included."
    )


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
