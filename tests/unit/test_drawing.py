# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures without a picture library: read back by one that we did not write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from terrane.inference import drawing
from terrane.inference.drawing import Panel, Ramp, Swatch


def read_png(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read().transpose(1, 2, 0)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_png_is_read_back_the_same(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (37, 53, 3)).astype(np.uint8)
    path = tmp_path / "noise.png"
    path.write_bytes(drawing.png(pixels))
    assert (read_png(path) == pixels).all()


def test_colors_lie_between_their_stops() -> None:
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0, np.nan]])
    colors = drawing.colored(values, ((0, 0, 0), (100, 200, 50)), 0, 1)[0]
    assert colors.tolist() == [
        [0, 0, 0],
        [0, 0, 0],
        [50, 100, 25],
        [100, 200, 50],
        [100, 200, 50],
        list(drawing.MISSING),
    ]


def test_a_ramp_over_one_value_is_no_division_by_zero() -> None:
    assert drawing.colored(np.full((2, 2), 5.0), drawing.GREY, 5, 5).tolist() == [[[0, 0, 0]] * 2] * 2


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((32, 16), (224, 112)), ((224, 224), (224, 224)), ((300, 448), (150, 224)), ((1000, 3), (224, 1))],
)
def test_images_are_brought_to_one_size(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert drawing.fitted(np.zeros((*shape, 3), np.uint8)).shape[:2] == expected


def test_small_images_keep_their_pixels_square() -> None:
    pixels = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    large = drawing.fitted(pixels, 6)
    assert (large[::3, ::3] == pixels).all()
    assert (large[2::3, 2::3] == pixels).all()


def test_text_is_drawn_and_measured() -> None:
    canvas = np.full((30, 200, 3), 255, np.uint8)
    drawing.write(canvas, 5, 5, "DEM −12 m")
    inked = np.flatnonzero((canvas < 128).any(axis=(0, 2)))
    width = drawing.text_width("DEM −12 m")
    assert 0 < inked.min() - 5 < 4
    assert abs(inked.max() - (5 + width)) < 4
    assert drawing.text_width("−") > 0
    assert drawing.text_width("漢") == drawing.text_width("?")


def test_text_is_cut_at_the_edge() -> None:
    canvas = np.full((10, 12, 3), 255, np.uint8)
    drawing.write(canvas, 2, 4, "WWWW")
    assert (canvas < 128).any()


def test_nothing_of_a_picture_overlaps_or_sticks_out() -> None:
    red = np.full((40, 40, 3), (200, 0, 0), np.uint8)
    blue = np.full((224, 224, 3), (0, 0, 200), np.uint8)
    ramp = Ramp(drawing.DIVERGING, "−1,234.5 metres", "+1,234.5 metres")
    legend = [Swatch((0, 100 + i, 0), f"A class with a long name {i}") for i in range(9)]
    image = drawing.picture(
        ["A title that is longer than the two panels " * 2, "Second line"],
        [Panel("Input", red, ramp), Panel("Truth", blue, caption="97 % agree")],
        legend,
    )
    assert (image[:4] == 255).all()
    assert (image[-4:] == 255).all()
    assert (image[:, :4] == 255).all()
    assert (image[:, -4:] == 255).all()
    assert (image == (200, 0, 0)).all(axis=-1).sum() == 200 * 200  # 40 pixels, five times as large
    assert (image == (0, 0, 200)).all(axis=-1).sum() == 224 * 224
    for swatch in legend:
        assert (image == swatch.color).all(axis=-1).sum() == 10 * 12
