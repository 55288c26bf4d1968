# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import builtins
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terrane.inference import runtime as runtimes
from terrane.inference.errors import (
    Cancelled,
    InputError,
    MachineError,
    OutOfMemory,
    PackError,
    RuntimeMissing,
)
from terrane.inference.packs.manifest import Pack
from terrane.inference.runtime import onnx_runtime
from terrane.inference.types import Cancel
from toy_pack import build_toy_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """An encoder that takes many seconds."""
    return build_toy_pack(tmp_path_factory.mktemp("slow"), busy=1500)


@pytest.fixture
def tokens() -> dict[str, np.ndarray]:
    values = np.random.default_rng(0).standard_normal((2, 16, 29)).astype(np.float32)
    return {"tokens": values, "emb": np.ones_like(values)}


@pytest.fixture
def without_probes() -> Iterator[None]:
    onnx_runtime._probe.cache_clear()
    yield
    onnx_runtime._probe.cache_clear()


def test_a_graph_runs(pack: Pack, tokens: dict[str, np.ndarray]) -> None:
    runtime = runtimes.make_runtime("onnx", device="cpu", threads=1)
    out = runtime.load(pack.graph_path("encoder")).run(tokens)
    assert list(out) == ["context", "encoded"]
    np.testing.assert_array_equal(out["context"], tokens["tokens"] + 1)
    assert runtime.name == "onnx"
    assert runtime.device == "CPUExecutionProvider"


def test_batches_and_lengths_are_free(pack: Pack) -> None:
    graph = runtimes.make_runtime(device="cpu").load(pack.graph_path("encoder"))
    for batch, length in ((1, 16), (5, 48)):
        values = np.zeros((batch, length, 29), np.float32)
        assert graph.run({"tokens": values, "emb": values})["context"].shape == values.shape


def test_external_weights_and_strided_inputs(pack: Pack) -> None:
    graph = runtimes.make_runtime(device="cpu").load(pack.graph_path("decode_LULC"))
    ids = np.arange(64).reshape(2, 32)[:, ::2] % 9
    image = graph.run({"ids": ids})["image"]
    np.testing.assert_array_equal(image.argmax(1)[:, ::8, ::8].reshape(2, 16), ids + 1)


def test_cancel_reaches_the_running_graph(slow: Pack, tokens: dict[str, np.ndarray]) -> None:
    graph = runtimes.make_runtime(device="cpu").load(slow.graph_path("encoder"))
    cancel = Cancel()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        graph.run(tokens, cancel=cancel)
    timer.join()
    assert time.monotonic() - start < 5  # the whole graph takes over ten times as long
    assert cancel._hooks == []


def test_nothing_starts_after_cancel(pack: Pack, tokens: dict[str, np.ndarray]) -> None:
    graph = runtimes.make_runtime(device="cpu").load(pack.graph_path("encoder"))
    cancel = Cancel()
    graph.run(tokens, cancel=cancel)
    assert cancel._hooks == []
    cancel.set()
    with pytest.raises(Cancelled):
        graph.run(tokens, cancel=cancel)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x08"])
def test_broken_graphs_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(PackError, match=r"The graph broken\.onnx cannot be used"):
        runtimes.make_runtime(device="cpu").load(str(tmp_path / "broken.onnx"))


def test_missing_graphs_and_weights_are_named(tmp_path: Path) -> None:
    runtime = runtimes.make_runtime(device="cpu")
    with pytest.raises(PackError, match=r"nowhere\.onnx is missing"):
        runtime.load(str(tmp_path / "nowhere.onnx"))
    pack = build_toy_pack(tmp_path)
    (tmp_path / "graphs" / "decode_DEM.bin").unlink()
    with pytest.raises(PackError, match=r"decode_DEM\.onnx cannot be used"):
        runtime.load(pack.graph_path("decode_DEM"))


@pytest.mark.parametrize(
    "change",
    [
        {"emb": None},
        {"emb": np.zeros((2, 16), np.float32)},
        {"emb": np.zeros((2, 16, 29))},
        {"emb": np.zeros((2, 7, 29), np.float32)},
        {"other": np.zeros(1, np.float32)},
    ],
)
def test_inputs_that_do_not_fit_are_the_pack_s_fault(
    pack: Pack, tokens: dict[str, np.ndarray], change: dict[str, Any]
) -> None:
    feeds = {k: v for k, v in {**tokens, **change}.items() if v is not None}
    with pytest.raises(PackError, match=r"The graph encoder\.onnx cannot be used: (?!\[ONNX)"):
        runtimes.make_runtime(device="cpu").load(pack.graph_path("encoder")).run(feeds)


def test_nothing_is_printed(pack: Pack, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"garbage")
    runtime = runtimes.make_runtime(device="cuda")
    with pytest.raises(PackError):
        runtime.load(str(tmp_path / "broken.onnx"))
    with pytest.raises(PackError):
        runtime.load(pack.graph_path("encoder")).run({"tokens": np.zeros(3, np.float32)})
    captured = capfd.readouterr()
    assert captured.out == ""


