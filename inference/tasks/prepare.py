# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to a job: everything that can be refused is refused here, before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Optional

from .. import presets, registry
from ..errors import InputError, ModelError
from ..io.base import Geo
from ..io.scene import Scene
from ..modalities import MODALITIES
from ..packs.manifest import Pack
from ..presets import Options, Preset
from .assemble import Product
from .layout import Layout, lay_out
from .outputs import make_products, provenance
from .request import COORDS, GenerateRequest


@dataclass(frozen=True)
class Job:
    """A request that can be carried out."""

    request: GenerateRequest
    pack: Pack
    preset: Preset
    """With the request's options in it."""
    layout: Layout
    products: tuple[Product, ...]
    """The rasters; places (COORDS) are no product."""
    tags: Mapping[str, str]
    """What every output says of how it came to be."""

    @property
    def vectors(self) -> dict[str, int]:
        """Results that are per tile: numbers of each."""
        return {COORDS: 2} if COORDS in self.request.targets else {}


def prepare(request: GenerateRequest, geo: Geo, pack: Optional[Pack] = None, *, verify: bool = True) -> Job:
    """Check a request and lay out its work; reads headers only. Raises InputError and its kinds.

    Outputs are not looked at: a forecast has none yet, and leaves the hashes of weights to the run.
    """
    _check_scenes(request)
    _check_numbers(request)
    options = effective_options(request)
    preset = presets.apply(presets.get(request.preset), options)
    pack = pack or registry.find(request.model, verify=verify)
    _check_targets(request, pack)
    _check_precision(options, pack, request.runtime)
    _check_levels(request)
    layout = lay_out(
        request.scenes,
        pack,
        geo,
        preset=preset,
        extent=request.extent,
        extent_crs=request.extent_crs,
        region=request.region,
        grid=request.grid,
        tile=request.options.tile,
        coords=request.coords,
    )
    tags = provenance(
        pack,
        preset=_preset_words(request.preset, options),
        seed=request.seed,
        plans=[part.plan for part in layout.parts],
        source="; ".join(map(_source_name, request.scenes)),
        targets=request.targets,
        samples=request.samples,
    )
    products = make_products(
        pack, request.targets, tags, samples=request.samples, probability=request.probability
    )
    return Job(request, pack, preset, layout, products, tags)


def effective_options(request: GenerateRequest) -> Options:
    """The request's options; several samples have to be drawn, unless the user chose a sampler."""
    if request.samples > 1 and request.options.sampler is None:
        return replace(request.options, sampler="top_p")
    return request.options


def _check_scenes(request: GenerateRequest) -> None:
    if not request.scenes:
        raise InputError("Name at least one scene.")
    modalities = [scene.modality for scene in request.scenes] + ([COORDS] if request.coords else [])
    for modality in modalities:
        if modalities.count(modality) > 1:
            raise InputError(f"Two scenes are {modality}; give one scene per modality.")
        if modality in request.targets:
            raise InputError(f"{modality} is an input already; leave it out of the targets.")


def _check_numbers(request: GenerateRequest) -> None:
    if request.grid not in ("model", "input"):
        raise InputError(f'The grid must be "model" or "input", not {request.grid!r}.')
    if not 0 <= request.seed < 2**63:
        raise InputError(f"The seed must be a whole number from 0 to 2⁶³ − 1, not {request.seed}.")
    if not 1 <= request.samples <= 1000:
        raise InputError(f"The number of samples must be from 1 to 1000, not {request.samples}.")
    for name, value in (("batch", request.batch), ("threads", request.threads)):
        if value is not None and value < 1:
            raise InputError(f"The number of {name} must be at least 1, not {value}.")


def _check_targets(request: GenerateRequest, pack: Pack) -> None:
    if "generate" not in pack.tasks:
        raise ModelError(f"Model {pack.id} does not generate; it is made for {', '.join(pack.tasks)}.")
    inputs = [scene.modality for scene in request.scenes] + ([COORDS] if request.coords else [])
    for modality in inputs:
        if modality not in pack.inputs:
            raise ModelError(f"Model {pack.id} does not take {modality}; it takes {', '.join(pack.inputs)}.")
    if not request.targets:
        raise InputError(f"Name at least one target: {', '.join(pack.targets)}.")
    for target in request.targets:
        if target not in pack.targets:
            raise ModelError(
                f"Model {pack.id} does not generate {target}; it generates {', '.join(pack.targets)}."
            )
        if request.targets.count(target) > 1:
            raise InputError(f"The target {target} is named more than once.")


def _check_levels(request: GenerateRequest) -> None:
    if request.levels not in ("solved", "tiles"):
        raise InputError(f'The levels must be "solved" or "tiles", not {request.levels!r}.')
    coarse = request.coarse_dem
    if coarse is None:
        return
    if coarse.modality != "DEM":
        raise InputError(f"The coarse elevation model must be DEM; {coarse.name} is {coarse.modality}.")
    if not any(target in MODALITIES and MODALITIES[target].levelled for target in request.targets):
        raise InputError("A coarse elevation model ties generated elevation; add DEM to the targets.")
    if request.levels == "tiles":
        raise InputError("A coarse elevation model ties solved levels; leave the levels at solved.")


def _check_precision(options: Options, pack: Pack, runtime: str) -> None:
    forms = {form for graph in pack.graphs.values() for form in graph.forms}
    if options.precision == "int8" and f"{runtime}-int8" not in forms:
        raise ModelError(
            f"Model {pack.id} holds no int8 graphs; use fp32, or make them: terrane models quantise."
        )


def _preset_words(preset: str, options: Options) -> str:
    """The preset, and the knobs that were turned: "balanced, steps 4"."""
    turned = [f"{name} {value}" for name, value in asdict(options).items() if value is not None]
    return ", ".join([preset, *turned])


def _source_name(scene: Scene) -> str:
    """The source without its folders: provenance, not a map of somebody's disk."""
    return os.path.basename(scene.source.rstrip("/\\")) or scene.name
