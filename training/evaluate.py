# SPDX-License-Identifier: GPL-2.0-or-later
"""What a pack must reach, in one table: ``python -m training.evaluate --model starter``.

Unseen simulated scenes are written as a folder in TerraMesh's layout and go through ``terrane evaluate``
like the real chips do. Beside the model stand a rule on four spectral indices and, where terratorch and the
run are there (else as make_pack noted it), the round trip of the land-cover tokenizer. Needs terrane's
environment (rasterio, onnxruntime).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from .chip_folder import write_chip, write_unseen
from .evaluate_table import as_text, targets_of
from .rule import spectral_rule
from .simulate import UNSEEN_SEED
from .spectra import CLASS_NAMES, CROPS, RANGE, TREES

__all__ = ["TERRAMESH", "figures", "generate", "main", "spectral_rule", "write_chip"]

TERRAMESH = Path(__file__).resolve().parents[2] / "shared" / "data" / "terramesh"
RUN = Path(__file__).resolve().parent / "runs" / "starter"
GREEN = (TREES, CROPS, RANGE)
"""The classes that are also counted as one."""

MAIN = ("S2L2A:LULC", "S2L2A:NDVI", "S2L2A:DEM")
OTHERS = (
    *("S2L1C:LULC", "RGB:LULC", "S1GRD:LULC", "DEM:LULC", "S2L2A+S1GRD:LULC", "S2L2A+COORDS:LULC"),
    *("S2L1C:NDVI", "RGB:NDVI", "S1GRD:NDVI", "S2L1C:DEM", "RGB:DEM", "S1GRD:DEM", "S2L2A+S1GRD:DEM"),
    *("S2L2A:S1GRD", "S2L1C:S1GRD", "S1GRD:S2L2A", "S2L1C:S2L2A", "RGB:S2L2A"),
)


@dataclass(frozen=True)
class Settings:
    """How a pack is measured."""

    model: str
    """Its id or path."""
    count: int = 60
    """Simulated scenes."""
    others: int = 0
    """Simulated scenes for the other input sets; none of these where it is 0."""
    preset: str = "balanced"
    terramesh: Optional[Path] = TERRAMESH
    chips: tuple[str, ...] = ()
    """Real chips by the start of their names; all where empty."""
    run: Path = RUN
    """Where the tokenizer is, for its round trip."""
    threads: Optional[int] = None


def figures(model: Any, count: int = 60, **options: Any) -> dict[str, Any]:
    """Return all figures of a pack (id, path, or a loaded model): "simulated", "real", "others", "targets".

    ``options`` are the other fields of ``Settings``. Figures that the pack or the chips cannot give are
    absent. "targets" is a list of {row, target, measured, met, beside}.
    """
    where = str(getattr(getattr(model, "pack", None), "root", model))
    return measure(Settings(where, count, **options))


def measure(settings: Settings) -> dict[str, Any]:
    """Return all figures; see ``figures``."""
    from terrane.inference import registry

    pack = registry.find(settings.model)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="terrane-evaluate-") as name:
        folder = Path(name)
        found: dict[str, Any] = {"model": pack.id, "pack_sha256": pack.hash, "preset": settings.preset}
        unseen = folder / "unseen"
        write_unseen(unseen, range(UNSEEN_SEED, UNSEEN_SEED + settings.count))
        found["simulated"] = {
            "scenes": settings.count,
            "first seed": UNSEEN_SEED,
            **_overall(unseen, MAIN, settings, pack),
        }
        real = _real_folder(folder / "real", settings)
        if real is not None:
            found["real"] = _each(real, settings, pack)
        if settings.others:
            found["others"] = _others(unseen, real, settings, pack)
    found["targets"] = targets_of(found)
    found["seconds"] = round(time.perf_counter() - began)
    return found


def _real_folder(out: Path, settings: Settings) -> Optional[Path]:
    """Copy the real chips that are asked for; None where there is none."""
    root = settings.terramesh
    if root is None or not root.is_dir():
        return None
    for path in sorted(root.glob("*/*.tif")):
        if not settings.chips or path.stem.startswith(settings.chips):
            (out / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / path.parent.name / path.name)
    return out if out.is_dir() else None


def run_pairs(folder: Path, pairs: Sequence[str], settings: Settings, limit: Optional[int] = None) -> Any:
    """Return the report's pairs by name, of those that the pack and the folder have: ``terrane evaluate``."""
    from terrane.inference import registry
    from terrane.inference.console import ProgressLine
    from terrane.inference.errors import TerraneError
    from terrane.inference.tasks.chips import find_chips, parse_pairs
    from terrane.inference.tasks.evaluate import EvaluateRequest, evaluate
    from terrane.inference.tasks.generate import load_engine

    pack, files = registry.find(settings.model), find_chips(str(folder)).files
    engine = load_engine(pack, threads=settings.threads)
    chosen = []
    for pair in parse_pairs(",".join(pairs)):
        try:
            engine.adapter.check(pair.inputs, (pair.target,))
        except TerraneError:
            continue
        if {*pair.images, pair.target} <= set(files):
            chosen.append(pair)
    if not chosen:
        return {}
    request = EvaluateRequest(
        chips=str(folder),
        output=str(folder.parent / "report"),
        model=settings.model,
        pairs=tuple(chosen),
        preset=settings.preset,
        limit=limit,
        pictures=False,
        overwrite=True,
        threads=settings.threads,
    )
    line = ProgressLine(sys.stderr, "comparison")
    try:
        report = evaluate(request, engine=engine, progress=line).report
    finally:
        line.close()
    return {f"{'+'.join(found['inputs'])}:{found['target']}": found for found in report["pairs"]}


