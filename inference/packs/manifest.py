# SPDX-License-Identifier: GPL-2.0-or-later
"""Model packs: a folder, or a zip of one, that says what it holds and can prove it.

``pack.json`` names inputs and targets with bands, units and statistics, the graphs with their
forms, the licence, and the SHA-256 of every other file (``pack.schema.json``, format 1).
Loading opens no weights and imports neither onnxruntime nor torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, Optional, Union

from ..errors import PackError
from .answers import ClassSpec, QuantitySpec, answers_problem, parse_classes, parse_quantity
from .archive import extracted
from .files import MANIFEST, is_inside, sha256_file
from .onnx_file import external_files
from .schema import first_problem, pack_schema

FORMAT = 1
MAX_MANIFEST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class InputSpec:
    """A modality that the model takes. ``mean`` and ``std`` per band, in ``unit``; empty for classes."""

    bands: tuple[str, ...]
    unit: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    offset: str = "none"
    """What to do with a sensor's additive offset before the model: remove, keep or none."""


@dataclass(frozen=True)
class DiffusionSpec:
    """The noise schedule that a diffusion decoder was trained with."""

    train_steps: int = 1000
    beta_start: float = 0.0001
    beta_end: float = 0.02
    prediction: str = "sample"
    zero_terminal_snr: bool = True
    spacing: str = "trailing"
    steps: int = 10


@dataclass(frozen=True)
class TargetSpec:
    """A modality that the model gives.

    ``logits`` is the number of classes of a land-cover decoder, None for values;
    ``clamp`` limits each x0 prediction, in standard deviations, as the reference does.
    """

    bands: tuple[str, ...]
    unit: str
    decoder: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    codebook: tuple[int, ...] = ()
    clamp: float = 1.0
    logits: Optional[int] = None
    diffusion: Optional[DiffusionSpec] = None
    note: str = ""
    """What the values mean, where it is not what the table of modalities says."""

    @property
    def channels(self) -> int:
        """Channels that the decoder gives: classes, or bands."""
        return self.logits if self.logits is not None else len(self.bands)


@dataclass(frozen=True)
class FormSpec:
    """One file that holds a graph; ``path`` is relative to the pack, with forward slashes."""

    path: str
    opset: Optional[int] = None
    ir: Optional[int] = None


@dataclass(frozen=True)
class GraphSpec:
    """A graph: named tensors with their shapes (int, or a name where dynamic) and the files that hold it."""

    inputs: Mapping[str, tuple[Union[int, str], ...]]
    outputs: Mapping[str, tuple[Union[int, str], ...]]
    forms: Mapping[str, FormSpec]


