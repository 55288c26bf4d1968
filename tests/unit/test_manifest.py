# SPDX-License-Identifier: GPL-2.0-or-later
"""pack.json: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.errors import PackError
from terrane.inference.packs import files
from terrane.inference.packs.manifest import Pack, load_pack, parse_manifest, write_pack
from terrane.inference.packs.schema import KEYWORDS, first_problem, pack_schema
from toy_pack import build_toy_pack


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture
def folder(built: Pack, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built.root, tmp_path / "toy"))


@pytest.fixture(scope="module")
def manifest(built: Pack) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((built.root / "pack.json").read_text(encoding="utf-8"))
    return data


def rewrite(folder: Path, **changes: Any) -> None:
    data = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    data.update(changes)
    (folder / "pack.json").write_text(json.dumps(data), encoding="utf-8")


def test_what_is_written_is_read(built: Pack) -> None:
    pack = load_pack(built.root)
    assert pack == built
    assert pack.tokens == 16
    assert pack.targets["LULC"].channels == 10
    assert pack.targets["DEM"].channels == 1
    assert pack.targets["DEM"].diffusion is not None
    assert pack.inputs["S2L2A"].mean == (2000.0,) * 12
    assert set(pack.files) == {
        p.relative_to(pack.root).as_posix()
        for p in pack.root.rglob("*")
        if p.is_file() and p.name != "pack.json"
    }
    assert Path(pack.graph_path("encoder")).is_file()
    assert pack.weight_bytes() == sum((pack.root / name).stat().st_size for name in pack.files)


def test_the_hash_is_that_of_the_content(built: Pack, folder: Path) -> None:
    data = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    (folder / "pack.json").write_text(json.dumps(dict(reversed(data.items())), indent=7), encoding="utf-8")
    assert load_pack(folder).hash == built.hash
    rewrite(folder, notice="another")
    assert load_pack(folder).hash != built.hash


def test_the_schema_is_valid_and_uses_only_what_is_checked() -> None:
    schema = pack_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    def keywords(part: Any) -> set[str]:
        if not isinstance(part, dict):
            return set()
        found = set(part)
        for name in ("properties", "$defs"):
            for child in part.get(name, {}).values():
                found |= keywords(child)
        for name in ("items", "additionalProperties"):
            found |= keywords(part.get(name))
        return found

    assert keywords(schema) <= KEYWORDS


VALIDATOR = jsonschema.Draft202012Validator(pack_schema())
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 5000), st.floats(-2, 2), st.just(1.0), st.text(max_size=3)
)
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
)


@given(st.data())
def test_our_checks_agree_with_jsonschema(manifest: dict[str, Any], data: st.DataObject) -> None:
    """Change one thing anywhere in a valid manifest: both must come to the same verdict."""
    changed = copy.deepcopy(manifest)
    node: Any = changed
    while True:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys)) if keys else None
        child = node[key] if key is not None else None
        if isinstance(child, (dict, list)) and child and data.draw(st.booleans()):
            node = child
            continue
        change = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "add" and isinstance(node, dict):
            node[data.draw(st.text(max_size=4))] = data.draw(VALUES)
        elif change == "remove" and key is not None:
            del node[key]
        elif key is not None:
            node[key] = data.draw(VALUES)
        break
    assert (first_problem(changed, pack_schema()) is None) == VALIDATOR.is_valid(changed)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 2, "format 2.*reads format 1. Update Terrane"),
        ("id", "Has Spaces", "id: 'Has Spaces' has the wrong form"),
        ("tile", "224", "tile: must be of type integer"),
        ("patch", 7, "tile 32 is not a multiple of patch 7"),
        ("gsd", 0, "gsd: must be greater than 0"),
        ("tasks", [], "tasks: needs at least 1 item"),
        ("graphs", {}, "graphs: must not be empty"),
        ("license", {}, "license: 'spdx' is missing"),
        ("targets.DEM.decoder", "magic", "targets.DEM.decoder: must be one of direct, diffusion"),
        ("targets.DEM.std", [0.0], r"targets.DEM.std\[0\]: must be greater than 0"),
        ("targets.DEM.mean", [1.0, 2.0], "targets.DEM: mean has 2 values for 1 bands"),
        ("targets.DEM.clmap", 1, "targets.DEM: 'clmap' is not known"),
        ("targets.DEM.diffusion.prediction", "epsilon", "targets.DEM: noise cannot be predicted"),
        ("inputs.S2L2A.bands", ["B02"], "inputs.S2L2A: mean has 12 values for 1 bands"),
        ("files./etc/passwd", "0" * 64, "'/etc/passwd' leaves the pack"),
        ("files.../x", "0" * 64, "'../x' leaves the pack"),
        ("files.a\\b", "0" * 64, "leaves the pack"),
        ("files.C:x", "0" * 64, "leaves the pack"),
        ("files.LICENSE", "123", "files.LICENSE: '123' has the wrong form"),
        (
            "graphs.encoder.forms.onnx.path",
            "graphs/x.onnx",
            "graphs.encoder: 'graphs/x.onnx' is not in 'files'",
        ),
    ],
)
def test_wrong_manifests_are_refused_by_name(
    manifest: dict[str, Any], tmp_path: Path, path: str, value: Any, message: str
) -> None:
    changed = copy.deepcopy(manifest)
    *parents, last = path.split(".", 1) if path.startswith("files.") else path.split(".")
    node = changed
    for name in parents:
        node = node[name]
    node[last] = value
    with pytest.raises(PackError, match=message) as caught:
        parse_manifest(tmp_path / "toy", changed)
    assert "Pack toy" in str(caught.value)


def test_diffusion_needs_its_settings(manifest: dict[str, Any], tmp_path: Path) -> None:
    changed = copy.deepcopy(manifest)
    del changed["targets"]["DEM"]["diffusion"]
    with pytest.raises(PackError, match=r"targets\.DEM: a diffusion decoder needs"):
        parse_manifest(tmp_path, changed)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": NaN}', "[" * 100_000, '"x"', "\xff"])
def test_unreadable_manifests_are_refused(folder: Path, text: str) -> None:
    (folder / "pack.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(PackError, match=r"Pack toy: pack\.json"):
        load_pack(folder)


def test_a_damaged_file_is_named(folder: Path) -> None:
    graph = folder / "graphs" / "encoder.onnx"
    data = bytearray(graph.read_bytes())
    data[-1] ^= 1
    graph.write_bytes(data)
    with pytest.raises(PackError, match=r"Pack toy: graphs/encoder\.onnx is damaged"):
        load_pack(folder)
    load_pack(folder, verify=False)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "graphs" / "decode_DEM.bin").unlink()
    with pytest.raises(PackError, match=r"graphs/decode_DEM\.bin is missing"):
        load_pack(folder, verify=False)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_pack_are_refused(folder: Path, tmp_path: Path) -> None:
    graph = folder / "graphs" / "encoder.onnx"
    shutil.move(str(graph), tmp_path / "outside.onnx")
    graph.symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(PackError, match=r"graphs/encoder\.onnx is a link out of the pack"):
        load_pack(folder)


def test_a_place_without_a_pack(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no model pack at"):
        load_pack(tmp_path / "nothing")
    with pytest.raises(PackError, match=r"it has no pack\.json"):
        load_pack(tmp_path)


def test_unknown_graphs_and_forms_are_named(built: Pack) -> None:
    with pytest.raises(PackError, match="no graph 'tokenize_LULC'"):
        built.graph_path("tokenize_LULC")
    with pytest.raises(PackError, match="no torch form of the graph 'encoder'"):
        built.graph_path("encoder", "torch")


def test_nothing_is_written_when_the_manifest_is_wrong(folder: Path) -> None:
    data = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    (folder / "pack.json").unlink()
    del data["inputs"]
    with pytest.raises(PackError, match="'inputs' is missing"):
        write_pack(folder, data)
    assert not list(folder.glob("pack.json*"))


def test_hidden_files_are_left_out(folder: Path) -> None:
    data = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"x")
    assert not [name for name in write_pack(folder, data).files if name.startswith(".")]


def test_files_are_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    load_pack(folder)
    opened: list[str] = []
    monkeypatch.setattr(files, "_digest", lambda path: opened.append(path) or "0" * 64)
    load_pack(folder)
    assert opened == []
    os.utime(folder / "LICENSE", (1_600_000_001, 1_600_000_001))
    with pytest.raises(PackError, match="LICENSE is damaged"):
        load_pack(folder)
    assert [Path(name).name for name in opened] == ["LICENSE"]
