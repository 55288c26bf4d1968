# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures for reports with numpy and zlib alone: colour ramps, captions, panels side by side, PNG.

Pictures are (h, w, 3) uint8 arrays. Letters are DejaVu Sans, drawn once into resources/font/font.npz.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

RGB = npt.NDArray[np.uint8]
Color = tuple[int, int, int]
Stops = Sequence[Color]

PAPER: Color = (255, 255, 255)
INK: Color = (34, 34, 34)
MISSING: Color = (221, 221, 221)
"""Pixels without data."""

LAND: Stops = (
    (0x2E, 0x59, 0x3B),
    (0x43, 0x6C, 0x41),
    (0x61, 0x7F, 0x46),
    (0x87, 0x90, 0x4C),
    (0xB0, 0x9F, 0x5A),
    (0xD3, 0xAF, 0x77),
    (0xEB, 0xC3, 0x9D),
    (0xF7, 0xDB, 0xC5),
    (0xFD, 0xF5, 0xED),
)
"""Low to high, as in resources/styles/DEM.qml."""
VEGETATION: Stops = (
    (0x6B, 0x3D, 0x0A),
    (0xB9, 0x8D, 0x53),
    (0xF7, 0xF5, 0xF0),
    (0x7F, 0xBF, 0x8C),
    (0x00, 0x57, 0x3C),
)
"""Bare to green, as in resources/styles/NDVI.qml."""
GREY: Stops = ((0, 0, 0), (255, 255, 255))
DIVERGING: Stops = (
    (0x05, 0x30, 0x61),
    (0x43, 0x93, 0xC3),
    (0xF7, 0xF7, 0xF7),
    (0xD6, 0x60, 0x4D),
    (0x67, 0x00, 0x1F),
)
"""Too low in blue, right in white, too high in red: ColorBrewer's RdBu, which colour blindness spares."""

SIDE = 224
"""Side of a panel in pixels, about."""
GAP, LINE, BAR = 14, 20, 10
"""Space around panels, height of a line of text, height of a colour bar, in pixels."""


@dataclass(frozen=True)
class Ramp:
    """A colour bar under a panel and the words at its two ends."""

    stops: Stops
    low: str
    high: str


@dataclass(frozen=True)
class Panel:
    """One image with a title above it and a bar or a caption below it."""

    title: str
    pixels: RGB
    ramp: Optional[Ramp] = None
    caption: str = ""


@dataclass(frozen=True)
class Swatch:
    """An entry of a legend."""

    color: Color
    label: str


