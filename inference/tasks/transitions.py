# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of each class became what: counted strip by strip, as a matrix, a CSV table and JSON."""

from __future__ import annotations

import csv
import io
import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from ..mapscale import MapScale
from ..outlines import NOTHING

Int = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
MOST_CLASS = 4095
"""Greatest class number that can be compared: a change's code, from × 4096 + to, stays below 2²⁴."""
COLUMNS = ("change", "from_class", "from_name", "to_class", "to_name", "pixels", "area_m2")
ALL = "all"
"""Stands in the table for the sum over all classes."""


@dataclass(frozen=True)
class Transitions:
    """A matrix: its rows are what was, its columns what is. Everything where both dates have a class."""

    classes: tuple[int, ...]
    """The numbers that occur on either date, rising: rows and columns."""
    names: Mapping[int, str]
    pixels: Int
    """(n, n)."""
    area: Float64
    """(n, n) square metres; NaN where the map has no image on the Earth."""

    @property
    def base(self) -> int:
        """A change has the code ``from × base + to``: 10, 100, 1000 or 4096, greater than all classes."""
        most = max(self.classes, default=0)
        return next(base for base in (10, 100, 1000, MOST_CLASS + 1) if base > most)

    def name(self, value: int) -> str:
        """A class for people: its name, else its number."""
        return self.names.get(value) or str(value)

    def code(self, before: int, after: int) -> int:
        """The code of a change; 0 where the class stayed the same."""
        return 0 if before == after else before * self.base + after

    def changes(self) -> list[tuple[int, int, int, float]]:
        """(from, to, pixels, area) of everything that changed, the largest first."""
        return sorted(
            (
                (a, b, int(self.pixels[i, j]), float(self.area[i, j]))
                for i, a in enumerate(self.classes)
                for j, b in enumerate(self.classes)
                if i != j and self.pixels[i, j]
            ),
            key=lambda change: (-change[2], change[:2]),
        )

    @property
    def changed_pixels(self) -> int:
        """Pixels of another class on the second date."""
        return int(self.pixels.sum() - np.trace(self.pixels))

    @property
    def changed_area(self) -> float:
        """Square metres of another class on the second date."""
        return math.fsum(area for *_, area in self.changes())

    def rows(self) -> list[tuple[Any, ...]]:
        """The table's lines (``COLUMNS``): each pair of classes that occurs, then the sums of rows and
        columns, then the sum of all."""
        lines: list[tuple[Any, ...]] = []
        for i, a in enumerate(self.classes):
            for j, b in enumerate(self.classes):
                if self.pixels[i, j]:
                    pair = a, self.name(a), b, self.name(b)
                    lines.append((self.code(a, b), *pair, int(self.pixels[i, j]), self.area[i, j]))
        sums = self.pixels, self.area
        for i, a in enumerate(self.classes):
            lines.append(("", a, self.name(a), "", ALL, *(part[i].sum() for part in sums)))
        for j, b in enumerate(self.classes):
            lines.append(("", "", ALL, b, self.name(b), *(part[:, j].sum() for part in sums)))
        lines.append(("", "", ALL, "", ALL, *(part.sum() for part in sums)))
        return lines

    def to_json(self) -> dict[str, Any]:
        """The matrix with the sums of its rows and columns."""
        area = [[_number(value) for value in row] for row in self.area]
        return {
            "classes": list(self.classes),
            "names": [self.name(value) for value in self.classes],
            "pixels": self.pixels.tolist(),
            "area_m2": area,
            "before": {
                "pixels": self.pixels.sum(axis=1).tolist(),
                "area_m2": _numbers(self.area.sum(axis=1)),
            },
            "after": {"pixels": self.pixels.sum(axis=0).tolist(), "area_m2": _numbers(self.area.sum(axis=0))},
        }

    def write(self, path: str, *, overwrite: bool) -> None:
        """Write the table as CSV (UTF-8), whole or not at all. Raises OutputError."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for *words, pixels, area in self.rows():
            writer.writerow([*words, pixels, "" if not math.isfinite(area) else f"{area:.3f}"])
        folder, name = os.path.split(os.path.abspath(path))
        part = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
        try:
            if not overwrite and os.path.exists(path):
                raise FileExistsError("a file of this name has appeared meanwhile")
            with open(part, "w", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
            os.replace(part, path)
        except OSError as error:
            raise OutputError(
                f"{name} could not be written in {folder}: {error.strerror or error}."
            ) from error
        finally:
            if os.path.exists(part):
                os.remove(part)


def _number(value: float) -> Optional[float]:
    return round(float(value), 3) if math.isfinite(value) else None


def _numbers(values: Float64) -> list[Optional[float]]:
    return [_number(value) for value in values]


class Counter:
    """Adds up pairs of classes while strips go by."""

    def __init__(self, scale: MapScale) -> None:
        self._scale = scale
        self._found: dict[int, tuple[int, float]] = {}

    def take(self, top: int, before: npt.NDArray[np.int32], after: npt.NDArray[np.int32]) -> None:
        """Look at a strip (h, w) whose first row is ``top``; NOTHING on either date does not count."""
        known = (before != NOTHING) & (after != NOTHING)
        keys = np.where(known, before.astype(np.int64) * (MOST_CLASS + 1) + after, NOTHING)
        value, length, area = measured_runs(keys, top, self._scale)
        kinds, place = np.unique(value, return_inverse=True)
        pixels, areas = np.bincount(place, length), np.bincount(place, area)
        for key, count, size in zip(kinds.tolist(), pixels.tolist(), areas.tolist()):
            before_count, before_size = self._found.get(key, (0, 0.0))
            self._found[key] = before_count + int(count), before_size + size

    @property
    def classes(self) -> tuple[int, ...]:
        """The numbers seen so far, rising."""
        pairs = (divmod(key, MOST_CLASS + 1) for key in self._found)
        return tuple(sorted({value for pair in pairs for value in pair}))

    def transitions(self, names: Mapping[int, str]) -> Transitions:
        """Everything that was seen."""
        classes = self.classes
        place = {value: number for number, value in enumerate(classes)}
        pixels = np.zeros((len(classes), len(classes)), np.int64)
        area = np.zeros((len(classes), len(classes)))
        for key, (count, size) in self._found.items():
            before, after = divmod(key, MOST_CLASS + 1)
            pixels[place[before], place[after]] = count
            area[place[before], place[after]] = size
        return Transitions(classes, names, pixels, area)


def measured_runs(values: npt.NDArray[Any], top: int, scale: MapScale) -> tuple[Int, Int, Float64]:
    """Value, pixels and square metres of each run of equal values along the rows of a strip (h, w) that
    begins at the row ``top``; runs of NOTHING are left out."""
    height, width = values.shape
    starts = np.ones((height, width), np.bool_)
    starts[:, 1:] = values[:, 1:] != values[:, :-1]
    first = np.flatnonzero(starts)
    length = np.diff(np.append(first, height * width))
    value = values.ravel()[first].astype(np.int64)
    known = value != NOTHING
    first, length, value = first[known], length[known], value[known]
    row, col = np.divmod(first, width)
    return value, length, length * scale.area(col + length / 2, row + top + 0.5)
