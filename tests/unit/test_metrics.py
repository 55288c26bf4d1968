# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures of accuracy: worked examples, scikit-image's values, and what must hold for any rasters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from terrane.inference.metrics import Confusion, Detail, Errors, TileDetail, psnr, ssim


def hills() -> tuple[np.ndarray, np.ndarray]:
    """A smooth surface and a noisy guess of it, (40, 52), metres."""
    y, x = np.mgrid[0:40, 0:52]
    truth = 600 + 200 * np.sin(x / 9) + 150 * np.cos(y / 7)
    return truth, truth + 40 * np.random.default_rng(7).standard_normal(truth.shape)


def test_errors_of_four_pixels() -> None:
    errors = Errors()
    errors.add(np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([[2.0, 2.0], [1.0, 5.0]]))
    assert errors.count.tolist() == [3]
    assert errors.mae == pytest.approx(1.0)
    assert errors.rmse == pytest.approx(math.sqrt(5 / 3))
    assert errors.bias == pytest.approx(-1 / 3)


def test_errors_of_bands_with_a_mask() -> None:
    truth = np.zeros((2, 1, 3))
    guess = np.array([[[1.0, 1.0, 9.0]], [[3.0, -3.0, 9.0]]])
    errors = Errors(2)
    errors.add(truth, guess, np.array([[True, True, False]]))
    assert errors.band_mae == [1.0, 3.0]
    assert errors.band_rmse == [1.0, 3.0]
    assert errors.mae == 2.0
    assert errors.rmse == pytest.approx(math.sqrt(5))


def test_nothing_added_is_no_number() -> None:
    assert math.isnan(Errors().mae)
    assert math.isnan(Errors().rmse)
    assert math.isnan(Errors().psnr(1.0))
    assert math.isnan(Confusion(3).accuracy)
    assert math.isnan(Confusion(3).mean_iou)
    assert math.isnan(Detail().correlation)
    assert math.isnan(Detail().rmse)
    empty = np.full((12, 12), np.nan)
    assert math.isnan(ssim(empty, empty, 1.0))


def test_rasters_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        Errors().add(np.zeros((3, 3)), np.zeros((3, 4)))


def test_peak_signal_to_noise_ratio_is_scikit_images() -> None:
    truth, guess = hills()
    errors = Errors()
    errors.add(truth, guess)
    assert errors.psnr(700.0) == pytest.approx(24.986546163168747, abs=1e-10)
    assert psnr(0.0, 1.0) == math.inf
    assert math.isnan(psnr(1.0, 0.0))


# skimage.metrics.structural_similarity of scikit-image 0.26.0 on the same arrays, with
# gaussian_weights=True, sigma=1.5, use_sample_covariance=False
@pytest.mark.parametrize(
    ("shift", "data_range", "expected"),
    [(0, 700, 0.6043169270581903), (300, 700, 0.5467384814918046), (0, 8000, 0.9754429136634305)],
)
def test_structural_similarity_is_scikit_images(shift: float, data_range: float, expected: float) -> None:
    truth, guess = hills()
    assert ssim(truth, guess + shift, data_range) == pytest.approx(expected, abs=1e-12)


def test_structural_similarity_of_bands_is_scikit_images() -> None:
    truth, guess = hills()
    first = np.stack([truth, truth * 0.5, truth[::-1]])
    second = np.stack([guess, truth * 0.5 + 10, guess[::-1] * 1.1])
    assert ssim(first, second, 700) == pytest.approx(0.7260017083198345, abs=1e-12)


def test_structural_similarity_leaves_out_windows_with_holes() -> None:
    truth, guess = hills()
    hole = np.ones(truth.shape, bool)
    hole[:, 30] = False
    spoiled = guess.copy()
    spoiled[:, 30] = 1e6
    left, right = ssim(truth[:, :30], guess[:, :30], 700), ssim(truth[:, 31:], guess[:, 31:], 700)
    widths = np.array([30 - 10, 21 - 10])
    expected = float(np.average([left, right], weights=widths))
    assert ssim(truth, spoiled, 700, hole) == pytest.approx(expected, abs=1e-12)


