# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of the report on the simulator. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from terrane.inference import MODALITIES

from . import report_statistics as statistics
from .report_statistics import CLASSES, View
from .spectra import CLASS_NAMES

WAVELENGTHS = (443, 490, 560, 665, 705, 740, 783, 842, 865, 945, 1610, 2190)
"""Nanometres, in the order of ``spectra.BANDS``."""
INK, GRID = "#222222", "#dddddd"
MARKS: Mapping[str, tuple[str, str, str]] = {
    "282D": ("o", "-", "#000000"),
    "38D": ("s", "--", "#b2006e"),
    "637U": ("^", ":", "#0055aa"),
}
"""Marker, line and colour of each real chip, the same in every picture."""
SHOWN = 8
"""Simulated scenes on the contact sheet."""

COLORS = {item.value: np.array(item.color[:3]) / 255.0 for item in MODALITIES["LULC"].classes}
"""The classes' own colours (resources/styles/LULC.qml)."""


def _plt() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.edgecolor": "#888888",
            "axes.linewidth": 0.7,
            "axes.grid": True,
            "grid.color": GRID,
            "grid.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    return plt


def line_color(value: int) -> Any:
    """A class's colour, darkened until it can be seen as a line on white."""
    color = COLORS[value]
    light = float(color @ (0.2126, 0.7152, 0.0722))
    return color * min(1.0, 0.55 / max(light, 1e-6))


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, facecolor="white")
    _plt().close(figure)
    _smaller(path)


def _smaller(path: Path) -> None:
    """Keep 256 colours: a third of the bytes."""
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _classes_figure(title: str, height: float = 7.6) -> tuple[Any, dict[int, Any]]:
    figure, axes = _plt().subplots(3, 3, figsize=(10, height))
    figure.suptitle(title, x=0.02, ha="left", fontsize=12, fontweight="bold")
    panels = dict(zip(CLASSES, axes.ravel()))
    for value, panel in panels.items():
        panel.set_title(CLASS_NAMES[value], loc="left")
    return figure, panels


def _legend(figure: Any, real: Sequence[View], fill: str, line: str = "") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(facecolor="#9fbf8f", edgecolor="#5a7a4a", label=fill)]
    if line:
        handles.append(Line2D([], [], color="#3f6f2f", linewidth=2, label=line))
    for view in real:
        marker, style, color = MARKS.get(view.name, ("o", "-", INK))
        handles.append(
            Line2D(
                [], [], color=color, linestyle=style, marker=marker, markersize=4, label=f"real {view.name}"
            )
        )
    figure.legend(handles=handles, loc="lower center", ncol=len(handles), bbox_to_anchor=(0.5, 0.0))


def spectra(simulated: Sequence[View], real: Sequence[View], path: Path) -> None:
    """Reflectance by class and band: the spread of scenes' means, and each real chip's."""
    figure, panels = _classes_figure("Mean reflectance of each class in a scene (L2A)")
    found = statistics.by_class(simulated, [view.s2l2a for view in simulated])
    places = np.arange(len(WAVELENGTHS))
    for value, panel in panels.items():
        if value in found:
            means = found[value][:, 0]
            for low, high, alpha in ((2, 98, 0.25), (10, 90, 0.5)):
                ends = np.percentile(means, [low, high], axis=0)
                panel.fill_between(places, *ends, color=line_color(value), alpha=alpha, linewidth=0)
            panel.plot(places, np.median(means, axis=0), color=line_color(value) * 0.75, linewidth=2)
            panel.set_title(
                f"{len(means)} scenes", loc="right", fontsize=8, fontweight="normal", color="#666666"
            )
        for view in real:
            own = statistics.class_means(view, view.s2l2a).get(value)
            if own is not None:
                marker, style, color = MARKS.get(view.name, ("o", "-", INK))
                panel.plot(places, own[0], style, color=color, marker=marker, markersize=3.5, linewidth=1.2)
        panel.set_xticks(places[::1], [str(w) for w in WAVELENGTHS], rotation=60, fontsize=7)
        panel.set_ylim(bottom=0)
        panel.margins(x=0.02)
    for row in range(3):
        list(panels.values())[3 * row].set_ylabel("reflectance")
    for panel in list(panels.values())[6:]:
        panel.set_xlabel("nm")
    _legend(figure, real, "simulated: 10–90 % of scenes (paler: 2–98 %)", "median")
    figure.tight_layout(rect=(0, 0.045, 1, 0.985))
    _save(figure, path)