def picture(lines: Sequence[str], panels: Sequence[Panel], swatches: Sequence[Swatch] = ()) -> RGB:
    """Lines of text, then panels side by side, then a legend, on white."""
    images = [fitted(panel.pixels) for panel in panels]
    widths = [
        max(image.shape[1], text_width(panel.title), text_width(panel.caption), _bar_width(panel.ramp))
        for image, panel in zip(images, panels)
    ]
    width = max([sum(widths) + GAP * (len(widths) + 1), *(text_width(line) + 2 * GAP for line in lines)])
    rows = _wrapped(swatches, width - 2 * GAP)
    top = GAP + LINE * len(lines) + GAP // 2
    tallest = max(image.shape[0] for image in images)
    height = top + LINE + tallest + BAR + LINE + GAP + LINE * len(rows) + (GAP // 2 if rows else 0)
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    for index, line in enumerate(lines):
        write(canvas, GAP, GAP + LINE * index, line)
    left = GAP
    for panel, image, room in zip(panels, images, widths):
        write(canvas, left, top, panel.title)
        _paste(canvas, left, top + LINE, image)
        below = top + LINE + tallest + 4
        if panel.ramp is not None:
            _paste(canvas, left, below, _bar(panel.ramp.stops, image.shape[1]))
            write(canvas, left, below + BAR + 1, panel.ramp.low)
            end = left + max(image.shape[1], _bar_width(panel.ramp))
            write(canvas, end - text_width(panel.ramp.high), below + BAR + 1, panel.ramp.high)
        elif panel.caption:
            write(canvas, left, below, panel.caption)
        left += room + GAP
    for index, row in enumerate(rows):
        _legend_row(canvas, height - GAP - LINE * (len(rows) - index) + GAP // 2, row)
    return canvas


def _bar_width(ramp: Optional[Ramp]) -> int:
    return 0 if ramp is None else text_width(ramp.low) + GAP + text_width(ramp.high)


def _bar(stops: Stops, width: int) -> RGB:
    values = np.broadcast_to(np.linspace(0, 1, width), (BAR, width))
    return colored(values, stops, 0, 1)


def _wrapped(swatches: Sequence[Swatch], width: int) -> list[list[Swatch]]:
    """Entries of the legend in lines that fit."""
    rows: list[list[Swatch]] = []
    used = width + 1
    for swatch in swatches:
        needed = _swatch_width(swatch)
        if used + needed > width:
            rows.append([])
            used = 0
        rows[-1].append(swatch)
        used += needed
    return rows


def _swatch_width(swatch: Swatch) -> int:
    return LINE + text_width(swatch.label) + GAP


def _legend_row(canvas: RGB, top: int, row: Sequence[Swatch]) -> None:
    left = GAP
    for swatch in row:
        canvas[top + 3 : top + 15, left : left + 14] = INK
        canvas[top + 4 : top + 14, left + 1 : left + 13] = swatch.color
        write(canvas, left + LINE, top, swatch.label)
        left += _swatch_width(swatch)


def _paste(canvas: RGB, left: int, top: int, image: RGB) -> None:
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image


def fitted(pixels: RGB, side: int = SIDE) -> RGB:
    """Repeat pixels where an image is small, leave some out where it is large: at most ``side`` long."""
    longest = max(pixels.shape[:2])
    if longest <= side:
        times = side // longest
        return pixels.repeat(times, axis=0).repeat(times, axis=1)
    rows, columns = (
        (np.arange(max(1, round(length * side / longest))) * longest / side).astype(np.intp)
        for length in pixels.shape[:2]
    )
    chosen: RGB = pixels[rows[:, None], columns[None, :]]
    return chosen


def colored(values: npt.NDArray[Any], stops: Stops, low: float, high: float) -> RGB:
    """(h, w) numbers to colours, evenly from ``low`` to ``high`` and held beyond; NaN is ``MISSING``."""
    place = (np.asarray(values, np.float64) - low) / max(high - low, 1e-12) * (len(stops) - 1)
    known = np.isfinite(place)
    place = np.clip(np.where(known, place, 0.0), 0, len(stops) - 1)
    table = np.asarray(stops, np.float64)
    channels = [np.interp(place, np.arange(len(stops)), table[:, channel]) for channel in range(3)]
    result: RGB = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    result[~known] = MISSING
    return result


@lru_cache(maxsize=1)
def _font() -> tuple[dict[str, int], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Index of each character, coverage (n, h, w) and advance widths (n,)."""
    path = Path(__file__).resolve().parents[1] / "resources" / "font" / "font.npz"
    with np.load(path, allow_pickle=False) as file:
        glyphs, advances = file["glyphs"], file["advances"]
        places = {chr(code): index for index, code in enumerate(file["codes"])}
    return places, glyphs, advances


def text_width(text: str) -> int:
    """Width of a line in pixels; characters that the font lacks count as "?"."""
    places, _, advances = _font()
    return sum(int(advances[places.get(c, places["?"])]) for c in text)


def write(canvas: RGB, left: int, top: int, text: str, color: Color = INK) -> None:
    """Draw a line of text into a picture; what does not fit is cut off."""
    places, glyphs, advances = _font()
    for character in text:
        index = places.get(character, places["?"])
        spot = canvas[top : top + glyphs.shape[1], left : left + glyphs.shape[2]]
        cover = glyphs[index][: spot.shape[0], : spot.shape[1], None] / 255.0
        spot[...] = np.rint(spot * (1 - cover) + np.asarray(color) * cover).astype(np.uint8)
        left += int(advances[index])


def png(pixels: RGB) -> bytes:
    """A PNG file of (h, w, 3) uint8 (ISO/IEC 15948: truecolour, 8 bits, no interlacing, filter "sub")."""
    height, width = pixels.shape[:2]
    shifted = np.zeros_like(pixels)
    shifted[:, 1:] = pixels[:, :-1]
    rows = np.ones((height, 1 + 3 * width), np.uint8)  # every row begins with its filter's number, 1
    rows[:, 1:] = (pixels - shifted).reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
