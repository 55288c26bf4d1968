# SPDX-License-Identifier: GPL-2.0-or-later
"""Change between two rasters of classes, class by class: what was and what is, on the first one's pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..grid import Grid
from ..io.base import BandRef, Features, Geo, OutputSpec, RasterInfo, Writer
from ..io.core import short_name
from ..io.gpkg_style import RGBA, class_style
from ..mapscale import MapScale
from ..outlines import NOTHING
from ..tracing import Strip, trace
from ..types import Cancel, Window
from .common_grid import common_grid
from .phases import Phase
from .transitions import MOST_CLASS, Counter, Transitions
from .vectorize import STRIP_PIXELS, Shapes, legend_of, whole

Int32 = npt.NDArray[np.int32]
NO_CHANGE = "No change"
TYPES = {10: ("uint8", 255), 100: ("uint16", 65535), 1000: ("int32", -1), MOST_CLASS + 1: ("int32", -1)}
"""Type and nodata of the raster of changes by the base of its codes: the greatest code lies below nodata."""


class ClassPair:
    """Two rasters of classes on the pixels of the first that both cover. Raises SourceError, ExtentError."""

    def __init__(self, before: str, after: str, geo: Geo) -> None:
        self._geo = geo
        self.infos = geo.describe(before), geo.describe(after)
        first, second = (_grid(info) for info in self.infos)
        self.grid = common_grid(first, second, geo)

    def strips(self, cancel: Cancel, phase: Phase) -> Iterator[tuple[Window, Int32, Int32]]:
        """Classes on both dates, NOTHING where there is none; from the top to the bottom."""
        grid, geo = self.grid, self._geo
        rows = max(1, STRIP_PIXELS // grid.width)
        paths = [info.path for info in self.infos]
        readers = (geo.reader([BandRef(path)], grid, resampling="nearest") for path in paths)
        with closing(next(readers)) as first, closing(next(readers)) as second:
            for top in range(0, grid.height, rows):
                cancel.raise_if_set()
                window = Window(0, top, grid.width, min(rows, grid.height - top))
                classes = []
                for path, reader in zip(paths, (first, second)):
                    values, valid = reader.read(window)
                    classes.append(whole(path, values[0], valid[0], MOST_CLASS))
                yield window, classes[0], classes[1]
                phase.at(top + window.height, grid.height)

    def legend(self, values: Sequence[int]) -> dict[int, tuple[str, RGBA]]:
        """Name and colour of classes: as the first raster has them, else the second."""
        first, second = (legend_of(info, values) for info in self.infos)
        return {value: first[value] if first[value][0] else second[value] for value in values}


def _grid(info: RasterInfo) -> Grid:
    if info.grid is None:
        raise SourceError(f"{short_name(info.path)} {info.problem}")
    return info.grid


def count_transitions(pair: ClassPair, scale: MapScale, cancel: Cancel, phase: Phase) -> Transitions:
    """The matrix of a pair. Raises SourceError where no pixel has a class on both dates; Cancelled."""
    counter = Counter(scale)
    for window, before, after in pair.strips(cancel, phase):
        counter.take(window.row, before, after)
    legend = pair.legend(counter.classes)
    found = counter.transitions({value: name for value, (name, _) in legend.items()})
    if not found.classes:
        raise SourceError(
            "The two rasters have no pixel with a class on both dates, so nothing can be compared."
        )
    return found


def change_legend(pair: ClassPair, found: Transitions) -> tuple[tuple[int, str, RGBA], ...]:
    """Code, name and colour (of what it became) of each change, the largest first."""
    colors = pair.legend(found.classes)
    return tuple((found.code(a, b), change_name(found, a, b), colors[b][1]) for a, b, *_ in found.changes())


def change_spec(pair: ClassPair, found: Transitions, tags: dict[str, str]) -> OutputSpec:
    """What the raster of changes says of itself."""
    dtype, nodata = TYPES[found.base]
    colors: dict[int, RGBA] = {0: (0, 0, 0, 0)}
    names = {0: NO_CHANGE}
    for code, name, color in change_legend(pair, found):
        names[code], colors[code] = name, color
    most = max(names) if dtype != "int32" else 0
    note = f"0: no change. Others: class before × {found.base} + class after."
    return OutputSpec(
        dtype,
        nodata,
        ("Change",),
        colors=colors if dtype == "uint8" else None,
        categories=[names.get(code, "") for code in range(most + 1)],
        tags={
            **tags,
            "TERRANE_MODALITY": "CHANGE",
            "TERRANE_NOTE": note,
            "TERRANE_CODE_BASE": str(found.base),
        },
    )


def change_name(found: Transitions, before: int, after: int) -> str:
    """What became what: ``Trees → Crops``."""
    return f"{found.name(before)} → {found.name(after)}"


def write_changes(
    pair: ClassPair, found: Transitions, writer: Writer, cancel: Cancel, phase: Phase
) -> Iterator[Strip]:
    """Write the raster of changes strip by strip; yields what changed, for ``trace``."""
    dtype, nodata = TYPES[found.base]
    for window, before, after in pair.strips(cancel, phase):
        known = (before != NOTHING) & (after != NOTHING)
        changed = known & (before != after)
        code = np.where(changed, before * found.base + after, 0)
        values = np.where(known, code, nodata).astype(dtype)
        writer.write(window, values[None])
        yield window.row, np.where(changed, code, NOTHING).astype(np.int32), None


def change_polygons(
    strips: Iterator[Strip],
    pair: ClassPair,
    found: Transitions,
    scale: MapScale,
    tags: dict[str, str],
    *,
    min_area: float,
) -> Features:
    """Polygons of what changed, at least ``min_area`` m² large each."""
    grid = pair.grid
    traced = trace(strips, (grid.height, grid.width), weight=scale.area)
    shapes = Shapes(traced, scale, kept=large(traced.area, min_area))
    before, after = np.divmod(shapes.value, found.base)
    style = class_style(sorted(change_legend(pair, found)))
    columns: dict[str, Any] = {
        "class": shapes.value,
        "name": [change_name(found, a, b) for a, b in zip(before.tolist(), after.tolist())],
        "from_class": before,
        "from_name": [found.name(value) for value in before.tolist()],
        "to_class": after,
        "to_name": [found.name(value) for value in after.tolist()],
        "area_m2": shapes.area,
        "perim_m": shapes.perimeter,
        "pixels": shapes.pixels,
    }
    return Features(grid.crs, "Polygon", shapes.wkb(grid), columns, tags, style)


def large(area: npt.NDArray[np.float64], least: Optional[float]) -> npt.NDArray[np.bool_]:
    """Which areas are large enough: all where nothing is asked, else those that can be told and are."""
    return np.ones(len(area), np.bool_) if not least else area >= least * (1 - 1e-9)
