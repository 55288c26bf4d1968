# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of targets: what a pack must reach, what it reaches, and whether that is enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

Found = Mapping[str, Any]


def at(found: Any, *path: str) -> Any:
    """Return what lies at a path of nested mappings; None where there is nothing."""
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found


@dataclass(frozen=True)
class Goal:
    """One row: where its figure lies, and what it must be."""

    row: str
    path: tuple[str, ...]
    least: Optional[float] = None
    most: Optional[float] = None
    above: Optional[float] = None
    """More than this, not only as much."""
    beside: Optional[Callable[[Found], str]] = None
    """What stands beside the figure."""

    @property
    def text(self) -> str:
        """The target in words."""
        signs = ((self.least, "≥"), (self.most, "≤"), (self.above, ">"))
        return " ".join(f"{sign} {value:.2f}" for value, sign in signs if value is not None)

    def met(self, value: float) -> bool:
        """Whether a figure is good enough."""
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
        )


def _land_cover(figure: str) -> Callable[[Found], str]:
    def text(found: Found) -> str:
        trip, rule = (at(found, "simulated", kind, figure) for kind in ("round trip", "rule"))
        ceiling = "unknown here" if trip is None else f"{trip:.3f}"
        return f"tokenizer's round trip {ceiling}; rule {rule:.3f}"

    return text


def _tiles(found: Found) -> str:
    dem = found["simulated"]["DEM"]
    scene = dem.get("correlation in a scene, mean")
    within = "" if scene is None else f"; within whole scenes {scene:.3f}"
    return f"{dem['tiles']} tiles with over 1 m (std){within}"


def _steep(found: Found) -> str:
    dem = found["simulated"]["DEM"]
    return f"{dem['tiles over 100 m']} tiles, {dem['share of tiles over 100 m']:.0%} of those above"


def _by_chip(*path: str) -> Callable[[Found], str]:
    def text(found: Found) -> str:
        chips = found["real"]["chips"]
        each = ((name, at(values, *path), at(values, "rule", *path[1:])) for name, values in chips.items())
        return ", ".join(
            f"{name} {value:.3f}" + ("" if rule is None else f" (rule {rule:.3f})")
            for name, value, rule in each
        )

    return text


def _water(found: Found) -> str:
    rule = at(found, "real", "chips", "282D", "rule", "IoU", "water")
    return "" if rule is None else f"rule {rule:.3f}"


GOALS = (
    Goal(
        "simulated: LULC overall accuracy",
        ("simulated", "LULC", "accuracy"),
        least=0.80,
        beside=_land_cover("accuracy"),
    ),
    Goal(
        "simulated: LULC mean IoU",
        ("simulated", "LULC", "mean IoU"),
        least=0.55,
        beside=_land_cover("mean IoU"),
    ),
    Goal("simulated: NDVI mean absolute error", ("simulated", "NDVI", "mean absolute error"), most=0.05),
    Goal(
        "simulated: DEM detail correlation",
        ("simulated", "DEM", "detail correlation"),
        least=0.45,
        beside=_tiles,
    ),
    Goal(
        "simulated: the same where relief exceeds 100 m",
        ("simulated", "DEM", "detail correlation over 100 m"),
        least=0.55,
        beside=_steep,
    ),
    Goal(
        "real 282D: water IoU", ("real", "chips", "282D", "LULC", "IoU", "water"), least=0.60, beside=_water
    ),
    Goal(
        "real: trees + crops + rangeland against the rest, accuracy",
        ("real", "mean", "LULC", "group accuracy"),
        least=0.67,
        beside=_by_chip("LULC", "group accuracy"),
    ),
    Goal(
        "real: nine classes, mean overall accuracy",
        ("real", "mean", "LULC", "accuracy"),
        above=0.50,
        beside=_by_chip("LULC", "accuracy"),
    ),
    Goal(
        "real: NDVI mean absolute error",
        ("real", "mean", "NDVI", "mean absolute error"),
        most=0.08,
        beside=lambda found: ", ".join(
            f"{name} {at(values, 'NDVI', 'mean absolute error'):.3f}"
            for name, values in found["real"]["chips"].items()
        ),
    ),
)
"""What issue 4 asks for, in its order."""


