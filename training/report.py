# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated against real chips: ``python -m training.report`` writes the figures of docs/simulator.md.

Statistics of scenes that are in no other set stand beside those of real chips: reflectance, NDVI and
backscatter by class, patterns by wavelength, slopes, the atmosphere. Needs rasterio, matplotlib and Pillow.
The third real chip is left out unless ``--check-chip`` is given: it is not looked at while the simulator is
made.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Optional

import numpy as np

from . import report_statistics as statistics
from .evaluate import TERRAMESH
from .report_pictures import draw_all
from .report_statistics import View, real_view, simulated_view
from .simulate import VERSION, simulate
from .spectra import BANDS, CLASS_NAMES

DOCS = Path(__file__).resolve().parents[1] / "docs"
REPORT_SEED = 7_000_000
"""First seed of the scenes of this report: in neither the training set nor the unseen ones."""
LOOKED_AT, CHECK = ("282D", "38D"), "637U"
BEGIN, END = "<!-- figures: python -m training.report -->", "<!-- end of figures -->"
SHOWN_BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")


def _view(seed: int) -> View:
    return simulated_view(simulate(seed))


def simulated_views(count: int, workers: int = 2) -> list[View]:
    """Simulate the scenes of the report."""
    seeds = range(REPORT_SEED, REPORT_SEED + count)
    if workers < 2:
        return list(map(_view, seeds))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_view, seeds, chunksize=4))


