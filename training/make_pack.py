# SPDX-License-Identifier: GPL-2.0-or-later
"""From checkpoints to the shipped pack: ``python -m training.make_pack --run training/runs/starter``.

Binds the checkpoints to the starter's skeletons with the ordinary converter, then writes the model card. The
figures in it are those that ``python -m training.evaluate --json`` prints: given as a file, or measured here
with that very pack. Needs terrane's environment, not terratorch.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Optional

from .model_card import card, reaches
from .simulate import TRAIN_SEED, UNSEEN_SEED, VERSION
from .starter_model import COORDS_FILE, MAE_FILE, SETTINGS, write_vocabulary

ROOT = Path(__file__).resolve().parents[1]
PACK = ROOT / "resources" / "starter"
DOCS = ROOT / "docs" / "models.md"
MARKS = ("<!-- starter figures -->", "<!-- end -->")
INPUTS = (*SETTINGS["inputs"], "COORDS")
PASSING = ("pack_sha256", "seconds")
"""What of the figures is true of one run of the evaluation alone."""


def make_pack(run: Path, out: Path) -> None:
    """Convert the checkpoints of a finished run into a pack folder, with the model card yet without figures."""
    from terrane.inference.packs.convert import convert_checkpoint

    official = run / "official"
    if not (official / COORDS_FILE).is_file():
        write_vocabulary(official)
    chips = json.loads((run / "chips" / "set.json").read_text()) if (run / "chips").is_dir() else {}
    data = (
        f"{chips.get('count', 'some')} scenes of 2.24 km simulated by the project (simulator version {VERSION}, "
        f"seeds from {TRAIN_SEED}), measured on scenes from seed {UNSEEN_SEED}"
    )
    convert_checkpoint(
        official / MAE_FILE,
        official,
        list(INPUTS),
        list(SETTINGS["targets"]),
        out,
        manifest={"training": {"data": data, "accuracy": {}}, "notice": SETTINGS["notice"]},
        overwrite=True,
    )
    finish(out, None)


def finish(out: Path, figures: Optional[dict[str, Any]]) -> None:
    """Write the model card and, with figures, the accuracy into pack.json."""
    from terrane.inference.packs.manifest import write_pack

    content = json.loads((out / "pack.json").read_text(encoding="utf-8"))
    if figures is not None:
        kept = {name: value for name, value in figures.items() if name not in PASSING}
        content["training"]["accuracy"] = kept
    (out / "README.md").write_bytes(card(content).encode("utf-8"))
    write_pack(out, content)
    if out.resolve() == PACK:
        fill(DOCS, reaches(content["training"]["accuracy"]))


def fill(page: Path, text: str) -> None:
    """Put ``text`` between the marks of a page of the documentation, instead of what is there."""
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    _, after = rest.split(MARKS[1], 1)
    page.write_bytes(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}".encode())


def pack_bytes(out: Path) -> int:
    """Return the bytes of all files of a pack."""
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def main(arguments: Optional[list[str]] = None) -> None:
    """Parse the command line, convert, and note or measure figures when asked to."""
    parser = argparse.ArgumentParser(prog="python -m training.make_pack", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("training/runs/starter"))
    parser.add_argument("--out", type=Path, default=PACK)
    parser.add_argument("--measure", type=int, default=0, help="simulated scenes to measure on")
    parser.add_argument("--figures", type=Path, help="what training.evaluate --json printed of this pack")
    parser.add_argument("--only-card", action="store_true", help="the pack is there; renew its card alone")
    chosen = parser.parse_args(arguments)
    if not chosen.only_card:
        make_pack(chosen.run, chosen.out)
    if chosen.figures:
        finish(chosen.out, json.loads(chosen.figures.read_text(encoding="utf-8")))
    elif chosen.measure:
        from .evaluate import figures

        found = figures(chosen.out, chosen.measure, run=chosen.run)
        finish(chosen.out, found)
        print(json.dumps(found, indent=2))
    elif chosen.only_card:
        finish(chosen.out, None)
    print(f"{chosen.out}: {pack_bytes(chosen.out) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
