# SPDX-License-Identifier: GPL-2.0-or-later
"""From checkpoints to the shipped pack: ``python -m training.make_pack --run training/runs/starter``.

Binds the checkpoints to the starter's skeletons with the ordinary converter, then writes the model card;
with ``--measure`` the figures of :mod:`training.evaluate` are measured with that very pack and go into both.
Needs terrane's environment, not terratorch.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Optional

from .simulate import TRAIN_SEED, UNSEEN_SEED, VERSION
from .starter_model import MAE_FILE, SETTINGS, TARGETS

ROOT = Path(__file__).resolve().parents[1]
PACK = ROOT / "resources" / "starter"

CARD = """# {name}

{notice}.

A small TerraMind ({parameters}; the modules of terratorch, small dimensions) that makes elevation,
land cover and NDVI from Sentinel-2 L2A. It is shipped so that Terrane can be tried and tested with nothing
downloaded. It has never seen a real place: its maps of real scenes are illustrations. For work, convert the
official weights.

- **Input**: Sentinel-2 L2A, 12 bands, reflectance × 10000 without offset, 10 m, tiles of {tile} pixels,
  patches of {patch}.
- **Output**: DEM in metres (diffusion decoder, values within {low:.0f} to {high:.0f} m), land cover in
  ESRI's classes, NDVI.
- **Trained on**: {data}. Scripts: `training/` in Terrane's repository.
- **Licence**: {licence}. No third party's data or weights are in it.

## Measured

Through Terrane's engine, preset {preset}, on {scenes} simulated scenes whose seeds were not trained on;
the rule is a set of thresholds on four spectral indices.

{table}

Land cover is what it is good at, on simulated land. **Elevation is relief only**, about a level of {level:.0f} m that
means nothing: which slopes go up is learned from their shading, how high the place lies cannot be seen. On real
chips all of it is weak, as expected of a model that saw simulated land only.
"""


def card(content: dict[str, Any], figures: Optional[dict[str, Any]]) -> str:
    """Return the model card (README.md) of the pack's manifest and the measured figures."""
    mean, std = TARGETS["DEM"]["mean"][0], TARGETS["DEM"]["std"][0]
    rows = ["Not measured yet."]
    measured = (figures or {}).get("simulated", {})
    if measured:
        rule = measured["spectral rule"]
        rows = ["| | this pack | spectral rule |", "| --- | --- | --- |"]
        for name, value in measured["model"].items():
            if not isinstance(value, dict):
                rows.append(f"| {name} | {value} | {rule.get(name, '–')} |")
    for chip, found in (figures or {}).get("real", {}).items():
        model = found["model"]
        rows.append(
            f"| real chip {chip}: LULC accuracy | {model['LULC accuracy']} | {found['spectral rule']} |"
        )
    return CARD.format(
        name=content["name"],
        notice=content["notice"][0].upper() + content["notice"][1:],
        parameters="dim 128, 5 + 1 blocks",
        tile=content["tile"],
        patch=content["patch"],
        level=mean,
        low=mean - std,
        high=mean + std,
        data=content["training"]["data"],
        licence=content["license"]["spdx"],
        preset=measured.get("preset", "balanced"),
        scenes=measured.get("scenes", 0),
        table="\n".join(rows),
    )


def make_pack(run: Path, out: Path, chips: int) -> None:
    """Convert the checkpoints of a finished run into a pack folder."""
    from terrane.inference.packs.convert import convert_checkpoint

    official = run / "official"
    data = (
        f"{chips} scenes of 2.24 km simulated by the project (simulator version {VERSION}, seeds from "
        f"{TRAIN_SEED}), measured on scenes from seed {UNSEEN_SEED}"
    )
    manifest = {"training": {"data": data, "accuracy": {}}, "notice": SETTINGS["notice"]}
    convert_checkpoint(
        official / MAE_FILE,
        official,
        list(SETTINGS["inputs"]),
        list(SETTINGS["targets"]),
        out,
        manifest=manifest,
        overwrite=True,
    )
    finish(out, None)


def finish(out: Path, figures: Optional[dict[str, Any]]) -> None:
    """Write the model card and, with figures, the accuracy into pack.json."""
    from terrane.inference.packs.manifest import write_pack

    content = json.loads((out / "pack.json").read_text(encoding="utf-8"))
    if figures:
        content["training"]["accuracy"] = figures
    (out / "README.md").write_text(card(content, figures), encoding="utf-8", newline="\n")
    write_pack(out, content)


def main(arguments: Optional[list[str]] = None) -> None:
    """Parse the command line, convert, and measure when asked to."""
    parser = argparse.ArgumentParser(prog="python -m training.make_pack", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("training/runs/starter"))
    parser.add_argument("--out", type=Path, default=PACK)
    parser.add_argument("--chips", type=int, default=1500, help="scenes that were trained on")
    parser.add_argument("--measure", type=int, default=0, help="simulated scenes to measure on")
    chosen = parser.parse_args(arguments)
    make_pack(chosen.run, chosen.out, chosen.chips)
    if chosen.measure:
        import terrane

        from .evaluate import TERRAMESH, evaluate, evaluate_real

        model = terrane.load(chosen.out)
        figures: dict[str, Any] = {"simulated": evaluate(model, chosen.measure, "balanced")}
        if TERRAMESH.is_dir():
            figures["real"] = evaluate_real(model, TERRAMESH, "balanced")
        finish(chosen.out, figures)
        print(json.dumps(figures, indent=2))
    size = sum(path.stat().st_size for path in chosen.out.rglob("*") if path.is_file())
    print(f"{chosen.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
