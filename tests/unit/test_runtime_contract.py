# SPDX-License-Identifier: GPL-2.0-or-later
"""What every runtime must do, and that both give the same numbers."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terrane.inference.errors import Cancelled, InputError, PackError
from terrane.inference.packs.convert import convert_checkpoint
from terrane.inference.packs.manifest import Pack
from terrane.inference.runtime import make_runtime
from terrane.inference.runtime.base import Graph, Runtime
from terrane.inference.types import Cancel

REFERENCE = Path(__file__).resolve().parents[1] / "parity" / "reference"
KINDS = ("onnx", "torch")
MODULES = {"onnx": "onnxruntime", "torch": "torch"}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return convert_checkpoint(
        REFERENCE / "TerraMind_v1_silu.pt",
        REFERENCE,
        ["S2L2A", "LULC", "NDVI", "COORDS"],
        ["DEM", "LULC", "COORDS"],
        tmp_path_factory.mktemp("both") / "pack",
        skeletons=REFERENCE / "skeletons",
        torch=True,
    )


@pytest.fixture(scope="module", params=KINDS)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    pytest.importorskip(MODULES[request.param])
    return make_runtime(request.param, device="cpu", threads=1)


@pytest.fixture(scope="module")
def load(pack: Pack, runtime: Runtime) -> Callable[[str], Graph]:
    """Graphs by name; each is loaded once, since torch takes seconds."""
    return cache(lambda name: runtime.load(pack.graph_path(name, runtime.name)))


def feeds(pack: Pack, graph: str, batch: int = 2, tokens: int = 21) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    made: dict[str, Any] = {}
    for name, shape in pack.graphs[graph].inputs.items():
        sizes = [{"batch": batch, "tokens": tokens}.get(n, n) if isinstance(n, str) else n for n in shape]
        if name in ("ids", "timestep"):
            made[name] = rng.integers(0, 35, sizes).astype(np.int64)
        else:
            made[name] = rng.standard_normal(sizes).astype(np.float32)
    return made


def test_runs_every_graph_at_any_batch(pack: Pack, load: Callable[[str], Graph]) -> None:
    for name, spec in pack.graphs.items():
        graph = load(name)
        for batch, tokens in ((1, 16), (3, 32)):
            given = feeds(pack, name, batch, tokens)
            out = graph.run(given)
            assert set(out) == set(spec.outputs)
            for output, shape in spec.outputs.items():
                expected = [{"batch": batch, "tokens": tokens}.get(n, n) for n in shape]  # type: ignore[arg-type]
                assert list(out[output].shape) == expected
                assert out[output].dtype == (np.int64 if output == "ids" else np.float32)
                assert np.isfinite(out[output]).all()


def test_both_runtimes_give_the_same_numbers(pack: Pack) -> None:
    for module in MODULES.values():
        pytest.importorskip(module)
    onnx, torch = (make_runtime(kind, device="cpu", threads=1) for kind in KINDS)
    for name in pack.graphs:
        given = feeds(pack, name)
        one = onnx.load(pack.graph_path(name, "onnx")).run(given)
        two = torch.load(pack.graph_path(name, "torch")).run(given)
        for output, values in one.items():
            assert np.abs(values - two[output]).max() <= 1e-4 * np.abs(values).max(), (name, output)


def test_the_same_input_gives_the_same_bytes(pack: Pack, load: Callable[[str], Graph]) -> None:
    graph = load("encoder")
    given = feeds(pack, "encoder")
    first = graph.run(given)["context"]
    np.testing.assert_array_equal(first, graph.run(given)["context"])


def test_arrays_may_be_read_only_or_strided(pack: Pack, load: Callable[[str], Graph]) -> None:
    graph = load("embed_S2L2A")
    image = feeds(pack, "embed_S2L2A")["image"]
    strided = np.repeat(image, 2, axis=3)[..., ::2]
    strided.flags.writeable = False
    np.testing.assert_array_equal(
        graph.run({"image": strided})["tokens"], graph.run({"image": image})["tokens"]
    )


def test_outputs_belong_to_the_caller(pack: Pack, load: Callable[[str], Graph]) -> None:
    """A later run does not write into an earlier one's arrays."""
    graph = load("encoder")
    given = feeds(pack, "encoder")
    first = graph.run(given)["context"]
    copy = first.copy()
    graph.run({name: values * 2 for name, values in given.items()})
    np.testing.assert_array_equal(first, copy)