def ndvi(simulated: Sequence[View], real: Sequence[View], path: Path) -> None:
    """Histograms of NDVI by class."""
    figure, panels = _classes_figure("NDVI of all pixels of a class")
    found = statistics.ndvi_histograms(simulated)
    each = {view.name: statistics.ndvi_histograms([view]) for view in real}
    edges = statistics.NDVI_EDGES
    centres = (edges[1:] + edges[:-1]) / 2
    for value, panel in panels.items():
        if value in found:
            panel.stairs(found[value] * 100, edges, fill=True, color=COLORS[value])
            panel.stairs(found[value] * 100, edges, color=line_color(value) * 0.75, linewidth=1.2)
        for name, histograms in each.items():
            if value in histograms:
                _, style, color = MARKS.get(name, ("o", "-", INK))
                panel.plot(centres, histograms[value] * 100, style, color=color, linewidth=1.3)
        panel.set_xlim(edges[0], edges[-1])
        panel.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0])
        panel.set_ylim(bottom=0)
    for row in range(3):
        list(panels.values())[3 * row].set_ylabel("% of pixels")
    for panel in list(panels.values())[6:]:
        panel.set_xlabel("NDVI")
    _legend(figure, real, "simulated (the class's own colour)")
    figure.tight_layout(rect=(0, 0.045, 1, 0.985))
    _save(figure, path)


def spatial(simulated: Sequence[View], real: Sequence[View], path: Path) -> None:
    """Share of the variance by wavelength: how coarse and fine the patterns are."""
    figure, axes = _plt().subplots(2, 2, figsize=(10, 6.6), sharex=True)
    title = "Where the variance lies, by wavelength (scenes with up to 5 % clouds)"
    figure.suptitle(title, x=0.02, ha="left", fontsize=12, fontweight="bold")
    labels = {"DEM": "elevation"}
    for panel, name in zip(axes.ravel(), statistics.FIELDS):
        waves, shares = statistics.spectra(simulated, name)
        for low, high, alpha in ((2, 98, 0.25), (10, 90, 0.5)):
            ends = np.nanpercentile(shares, [low, high], axis=0)
            panel.fill_between(waves, *np.maximum(ends, 1e-6), color="#8fb07f", alpha=alpha, linewidth=0)
        panel.plot(waves, np.nanmedian(shares, axis=0), color="#3f6f2f", linewidth=2)
        for view in real:
            marker, style, color = MARKS.get(view.name, ("o", "-", INK))
            share = statistics.power(statistics.field_of(view, name))[1]
            panel.plot(waves, share, style, color=color, marker=marker, markersize=3.5, linewidth=1.2)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(1e-5 if name == "DEM" else 1e-4, 1)
        panel.set_xlim(1150, 20)
        panel.set_xticks([1000, 500, 200, 100, 50, 20], ["1000", "500", "200", "100", "50", "20"])
        panel.minorticks_off()
        panel.set_title(labels.get(name, name), loc="left")
    for panel in axes[1]:
        panel.set_xlabel("wavelength, m")
    for panel in axes[:, 0]:
        panel.set_ylabel("share of variance")
    _legend(figure, real, "simulated: 10–90 % of scenes (paler: 2–98 %)", "median")
    figure.tight_layout(rect=(0, 0.055, 1, 0.985))
    _save(figure, path)


def radar(simulated: Sequence[View], real: Sequence[View], path: Path) -> bool:
    """VV and VH by class: boxes of scenes' means, marks of real chips; False where nothing is simulated yet."""
    seen = [view for view in simulated if view.s1 is not None]
    if not seen:
        return False
    found = statistics.by_class(seen, [view.s1 for view in seen if view.s1 is not None])
    figure, axes = _plt().subplots(1, 2, figsize=(10, 4.4), sharey=True)
    figure.suptitle(
        "Mean backscatter of each class in a scene", x=0.02, ha="left", fontsize=12, fontweight="bold"
    )
    for band, (panel, name) in enumerate(zip(axes, ("VV", "VH"))):
        for place, value in enumerate(CLASSES):
            if value in found:
                means = found[value][:, 0, band]
                low, first, middle, third, high = np.percentile(means, [2, 10, 50, 90, 98])
                dark = line_color(value) * 0.75
                panel.plot([place, place], [low, high], color=dark, linewidth=1)
                panel.bar(place, third - first, 0.55, first, color=COLORS[value], edgecolor=dark, linewidth=1)
                panel.plot([place - 0.27, place + 0.27], [middle, middle], color=dark, linewidth=2)
            for view in real:
                own = None if view.s1 is None else statistics.class_means(view, view.s1).get(value)
                if own is not None:
                    marker, _, color = MARKS.get(view.name, ("o", "-", INK))
                    panel.plot(
                        place, own[0][band], marker, color=color, markersize=6, markeredgecolor="white"
                    )
        panel.set_xticks(
            range(len(CLASSES)), [CLASS_NAMES[value] for value in CLASSES], rotation=35, ha="right"
        )
        panel.set_title(name, loc="left")
        panel.grid(visible=False, axis="x")
    axes[0].set_ylabel("dB (simulated sigma nought,\nreal gamma nought)")
    _legend(figure, real, "simulated: 10–90 % of scenes (line: 2–98 %)", "median")
    figure.tight_layout(rect=(0, 0.07, 1, 0.985))
    _save(figure, path)
    return True


