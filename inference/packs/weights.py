# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds TerraMind's official files in a user's folder: the model, its tokenizers, the words of coordinates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional, Union

from ..coords import load_vocabulary
from ..errors import PackError
from ..text import MAX_BYTES, is_tokenizer

SUFFIXES = (".pt", ".pth", ".ckpt")
COORDS_REPOSITORY = "TerraMind-1.0-Tokenizer-Coords"
"""Where the vocabulary of coordinates comes from; its file is called config.json there."""


def find_model(path: Union[str, Path]) -> Path:
    """A checkpoint: the file itself, or the only ``TerraMind_v1_<size>.pt`` below a folder. Raises PackError."""
    path = Path(path)
    if not path.is_dir():
        return path
    found = [p for p in sorted(path.rglob("TerraMind_v1_*")) if p.suffix in SUFFIXES and p.is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(p.name for p in found)
        raise PackError(f"{path} holds several models ({names}); name the file that you want.")
    raise PackError(f"{path} holds no TerraMind_v1_<size>.pt; put the official file there, or name it.")


def tokenizer_files(folder: Path, modality: str) -> list[Path]:
    """The official file, else every checkpoint below the folder whose name ends in the modality."""
    official = folder / tokenizer_name(modality)
    if official.is_file():
        return [official]
    stem = f"_{modality.lower()}"
    found = (p for p in sorted(folder.rglob("*")) if p.suffix in SUFFIXES and p.stem.lower().endswith(stem))
    return [p for p in found if p.is_file()]


def tokenizer_name(modality: str) -> str:
    """What the official file is called."""
    return f"TerraMind_Tokenizer_{modality}.pt"


def find_tokenizer(folder: Path, modality: str) -> Path:
    """The one tokenizer of a modality. Raises PackError that says what is missing."""
    if not folder.is_dir():
        raise PackError(f"There is no folder {folder} with tokenizers.")
    files = tokenizer_files(folder, modality)
    if len(files) != 1:
        found = "several files end" if files else "no file ends"
        raise PackError(
            f"{folder} has no {tokenizer_name(modality)} ({found} in _{modality.lower()}.pt); put it there."
        )
    return files[0]


def vocabulary_file(folder: Path) -> Optional[Path]:
    """The words of coordinates below a folder, or None: a tokenizer's JSON, one named after them first."""
    if not folder.is_dir():
        return None
    plain = ("config.json", "tokenizer.json")
    files = [
        p
        for p in sorted(folder.rglob("*.json"))
        if p.is_file() and (p.name in plain or "coord" in p.name.lower()) and _is_vocabulary(p)
    ]
    named = [p for p in files if "coord" in p.relative_to(folder).as_posix().lower()]
    return next(iter(named or files), None)


def _is_vocabulary(path: Path) -> bool:
    try:
        if path.stat().st_size > MAX_BYTES:
            return False
        return is_tokenizer(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return False


def find_vocabulary(folder: Path) -> Path:
    """The words of coordinates, checked. Raises PackError."""
    path = vocabulary_file(folder)
    if path is None:
        raise PackError(
            f"{folder} has no vocabulary of coordinates: put config.json of {COORDS_REPOSITORY} there."
        )
    load_vocabulary(path)
    return path
