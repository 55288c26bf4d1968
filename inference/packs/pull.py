# SPDX-License-Identifier: GPL-2.0-or-later
"""From a name like terramind-tiny to a pack: fetch the official files, then convert them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from ..types import Cancel, ProgressCallback
from .bind import Skeleton, load_skeletons
from .convert import convert_checkpoint
from .folder import check_output
from .hub import Fetched, collect, fetch, files_of, size_of
from .manifest import Pack

INPUTS = ("S2L2A",)
TARGETS = ("DEM", "LULC")
"""What a pack takes and makes where the user does not say: the tokenizers of more are gigabytes."""


@dataclass(frozen=True)
class PullRequest:
    """Make a pack of official weights at ``output``."""

    model: str
    """terramind-tiny, -small, -base or -large."""
    output: Union[str, Path]
    inputs: Sequence[str] = INPUTS
    targets: Sequence[str] = TARGETS
    source: Union[str, Path, None] = None
    """A folder that holds the files, for machines without network."""
    torch: bool = False
    overwrite: bool = False
    skeletons: Union[str, Path, None] = None


def pull(
    request: PullRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
) -> Pack:
    """Fetch (or collect) and convert. pack.json records each file's repository, revision and SHA-256.

    The pack appears when it is complete; downloads stay in the hub's cache. Raises what ``fetch``,
    ``collect`` and ``convert_checkpoint`` raise.
    """
    output = Path(request.output)
    check_output(output, request.overwrite)
    size = size_of(request.model)
    files = files_of(size, request.inputs, request.targets)
    if request.source is not None:
        fetched = collect(files, request.source)
    else:
        spare = _pack_bytes(size, request, load_skeletons(request.skeletons))
        fetched = fetch(files, spare=spare, progress=progress, cancel=cancel)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".terrane-pull-", dir=output.parent) as name:
        folder = _together(fetched, Path(name))
        return convert_checkpoint(
            folder / files[0].local_name,
            folder,
            request.inputs,
            request.targets,
            output,
            torch=request.torch,
            skeletons=request.skeletons,
            manifest={"sources": [one.source() for one in fetched]},
            progress=progress,
            cancel=cancel,
            overwrite=request.overwrite,
        )


def _pack_bytes(size: str, request: PullRequest, skeletons: Sequence[Skeleton]) -> int:
    """About how large the pack will be, to look for room before hours of downloading."""
    names = {f"terramind-{size}", *(f"terramind-v1-{target}" for target in request.targets)}
    wanted = [skeleton for skeleton in skeletons if skeleton.path.stem in names]
    return sum(skeleton.size(skeleton.graphs) for skeleton in wanted) * (2 if request.torch else 1)


def _together(fetched: Sequence[Fetched], folder: Path) -> Path:
    """The files side by side under the names that conversion looks for: links, or copies where there are none."""
    for one in fetched:
        place = folder / one.file.local_name
        path = one.path.resolve()
        try:
            os.symlink(path, place)
        except OSError:
            try:
                os.link(path, place)
            except OSError:
                shutil.copyfile(path, place)
    return folder