def _true_color(view: View) -> Any:
    """Red, green, blue from 0 to 0.3, brightened in the dark: one stretch for all scenes."""
    return np.clip(view.s2l2a[[3, 2, 1]].transpose(1, 2, 0) / 0.3, 0, 1) ** (1 / 1.5)


def _land_cover(view: View) -> Any:
    palette = np.array([COLORS[value] for value in range(max(COLORS) + 1)])
    return palette[view.lulc]


def _relief(view: View) -> Any:
    """Shading from the north-west in proportion to the slope; the vertical scale is the same everywhere."""
    dy, dx = np.gradient(view.dem.astype(np.float64), statistics.PIXEL)
    zenith = np.radians(45.0)
    # The sun stands in the north-west; rows run south.
    toward = np.array([-1.0, -1.0]) / np.sqrt(2.0)
    normal = np.stack([-dx, -dy]) * 1.3
    size = np.sqrt(1.0 + (normal**2).sum(axis=0))
    lit = (np.cos(zenith) + np.sin(zenith) * (toward[0] * normal[0] + toward[1] * normal[1])) / size
    return np.repeat(np.clip(lit, 0, 1)[..., None], 3, axis=2)


def _backscatter(view: View) -> Optional[Any]:
    """VV red, VH green, their ratio blue."""
    if view.s1 is None:
        return None
    vv, vh = view.s1[0], view.s1[1]
    bands = ((vv + 22) / 20, (vh + 28) / 20, (vv - vh - 2) / 14)
    return np.clip(np.stack(bands, axis=-1), 0, 1)


def scenes(simulated: Sequence[View], real: Sequence[View], path: Path) -> None:
    """Simulated scenes beside real ones: true colour, land cover, relief, radar."""
    shown = [*simulated[:SHOWN], *real]
    rows = [
        ("true colour", _true_color),
        ("land cover", _land_cover),
        ("relief", _relief),
        ("VV, VH,\nVV/VH", _backscatter),
    ]
    if all(view.s1 is None for view in simulated):
        rows = rows[:3]
    size = (1.32 * len(shown) + 0.45, 1.32 * len(rows) + 0.85)
    figure, axes = _plt().subplots(len(rows), len(shown), figsize=size)
    for column, view in enumerate(shown):
        kind = "simulated" if column < min(SHOWN, len(simulated)) else "real"
        axes[0, column].set_title(f"{kind}\n{view.name}", fontsize=8, fontweight="normal")
        for row, (label, draw) in enumerate(rows):
            panel = axes[row, column]
            picture = draw(view)
            if picture is None:
                panel.axis("off")
                continue
            panel.imshow(picture, interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
            panel.grid(visible=False)
            for spine in panel.spines.values():
                spine.set_visible(kind == "real")
                spine.set_edgecolor("#b2006e")
                spine.set_linewidth(1.5)
            if column == 0:
                panel.set_ylabel(label, fontsize=8)
    _class_legend(figure)
    bottom = 0.42 / size[1]
    figure.subplots_adjust(0.45 / size[0], bottom, 0.998, 1 - 0.4 / size[1], 0.04, 0.04)
    _save(figure, path)


def _class_legend(figure: Any) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=COLORS[value], edgecolor="#888888", linewidth=0.6, label=CLASS_NAMES[value])
        for value in CLASSES
    ]
    figure.legend(handles=handles, loc="lower center", ncol=len(handles), fontsize=7.5, columnspacing=1.1)


def draw_all(simulated: Sequence[View], real: Sequence[View], folder: Path) -> list[str]:
    """Draw every picture into a folder; returns the file names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for name, draw in (
        ("scenes", scenes),
        ("spectra", spectra),
        ("ndvi", ndvi),
        ("spatial", spatial),
        ("radar", radar),
    ):
        path = folder / f"simulator-{name}.png"
        if draw(simulated, real, path) is not False:
            names.append(path.name)
    return names