def test_structural_similarity_needs_a_window() -> None:
    assert math.isnan(ssim(np.zeros((10, 40)), np.zeros((10, 40)), 1.0))


def test_detail_of_two_chips_at_wrong_levels() -> None:
    slope = np.arange(12.0).reshape(3, 4)
    detail = Detail()
    detail.add(slope + 100, slope - 40)
    detail.add(slope + 2000, slope + 7)
    assert detail.correlation == pytest.approx(1.0)
    assert detail.rmse == pytest.approx(0.0, abs=1e-5)
    assert detail.flat_rmse == pytest.approx(np.std(np.arange(12.0)))


def test_detail_against_a_flat_guess() -> None:
    slope = np.arange(12.0).reshape(3, 4)
    detail = Detail()
    detail.add(slope, np.full_like(slope, 50.0))
    assert math.isnan(detail.correlation)
    assert detail.rmse == pytest.approx(detail.flat_rmse)


def ramp(side: int, step: float) -> np.ndarray:
    """(side, side) metres, rising by ``step`` from column to column."""
    return np.tile(step * np.arange(side, dtype=np.float64), (side, 1))


def test_detail_tile_by_tile_takes_out_the_level_of_each() -> None:
    truth = np.block([[ramp(8, 20.0), ramp(8, 20.0) + 900], [ramp(8, 1.0), ramp(8, 0.1)]])
    guess = np.block([[ramp(8, 5.0), -ramp(8, 3.0)], [np.full((8, 8), 7.0), ramp(8, 9.0)]])
    tiles = TileDetail(8)
    tiles.add(truth, guess)
    # The last tile is flat (a standard deviation of 0.23 m); the third is guessed flat.
    assert tiles.over() == (pytest.approx((1 - 1 + 0) / 3), 3)
    assert tiles.over(100) == (pytest.approx(0), 2)
    assert tiles.over(139) == (pytest.approx(0), 2)
    assert tiles.over(140)[1] == 0
    assert math.isnan(tiles.over(140)[0])


def test_detail_of_a_tile_is_numpys_correlation() -> None:
    truth, guess = hills()
    tiles = TileDetail(20)
    tiles.add(truth[None], guess[None])
    places = [(slice(r, r + 20), slice(c, c + 20)) for r in (0, 20) for c in (0, 20)]
    each = [np.corrcoef(truth[p].ravel(), guess[p].ravel())[0, 1] for p in places]
    assert tiles.over() == (pytest.approx(np.mean(each)), 4)  # columns 40 to 51 hold no whole tile


def test_detail_of_a_raster_smaller_than_a_tile_and_of_one_with_holes() -> None:
    truth, guess = hills()
    tiles = TileDetail(224)
    tiles.add(truth, guess)
    assert tiles.over() == (pytest.approx(np.corrcoef(truth.ravel(), guess.ravel())[0, 1]), 1)
    half = np.zeros(truth.shape, bool)
    half[:20] = True
    tiles.add(truth, guess, half)
    half[19] = False  # less than half of the pixels
    tiles.add(truth, guess, half)
    expected = [np.corrcoef(truth[:n].ravel(), guess[:n].ravel())[0, 1] for n in (40, 20)]
    assert tiles.over() == (pytest.approx(np.mean(expected)), 2)
    with pytest.raises(ValueError, match="one band"):
        tiles.add(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)))


def test_classes_taken_as_one() -> None:
    confusion = Confusion(5, ignore=0)
    confusion.add(np.array([1, 1, 2, 2, 3, 4]), np.array([1, 2, 2, 3, 4, 1]))
    assert confusion.accuracy == pytest.approx(2 / 6)
    assert confusion.grouped((1, 2)) == pytest.approx((3 + 1) / 6)
    assert confusion.grouped((1, 2, 3, 4)) == 1
    assert math.isnan(Confusion(3).grouped((1,)))


