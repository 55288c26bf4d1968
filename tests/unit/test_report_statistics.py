# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics of simulated and real chips, on small arrays whose figures are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from training import report, report_statistics
from training.report_statistics import View


def view(seed: int = 0, **given: object) -> View:
    """A chip of 64 pixels a side: left half water, right half crops."""
    rng = np.random.default_rng(seed)
    lulc = np.full((64, 64), 1, np.uint8)
    lulc[:, 32:] = 4
    image = np.where(lulc == 1, 0.05, 0.25)[None] + rng.normal(0, 0.01, (12, 64, 64))
    fields = {
        "s2l2a": image.astype(np.float32),
        "s2l1c": np.insert(image + 0.02, 10, 0.001, axis=0).astype(np.float32),
        "s1": np.stack([np.where(lulc == 1, -20.0, -10.0), np.where(lulc == 1, -28.0, -16.0)]),
        "dem": np.tile(2.0 * np.arange(64.0), (64, 1)),
        "lulc": lulc,
        "ndvi": np.where(lulc == 1, -0.2, 0.6).astype(np.float32),
    }
    return View(**{"name": str(seed), **fields, **given})  # type: ignore[arg-type]


def test_means_and_deviations_by_class() -> None:
    found = report_statistics.class_means(view(), view().s2l2a)
    assert set(found) == {1, 4}
    assert found[4][0] == pytest.approx(np.full(12, 0.25), abs=1e-3)
    assert found[1][1] == pytest.approx(np.full(12, 0.01), rel=0.1)
    stacked = report_statistics.by_class([view(0), view(1)], [view(0).s2l2a, view(1).s2l2a])
    assert stacked[1].shape == (2, 2, 12)


def test_histograms_and_what_they_share() -> None:
    first = report_statistics.ndvi_histograms([view()])
    assert first[1].sum() == pytest.approx(1)
    assert report_statistics.overlap(first[1], first[1]) == pytest.approx(1)
    assert report_statistics.overlap(first[1], first[4]) == 0


def test_a_wave_is_found_at_its_wavelength() -> None:
    x = np.arange(128) * 10.0
    waves, share = report_statistics.power(np.tile(np.sin(2 * np.pi * x / 160.0), (128, 1)))
    assert share.sum() == pytest.approx(1)
    assert waves[share.argmax()] == pytest.approx(160, rel=0.15)


def test_white_noise_has_no_slope_and_a_power_law_has_its_own() -> None:
    rng = np.random.default_rng(0)
    white = rng.standard_normal((224, 224))
    assert report_statistics.steepness(*report_statistics.power(white)) == pytest.approx(0, abs=0.25)
    frequency = np.hypot(np.fft.fftfreq(224)[:, None], np.fft.fftfreq(224)[None])
    frequency[0, 0] = 1
    red = np.fft.ifft2(np.fft.fft2(white) * frequency**-1.5).real
    assert report_statistics.steepness(*report_statistics.power(red)) == pytest.approx(3, abs=0.25)


def test_slopes_borders_and_air() -> None:
    one = view()
    assert report_statistics.slopes(one.dem) == pytest.approx(math.degrees(math.atan(0.2)), abs=1e-6)
    assert report_statistics.borders(one.lulc) == pytest.approx(64 / (2 * 63 * 64))
    assert report_statistics.air(one) == pytest.approx(np.full(12, 0.02), abs=1e-5)
    assert report_statistics.air(view(s2l1c=None)) is None
    assert report_statistics.rank(np.array([1.0, 2.0, 3.0, 4.0]), 2.5) == 0.5


def test_the_page_keeps_its_words_and_gets_figures(tmp_path: Path) -> None:
    page = tmp_path / "simulator.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    simulated, real = [view(seed) for seed in range(6)], [view(7, name="282D"), view(8, name="38D", s1=None)]
    report.put(page, report.figures(simulated, real))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "\nold\n" not in text
    assert "| water, VV | −20.0 to −20.0 ± 0.0 | 6 | −20.0 ± 0.0 (**0 %**) | – |" in text
    assert "637U" not in text
    with pytest.raises(SystemExit, match="no place"):
        page.write_text("nothing", encoding="utf-8")
        report.put(page, "x")
