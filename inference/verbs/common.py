# SPDX-License-Identifier: GPL-2.0-or-later
"""What several verbs share: describing a scene on the command line, folders for outputs, JSON."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Optional, Union

from ..console import say
from ..errors import InputError, OutputError
from ..io.base import BandRef


def print_json(envelope: Mapping[str, Any]) -> None:
    """Print the one object that ``--json`` promises."""
    say(json.dumps(envelope, allow_nan=False))


def ids(words: Sequence[str]) -> tuple[str, ...]:
    """Modality ids from "DEM LULC", "dem,lulc" or both."""
    return tuple(part.upper() for word in words for part in word.split(",") if part)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Offer ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def add_scene(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which scene, and how to read it."""
    parser.add_argument(
        "scene", nargs="+", help="a stacked raster, single-band files, a .SAFE folder or zip, a STAC item"
    )
    parser.add_argument("--modality", help="what the scene is (S2L2A, …); recognised where not given")
    parser.add_argument(
        "--bands",
        nargs="+",
        metavar="NAME=BAND",
        help="which band is which: B02=1 B03=2 …, or B02=FILE, or B02=FILE:1",
    )
    parser.add_argument(
        "--boa-offset",
        type=float,
        metavar="N",
        help="added to digital numbers (−1000 for Sentinel-2 since baseline 04.00); read from metadata "
        "where there is any",
    )


def _band_map(pairs: Optional[Sequence[str]]) -> Optional[dict[str, Union[int, BandRef]]]:
    if not pairs:
        return None
    bands: dict[str, Union[int, BandRef]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise InputError(f"--bands takes NAME=BAND, such as B02=1, not {pair!r}.")
        if value.isdigit():
            bands[name.upper()] = int(value)
            continue
        path, colon, index = value.rpartition(":")
        bands[name.upper()] = BandRef(path, int(index)) if colon and index.isdigit() else BandRef(value)
    return bands


def open_scene(arguments: argparse.Namespace) -> Any:
    """The scene that ``add_scene``'s arguments describe. Raises SourceError, BandError."""
    from .. import api

    source = arguments.scene[0] if len(arguments.scene) == 1 else arguments.scene
    return api.open(
        source,
        modality=arguments.modality.upper() if arguments.modality else None,
        bands=_band_map(arguments.bands),
        boa_offset=arguments.boa_offset,
    )


@contextmanager
def output_folder(path: str) -> Iterator[str]:
    """The folder for outputs, made where it is missing; gone again when nothing was put into it."""
    made = []
    folder = os.path.abspath(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        made.append(folder)
        folder = os.path.dirname(folder)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {path} cannot be made ({error.strerror or error}).") from error
    try:
        yield path
    finally:
        for folder in made:
            with suppress(OSError):
                os.rmdir(folder)


def region_of(arguments: argparse.Namespace) -> tuple[Any, Optional[str]]:
    """Polygons of --region and the CRS that they share with --extent."""
    if not arguments.region:
        return None, arguments.extent_crs
    from ..io import default_geo
    from ..tasks.region import parse_geojson, transform_polygons

    try:
        with open(arguments.region, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The region {arguments.region} cannot be read ({error}).") from error
    polygons, crs = parse_geojson(text)
    if not arguments.extent:
        return polygons, crs
    if not arguments.extent_crs:
        raise InputError("With --region, --extent needs its --extent-crs.")
    geo = default_geo()
    goal = geo.parse_crs(arguments.extent_crs)
    return transform_polygons(polygons, geo.parse_crs(crs), goal, geo), arguments.extent_crs