def test_running_out_of_memory_is_said(pack: Pack) -> None:
    graph = runtimes.make_runtime(device="cpu").load(pack.graph_path("predict_DEM"))
    # One number that is said to be 2^60 bytes: more than any machine can address once it is copied.
    huge = np.broadcast_to(np.zeros((1, 1, 1), np.float32), (2**60 // (16 * 29 * 4), 16, 29))
    with pytest.raises(OutOfMemory, match="Not enough memory"):
        graph.run({"context": huge})


def test_memory_errors_of_the_runtime_are_recognised() -> None:
    runtime = onnx_runtime.OnnxRuntime(device="cpu")
    for text in (
        "std::bad_alloc",
        "bad allocation",
        "Failed to allocate memory for requested buffer of size 1",
    ):
        assert isinstance(runtime.explain(RuntimeError(text), "g.onnx"), OutOfMemory)


def test_a_missing_runtime_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError("No module named 'onnxruntime'")
        return real(name, *args, **kwargs)

    onnx_runtime._onnxruntime.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(RuntimeMissing, match="Press Install in the Terrane dock"):
        runtimes.make_runtime("onnx")
    assert runtimes.available_devices() == []
    monkeypatch.undo()
    onnx_runtime._onnxruntime.cache_clear()
    assert "cpu" in runtimes.available_devices()


def test_unknown_kinds_devices_and_threads_are_refused() -> None:
    with pytest.raises(InputError, match="no runtime 'tensorflow'"):
        runtimes.make_runtime("tensorflow")
    with pytest.raises(InputError, match=r"no device 'abacus'\. Choose one of auto, cuda"):
        runtimes.make_runtime(device="abacus")
    with pytest.raises(InputError, match="0 threads"):
        runtimes.make_runtime(threads=0)


def test_a_device_that_was_not_built_in_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ort = onnx_runtime._onnxruntime()
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    runtime = onnx_runtime.OnnxRuntime(device="directml")
    assert runtime.device == "CPUExecutionProvider"
    assert runtime.warnings == [
        "This ONNX Runtime was built without directml; the model runs on the CPU instead."
    ]
    assert onnx_runtime.OnnxRuntime(device="auto").warnings == []


@pytest.mark.usefixtures("without_probes")
def test_a_device_that_does_not_start_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with the CUDA build and no driver: it is listed, but sessions run on the CPU."""
    ort = onnx_runtime._onnxruntime()
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("needs a build without CUDA")
    monkeypatch.setattr(
        ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnx_runtime, "_preload_cuda", lambda: None)
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        runtime = onnx_runtime.OnnxRuntime(device="auto")
    assert runtime.device == "CPUExecutionProvider"
    assert "cuda cannot be started (its driver or libraries are missing)" in runtime.warnings[0]


def test_failures_of_a_device_are_the_machine_s() -> None:
    runtime = onnx_runtime.OnnxRuntime(device="cpu")
    runtime._device, runtime.device = "cuda", "CUDAExecutionProvider"
    error = runtime.explain(RuntimeError("CUDA failure 719: unspecified launch failure"), "x.onnx")
    assert isinstance(error, MachineError)
    assert "Use the device cpu" in str(error)


def test_a_graph_that_a_device_refuses_runs_on_the_cpu(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    real = onnx_runtime._session

    def refuse(model: str, device: str, threads: int) -> Any:
        if device == "cuda":
            raise RuntimeError("CUDA failure 35: driver too old")
        return real(model, device, threads)

    monkeypatch.setattr(onnx_runtime, "_session", refuse)
    runtime = onnx_runtime.OnnxRuntime(device="cpu")
    runtime._device, runtime.device = "cuda", "CUDAExecutionProvider"
    assert runtime.load(pack.graph_path("encoder")) is not None
    assert runtime.device == "CPUExecutionProvider"
    assert runtime.warnings == [
        "cuda cannot load encoder.onnx (CUDA failure 35: driver too old); the model runs on the CPU instead."
    ]


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "qgis.core", raising=False)
    cores = onnx_runtime.default_threads()
    assert cores >= 1
    assert onnx_runtime.OnnxRuntime(device="cpu").threads == cores
    assert onnx_runtime.OnnxRuntime(device="cpu", threads=3).threads == 3
    monkeypatch.setitem(sys.modules, "qgis.core", sys)
    assert onnx_runtime.default_threads() == max(1, cores - 1)


def test_the_probe_s_model_is_a_model() -> None:
    onnx = pytest.importorskip("onnx")
    onnx.checker.check_model(onnx.load_model_from_string(onnx_runtime._identity_model()))
    assert onnx_runtime._probe("cpu") is None
