# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a model pack of checkpoints in TerraMind's official layout, with numpy alone, in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Union

from ..errors import ModelError, PackError
from ..modalities import MODALITIES
from ..types import Cancel, Progress, ProgressCallback
from .bind import Skeleton, load_skeletons, write_graphs
from .checkpoint import Checkpoint, load_checkpoint
from .folder import check_output, whole_folder, write_texts
from .manifest import Pack, write_pack
from .torch_form import FOLDER as TORCH
from .torch_form import torch_bytes, write_torch_graph
from .weights import find_model, find_tokenizer, find_vocabulary, tokenizer_files, vocabulary_file

GRAPHS = "graphs"
COORDS = "COORDS"
VOCABULARY = "coords.json"
"""The words of coordinates in a pack."""


@dataclass(frozen=True)
class _Part:
    """A skeleton, the state dict that fits it, and the graphs to take."""

    skeleton: Skeleton
    state: Checkpoint
    graphs: tuple[str, ...]


@dataclass(frozen=True)
class _Wanted:
    """What a pack is to take and make."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]


def convert_checkpoint(
    checkpoint: Union[str, Path],
    tokenizers_dir: Union[str, Path, None],
    inputs: Sequence[str],
    targets: Sequence[str],
    output: Union[str, Path],
    *,
    name: Optional[str] = None,
    skeletons: Union[str, Path, None] = None,
    torch: bool = False,
    manifest: Optional[Mapping[str, Any]] = None,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    overwrite: bool = False,
) -> Pack:
    """Bind ``TerraMind_v1_<size>.pt`` and its tokenizers to the graph skeletons and write a pack folder.

    checkpoint: the file, or a folder that holds one. The size is told from the tensors' shapes.
    tokenizers_dir: holds ``TerraMind_Tokenizer_<modality>.pt`` files, and for COORDS the vocabulary; None:
    the checkpoint's folder. inputs (S2L2A, …, COORDS) and targets (DEM, LULC, …): only what they need is
    read and written; empty: everything that the files there allow. ``manifest`` adds to or replaces
    top-level entries of pack.json. ``torch`` adds the torch form of every graph.

    The folder appears when it is complete, or not at all. Raises PackError (a file that is missing, damaged,
    hostile, or does not fit: with the tensor's name and shapes), ModelError (a modality that no skeleton
    has), OutputError, DiskFull, Cancelled.
    """
    output = Path(output)
    check_output(output, overwrite)
    known = load_skeletons(skeletons)
    file = find_model(checkpoint)
    place = Path(tokenizers_dir) if tokenizers_dir is not None else file.parent
    mae, wanted = _mae_part(known, load_checkpoint(file), place, inputs, targets)
    tokenizers = _tokenizer_parts(known, mae.skeleton, place, wanted)
    words = find_vocabulary(place) if COORDS in (*wanted.inputs, *wanted.targets) else None
    parts = [mae, *tokenizers.values()]
    total = sum(part.skeleton.size(part.graphs) for part in parts)
    if torch:
        total += sum(torch_bytes(part.skeleton, part.graphs) for part in parts)
    with whole_folder(output, total) as folder:
        _write_parts(parts, folder, total, torch=torch, progress=progress, cancel=cancel)
        content = _manifest(mae, tokenizers, wanted, name, torch=torch)
        if words is not None:
            (folder / VOCABULARY).write_bytes(words.read_bytes())
            content["vocabulary"] = VOCABULARY
        content.update(manifest or {})
        write_texts(folder, content)
        pack = write_pack(folder, content)
    return replace(pack, root=output)


def _write_parts(
    parts: Sequence[_Part],
    folder: Path,
    total: int,
    *,
    torch: bool,
    progress: Optional[ProgressCallback],
    cancel: Optional[Cancel],
) -> None:
    """Graphs and weights of every part, with progress by bytes out of ``total``."""
    done = 0

    def written(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(Progress(done, max(total, done), message="Writing weights"))

    for form in (GRAPHS, TORCH) if torch else (GRAPHS,):
        (folder / form).mkdir()
    for part in parts:
        write_graphs(part.skeleton, part.state, part.graphs, folder / GRAPHS, written=written, cancel=cancel)
        for graph in part.graphs if torch else ():
            path = folder / TORCH / f"{graph}.pt2"
            write_torch_graph(part.skeleton, part.state, graph, path, written=written, cancel=cancel)


def _mae_part(
    known: Sequence[Skeleton],
    checkpoint: Checkpoint,
    place: Path,
    inputs: Sequence[str],
    targets: Sequence[str],
) -> tuple[_Part, _Wanted]:
    """The skeleton that a checkpoint fits, and what to take of it; or one sentence on why none does."""
    best: Optional[tuple[int, Skeleton, Checkpoint, list[str]]] = None
    for skeleton in (s for s in known if s.kind == "mae"):
        state = skeleton.state_dict(checkpoint)
        problems = skeleton.problems(state, _mae_graphs(skeleton, inputs, targets))
        if best is None or len(problems) < best[0]:
            best = (len(problems), skeleton, state, problems)
    if best is None:
        raise PackError("There is no graph skeleton of a TerraMind model; install Terrane again.")
    _, skeleton, state, problems = best
    if "mask_token" not in state or "encoder_norm.weight" not in state:
        raise PackError(
            f"{checkpoint.path.name} is not a TerraMind model (it has no mask_token); "
            "give the TerraMind_v1_<size>.pt file."
        )
    if problems:
        raise PackError(_does_not_fit(checkpoint, skeleton, problems))
    wanted = _wanted(known, skeleton, state, place, inputs, targets)
    graphs = _mae_graphs(skeleton, wanted.inputs, wanted.targets)
    chain = _chain(skeleton, state, wanted.targets)
    return _Part(skeleton, state, tuple(dict.fromkeys((*graphs, *chain)))), wanted


def _embedding(skeleton: Skeleton, modality: str) -> str:
    """The graph that takes an input in: pixels, or tokens and words where it takes no pixels."""
    pixels = f"embed_{modality}"
    return pixels if pixels in skeleton.graphs else f"{pixels}_ids"


def _mae_graphs(skeleton: Skeleton, inputs: Sequence[str], targets: Sequence[str]) -> tuple[str, ...]:
    embedded = (_embedding(skeleton, modality) for modality in inputs)
    wanted = [*embedded, "encoder", *(f"predict_{modality}" for modality in targets)]
    return tuple(graph for graph in wanted if graph in skeleton.graphs)


def _wanted(
    known: Sequence[Skeleton],
    skeleton: Skeleton,
    state: Checkpoint,
    place: Path,
    inputs: Sequence[str],
    targets: Sequence[str],
) -> _Wanted:
    """What was asked for, checked; where nothing was, all that the files allow."""
    taken = [m for m in MODALITIES if m in skeleton.bind["inputs"] and _takes(known, skeleton, m)]
    made = [m for m in MODALITIES if f"predict_{m}" in skeleton.graphs]
    for kind, there, asked in (("take", taken, inputs), ("make", made, targets)):
        for modality in asked:
            if modality not in there:
                raise ModelError(
                    f"{skeleton.name} cannot {kind} {modality} here; it can {kind} {', '.join(there)}."
                )

    def possible(modality: str, graph: str) -> bool:
        if skeleton.problems(state, [graph]):
            return False
        if modality == COORDS:
            return vocabulary_file(place) is not None
        pixels = graph == f"embed_{modality}"
        return pixels or (place.is_dir() and len(tokenizer_files(place, modality)) == 1)

    chosen = _Wanted(
        tuple(inputs) or tuple(m for m in taken if possible(m, _embedding(skeleton, m))),
        tuple(targets) or tuple(m for m in made if possible(m, f"predict_{m}")),
    )
    if not chosen.inputs or not chosen.targets:
        raise PackError(f"{place} holds no tokenizer: a model needs one for each modality that it makes.")
    return chosen


def _takes(known: Sequence[Skeleton], skeleton: Skeleton, modality: str) -> bool:
    graph = _embedding(skeleton, modality)
    if graph not in skeleton.graphs:
        return False
    if graph == f"embed_{modality}" or modality == COORDS:
        return True
    tokenizer = _tokenizer_skeleton(known, skeleton, modality)
    return tokenizer is not None and f"tokenize_{modality}" in tokenizer.graphs


def _chain(skeleton: Skeleton, state: Checkpoint, targets: Sequence[str]) -> tuple[str, ...]:
    """What feeds one target's tokens to the next, where skeleton and checkpoint have it for all."""
    chain = tuple(f"embed_{target}_ids" for target in targets)
    if len(targets) < 2 or not all(graph in skeleton.graphs for graph in chain):
        return ()
    return () if skeleton.problems(state, chain) else chain


