# SPDX-License-Identifier: GPL-2.0-or-later
"""What the land-cover tokenizer keeps of true maps: the ceiling of every model that answers in its codes.

The tokenizer of a run folder encodes the true land cover of chips and decodes it again, tile by tile. Needs
terratorch and rasterio.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

TARGET = "LULC"
ALIKE = 0.98
"""Part of the pixels: a neighbour in training agrees on 0.90 of them, half precision changes one in thousands."""


def tokenizer_of(run: Path, pack: Any) -> Optional[Any]:
    """Return the trained land-cover tokenizer of a run.

    None where the run or terratorch is not there, or where the pack was not made of this run.
    """
    from .starter_model import build_tokenizer, tokenizer_file

    path = run / "official" / tokenizer_file(TARGET)
    try:
        import terratorch  # noqa: F401
        import torch
    except ImportError:
        return None
    if not path.is_file():
        return None
    tokenizer = build_tokenizer(TARGET).eval()
    try:
        tokenizer.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except RuntimeError:  # other dimensions
        return None
    return tokenizer if belongs(tokenizer, pack) else None


def belongs(tokenizer: Any, pack: Any) -> bool:
    """Whether a pack's decoder is the tokenizer's: both make the same classes of random codes.

    ``ALIKE`` of the pixels must agree, which leaves room for weights that are stored in half precision.
    """
    import torch
    from terrane.inference import presets
    from terrane.inference.tasks.generate import load_engine

    side = pack.tile // pack.patch
    codes = int(np.prod(pack.targets[TARGET].codebook))
    ids = np.random.default_rng(0).integers(0, codes, (1, side * side))
    engine, preset = load_engine(pack, device="cpu"), presets.get("balanced")
    ours = engine.adapter.run(f"decode_{TARGET}", {"ids": ids}, "image", preset, None)["image"]
    with torch.no_grad():
        theirs = tokenizer.decode_tokens(torch.from_numpy(ids.reshape(1, side, side)))
    return bool((ours.argmax(axis=1) == theirs.numpy().argmax(axis=1)).mean() > ALIKE)


def round_trip(tokenizer: Any, covers: NDArray[np.uint8], tile: int) -> NDArray[np.uint8]:
    """Encode and decode land cover (h, w), class indices, in tiles side by side; what is left over is 0.

    As the engine does, the decoder's likeliest class is taken.
    """
    import torch

    out = np.zeros_like(covers)
    places = [
        (slice(row, row + tile), slice(column, column + tile))
        for row in range(0, covers.shape[0] - tile + 1, tile)
        for column in range(0, covers.shape[1] - tile + 1, tile)
    ]
    if not places:
        return out
    batch = torch.from_numpy(np.stack([covers[place] for place in places]).astype(np.int64))
    with torch.no_grad():
        logits = tokenizer(batch)[0]
    for place, decoded in zip(places, logits.argmax(dim=1).numpy()):
        out[place] = decoded
    return out


def measure(tokenizer: Any, files: Sequence[Path], tile: int) -> Any:
    """Return the ``Confusion`` of true and decoded land cover over GeoTIFFs of classes."""
    import rasterio
    from terrane.inference.metrics import Confusion

    confusion = Confusion(10, ignore=0)
    for path in files:
        with rasterio.open(path) as file:
            truth = file.read(1)
        # Class 0 (no data) has no place in the training set; what was not decoded does not count.
        decoded = round_trip(tokenizer, truth, tile)
        confusion.add(np.where(decoded > 0, truth, 0), decoded)
    return confusion