def targets_of(found: Found) -> list[dict[str, Any]]:
    """Return the rows of the table: {row, target, measured, met, beside}; ``met`` is None where not measured."""
    rows: list[dict[str, Any]] = []
    for goal in GOALS:
        value = at(found, *goal.path)
        rows.append(
            {
                "row": goal.row,
                "target": goal.text,
                "measured": value,
                "met": None if value is None else goal.met(value),
                "beside": goal.beside(found) if goal.beside and value is not None else "",
            }
        )
        if goal.path == ("real", "mean", "LULC", "accuracy") and value is not None:
            rule = found["real"]["mean"]["rule"]["accuracy"]
            rows.append(
                {
                    "row": "real: the same, above the rule on spectral indices",
                    "target": f"> {rule:.3f}",
                    "measured": value,
                    "met": value > rule,
                    "beside": f"{value - rule:+.3f}",
                }
            )
    return rows


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are also straight as plain text."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |" for line in lines]


def as_text(found: Found) -> str:
    """Return the whole evaluation for people: Markdown tables."""
    simulated = found["simulated"]
    lines = [
        f"# {found['model']}, preset {found['preset']}",
        "",
        (
            f"{simulated['scenes']} simulated scenes from seed {simulated['first seed']}, which no training saw; "
            f"real chips: {', '.join(at(found, 'real', 'chips') or ()) or 'none'}."
        ),
        "",
        *_goals(found["targets"]),
    ]
    chips = at(found, "real", "chips")
    if chips:
        lines += ["", "## Real chips, one by one", "", *_chips(chips)]
    if simulated.get("LULC"):
        lines += ["", "## Simulated scenes, IoU by class", "", *_classes(simulated)]
    if found.get("others"):
        lines += ["", "## Other inputs", "", *_others(found["others"])]
    return "\n".join(lines)


def _goals(targets: Sequence[Found]) -> list[str]:
    rows, missing = [], []
    for item in targets:
        if item["measured"] is None:
            missing.append(item["row"])
            continue
        verdict = "met" if item["met"] else "NOT MET"
        rows.append((item["row"], item["target"], f"{item['measured']:.3f}", verdict, item["beside"]))
    lines = _table(("", "target", "measured", "", "beside it"), rows)
    if missing:
        lines += [
            "",
            f"Left out, because this pack or these chips have nothing to measure: {'; '.join(missing)}.",
        ]
    return lines


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


def _chips(chips: Found) -> list[str]:
    """A line for each chip: model, rule in brackets, round trip."""
    rows = []
    for name, values in chips.items():
        rule, trip = values.get("rule", {}), values.get("round trip", {})
        cells = [
            f"{_number(at(values, 'LULC', key))} ({_number(rule.get(key))})"
            for key in ("accuracy", "mean IoU", "group accuracy")
        ]
        classes = at(values, "LULC", "IoU") or {}
        iou = ", ".join(
            f"{label} {value:.2f} ({at(rule, 'IoU', label):.2f})"
            for label, value in classes.items()
            if at(rule, "IoU", label) is not None
        )
        ndvi = _number(at(values, "NDVI", "mean absolute error"))
        dem = _number(at(values, "DEM", "detail correlation"))
        rows.append((name, *cells, _number(trip.get("accuracy")), ndvi, dem, iou))
    head = ("chip (in brackets the rule)", "accuracy", "mean IoU", "group accuracy", "round trip accuracy")
    return _table((*head, "NDVI MAE", "DEM detail correlation", "IoU of the classes there"), rows)


def _classes(simulated: Found) -> list[str]:
    rule, trip = at(simulated, "rule", "IoU") or {}, at(simulated, "round trip", "IoU") or {}
    rows = [
        (name, _number(value), _number(trip.get(name)), _number(rule.get(name)))
        for name, value in simulated["LULC"]["IoU"].items()
    ]
    return _table(("class", "model", "round trip", "rule"), rows)


def _others(others: Found) -> list[str]:
    rows = [
        (pair.replace(":", " → "), *(_words(found.get(kind)) for kind in ("simulated", "real")))
        for pair, found in others.items()
    ]
    return _table(("", "simulated", "real"), rows)


def _words(found: Optional[Found]) -> str:
    """The figures of one pair in a few words."""
    if found is None:
        return "–"
    if "accuracy" in found:
        return f"accuracy {found['accuracy']:.3f}, mean IoU {found['mean IoU']:.3f}"
    if "tiles" in found:
        steep = found.get("detail correlation over 100 m")
        return f"detail {_number(found.get('detail correlation'))}, over 100 m {_number(steep)}"
    bands = found.get("bands", {})
    each = ", ".join(f"{name} {value:.2f}" for name, value in bands.items()) if len(bands) == 2 else ""
    return f"MAE {found['mean absolute error']:.3f}" + (f" ({each})" if each else "")
