# SPDX-License-Identifier: GPL-2.0-or-later
"""Where pixels lie: an affine transform and a grid as values. Pure arithmetic, no PROJ, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from .types import BBox, Size, Window


class Affine(NamedTuple):
    """Pixel to map: ``x = a*col + b*row + c``, ``y = d*col + e*row + f`` (rasterio's order)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    @classmethod
    def from_gdal(cls, t: tuple[float, ...]) -> Affine:
        """From GDAL's order (c, a, b, f, d, e)."""
        return cls(t[1], t[2], t[0], t[4], t[5], t[3])

    def to_gdal(self) -> tuple[float, float, float, float, float, float]:
        """To GDAL's order (c, a, b, f, d, e)."""
        return (self.c, self.a, self.b, self.f, self.d, self.e)

    def apply(self, col: float, row: float) -> tuple[float, float]:
        """Map coordinates of a pixel position (0, 0 = outer corner of the upper left pixel)."""
        return (
            self.a * col + self.b * row + self.c,
            self.d * col + self.e * row + self.f,
        )

    def invert(self, x: float, y: float) -> tuple[float, float]:
        """Pixel position (col, row) of map coordinates."""
        det = self.a * self.e - self.b * self.d
        dx, dy = x - self.c, y - self.f
        return (self.e * dx - self.b * dy) / det, (self.a * dy - self.d * dx) / det

    @property
    def is_north_up(self) -> bool:
        """No rotation or shear, rows go south, columns go east."""
        return self.b == 0.0 and self.d == 0.0 and self.a > 0 and self.e < 0


@dataclass(frozen=True)
class Grid:
    """A raster's place: CRS as WKT, transform, size in pixels. Immutable."""

    crs: str
    transform: Affine
    size: Size

    @property
    def width(self) -> int:
        """Columns."""
        return self.size.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.size.height

    @property
    def resolution(self) -> tuple[float, float]:
        """Pixel width and height in map units, both positive."""
        t = self.transform
        return math.hypot(t.a, t.d), math.hypot(t.b, t.e)

    @property
    def window(self) -> Window:
        """The window that covers the whole grid."""
        return Window(0, 0, self.width, self.height)

    @property
    def bounds(self) -> BBox:
        """The box around all four corners, in map units."""
        corners = [self.transform.apply(c, r) for c in (0, self.width) for r in (0, self.height)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return BBox(min(xs), min(ys), max(xs), max(ys))

    def crop(self, window: Window) -> Grid:
        """The grid of a window of this one: same pixels, same CRS."""
        c, f = self.transform.apply(window.col, window.row)
        return replace(
            self,
            transform=self.transform._replace(c=c, f=f),
            size=Size(window.width, window.height),
        )