def real_views(folder: Path, names: Sequence[str]) -> list[View]:
    """Read the real chips whose names begin so."""
    stems = sorted(path.stem for path in (folder / "S2L2A").glob("*.tif"))
    return [real_view(folder, stem) for name in names for stem in stems if stem.startswith(name)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _place(values: Any, value: float) -> str:
    """Where a value lies among scenes: in per cent; bold where next to none goes as far."""
    if len(values) < 5:
        return "–"
    percent = round(100 * statistics.rank(values, value))
    return f"**{percent} %**" if percent <= 2 or percent >= 98 else f"{percent} %"


def _range(values: Any, digits: int) -> str:
    low, high = np.percentile(values, [10, 90])
    return f"{low:.{digits}f} to {high:.{digits}f}".replace("-", "−")


def reflectance_table(simulated: Sequence[View], real: Sequence[View]) -> list[str]:
    """Mean and deviation of the classes of the real chips, and where they lie among simulated scenes."""
    found = statistics.by_class(simulated, [view.s2l2a for view in simulated])
    columns = [BANDS.index(name) for name in SHOWN_BANDS]
    rows = []
    for view in real:
        for value, (mean, std) in statistics.class_means(view, view.s2l2a).items():
            rows.append(
                [
                    f"{CLASS_NAMES[value]}, {view.name}",
                    "mean ± deviation",
                    *(f"{mean[i]:.3f} ± {std[i]:.3f}" for i in columns),
                ]
            )
            scenes = found.get(value)
            if scenes is None:
                continue
            for kind, own, label in ((0, mean, "means"), (1, std, "deviations")):
                cells = [
                    f"{_range(scenes[:, kind, i], 3)} ({_place(scenes[:, kind, i], own[i])})" for i in columns
                ]
                rows.append(["", f"{label} of {len(scenes)} simulated scenes", *cells])
    return table(("", "", *SHOWN_BANDS), rows)


def ndvi_table(simulated: Sequence[View], real: Sequence[View]) -> list[str]:
    """NDVI by class: simulated pixels and real ones, and what their histograms share."""
    pooled = statistics.ndvi_histograms(simulated)
    each = {view.name: statistics.ndvi_histograms([view]) for view in real}
    rows = []
    for value in statistics.CLASSES:
        pixels = np.concatenate([view.ndvi[view.lulc == value] for view in simulated])
        if len(pixels) < statistics.LEAST:
            continue
        cells = [CLASS_NAMES[value], f"{pixels.mean():.2f} ± {pixels.std():.2f}".replace("-", "−")]
        for view in real:
            own = each[view.name].get(value)
            inside = view.ndvi[view.lulc == value]
            shared = "" if own is None else f" ({100 * statistics.overlap(pooled[value], own):.0f} %)"
            text = f"{inside.mean():.2f} ± {inside.std():.2f}{shared}" if own is not None else "–"
            cells.append(text.replace("-", "−"))
        rows.append(cells)
    return table(("", "simulated", *(f"real {view.name} (shared)" for view in real)), rows)


def pattern_table(simulated: Sequence[View], real: Sequence[View]) -> list[str]:
    """One number for each scene: spread, steepness of spectra, slopes, borders of classes."""
    clear = [view for view in simulated if statistics.is_clear(view)]
    measures: list[tuple[str, Any, int, Sequence[View]]] = [
        ("B04, deviation in a scene", lambda v: v.s2l2a[3].std(), 3, clear),
        ("B08, deviation in a scene", lambda v: v.s2l2a[7].std(), 3, clear),
        ("NDVI, deviation in a scene", lambda v: v.ndvi.std(), 3, clear),
    ]
    measures += [
        (f"{name}, exponent of the spectrum, 60 to 600 m", _exponent(name), 2, clear)
        for name in statistics.FIELDS
    ]
    measures += [
        (
            "relief (95 % less 5 % of heights), m",
            lambda v: np.ptp(np.percentile(v.dem, [5, 95])),
            0,
            simulated,
        ),
        ("median slope, °", lambda v: np.median(statistics.slopes(v.dem)), 1, simulated),
        ("slope that 5 % exceed, °", lambda v: np.percentile(statistics.slopes(v.dem), 95), 1, simulated),
        ("neighbouring pixels of different classes", lambda v: statistics.borders(v.lulc), 3, simulated),
        ("classes with 1 % of the scene or more", _rich, 0, simulated),
    ]
    rows = []
    for label, measure, digits, scenes in measures:
        values = np.array([measure(view) for view in scenes], float)
        values = values[np.isfinite(values)]
        cells = [label, f"{np.median(values):.{digits}f}".replace("-", "−"), _range(values, digits)]
        for view in real:
            own = float(measure(view))
            cells.append(f"{own:.{digits}f} ({_place(values, own)})".replace("-", "−"))
        rows.append(cells)
    return table(("", "median", "10 to 90 % of scenes", *(f"real {v.name}" for v in real)), rows)


def _exponent(name: str) -> Any:
    def measure(view: View) -> float:
        field = statistics.field_of(view, name)
        return statistics.steepness(*statistics.power(field)) if field.std() > 0 else float("nan")

    return measure


def _rich(view: View) -> int:
    counts = np.bincount(view.lulc.ravel(), minlength=10)[1:]
    return int((counts >= 0.01 * view.lulc.size).sum())


def radar_table(simulated: Sequence[View], real: Sequence[View]) -> list[str]:
    """Backscatter by class in dB."""
    seen = [view for view in simulated if view.s1 is not None]
    if not seen:
        return ["Not simulated yet."]
    found = statistics.by_class(seen, [view.s1 for view in seen if view.s1 is not None])
    rows = []
    for value, scenes in found.items():
        for band, name in enumerate(("VV", "VH")):
            means, stds = scenes[:, 0, band], scenes[:, 1, band]
            label = f"{CLASS_NAMES[value]}, {name}"
            cells = [label, f"{_range(means, 1)} ± {np.median(stds):.1f}", str(len(means))]
            for view in real:
                own = None if view.s1 is None else statistics.class_means(view, view.s1).get(value)
                text = "–"
                if own is not None:
                    text = f"{own[0][band]:.1f} ± {own[1][band]:.1f} ({_place(means, own[0][band])})"
                cells.append(text.replace("-", "−"))
            rows.append(cells)
    return table(("", "simulated, 10 to 90 % of scenes", "scenes", *(f"real {v.name}" for v in real)), rows)


def air_table(simulated: Sequence[View], real: Sequence[View]) -> list[str]:
    """What the atmosphere adds to each band."""
    found = [row for row in map(statistics.air, simulated) if row is not None]
    if not found:
        return ["Not simulated yet."]
    scenes = np.stack(found)
    own = {view.name: statistics.air(view) for view in real}
    rows = []
    for band, name in enumerate(BANDS):
        cells = [name, f"{np.median(scenes[:, band]):.3f}", _range(scenes[:, band], 3)]
        for added in own.values():
            text = "–" if added is None else f"{added[band]:.3f} ({_place(scenes[:, band], added[band])})"
            cells.append(text)
        rows.append([cell.replace("-", "−") for cell in cells])
    return table(("", "median", "10 to 90 % of scenes", *(f"real {name}" for name in own)), rows)


def share_table(simulated: Sequence[View]) -> list[str]:
    """How much of the simulated land each class covers, and in how many scenes it is."""
    rows = []
    for value in statistics.CLASSES:
        shares = np.array([(view.lulc == value).mean() for view in simulated])
        rows.append(
            (CLASS_NAMES[value], f"{100 * shares.mean():.1f} %", f"{100 * (shares > 0.01).mean():.0f} %")
        )
    return table(("", "of all pixels", "scenes with 1 % or more of it"), rows)


def figures(simulated: Sequence[View], real: Sequence[View]) -> str:
    """Return the section of tables and pictures."""
    names = " and ".join(view.name for view in real)
    parts = [
        (
            f"{len(simulated)} scenes of 2.24 km (simulator version {VERSION}, seeds from {REPORT_SEED}) beside the "
            f"real chips {names}. In brackets: the share of simulated scenes below the real figure, bold where it "
            "is 2 % or less, or 98 % or more. A real chip is one scene: anything between is what a scene may be."
        ),
        "",
        "![Simulated and real scenes](images/simulator-scenes.png)",
        "",
        "### Land cover",
        "",
        *share_table(simulated),
        "",
        "### Reflectance by class",
        "",
        "![Reflectance by class](images/simulator-spectra.png)",
        "",
        *reflectance_table(simulated, real),
        "",
        "### NDVI by class",
        "",
        "In brackets: what the two histograms share.",
        "",
        "![NDVI by class](images/simulator-ndvi.png)",
        "",
        *ndvi_table(simulated, real),
        "",
        "### Patterns and slopes",
        "",
        "![Spectra in space](images/simulator-spatial.png)",
        "",
        *pattern_table(simulated, real),
        "",
        "### Radar",
        "",
        (
            "The real chips carry terrain-corrected gamma nought (S1RTC), which on flat ground is about 1 dB more than "
            "the sigma nought that is simulated: the two differ by the cosine of the incidence angle."
        ),
        "",
        *(["![Backscatter by class](images/simulator-radar.png)", ""] if simulated[0].s1 is not None else []),
        *radar_table(simulated, real),
        "",
        "### Atmosphere",
        "",
        "Mean of L1C less L2A over pixels without clouds, in reflectance.",
        "",
        *air_table(simulated, real),
    ]
    return "\n".join(parts)


def put(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{page} has no place for figures ({BEGIN} … {END}).")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8", newline="\n")


def main(arguments: Optional[list[str]] = None) -> None:
    """Parse the command line, compare, and write the pictures and the page's figures."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--count", type=int, default=80, help="simulated scenes")
    parser.add_argument("--terramesh", type=Path, default=TERRAMESH, help="real chips in TerraMesh's layout")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of simulator.md and images/")
    parser.add_argument("--check-chip", action="store_true", help="also the chip that was kept unseen")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args(arguments)
    names = (*LOOKED_AT, CHECK) if chosen.check_chip else LOOKED_AT
    simulated = simulated_views(chosen.count, chosen.workers)
    real = real_views(chosen.terramesh, names)
    drawn = draw_all(simulated, real, chosen.docs / "images")
    put(chosen.docs / "simulator.md", figures(simulated, real))
    print(f"{chosen.docs / 'simulator.md'}: {', '.join(drawn)}")


if __name__ == "__main__":
    main()
