# SPDX-License-Identifier: GPL-2.0-or-later
"""build.py's link and package on real folders; that the zip loads in QGIS is tested in tests/qgis."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import terrane

from tools import environment, linking, packaging

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "terrane.zip"
    packaging.write_zip(path)
    return path


def test_zip_has_one_folder_named_as_the_plugin(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        metadata = opened.read("terrane/metadata.txt").decode()
    assert {name.split("/")[0] for name in names} == {"terrane"}
    assert f"version={terrane.__version__}" in metadata
    for needed in (
        "__init__.py",
        "LICENSE",
        "README.md",
        "plugin/plugin.py",
        "inference/packs/pack.schema.json",
    ):
        assert f"terrane/{needed}" in names
    for unwanted in ("__pycache__", "tests/", "training/", "tools/", "build.py", ".venv", ".git"):
        assert not [name for name in names if unwanted in name]


def test_zip_holds_what_metadata_and_translations_name(archive: Path) -> None:
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())
    assert f"terrane/{metadata['general']['icon']}" in names
    for source in (ROOT / "i18n").glob("*.ts"):
        assert f"terrane/i18n/{source.stem}.qm" in names


def test_zip_is_the_same_every_time(archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    packaging.write_zip(again)
    assert again.read_bytes() == archive.read_bytes()


def test_versions_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metadata.txt").write_text("[general]\nversion=1.0.0\n", encoding="utf-8")
    (tmp_path / "__init__.py").write_text('__version__ = "1.0.1"\n', encoding="utf-8")
    monkeypatch.setattr(packaging, "ROOT", tmp_path)
    with pytest.raises(environment.BuildError, match=r"1\.0\.0.*1\.0\.1"):
        packaging.check_version()


def test_link_is_a_link_and_may_be_repeated(tmp_path: Path) -> None:
    place = linking.link_checkout(tmp_path)
    assert place == tmp_path / "python" / "plugins" / "terrane"
    assert (place / "metadata.txt").samefile(ROOT / "metadata.txt")
    assert linking.link_checkout(tmp_path) == place


def test_link_leaves_an_installed_plugin_alone(tmp_path: Path) -> None:
    folder = tmp_path / "python" / "plugins" / "terrane"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text("", encoding="utf-8")
    with pytest.raises(environment.BuildError, match="remove it first"):
        linking.link_checkout(tmp_path)
    assert (folder / "mine.py").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "[PythonPlugins]\nterrane=true\n"),
        ("[a]\nb=%20x\n", "[a]\nb=%20x\n\n[PythonPlugins]\nterrane=true\n"),
        (
            "[PythonPlugins]\nterrane=false\nother=true\n[z]\nterrane=1\n",
            "[PythonPlugins]\nterrane=true\nother=true\n[z]\nterrane=1\n",
        ),
    ],
)
def test_enabling_changes_one_line(tmp_path: Path, before: str | None, after: str) -> None:
    ini = tmp_path / "QGIS" / "QGIS3.ini"
    if before is not None:
        ini.parent.mkdir()
        ini.write_text(before, encoding="utf-8")
    linking.enable_plugin(ini)
    linking.enable_plugin(ini)
    assert ini.read_text(encoding="utf-8") == after


def test_wheel_holds_engine_plugin_and_resources(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("inference", "plugin", "resources"):
        shutil.copytree(ROOT / folder, source / folder, ignore=leave)
    for name in ("pyproject.toml", "__init__.py", "__main__.py", "metadata.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*pip, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True, cwd=tmp_path
    )
    with zipfile.ZipFile(next(tmp_path.glob("terrane-*.whl"))) as wheel:
        names = set(wheel.namelist())
    expected = [
        p for f in ("inference", "plugin", "resources") for p in (source / f).rglob("*") if p.is_file()
    ]
    missing = {f"terrane/{p.relative_to(source).as_posix()}" for p in expected} - names
    assert not {name for name in missing if not name.endswith("make_styles.py")}


def test_help_names_the_four_commands() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "build.py"), "-h"], capture_output=True, text=True, check=True
    )
    for command in ("demo", "test", "link", "package"):
        assert f"\n    {command} " in done.stdout
