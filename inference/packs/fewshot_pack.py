# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs of the family ``fewshot``: another pack's encoder, and a classifier that a few samples made."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ..errors import InputError, OutputError, PackError
from ..forest import Forest
from ..logistic import Logistic
from .answers import ClassSpec
from .files import MANIFEST
from .manifest import Pack, load_pack, write_pack
from .onnx_file import external_files

FAMILY = "fewshot"
CLASSIFIER = "classifier.npz"
_KINDS: Mapping[str, Any] = {"logistic": Logistic, "forest": Forest}
_TEXTS = ("LICENSE",)


@dataclass(frozen=True)
class Classifier:
    """A rule from features to class probabilities."""

    rule: Union[Logistic, Forest]

    @property
    def kind(self) -> str:
        """What made it: "logistic" or "forest"."""
        return next(name for name, cls in _KINDS.items() if isinstance(self.rule, cls))

    @property
    def features(self) -> int:
        """Numbers that it takes."""
        return int(self.rule.weights.shape[1]) if isinstance(self.rule, Logistic) else self.rule.features

    @property
    def classes(self) -> int:
        """Classes that it tells apart."""
        return len(self.rule.bias) if isinstance(self.rule, Logistic) else int(self.rule.values.shape[1])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What the file holds."""
        if isinstance(self.rule, Logistic):
            return {"weights": self.rule.weights, "bias": self.rule.bias}
        return self.rule.arrays()

    def digest(self) -> str:
        """SHA-256 of the arrays."""
        found = hashlib.sha256(self.kind.encode())
        for name, array in sorted(self.arrays().items()):
            found.update(f"{name} {array.dtype} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def read_classifier(pack: Pack) -> Classifier:
    """The classifier that lies in a pack. Raises PackError."""
    path = pack.root / CLASSIFIER
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if "weights" in arrays:
            weights, bias = arrays["weights"].astype(np.float64), arrays["bias"].astype(np.float64)
            if weights.ndim != 2 or bias.shape != weights.shape[:1] or not np.isfinite(weights).all():
                raise ValueError("its arrays do not fit together")
            return Classifier(Logistic(weights, bias))
        return Classifier(Forest.from_arrays(arrays))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise PackError(f"Pack {pack.id}: {CLASSIFIER} cannot be read ({str(error)[:120]}).") from error


def in_memory(
    base: Pack,
    classifier: Classifier,
    classes: Sequence[ClassSpec],
    inputs: Sequence[str],
    *,
    name: str,
    facts: Mapping[str, Any],
) -> Pack:
    """A pack that runs at once, with the graphs where ``base`` keeps them: nothing is written.

    ``facts`` are what pack.json will say of the training.
    """
    made = hashlib.sha256(f"{base.hash} {classifier.digest()} {classes} {list(inputs)}".encode())
    return replace(
        base,
        id=id_of(name),
        name=name,
        hash=made.hexdigest(),
        version="1",
        family=FAMILY,
        tasks=("segment",),
        inputs={modality: spec for modality, spec in base.inputs.items() if modality in inputs},
        targets={},
        classes=tuple(classes),
        training={FAMILY: {"base": base.id, "family": base.family, **facts}},
        graphs={name: base.graphs[name] for name in _needed(base, inputs)},
    )


def save(pack: Pack, classifier: Classifier, goal: Path, *, overwrite: bool = False) -> Pack:
    """Write a pack of ``in_memory`` as a folder of its own, complete or not at all.

    Raises OutputError where it exists (without ``overwrite``) or cannot be written.
    """
    if goal.exists() and not overwrite:
        raise OutputError(f"There is a model {goal.name} already; allow to replace it, or give another name.")
    if goal.exists() and not _is_ours(goal):
        raise OutputError(f"{goal} is no model that was made of samples, and is not replaced.")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".terrane-", dir=goal.parent) as scratch:
            made = Path(scratch) / goal.name
            made.mkdir()
            for file in _files(pack):
                (made / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(pack.root / file, made / file)
            np.savez(made / CLASSIFIER, **classifier.arrays())
            (made / "README.md").write_text(_card(pack), encoding="utf-8")
            write_pack(made, _manifest(pack))
            if goal.exists():
                goal.rename(Path(scratch) / "old")
            made.rename(goal)
    except OSError as error:
        raise OutputError(f"{goal} cannot be written ({error.strerror or error}).") from error
    return load_pack(goal, verify=False)


def check_goal(name: str, folder: Path, *, overwrite: bool) -> Path:
    """Where a model of this name goes: a path as it is, a name in ``folder``. Raises InputError, OutputError."""
    if not name.strip():
        raise InputError("Give the model a name.")
    goal = Path(name).expanduser() if len(Path(name).parts) > 1 else folder / id_of(name)
    if goal.exists() and not overwrite:
        raise OutputError(f"There is a model {goal.name} already; allow to replace it, or give another name.")
    return goal


def id_of(name: str) -> str:
    """A pack's id of any name: lower case, letters, digits and ._- only."""
    return re.sub(r"[^a-z0-9._-]+", "-", Path(name).name.lower()).strip("._-")[:64] or "few-shot"


