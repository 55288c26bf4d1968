# SPDX-License-Identifier: GPL-2.0-or-later
"""The starter's model card (README.md of its pack), from pack.json alone. Needs nothing but Python.

Figures are those under ``training.accuracy``, as ``training.evaluate`` gives them; what is not among them is
left out of the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

CARD = """# {name}

{notice}.

## What it is

A small TerraMind: terratorch's own modules with dimension {dim}, five encoder blocks and one decoder block, run
by the same code as the official weights. It is shipped so that Terrane can be tried and tested with nothing
downloaded. It has never seen a real place. For work, use the official weights.

## Inputs

{inputs}

Any of them alone or together, at {gsd:g} m, in tiles of {tile} pixels and patches of {patch}. Sentinel-2 values
come without the offset of processing baselines since 04.00.

## Outputs

{outputs}
{chain}
**Elevation is relief only**, within {low:.0f} to {high:.0f} m of a level that means nothing: slopes are learned
from their shading, how high a place lies cannot be seen in its image.

## Trained on

{data}.

No image, map or height of a real place went into training. Two real chips, 282D and 38D, were compared with the
simulator's statistics; nothing was fitted to them, and 637U was not looked at. Scripts: `training/` in Terrane's
repository.

## What it reaches

{reaches}

## What it is not for

Not for maps that anyone relies on. Simulated land is tidier than real land: where a real scene looks unlike it,
clouds and their shadows, flooded vegetation, unusual crops, towns seen by radar, the output is wrong without
saying so. It gives no heights above the sea. Radar made from optical images, and images made from radar, are
illustrations of what such a model does.

## Licence

{licence}. No third party's data or weights are in it.
"""

NAMES: Mapping[str, str] = {
    "S2L2A": "Sentinel-2 L2A",
    "S2L1C": "Sentinel-2 L1C",
    "RGB": "Colour image (RGB)",
    "S1GRD": "Sentinel-1 GRD, sigma nought",
    "DEM": "Elevation",
    "LULC": "Land cover in ESRI's classes",
    "NDVI": "NDVI",
    "COORDS": "Coordinates of the tile, to 0.25",
}

#: Row of the table, unit, and where its figure lies below a set of chips (``training.evaluate``).
ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("land cover: overall accuracy", ("LULC", "accuracy")),
    ("land cover: mean IoU", ("LULC", "mean IoU")),
    ("land cover: trees, crops and rangeland as one, accuracy", ("LULC", "group accuracy")),
    ("NDVI: mean absolute error", ("NDVI", "mean absolute error")),
    ("elevation: correlation of detail, tiles with relief", ("DEM", "detail correlation")),
    ("elevation: the same where relief exceeds 100 m", ("DEM", "detail correlation over 100 m")),
)


def at(found: Any, *path: str) -> Any:
    """Return what lies at a path of nested mappings; None where there is nothing."""
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def card(content: Mapping[str, Any]) -> str:
    """Return the model card of a pack's manifest, Markdown."""
    level, spread = (content["targets"]["DEM"][name][0] for name in ("mean", "std"))
    notice = content.get("notice") or content["name"]
    chain = ""
    if content.get("chain"):
        chain = "\nSeveral at once are made one after the other, each from the inputs and those before it.\n"
    return CARD.format(
        name=content["name"],
        notice=notice[0].upper() + notice[1:],
        dim=content.get("dim", 128),
        gsd=content["gsd"],
        tile=content["tile"],
        patch=content["patch"],
        inputs=_list(content["inputs"]),
        outputs=_list(content["targets"]),
        chain=chain,
        low=level - spread,
        high=level + spread,
        data=at(content, "training", "data") or "scenes simulated by the project",
        reaches=reaches(at(content, "training", "accuracy")),
        licence=content["license"]["spdx"],
    )


def _list(specs: Mapping[str, Any]) -> str:
    """One line each; pack.json has them by the alphabet."""
    order = [*(name for name in NAMES if name in specs), *(name for name in specs if name not in NAMES)]
    return "\n".join(_listed(name, specs[name]) for name in order)


def _listed(name: str, spec: Mapping[str, Any]) -> str:
    unit = spec.get("unit", "")
    bands = len(spec.get("bands", ()))
    words = [NAMES.get(name, name)]
    if bands > 2:
        words.append(f"{bands} bands")
    elif bands == 2 and name != "COORDS":
        words.append(" and ".join(spec["bands"]))
    if unit not in ("", "class"):
        words.append("m" if unit == "m" else unit)
    if spec.get("decoder") == "diffusion":
        words.append("by diffusion")
    return f"- **{name}**: {', '.join(words)}"


def reaches(figures: Any) -> str:
    """Return what was measured as Markdown, from Sentinel-2 L2A; one sentence where nothing was."""
    parts = []
    simulated = at(figures, "simulated")
    if simulated:
        count, seed = at(simulated, "scenes"), at(simulated, "first seed")
        parts.append(
            f"From Sentinel-2 L2A, through Terrane's engine, preset {at(figures, 'preset') or 'balanced'}, on "
            f"{count or 'some'} simulated scenes{f' from seed {seed}' if seed else ''} that no training saw. The "
            "round trip is what the land-cover tokenizer keeps of true maps, which no model can surpass; the rule "
            "is a set of thresholds on four spectral indices."
        )
        parts.append(_table(simulated))
    chips = at(figures, "real", "chips")
    if isinstance(chips, Mapping) and chips:
        parts.append("On real chips of TerraMesh, which the model never saw:")
        parts.append(_chips(chips))
    others = at(figures, "others")
    if isinstance(others, Mapping) and others:
        parts.append("From other inputs:")
        parts.append(_others(others))
    return "\n\n".join(parts) if parts else "Not measured yet."


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) else "–"


def _table(found: Mapping[str, Any]) -> str:
    rows = []
    for label, path in ROWS:
        value = at(found, *path)
        if value is None:
            continue
        beside = [
            at(found, name, *path[1:]) if path[0] == "LULC" else None for name in ("round trip", "rule")
        ]
        rows.append((label, *(_number(number) for number in (value, *beside))))
    return _markdown(("", "this model", "tokenizer's round trip", "rule"), rows)


def _chips(chips: Mapping[str, Any]) -> str:
    rows = []
    for name, values in chips.items():
        covers = (at(values, *path) for path in (("LULC", "accuracy"), ("round trip", "accuracy")))
        rest = (
            ("rule", "accuracy"),
            ("NDVI", "mean absolute error"),
            ("DEM", "detail correlation"),
        )
        rows.append((name, *(_number(v) for v in (*covers, *(at(values, *path) for path in rest)))))
    head = ("chip", "land cover: accuracy", "round trip", "rule", "NDVI: error", "elevation: detail")
    return _markdown(head, rows)


def _others(others: Mapping[str, Any]) -> str:
    rows = []
    for pair, found in others.items():
        figures = tuple(_one(at(found, kind)) for kind in ("simulated", "real"))
        rows.append((str(pair).replace(":", " → "), *figures))
    return _markdown(("", "simulated", "real"), rows)


def _one(found: Optional[Any]) -> str:
    """The one figure that says most about a pair."""
    for key, label in (
        ("accuracy", "accuracy"),
        ("detail correlation", "detail"),
        ("mean absolute error", "error"),
    ):
        value = at(found, key)
        if value is not None:
            return f"{label} {_number(value)}"
    return "–"
