# SPDX-License-Identifier: GPL-2.0-or-later
"""``build.py package``: the zip that QGIS installs, from an allow-list, the same bytes every time."""

from __future__ import annotations

import ast
import configparser
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from . import environment as env
from .environment import ROOT, BuildError, say

TOP = "terrane"
FILES = ("metadata.txt", "__init__.py", "__main__.py", "LICENSE", "README.md", "CHANGELOG.md")
FOLDERS = {
    "plugin": {".py"},
    "inference": {".py", ".json"},
    "resources": {
        ".svg",
        ".png",
        ".qml",
        ".json",
        ".txt",
        ".md",
        ".onnx",
        ".bin",
        ".gz",
        ".npz",
        ".zip",
        ".tif",
        "",
    },
}
"""What goes in: suffixes by folder (an empty suffix is for files named LICENSE)."""
LEFT_OUT = ("__pycache__", ".")
"""Names that begin so are never packed, whatever folder they are in."""
LRELEASE = ("lrelease", "lrelease-qt5", "lrelease-qt6", "pyside6-lrelease", "pyside2-lrelease")
WHEN = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every entry: the earliest a zip can hold."""


def package(output: Optional[Path]) -> int:
    """Write the zip and say what is in it."""
    version = check_version()
    target = (output or ROOT / "dist" / f"{TOP}-{version}.zip").resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    names = write_zip(target)
    say(f"{target}: version {version}, {len(names)} files, {target.stat().st_size / 1e6:.1f} MB")
    return 0


def check_version() -> str:
    """The version, which metadata.txt and ``__init__.py`` must agree on."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    named = metadata["general"]["version"]
    for node in ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            code = ast.literal_eval(node.value)
            if code != named:
                raise BuildError(f"metadata.txt says version {named}, __init__.py says {code}")
            return str(named)
    raise BuildError("__init__.py names no __version__")


def write_zip(target: Path) -> list[str]:
    """Write the zip to ``target`` and return the names in it."""
    with tempfile.TemporaryDirectory() as folder:
        entries = {name: ROOT / name for name in listed()}
        entries.update(compile_translations(Path(folder)))
        partial = target.with_name(target.name + ".part")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(entries):
                info = zipfile.ZipInfo(f"{TOP}/{name}", WHEN)
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, entries[name].read_bytes())
    partial.replace(target)
    return sorted(entries)


def listed() -> Iterator[str]:
    """Names of the files on the allow-list, relative to the checkout, with forward slashes."""
    for name in FILES:
        if not (ROOT / name).is_file():
            raise BuildError(f"{name} is missing")
        yield name
    for folder, suffixes in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if path.is_file() and path.suffix in suffixes and not any(p.startswith(LEFT_OUT) for p in parts):
                yield "/".join(parts)


def compile_translations(folder: Path) -> dict[str, Path]:
    """Compile ``i18n/*.ts`` into ``folder``: archive name to file."""
    sources = sorted((ROOT / "i18n").glob("*.ts"))
    if not sources:
        return {}
    tool = find_lrelease()
    compiled = {}
    for source in sources:
        target = folder / f"{source.stem}.qm"
        command = [tool, "-silent", str(source), "-qm", str(target)]
        if subprocess.run(command, check=False).returncode or not target.exists():
            raise BuildError(f"{source.name} could not be compiled")
        compiled[f"i18n/{target.name}"] = target
    return compiled


def find_lrelease() -> str:
    """Qt's translation compiler; installed with apt where we may."""
    for _attempt in range(2):
        found = next((path for path in map(shutil.which, LRELEASE) if path), None)
        if found:
            return found
        env.apt_install(["qttools5-dev-tools"])
    raise BuildError("lrelease is missing: install Qt's linguist tools (Debian: qttools5-dev-tools).")