def _does_not_fit(checkpoint: Checkpoint, skeleton: Skeleton, problems: Sequence[str]) -> str:
    more = f", and {len(problems) - 1} more differ" if len(problems) > 1 else ""
    return f"{checkpoint.path.name} does not fit {skeleton.name}: {problems[0]}{more}."


def _tokenizer_skeleton(known: Sequence[Skeleton], mae: Skeleton, modality: str) -> Optional[Skeleton]:
    family = mae.bind["tokenizers"]
    fitting = (s for s in known if s.bind.get("set") == family and s.bind.get("modality") == modality)
    return next(fitting, None)


def _tokenizer_parts(
    known: Sequence[Skeleton], mae: Skeleton, place: Path, wanted: _Wanted
) -> dict[str, _Part]:
    """Decoders of what is made, and encoders of what enters as tokens, by modality."""
    graphs: dict[str, list[str]] = {}
    for target in wanted.targets:
        if target != COORDS:
            graphs.setdefault(target, []).append(f"decode_{target}")
    for modality in wanted.inputs:
        if modality != COORDS and f"embed_{modality}" not in mae.graphs:
            graphs.setdefault(modality, []).append(f"tokenize_{modality}")
    return {modality: _tokenizer_part(known, mae, place, modality, g) for modality, g in graphs.items()}