def _short(target: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a target that are kept, three digits each."""
    if target == "LULC":
        picked = {
            "accuracy": found["accuracy"],
            "mean IoU": found["mean_iou"],
            "group accuracy": found["groups"]["trees + crops + rangeland"],
            "IoU": {name.lower(): value for name, value in found["iou"].items()},
        }
    elif target == "DEM":
        tiles, about = found["tiles"], found["about_mean"]
        picked = {
            "detail correlation": tiles.get("correlation"),
            "tiles": tiles["count"],
            "detail correlation over 100 m": tiles.get("correlation_over_relief"),
            "tiles over 100 m": tiles["count_over_relief"],
            "share of tiles over 100 m": tiles["count_over_relief"] / max(1, tiles["count"]),
            "correlation in the whole scene": about.get("correlation"),
            "RMSE about the mean, m": about.get("rmse"),
            "RMSE of a flat surface, m": about.get("flat_rmse"),
        }
    else:
        picked = {"mean absolute error": found["mae"], "SSIM": found.get("ssim")}
        if "bands" in found:
            picked["bands"] = {name: band["mae"] for name, band in found["bands"].items()}
    return _rounded({key: value for key, value in picked.items() if value is not None})


def _rounded(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value)
        if isinstance(value, Mapping)
        else round(value, 3)
        if value is not None
        else value
        for key, value in found.items()
    }


def _overall(folder: Path, pairs: Sequence[str], settings: Settings, pack: Any) -> dict[str, Any]:
    """The figures over all chips of a folder, by target, with the rule's and the tokenizer's round trip."""
    found: dict[str, Any] = {}
    for pair in run_pairs(folder, pairs, settings).values():
        target = pair["target"]
        found[target] = _short(target, pair["overall"])
        if target == "DEM":
            scenes = [chip["about_mean"].get("correlation") for chip in pair["chips"].values()]
            known = [value for value in scenes if value is not None]
            if known:
                found[target]["correlation in a scene, mean"] = round(sum(known) / len(known), 3)
    if "LULC" in found:
        covers = sorted((folder / "LULC").glob("*.tif"))
        found["rule"] = rule_figures(folder, [path.stem for path in covers])
        trip = _trip(covers, settings, pack) or _noted(pack, "simulated")
        if trip:
            found["round trip"] = trip
    return found


def _each(folder: Path, settings: Settings, pack: Any) -> dict[str, Any]:
    """The figures of each real chip, and under "mean" their means over the chips."""
    found: dict[str, dict[str, Any]] = {}
    for pair in run_pairs(folder, MAIN, settings).values():
        for chip, values in pair["chips"].items():
            found.setdefault(chip, {})[pair["target"]] = _short(pair["target"], values)
    out: dict[str, Any] = {}
    for chip, values in found.items():
        name = chip.split("_")[0]
        if "LULC" in values:
            values["rule"] = rule_figures(folder, [chip])
            trip = _trip([folder / "LULC" / f"{chip}.tif"], settings, pack) or _noted(pack, "real", name)
            if trip:
                values["round trip"] = trip
        out[name if name not in out else chip] = values
    return {"chips": out, "mean": _means(list(out.values()))}


def _means(chips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over chips of every figure that is one number and that all of them have."""
    if not chips:
        return {}
    means: dict[str, Any] = {}
    for key, first in chips[0].items():
        values = [chip.get(key) for chip in chips]
        if isinstance(first, Mapping):
            if key != "IoU":
                means[key] = _means([value for value in values if isinstance(value, Mapping)])
        elif all(isinstance(value, (int, float)) for value in values):
            means[key] = round(sum(float(value or 0.0) for value in values) / len(values), 3)
    return means


def _others(unseen: Path, real: Optional[Path], settings: Settings, pack: Any) -> dict[str, Any]:
    """Other input sets: by pair, what they reach on simulated and on real chips."""
    del pack
    found: dict[str, Any] = {}
    for name, folder, limit in (("simulated", unseen, settings.others), ("real", real, None)):
        if folder is None:
            continue
        for key, pair in run_pairs(folder, OTHERS, settings, limit).items():
            found.setdefault(key, {})[name] = _short(pair["target"], pair["overall"])
    return found


def rule_figures(folder: Path, chips: Sequence[str]) -> dict[str, Any]:
    """What the spectral rule reaches on chips of a folder in TerraMesh's layout."""
    import rasterio
    from terrane.inference.metrics import Confusion

    confusion = Confusion(10, ignore=0)
    for chip in chips:
        with rasterio.open(folder / "S2L2A" / f"{chip}.tif") as file:
            image = file.read()
        with rasterio.open(folder / "LULC" / f"{chip}.tif") as file:
            confusion.add(file.read(1), spectral_rule(image))
    return class_figures(confusion)


def class_figures(confusion: Any) -> dict[str, Any]:
    """The figures of a ``Confusion`` under the names of this module."""
    iou = confusion.iou
    return _rounded(
        {
            "accuracy": confusion.accuracy,
            "mean IoU": confusion.mean_iou,
            "group accuracy": confusion.grouped(GREEN),
            "IoU": {CLASS_NAMES[value]: iou[value] for value in confusion.present},
        }
    )


def _trip(covers: Sequence[Path], settings: Settings, pack: Any) -> dict[str, Any]:
    """The tokenizer's round trip of land-cover files; empty where it cannot be made here."""
    from .round_trip import measure as measured
    from .round_trip import tokenizer_of

    tokenizer = tokenizer_of(settings.run, pack)
    return {} if tokenizer is None else class_figures(measured(tokenizer, covers, pack.tile))


def _noted(pack: Any, kind: str, chip: str = "") -> dict[str, Any]:
    """The round trip that make_pack measured, from pack.json; empty where it holds none."""
    content = json.loads((Path(pack.root) / "pack.json").read_text(encoding="utf-8"))
    found = content.get("training", {}).get("accuracy", {}).get(kind, {})
    if chip:
        found = found.get("chips", {}).get(chip, {})
    trip: dict[str, Any] = found.get("round trip", {})
    return trip


def generate(model: Any, path: Path, targets: Sequence[str], preset: str) -> dict[str, Any]:
    """Return what a loaded model makes of a Sentinel-2 L2A file without offset, (h, w) arrays by target."""
    import terrane

    scene = terrane.open(path, modality="S2L2A", boa_offset=0.0)
    made = model.generate(scene, to=list(targets), preset=preset)
    return {target: raster.read()[0] for target, raster in made.items()}


def main(arguments: Optional[list[str]] = None) -> int:
    """Parse the command line, measure, and print the table or everything as JSON."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--model", default="starter", help="id or path of a pack")
    parser.add_argument("--count", type=int, default=60, help="simulated scenes")
    parser.add_argument(
        "--others", type=int, default=20, help="scenes for other input sets; 0: leave them out"
    )
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--terramesh", type=Path, default=TERRAMESH, help="real chips in TerraMesh's layout")
    parser.add_argument(
        "--chips", default="", help="real chips by the start of their names, such as 282D,38D"
    )
    parser.add_argument("--run", type=Path, default=RUN, help="run whose tokenizer makes the round trip")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    chosen = parser.parse_args(arguments)
    found = measure(
        Settings(
            model=chosen.model,
            count=chosen.count,
            others=min(chosen.others, chosen.count),
            preset=chosen.preset,
            terramesh=chosen.terramesh,
            chips=tuple(filter(None, chosen.chips.split(","))),
            run=chosen.run,
            threads=chosen.threads,
        )
    )
    print(json.dumps(found, indent=2) if chosen.json else as_text(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