def _is_ours(goal: Path) -> bool:
    try:
        return bool(json.loads((goal / MANIFEST).read_text(encoding="utf-8"))["family"] == FAMILY)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _needed(base: Pack, inputs: Sequence[str]) -> list[str]:
    """The graphs that embedding takes."""
    wanted = {"encoder", "embed", *(f"embed_{modality}" for modality in inputs)}
    return [name for name in base.graphs if name in wanted]


def _files(pack: Pack) -> list[str]:
    """Files of the encoder's graphs, their weights, and the licence."""
    found = {name for name in _TEXTS if name in pack.files}
    for graph in pack.graphs.values():
        for form in graph.forms.values():
            found.add(form.path)
            if form.path.endswith(".onnx"):
                folder = PurePosixPath(form.path).parent
                found |= {(folder / name).as_posix() for name in external_files(pack.root / form.path)}
    return sorted(found)


def _manifest(pack: Pack) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "id": pack.id,
        "name": pack.name[:120],
        "family": FAMILY,
        "size": pack.size,
        "version": pack.version,
        "tasks": ["segment"],
        "gsd": pack.gsd,
        "tile": pack.tile,
        "patch": pack.patch,
        "dim": pack.dim,
        "synthetic": pack.synthetic,
        "notice": pack.notice,
        "license": {"spdx": pack.license, "forbids": pack.forbids},
        "inputs": {name: _input(spec) for name, spec in pack.inputs.items()},
        "targets": {},
        "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in pack.classes],
        "graphs": {
            name: {
                "inputs": {key: list(shape) for key, shape in graph.inputs.items()},
                "outputs": {key: list(shape) for key, shape in graph.outputs.items()},
                "forms": {key: _form(form) for key, form in graph.forms.items()},
            }
            for name, graph in pack.graphs.items()
        },
        "variants": {name: dict(facts) for name, facts in pack.variants.items()},
        "training": json.loads(json.dumps(pack.training)),
    }
    return manifest


def _input(spec: Any) -> dict[str, Any]:
    described = {"bands": list(spec.bands), "unit": spec.unit, "offset": spec.offset}
    if spec.mean:
        described.update(mean=list(spec.mean), std=list(spec.std))
    return described


def _form(spec: Any) -> dict[str, Any]:
    described = {"path": spec.path, "opset": spec.opset, "ir": spec.ir}
    return {key: value for key, value in described.items() if value is not None}


def _card(pack: Pack) -> str:
    facts = pack.training[FAMILY]
    lines = [
        f"# {pack.name}",
        "",
        f"Made of samples, on the frozen features of the model {facts['base']}, with Terrane.",
        "",
        f"Classes: {', '.join(c.name for c in pack.classes)}.",
        f"Inputs: {', '.join(pack.inputs)}.",
        "",
        str(facts.get("accuracy_words", "")),
    ]
    if pack.notice:
        lines += ["", f"The encoder: {pack.notice}."]
    return "\n".join(lines).rstrip() + "\n"
