# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the weightless skeletons in ``resources/skeletons``, once, with terratorch.

``python -m training.export.make_skeletons [NAME …]`` in an environment with terratorch and onnx; names are
``terramind-tiny`` … ``terramind-large``, ``starter`` and ``terramind-v1-<MODALITY>``. Deterministic: the
same terratorch and torch write the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Callable

from . import official
from .graphs import decoder_graph, mae_graphs, tokenize_graph
from .skeleton import depths, export, write

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "resources" / "skeletons"
TOKENIZERS = "terramind-v1"


def write_mae(
    path: Path,
    mae: Any,
    bind: dict[str, Any],
    keys: dict[str, dict[str, str]],
    storage: str,
    *,
    one_grid: bool = False,
) -> None:
    """One masked autoencoder. ``keys``: modality → embedding, under ``images``, ``ids``, ``targets``, ``words``."""
    sources = mae_graphs(
        mae,
        keys["images"],
        keys["ids"],
        keys["targets"],
        keys.get("words"),
        tile=bind["tile"],
        patch=bind["patch"],
    )
    blocks = depths(mae.state_dict())
    bind = {"kind": "mae", **bind, "blocks": blocks}
    write(path, [export(s) for s in sources], bind, storage=storage, one_grid=one_grid)


def write_tokenizer(
    path: Path, tokenizer: Any, bind: dict[str, Any], tile: int, storage: str, *, encoder: bool = True
) -> None:
    """One tokenizer's decoder and, where it was trained for inputs too, its encoder."""
    sources = [decoder_graph(tokenizer, bind["modality"], tile=tile)]
    if encoder:
        sources.append(tokenize_graph(tokenizer, bind["modality"], tile=tile))
    write(path, [export(source) for source in sources], {"kind": "tokenizer", **bind}, storage=storage)


def official_mae(size: str, path: Path) -> None:
    """``TerraMind_v1_<size>.pt``."""
    mae = official.build_mae(size)
    bind = {
        "tokenizers": TOKENIZERS,
        "pack": {
            "id": f"terramind-{size}",
            "name": f"TerraMind {size}",
            "family": "terramind",
            "size": size,
            "version": "1.0.0",
            "gsd": official.GSD,
            "license": {"spdx": "Apache-2.0", "forbids": ""},
            "training": {"data": "TerraMesh (arXiv 2504.11172)", "accuracy": {}},
        },
        "tile": official.TILE,
        "patch": official.PATCH,
        "dim": int(mae.dim),
        "inputs": {
            m: official.input_spec(m) for m in (*official.IMAGES, *official.TOKENISED, *official.WORDS)
        },
        "targets": {modality: official.word_spec(modality) for modality in official.WORDS},
    }
    keys = {
        "images": official.IMAGES,
        "ids": official.TARGETS,
        "targets": official.TARGETS,
        "words": official.WORDS,
    }
    write_mae(path, mae, bind, keys, "float32")


def official_tokenizer(modality: str, path: Path) -> None:
    """``TerraMind_Tokenizer_<modality>.pt``, its decoder and encoder."""
    tokenizer = official.build_tokenizer(modality)
    spec = official.target_spec(modality, tokenizer)
    bind = {"set": TOKENIZERS, "modality": modality, "target": spec}
    write_tokenizer(path, tokenizer, bind, official.TILE, "float32")


def starter_mae(path: Path) -> None:
    """The project's own small model."""
    from .. import starter_model as starter

    settings = starter.SETTINGS
    mae = starter.build_mae().eval()
    bind = {
        "tokenizers": settings["id"],
        "pack": {
            "id": settings["id"],
            "name": settings["name"],
            "family": "terramind",
            "size": settings["size"],
            "version": settings.get("version", "1.0.0"),
            "gsd": settings["gsd"],
            "notice": settings["notice"],
            "synthetic": True,
            "license": settings.get("license", {"spdx": "GPL-2.0-or-later", "forbids": ""}),
            "training": {"data": "scenes simulated by the project", "accuracy": {}},
        },
        "tile": settings["tile"],
        "patch": settings["patch"],
        "dim": int(mae.dim),
        "inputs": {
            name: {k: _plain(v) for k, v in spec.items() if k not in ("key", "length")}
            for name, spec in (*settings["inputs"].items(), ("COORDS", settings["coords"]))
        },
    }
    targets = {name: spec["key"] for name, spec in settings["targets"].items()}
    images = {name: spec["key"] for name, spec in settings["inputs"].items()}
    words = {"COORDS": settings["coords"]["key"]}
    keys = {"images": images, "ids": targets, "targets": targets, "words": words}
    write_mae(path, mae, bind, keys, "float16", one_grid=True)


def starter_tokenizer(modality: str, path: Path) -> None:
    """The decoder of one of the starter's tokenizers."""
    from .. import starter_model as starter

    tokenizer = starter.build_tokenizer(modality).eval()
    fields = ("unit", "mean", "std", "decoder", "codebook", "clamp", "logits", "diffusion", "note")
    given = starter.TARGETS[modality]
    spec = {name: _plain(given[name]) for name in fields if name in given}
    spec["bands"] = list(official.BANDS[modality])
    bind = {"set": starter.SETTINGS["id"], "modality": modality, "target": spec}
    # The starter takes images alone: its tokenizers' encoders are not needed.
    write_tokenizer(path, tokenizer, bind, starter.SETTINGS["tile"], "float16", encoder=False)


def _plain(value: Any) -> Any:
    """JSON's kinds of it."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if hasattr(value, "items") else value


def recipes() -> dict[str, Callable[[Path], None]]:
    """Every skeleton's name, and what writes it."""
    from .. import starter_model as starter

    found: dict[str, Callable[[Path], None]] = {"starter": starter_mae}
    for modality in starter.TARGETS:
        found[f"starter-{modality}"] = lambda path, m=modality: starter_tokenizer(m, path)  # type: ignore[misc]
    for size in official.SIZES:
        found[f"terramind-{size}"] = lambda path, s=size: official_mae(s, path)  # type: ignore[misc]
    for modality in official.TARGETS:
        name = f"{TOKENIZERS}-{modality}"
        found[name] = lambda path, m=modality: official_tokenizer(m, path)  # type: ignore[misc]
    return found


def main(arguments: list[str]) -> int:
    """Write the named skeletons, or all of them."""
    known = recipes()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; default: all")
    parser.add_argument("--to", type=Path, default=FOLDER)
    given = parser.parse_args(arguments)
    for name in given.names or known:
        if name not in known:
            parser.error(f"no skeleton {name}; there are {', '.join(known)}")
        began = time.monotonic()
        path = given.to / f"{name}.zip"
        with official.uninitialised():
            known[name](path)
        print(
            f"{path.name}  {path.stat().st_size / 1024:.0f} KB  {time.monotonic() - began:.1f} s", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