def test_says_what_it_is(runtime: Runtime) -> None:
    assert runtime.name in KINDS
    assert runtime.device == {"onnx": "CPUExecutionProvider", "torch": "cpu"}[runtime.name]


def test_a_pressed_button_stops_it(pack: Pack, load: Callable[[str], Graph]) -> None:
    graph = load("encoder")
    cancel = Cancel()
    graph.run(feeds(pack, "encoder"), cancel=cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        graph.run(feeds(pack, "encoder"), cancel=cancel)


def test_wrong_inputs_are_a_pack_error(pack: Pack, load: Callable[[str], Graph]) -> None:
    graph = load("encoder")
    given = feeds(pack, "encoder")
    with pytest.raises(PackError, match="encoder"):
        graph.run({"tokens": given["tokens"][..., :7], "emb": given["emb"][..., :7]})


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"PK\x03\x04 and no more"])
def test_bad_files_are_a_pack_error(tmp_path: Path, runtime: Runtime, content: bytes) -> None:
    path = tmp_path / f"graph.{'onnx' if runtime.name == 'onnx' else 'pt2'}"
    with pytest.raises(PackError, match="graph"):
        runtime.load(str(path))
    path.write_bytes(content)
    with pytest.raises(PackError, match="graph"):
        runtime.load(str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_devices_are_refused(kind: str) -> None:
    pytest.importorskip(MODULES[kind])
    with pytest.raises(InputError, match="abacus"):
        make_runtime(kind, device="abacus")


# --- hostile exported programs: torch would run what stands in them ----------------------------------------


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """A copy of an archive, whose members ``change`` may alter, add or drop."""
    with zipfile.ZipFile(source) as archive:
        members = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"encoder/{name}", content)
    return target


def in_graph(change: Any) -> Any:
    def apply(members: dict[str, bytes]) -> None:
        content = json.loads(members["models/model.json"])
        change(content)
        members["models/model.json"] = json.dumps(content).encode()

    return apply


def _target(content: Any) -> None:
    content["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"


def _expression(content: Any) -> None:
    values = content["graph_module"]["graph"]["sym_int_values"]
    next(iter(values.values()))["as_expr"]["expr_str"] = "__import__('os').system('true')"


def _range(content: Any) -> None:
    content["range_constraints"]["__import__('os')"] = {"min_val": 1, "max_val": None}


def _guard(content: Any) -> None:
    content["guards_code"] = ["__import__('os').system('true')"]


def _pickled(members: dict[str, bytes]) -> None:
    file = "data/weights/model_weights_config.json"
    config = json.loads(members[file])
    next(iter(config["config"].values()))["use_pickle"] = True
    members[file] = json.dumps(config).encode()


HOSTILE = {
    "a function that is no operator": in_graph(_target),
    "an expression that is code": in_graph(_expression),
    "a range of no symbol": in_graph(_range),
    "a guard": in_graph(_guard),
    "pickled weights": _pickled,
    "pickled inputs": lambda members: members.update({"data/sample_inputs/model.pt": b"\x80\x02."}),
    "compiled code": lambda members: members.update({"data/aotinductor/model/a.so": b"\x7fELF"}),
    "another model": lambda members: members.update({"models/other.json": b"{}"}),
    "no graph": lambda members: members.pop("models/model.json"),
    "no outputs": lambda members: members.update({"extra/outputs.json": b"{}"}),
    "broken JSON": lambda members: members.update({"models/model.json": b"{"}),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_programs_are_refused_before_torch_sees_them(tmp_path: Path, pack: Pack, what: str) -> None:
    from terrane.inference.runtime.torch_archive import check_archive

    source = Path(pack.graph_path("encoder", "torch"))
    assert check_archive(source) == ("context", "encoded")
    path = rewritten(source, tmp_path / "encoder.pt2", HOSTILE[what])
    with pytest.raises(PackError, match=r"encoder\.pt2"):
        check_archive(path)
