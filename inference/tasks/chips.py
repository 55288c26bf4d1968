# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder of chips in TerraMesh's layout: ``<modality>/<chip>.tif``, the same name for the same place.

TerraMesh (arXiv 2504.11172) keeps bands in TerraMind's order and without names, its RGB under ``S2RGB``.
Values are taken as they are: TerraMind was trained on them so, mixed offsets of L1C included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..errors import InputError, ModelError, SourceError
from ..io.base import Geo
from ..io.scene import Scene, open_scene
from ..io.values import is_optical
from ..modalities import MODALITIES
from .request import COORDS

FOLDERS: Mapping[str, tuple[str, ...]] = {"RGB": ("S2RGB", "RGB")}
"""Folders of modalities whose folder is not called as they are."""
SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class Pair:
    """What is made of what: some inputs together, and one target."""

    inputs: tuple[str, ...]
    """Modality ids; COORDS stands for the chip's own longitude and latitude."""
    target: str

    @property
    def images(self) -> tuple[str, ...]:
        """The inputs that are read from chips."""
        return tuple(modality for modality in self.inputs if modality != COORDS)

    def __str__(self) -> str:
        return f"{'+'.join(self.inputs)}:{self.target}"


@dataclass(frozen=True)
class Chips:
    """The chips of a folder: path by modality and chip."""

    root: str
    files: Mapping[str, Mapping[str, str]]

    def names(self, modalities: Sequence[str]) -> list[str]:
        """The chips that are there in all of these modalities, sorted."""
        found = [set(self.files.get(modality, {})) for modality in modalities]
        return sorted(set.intersection(*found)) if found else []

    def open(self, modality: str, chip: str, geo: Geo) -> Scene:
        """One chip as a scene, with its values as they are. Raises SourceError, BandError."""
        offset = 0.0 if is_optical(modality) else None
        return open_scene(self.files[modality][chip], modality=modality, boa_offset=offset, geo=geo)


def find_chips(folder: str) -> Chips:
    """What a folder holds, by names alone. Raises SourceError where that is nothing in this layout."""
    root = Path(folder)
    if not root.is_dir():
        raise SourceError(f"The folder of chips {folder} does not exist.")
    files: dict[str, dict[str, str]] = {}
    for modality in MODALITIES:
        for name in FOLDERS.get(modality, (modality,)):
            paths = sorted((root / name).glob("*")) if (root / name).is_dir() else []
            chips = {path.stem: str(path) for path in paths if path.suffix.lower() in SUFFIXES}
            if chips and modality not in files:
                files[modality] = chips
    if len(files) < 2:
        raise SourceError(
            f"{folder} does not hold chips in TerraMesh's layout: a folder for each modality (S2L2A, DEM, …) "
            "with GeoTIFFs of the same names, two modalities at least."
        )
    return Chips(folder, files)


def parse_pairs(text: str) -> tuple[Pair, ...]:
    """Pairs such as "S2L2A:DEM,S1GRD+DEM:LULC". Raises InputError."""
    pairs: list[Pair] = []
    for word in text.upper().replace(" ", "").split(","):
        inputs, colon, target = word.partition(":")
        names = tuple(inputs.split("+"))
        if not colon or not all(names) or not target:
            raise InputError(
                f"A pair is INPUT:TARGET or INPUT+INPUT:TARGET, such as S2L2A:DEM, not {word!r}."
            )
        for name in (*names, target):
            if name not in MODALITIES:
                raise InputError(f"{name} is no modality; there are {', '.join(MODALITIES)}.")
        pair = Pair(names, target)
        if target in names or len(set(names)) != len(names):
            raise InputError(f"The pair {pair} names a modality twice.")
        if target == COORDS:
            raise InputError("Coordinates are not compared as images; leave COORDS out of the targets.")
        if not pair.images:
            raise InputError(f"The pair {pair} needs an image among its inputs.")
        if pair not in pairs:
            pairs.append(pair)
    return tuple(pairs)


def all_pairs(inputs: Sequence[str], targets: Sequence[str], chips: Chips) -> tuple[Pair, ...]:
    """Each input to each target that the folder has chips of. Raises ModelError where there is none."""
    pairs = tuple(
        Pair((source,), target)
        for source in inputs
        for target in targets
        if source != target and chips.names((source, target))
    )
    if not pairs:
        raise ModelError(
            f"{chips.root} holds {', '.join(chips.files)}; the model takes {', '.join(inputs)} and makes "
            f"{', '.join(targets)}: there is no chip of an input and a target together."
        )
    return pairs


def chips_of(pair: Pair, chips: Chips, limit: Optional[int]) -> list[str]:
    """The chips on which a pair can be compared. Raises InputError where there is none."""
    names = chips.names((*pair.images, pair.target))
    if not names:
        lacking = [m for m in (*pair.images, pair.target) if m not in chips.files]
        reason = f"no {', '.join(lacking)}" if lacking else "no chip with all of them"
        raise InputError(f"{chips.root} has {reason}, which the pair {pair} needs.")
    return names[:limit]
