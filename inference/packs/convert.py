# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a model pack of checkpoints in TerraMind's official layout, with numpy alone, in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Union

from ..errors import ModelError, PackError
from ..types import Cancel, Progress, ProgressCallback
from .bind import Skeleton, load_skeletons, write_graphs
from .checkpoint import Checkpoint, load_checkpoint
from .folder import check_output, whole_folder, write_texts
from .manifest import Pack, write_pack
from .torch_form import FOLDER as TORCH
from .torch_form import torch_bytes, write_torch_graph

GRAPHS = "graphs"
_SUFFIXES = (".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class _Part:
    """A skeleton, the state dict that fits it, and the graphs to take."""

    skeleton: Skeleton
    state: Checkpoint
    graphs: tuple[str, ...]


def convert_checkpoint(
    checkpoint: Union[str, Path],
    tokenizers_dir: Union[str, Path],
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

    The size is told from the tensors' shapes. Only what ``inputs`` (S2L2A, …) and ``targets`` (DEM, LULC, …)
    need is read and written. ``tokenizers_dir`` holds ``TerraMind_Tokenizer_<target>.pt`` files. ``manifest``
    adds to or replaces top-level entries of pack.json. ``torch`` adds the torch form of every graph.

    The folder appears when it is complete, or not at all. Raises PackError (a file that is missing, damaged,
    hostile, or does not fit: with the tensor's name and shapes), ModelError (a modality that no skeleton
    has), OutputError, DiskFull, Cancelled.
    """
    output = Path(output)
    check_output(output, overwrite)
    known = load_skeletons(skeletons)
    mae = _mae_part(known, load_checkpoint(checkpoint), inputs, targets)
    decoders = [_decoder_part(known, mae.skeleton, Path(tokenizers_dir), target) for target in targets]
    parts = [mae, *decoders]
    total = sum(part.skeleton.size(part.graphs) for part in parts)
    if torch:
        total += sum(torch_bytes(part.skeleton, part.graphs) for part in parts)
    with whole_folder(output, total) as folder:
        _write_parts(parts, folder, total, torch=torch, progress=progress, cancel=cancel)
        content = _manifest(mae, decoders, inputs, targets, name, torch=torch)
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
    known: Sequence[Skeleton], checkpoint: Checkpoint, inputs: Sequence[str], targets: Sequence[str]
) -> _Part:
    """The skeleton that a checkpoint fits, or one sentence on why none does."""
    candidates = [s for s in known if s.kind == "mae"]
    if not inputs or not targets:
        raise ModelError("A pack needs at least one input and one target.")
    best: Optional[tuple[int, Skeleton, Checkpoint, tuple[str, ...], list[str]]] = None
    for skeleton in candidates:
        state = skeleton.state_dict(checkpoint)
        graphs = _mae_graphs(skeleton, inputs, targets)
        core = ("encoder", *(g for g in graphs if g.startswith("predict_")))
        problems = skeleton.problems(state, graphs or core or skeleton.graphs)
        if best is None or len(problems) < best[0]:
            best = (len(problems), skeleton, state, graphs, problems)
    if best is None:
        raise PackError("There is no graph skeleton of a TerraMind model; install Terrane again.")
    _, skeleton, state, graphs, problems = best
    if "mask_token" not in state or "encoder_norm.weight" not in state:
        raise PackError(
            f"{checkpoint.path.name} is not a TerraMind model (it has no mask_token); "
            "give the TerraMind_v1_<size>.pt file."
        )
    if problems:
        raise PackError(_does_not_fit(checkpoint, skeleton, problems))
    _check_modalities(skeleton, inputs, targets)
    return _Part(skeleton, state, _with_chain(skeleton, state, graphs, targets))


def _mae_graphs(skeleton: Skeleton, inputs: Sequence[str], targets: Sequence[str]) -> tuple[str, ...]:
    wanted = [*(f"embed_{m}" for m in inputs), "encoder", *(f"predict_{m}" for m in targets)]
    return tuple(graph for graph in wanted if graph in skeleton.graphs)


def _check_modalities(skeleton: Skeleton, inputs: Sequence[str], targets: Sequence[str]) -> None:
    for kind, prefix, asked in (("take", "embed_", inputs), ("make", "predict_", targets)):
        there = [g[len(prefix) :] for g in skeleton.graphs if g.startswith(prefix) and not g.endswith("_ids")]
        for modality in asked:
            if modality not in there:
                raise ModelError(
                    f"{skeleton.name} cannot {kind} {modality} here; it can {kind} {', '.join(there)}."
                )


def _with_chain(
    skeleton: Skeleton, state: Checkpoint, graphs: tuple[str, ...], targets: Sequence[str]
) -> tuple[str, ...]:
    """Add what feeds one target's tokens to the next, where skeleton and checkpoint have it for all."""
    chain = tuple(f"embed_{target}_ids" for target in targets)
    if len(targets) < 2 or not all(graph in skeleton.graphs for graph in chain):
        return graphs
    return graphs if skeleton.problems(state, chain) else (*graphs, *chain)


def _does_not_fit(checkpoint: Checkpoint, skeleton: Skeleton, problems: Sequence[str]) -> str:
    more = f", and {len(problems) - 1} more differ" if len(problems) > 1 else ""
    return f"{checkpoint.path.name} does not fit {skeleton.name}: {problems[0]}{more}."


def _decoder_part(known: Sequence[Skeleton], mae: Skeleton, folder: Path, target: str) -> _Part:
    family = mae.bind["tokenizers"]
    fitting = [s for s in known if s.bind.get("set") == family and s.bind.get("modality") == target]
    if not fitting:
        raise ModelError(f"There is no graph skeleton of the {target} tokenizer for {mae.name}.")
    skeleton = fitting[0]
    checkpoint = load_checkpoint(_tokenizer_file(folder, target))
    state = skeleton.state_dict(checkpoint)
    graphs = tuple(skeleton.graphs)
    problems = skeleton.problems(state, graphs)
    if problems:
        raise PackError(_does_not_fit(checkpoint, skeleton, problems))
    return _Part(skeleton, state, graphs)


def _tokenizer_file(folder: Path, target: str) -> Path:
    """The official name, else the only checkpoint below the folder whose name ends in the modality."""
    official = folder / f"TerraMind_Tokenizer_{target}.pt"
    if official.is_file():
        return official
    if not folder.is_dir():
        raise PackError(f"There is no folder {folder} with tokenizers.")
    stem = f"_{target.lower()}"
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in _SUFFIXES and p.stem.lower().endswith(stem)]
    if len(files) != 1:
        found = "several files end" if files else "no file ends"
        raise PackError(f"{folder} has no {official.name} ({found} in {stem}.pt); put it there.")
    return files[0]


def _manifest(
    mae: _Part,
    decoders: Sequence[_Part],
    inputs: Sequence[str],
    targets: Sequence[str],
    name: Optional[str],
    *,
    torch: bool,
) -> dict[str, Any]:
    bind = mae.skeleton.bind
    graphs = {}
    for part in (mae, *decoders):
        for graph in part.graphs:
            spec = part.skeleton.graphs[graph]
            onnx = {"path": f"{GRAPHS}/{graph}.onnx", "opset": spec["opset"], "ir": spec["ir"]}
            forms = {"onnx": onnx, **({"torch": {"path": f"{TORCH}/{graph}.pt2"}} if torch else {})}
            graphs[graph] = {"inputs": spec["inputs"], "outputs": spec["outputs"], "forms": forms}
    content: dict[str, Any] = {
        **bind["pack"],
        "tasks": ["generate"],
        "tile": bind["tile"],
        "patch": bind["patch"],
        "dim": bind["dim"],
        "chain": any(graph.endswith("_ids") for graph in mae.graphs),
        "inputs": {modality: bind["inputs"][modality] for modality in inputs},
        "targets": {t: part.skeleton.bind["target"] for t, part in zip(targets, decoders)},
        "graphs": graphs,
        "variants": {"fp32": {"error": {}}},
    }
    if name:
        slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64]
        content.update(name=name, id=slug or content["id"])
    return content
