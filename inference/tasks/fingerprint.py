# SPDX-License-Identifier: GPL-2.0-or-later
"""What decides the bytes of a result, in words: an interrupted run is resumed by its equal only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from ..io.scene import Scene
from .assemble import Product
from .layout import Layout


def fingerprint_of(layout: Layout, products: Sequence[Product], seed: int) -> dict[str, str]:
    """What decides the bytes of the results of any task, in words."""
    return {
        "scene": _digest([layout.coords, *(scene_stamp(scene) for scene in layout.scenes)]),
        "extent": _digest((layout.region, layout.region_crs, [part.grid for part in layout.parts])),
        "grid": _digest(layout.warp_to),
        "tiles": "; ".join(str(part.plan) for part in layout.parts),
        "seed": str(seed),
        "products": _digest([(p.id, p.source, p.channels, p.scale, p.form, p.spec) for p in products]),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def scene_stamp(scene: Scene) -> str:
    """What a scene is, and the size and time of its files: it tells whether these have changed."""
    return repr((scene, [_stamp(path) for path in paths_of(scene)]))


def paths_of(scene: Scene) -> list[str]:
    """The names that a scene's pixels come from, each once."""
    return list(dict.fromkeys((scene.source, *(band.ref.path for band in scene.bands))))


def _stamp(path: str) -> tuple[int, int]:
    """Size and time of change of a file, or of the archive that GDAL finds it in; zeros where unknown."""
    for prefix in ("/vsizip/", "/vsitar/", "/vsigzip/"):
        path = path[len(prefix) :] if path.startswith(prefix) else path
    while path and path != os.path.dirname(path):
        if os.path.isfile(path):
            status = os.stat(path)
            return status.st_size, status.st_mtime_ns
        if os.path.isdir(path):
            break
        path = os.path.dirname(path)
    return 0, 0