@dataclass(frozen=True)
class Pack:
    """A checked model pack. ``hash`` is the SHA-256 of pack.json in canonical form."""

    root: Path
    hash: str
    id: str
    name: str
    family: str
    size: str
    version: str
    tasks: tuple[str, ...]
    gsd: float
    tile: int
    patch: int
    dim: int
    synthetic: bool
    chain: bool
    notice: str
    license: str
    forbids: str
    inputs: Mapping[str, InputSpec]
    targets: Mapping[str, TargetSpec]
    graphs: Mapping[str, GraphSpec]
    variants: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, Any]
    files: Mapping[str, str]
    classes: tuple[ClassSpec, ...] = ()
    """What a segmentation or classification tells apart, by index of its logits."""
    output: Optional[QuantitySpec] = None
    """What a regression estimates."""
    vocabulary: str = ""
    """The file with the words of coordinates, relative to the pack; empty where it knows none."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of a model that Terrane did not make: ``peer_settings``."""

    @property
    def tokens(self) -> int:
        """Tokens per tile and modality, (tile / patch) squared."""
        return (self.tile // self.patch) ** 2

    def graph_path(self, graph: str, form: str = "onnx") -> str:
        """The file that holds a graph in one form. Raises PackError naming what is missing."""
        spec = self.graphs.get(graph)
        if spec is None:
            raise PackError(f"Pack {self.id} holds no graph {graph!r}. Use a pack that was made for this.")
        if form not in spec.forms:
            raise PackError(f"Pack {self.id} holds no {form} form of the graph {graph!r}.")
        return str(self.root / spec.forms[form].path)

    def weight_bytes(self) -> int:
        """Bytes of all files on disk: what loading every graph reads at most."""
        return sum((self.root / name).stat().st_size for name in self.files)


def canonical(manifest: Mapping[str, Any]) -> bytes:
    """pack.json's content without spaces, keys sorted: what ``Pack.hash`` is taken of."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def load_pack(path: Union[str, Path], *, verify: bool = True) -> Pack:
    """Read and check a pack: a folder, or a zip of one (extracted to the cache folder).

    ``verify`` compares the SHA-256 of every file; a file that was compared before in this process
    and has the same size and time is not read again. Raises PackError naming the pack and file.
    """
    root = Path(path)
    if root.is_file():
        root = extracted(root)
    manifest = _read_manifest(root)
    pack = parse_manifest(root, manifest)
    _check_files(pack, verify)
    return pack


def write_pack(root: Union[str, Path], manifest: Mapping[str, Any]) -> Pack:
    """Finish a pack folder: hash its files into ``files``, check everything, write pack.json last.

    Hidden files are left out. Raises PackError when the manifest or a file is not as it must be;
    pack.json is then not written.
    """
    root = Path(root)
    filled = dict(manifest)
    filled["format"] = FORMAT
    filled["files"] = {name: sha256_file(root / name) for name in _listing(root)}
    pack = parse_manifest(root, filled)
    _check_files(pack, verify=False)
    part = root / (MANIFEST + ".part")
    text = json.dumps(filled, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with open(part, "w", encoding="utf-8", newline="\n") as file:
        file.write(text + "\n")
    os.replace(part, root / MANIFEST)
    return pack


def parse_manifest(root: Path, manifest: Mapping[str, Any]) -> Pack:
    """A Pack from pack.json's content, checked against the schema and for sense; files are not looked at."""
    where = root.name or str(root)
    if isinstance(manifest, dict) and manifest.get("format", FORMAT) != FORMAT:
        raise PackError(
            f"Pack {where}: pack.json has format {manifest['format']!r}, this version of Terrane reads "
            f"format {FORMAT}. Update Terrane, or get the pack for this version."
        )
    problem = first_problem(manifest, pack_schema()) or _sense(manifest)
    if problem is not None:
        raise PackError(f"Pack {where}: pack.json is not valid ({problem}).")
    return _build(root, manifest)


def _listing(root: Path) -> list[str]:
    """Every file of the pack but pack.json and hidden ones, as relative paths with forward slashes."""
    if not root.is_dir():
        raise PackError(f"{root} is not a folder.")
    names = (p.relative_to(root) for p in root.rglob("*") if p.is_file() or p.is_symlink())
    kept = (n.as_posix() for n in names if not any(part.startswith(".") for part in n.parts))
    return sorted(n for n in kept if n not in (MANIFEST, MANIFEST + ".part"))


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON")


def _read_manifest(root: Path) -> Any:
    file = root / MANIFEST
    if not root.is_dir():
        raise PackError(f"There is no model pack at {root}.")
    if not file.is_file():
        raise PackError(f"{root} is not a model pack: it has no pack.json.")
    if file.stat().st_size > MAX_MANIFEST_BYTES:
        raise PackError(f"Pack {root.name}: pack.json is larger than {MAX_MANIFEST_BYTES // 2**20} MB.")
    try:
        return json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PackError(f"Pack {root.name}: pack.json cannot be read ({str(error)[:120]}).") from error
    except OSError as error:
        raise PackError(f"Pack {root.name}: pack.json cannot be read ({error.strerror}).") from error


def _sense(manifest: Mapping[str, Any]) -> Optional[str]:
    """What the schema cannot say: lengths that must agree, paths that must stay inside."""
    if manifest["tile"] % manifest["patch"]:
        return f"tile {manifest['tile']} is not a multiple of patch {manifest['patch']}"
    for name, spec in manifest["inputs"].items():
        problem = _statistics_problem(f"inputs.{name}", spec, needed="mean" in spec or "std" in spec)
        if problem:
            return problem
    for name, spec in manifest["targets"].items():
        problem = _target_problem(f"targets.{name}", spec)
        if problem:
            return problem
    for name, spec in manifest["graphs"].items():
        for form in spec["forms"].values():
            if form["path"] not in manifest["files"]:
                return f"graphs.{name}: {form['path']!r} is not in 'files'"
    if manifest.get("vocabulary") and manifest["vocabulary"] not in manifest["files"]:
        return f"vocabulary: {manifest['vocabulary']!r} is not in 'files'"
    for name in manifest["files"]:
        if not is_inside(name):
            return f"files: the path {name[:80]!r} leaves the pack"
    return answers_problem(manifest)


def _target_problem(where: str, spec: Mapping[str, Any]) -> Optional[str]:
    if spec["decoder"] == "diffusion" and "diffusion" not in spec:
        return f"{where}: a diffusion decoder needs its 'diffusion' settings"
    diffusion = spec.get("diffusion", {})
    if diffusion.get("prediction") == "epsilon" and diffusion["zero_terminal_snr"]:
        # The first step divides by the signal's part, which is then zero.
        return f"{where}: noise cannot be predicted with zero terminal SNR"
    needed = "logits" not in spec and spec["decoder"] != "text"
    return _statistics_problem(where, spec, needed=needed)


def _statistics_problem(where: str, spec: Mapping[str, Any], *, needed: bool) -> Optional[str]:
    if not needed:
        return None
    for key in ("mean", "std"):
        values = spec.get(key, [])
        if len(values) != len(spec["bands"]):
            return f"{where}: {key} has {len(values)} values for {len(spec['bands'])} bands"
        if not all(math.isfinite(v) for v in values):
            return f"{where}: {key} must be finite"
    return None


def _check_files(pack: Pack, verify: bool) -> None:
    root = pack.root.resolve()
    for name, expected in pack.files.items():
        file = pack.root / name
        if not file.is_file():
            raise PackError(f"Pack {pack.id}: the file {name} is missing. Get the pack again.")
        resolved = file.resolve()
        if root not in resolved.parents:
            raise PackError(f"Pack {pack.id}: {name} is a link out of the pack. Copy the file itself there.")
        if verify and sha256_file(resolved) != expected:
            raise PackError(
                f"Pack {pack.id}: {name} is damaged (its SHA-256 is not the one in pack.json). "
                "Get the pack again."
            )
    if verify:
        _check_external(pack)


def _check_external(pack: Pack) -> None:
    """Graphs may read weights from files of the pack, and from nowhere else."""
    for name in pack.files:
        if not name.endswith(".onnx"):
            continue
        for location in sorted(external_files(pack.root / name)):
            target = (PurePosixPath(name).parent / location).as_posix()
            if not is_inside(location) or target not in pack.files:
                raise PackError(
                    f"Pack {pack.id}: {name} reads {location[:80]!r}, which is not one of the pack's files."
                )


def _strings(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(v) for v in values)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _input(spec: Mapping[str, Any]) -> InputSpec:
    return InputSpec(
        bands=_strings(spec["bands"]),
        unit=spec["unit"],
        mean=_floats(spec.get("mean", ())),
        std=_floats(spec.get("std", ())),
        offset=spec.get("offset", "none"),
    )


def _target(spec: Mapping[str, Any]) -> TargetSpec:
    return TargetSpec(
        bands=_strings(spec["bands"]),
        unit=spec["unit"],
        decoder=spec["decoder"],
        mean=_floats(spec.get("mean", ())),
        std=_floats(spec.get("std", ())),
        codebook=tuple(int(v) for v in spec.get("codebook", ())),
        clamp=float(spec.get("clamp", 1.0)),
        logits=int(spec["logits"]) if "logits" in spec else None,
        diffusion=_diffusion(spec["diffusion"]) if "diffusion" in spec else None,
        note=spec.get("note", ""),
    )


def _diffusion(spec: Mapping[str, Any]) -> DiffusionSpec:
    return DiffusionSpec(
        train_steps=int(spec["train_steps"]),
        beta_start=float(spec["beta_start"]),
        beta_end=float(spec["beta_end"]),
        prediction=spec["prediction"],
        zero_terminal_snr=spec["zero_terminal_snr"],
        spacing=spec["spacing"],
        steps=int(spec["steps"]),
    )


def _graph(spec: Mapping[str, Any]) -> GraphSpec:
    return GraphSpec(
        inputs={k: tuple(v) for k, v in spec["inputs"].items()},
        outputs={k: tuple(v) for k, v in spec["outputs"].items()},
        forms={k: FormSpec(v["path"], v.get("opset"), v.get("ir")) for k, v in spec["forms"].items()},
    )


def _build(root: Path, manifest: Mapping[str, Any]) -> Pack:
    return Pack(
        root=root,
        hash=hashlib.sha256(canonical(manifest)).hexdigest(),
        id=manifest["id"],
        name=manifest["name"],
        family=manifest["family"],
        size=manifest.get("size", ""),
        version=manifest["version"],
        tasks=_strings(manifest["tasks"]),
        gsd=float(manifest["gsd"]),
        tile=int(manifest["tile"]),
        patch=int(manifest["patch"]),
        dim=int(manifest.get("dim", 0)),
        synthetic=manifest.get("synthetic", False),
        chain=manifest.get("chain", False),
        notice=manifest.get("notice", ""),
        license=manifest["license"]["spdx"],
        forbids=manifest["license"].get("forbids", ""),
        inputs={k: _input(v) for k, v in manifest["inputs"].items()},
        targets={k: _target(v) for k, v in manifest["targets"].items()},
        graphs={k: _graph(v) for k, v in manifest["graphs"].items()},
        variants=dict(manifest.get("variants", {})),
        training=dict(manifest.get("training", {})),
        files=dict(manifest["files"]),
        classes=parse_classes(manifest.get("classes", ())),
        output=parse_quantity(manifest.get("output")),
        vocabulary=manifest.get("vocabulary", ""),
        settings=dict(manifest.get("settings", {})),
    )