def _tokenizer_part(
    known: Sequence[Skeleton], mae: Skeleton, place: Path, modality: str, graphs: Sequence[str]
) -> _Part:
    skeleton = _tokenizer_skeleton(known, mae, modality)
    if skeleton is None:
        raise ModelError(f"There is no graph skeleton of the {modality} tokenizer for {mae.name}.")
    checkpoint = load_checkpoint(find_tokenizer(place, modality))
    state = skeleton.state_dict(checkpoint)
    problems = skeleton.problems(state, graphs)
    if problems:
        raise PackError(_does_not_fit(checkpoint, skeleton, problems))
    return _Part(skeleton, state, tuple(graphs))


def _manifest(
    mae: _Part, tokenizers: Mapping[str, _Part], wanted: _Wanted, name: Optional[str], *, torch: bool
) -> dict[str, Any]:
    bind = mae.skeleton.bind
    graphs = {}
    for part in (mae, *tokenizers.values()):
        for graph in part.graphs:
            spec = part.skeleton.graphs[graph]
            onnx = {"path": f"{GRAPHS}/{graph}.onnx", "opset": spec["opset"], "ir": spec["ir"]}
            forms = {"onnx": onnx, **({"torch": {"path": f"{TORCH}/{graph}.pt2"}} if torch else {})}
            graphs[graph] = {"inputs": spec["inputs"], "outputs": spec["outputs"], "forms": forms}
    specs = {
        target: tokenizers[target].skeleton.bind["target"] if target != COORDS else bind["targets"][COORDS]
        for target in wanted.targets
    }
    chained = len(wanted.targets) > 1 and all(f"embed_{target}_ids" in graphs for target in wanted.targets)
    embeds = "encoded" in graphs["encoder"]["outputs"]
    content: dict[str, Any] = {
        **bind["pack"],
        "tasks": ["generate", *(["embed"] if embeds else [])],
        "tile": bind["tile"],
        "patch": bind["patch"],
        "dim": bind["dim"],
        "chain": chained,
        "inputs": {modality: bind["inputs"][modality] for modality in wanted.inputs},
        "targets": specs,
        "graphs": graphs,
        "variants": {"fp32": {"error": {}}},
    }
    if name:
        slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64]
        content.update(name=name, id=slug or content["id"])
    return content
