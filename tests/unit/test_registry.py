# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from terrane.inference import registry
from terrane.inference.errors import ModelError, PackError
from toy_pack import build_toy_pack


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("TERRANE_MODELS", str(folder))
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "starter_folder", lambda: tmp_path / "starter")
    return folder


def test_no_models(models: Path) -> None:
    assert registry.cards() == []
    with pytest.raises(ModelError, match=r"no model 'starter'\. No model is installed"):
        registry.find("starter")


def test_cards_tell_what_a_model_is(models: Path) -> None:
    build_toy_pack(models.parent / "starter", id="starter")
    build_toy_pack(models / "mine", id="toy-dem", targets=["DEM"])
    shutil.make_archive(str(models / "zipped"), "zip", build_toy_pack(models.parent / "z", id="zipped").root)
    (models / ".hidden").mkdir()
    (models / "notes.txt").write_text("not a model")
    starter, mine, zipped = registry.cards()
    assert (starter.id, mine.id, zipped.id) == ("starter", "toy-dem", "zipped")
    assert mine.targets == ("DEM",)
    assert mine.inputs == ("S2L2A",)
    assert (mine.size, mine.gsd, mine.license, mine.synthetic) == ("toy", 10.0, "CC0-1.0", True)
    assert mine.path == models / "mine"
    assert [card.error for card in (starter, mine, zipped)] == ["", "", ""]
    assert registry.find("zipped").id == "zipped"
    assert registry.find("starter").root == models.parent / "starter"


def test_broken_models_are_listed_with_their_error(models: Path) -> None:
    build_toy_pack(models / "good", id="good")
    (build_toy_pack(models / "bad").root / "LICENSE").unlink()
    (models / "junk.zip").write_bytes(b"junk")
    bad, good, junk = registry.cards()
    assert "LICENSE is missing" in bad.error
    assert not good.error
    assert "neither a pack folder nor a zip" in junk.error
    with pytest.raises(PackError, match="LICENSE is missing"):
        registry.find("bad")
    with pytest.raises(PackError, match="neither a pack"):
        registry.find("junk")


def test_the_first_of_two_models_with_one_id_is_used(models: Path) -> None:
    build_toy_pack(models / "a", id="same")
    build_toy_pack(models / "b", id="same")
    first, second = registry.cards()
    assert not first.error
    assert "has the same id" in second.error
    assert registry.find("same").root == models / "a"


def test_unknown_models_are_answered_with_the_known_ones(models: Path) -> None:
    build_toy_pack(models / "a", id="alpha")
    build_toy_pack(models / "b", id="beta")
    with pytest.raises(ModelError, match=r"no model 'gamma'\. Known models: alpha, beta"):
        registry.find("gamma")


def test_a_path_is_a_model_too(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_toy_pack(tmp_path / "elsewhere", id="toy")
    assert registry.find(str(tmp_path / "elsewhere")).id == "toy"
    monkeypatch.chdir(tmp_path)
    assert registry.find("elsewhere").id == "toy"
    assert registry.find("./elsewhere").id == "toy"


def test_damage_is_found_when_a_model_is_opened(models: Path) -> None:
    pack = build_toy_pack(models / "toy")
    with open(pack.graph_path("encoder"), "ab") as file:
        file.write(b"x")
    assert not registry.cards()[0].error  # cards read no weights
    with pytest.raises(PackError, match=r"graphs/encoder\.onnx is damaged"):
        registry.find("toy")


def test_listing_imports_no_runtime() -> None:
    code = (
        "import sys; from terrane.inference import registry; registry.cards(); "
        "print([m for m in ('torch', 'onnxruntime', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/x"}, Path("/x/terrane/models")),
        ("win32", {"APPDATA": "/roaming"}, Path("/roaming/terrane/models")),
        ("darwin", {"HOME": "/home/u"}, Path("/home/u/Library/Application Support/terrane/models")),
    ],
)
def test_the_user_s_folder(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: Path
) -> None:
    monkeypatch.delenv("TERRANE_MODELS", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert registry.user_folder() == expected