def test_confusion_by_hand() -> None:
    confusion = Confusion(4, ignore=0)
    confusion.add(np.array([[1, 1, 2, 0]]), np.array([[1, 2, 2, 3]]))
    confusion.add(np.array([[2, 2]]), np.array([[3, 2]]))
    assert confusion.matrix.tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 2, 1], [0, 0, 0, 0]]
    assert confusion.accuracy == pytest.approx(3 / 5)
    assert confusion.present == [1, 2]
    iou = confusion.iou
    assert math.isnan(iou[0])
    assert iou[1:] == pytest.approx([1 / 2, 2 / 4, 0.0])
    assert confusion.mean_iou == pytest.approx(1 / 2)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_numbers_that_are_no_class_are_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="0 to 2"):
        Confusion(3).add(np.array([[1]]), np.array([[wrong]]))


VALUES = st.floats(-1e4, 1e4, width=32)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A truth and a guess of one shape, some of it missing."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=8))
    numbers = st.one_of(VALUES, st.just(float("nan")))
    first = draw(arrays(np.float32, shape, elements=numbers))
    return first, draw(arrays(np.float32, shape, elements=numbers))


@given(pairs())
def test_errors_do_not_depend_on_how_they_are_fed(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, guess = pair
    whole, pieces, swapped = Errors(), Errors(), Errors()
    whole.add(truth, guess)
    swapped.add(guess, truth)
    for row in range(len(truth)):
        pieces.add(truth[row : row + 1], guess[row : row + 1])
    assert pieces.count.tolist() == whole.count.tolist() == swapped.count.tolist()
    if whole.count[0]:
        assert pieces.mae == pytest.approx(whole.mae)
        assert pieces.rmse == pytest.approx(whole.rmse)
        assert swapped.bias == pytest.approx(-whole.bias)
        assert abs(whole.bias) <= whole.mae * (1 + 1e-9)
        assert whole.mae <= whole.rmse * (1 + 1e-9)


@given(arrays(np.float32, (12, 13), elements=VALUES), st.floats(0.5, 1e4))
def test_a_raster_is_like_itself(image: np.ndarray, data_range: float) -> None:
    errors = Errors()
    errors.add(image, image)
    assert errors.mae == errors.rmse == errors.bias == 0
    assert ssim(image, image, data_range) == pytest.approx(1.0)


@given(arrays(np.int8, (12, 13)), arrays(np.int8, (12, 13)), st.sampled_from([0.5, 2.0, 1024.0]))
def test_similarity_is_symmetric_and_knows_no_unit(truth: np.ndarray, guess: np.ndarray, unit: float) -> None:
    value = ssim(truth, guess, 255)
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert ssim(guess, truth, 255) == pytest.approx(value)
    assert ssim(truth * unit, guess * unit, 255 * unit) == pytest.approx(value)


@given(arrays(np.int8, (5, 6)), arrays(np.int8, (5, 6)), st.integers(-500, 500), st.integers(-500, 500))
def test_detail_does_not_see_levels(truth: np.ndarray, guess: np.ndarray, up: int, down: int) -> None:
    plain, moved = Detail(), Detail()
    plain.add(truth, guess)
    moved.add(truth.astype(np.int32) + up, guess.astype(np.int32) + down)
    assert moved.rmse == pytest.approx(plain.rmse, abs=1e-6)
    if not math.isnan(plain.correlation):
        assert moved.correlation == pytest.approx(plain.correlation, abs=1e-6)
        assert abs(plain.correlation) <= 1 + 1e-9


@given(
    arrays(np.uint8, (4, 7), elements=st.integers(0, 5)), arrays(np.uint8, (4, 7), elements=st.integers(0, 5))
)
def test_classes_add_up(truth: np.ndarray, guess: np.ndarray) -> None:
    confusion, mirrored = Confusion(6), Confusion(6)
    confusion.add(truth, guess)
    mirrored.add(guess, truth)
    assert confusion.matrix.sum() == truth.size
    assert (mirrored.matrix == confusion.matrix.T).all()
    assert confusion.accuracy == pytest.approx((truth == guess).mean())
    assert confusion.iou == pytest.approx(mirrored.iou, nan_ok=True)
    assert 0 <= confusion.mean_iou <= 1
