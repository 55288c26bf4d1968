# SPDX-License-Identifier: GPL-2.0-or-later
"""What no linter checks: the parts of the project that must agree with each other."""

from __future__ import annotations

import ast
import configparser
import importlib
import re
from pathlib import Path

import pytest
import terrane

ROOT = Path(__file__).resolve().parents[2]
SPDX = "# SPDX-License-Identifier: GPL-2.0-or-later"
MODULE_LINES, TEST_MODULE_LINES, FUNCTION_LINES = 400, 600, 60


def sources(*folders: str) -> list[Path]:
    """All Python files of the project, or of some of its folders."""
    names = folders or ("inference", "plugin", "tests", "training", "benchmarks", "tools")
    found = [p for name in names for p in (ROOT / name).rglob("*.py")]
    return sorted(found + ([] if folders else list(ROOT.glob("*.py"))))


def test_packages_are_the_folders_with_an_init() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r'"([\w.]+)"', text.split("\npackages = [", 1)[1].split("]", 1)[0])
    folders = [
        p.parent for p in [*sources("inference", "plugin"), ROOT / "__init__.py"] if p.name == "__init__.py"
    ]
    assert listed == sorted(".".join(["terrane", *f.relative_to(ROOT).parts]) for f in folders)


def test_version_is_the_same_everywhere() -> None:
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    assert metadata["general"]["version"] == terrane.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{terrane.__version__}]" in changelog


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_source_keeps_the_house_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert SPDX in lines[:2], "no SPDX line"
    is_test = path.relative_to(ROOT).parts[0] == "tests"
    limit = TEST_MODULE_LINES if is_test else MODULE_LINES
    assert len(lines) <= limit, f"{len(lines)} lines: look for the second thing hiding in it"
    version = (3, 9) if path.relative_to(ROOT).parts[0] not in {"training", "benchmarks"} else None
    for node in ast.walk(ast.parse(text, feature_version=version)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_test:
            size = (node.end_lineno or 0) - node.lineno + 1
            assert size <= FUNCTION_LINES, f"{node.name} has {size} lines"


@pytest.mark.parametrize("path", sources("inference"), ids=lambda p: str(p.relative_to(ROOT)))
def test_engine_never_imports_qgis(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        roots = {name.split(".")[0] for name in names}
        assert not roots & {"qgis", "PyQt5", "PyQt6", "processing"}
        assert "osgeo" not in roots or path.name == "gdal_geo.py"


@pytest.mark.parametrize("path", sources("inference", "plugin"), ids=lambda p: str(p.relative_to(ROOT)))
def test_runtimes_are_imported_inside_functions(path: Path) -> None:
    if path.parent.name == "runtime":
        return
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & {
            "torch",
            "onnxruntime",
            "terratorch",
            "transformers",
        }


@pytest.mark.parametrize("path", sources("plugin"), ids=lambda p: str(p.relative_to(ROOT)))
def test_plugin_takes_only_public_names(path: Path) -> None:
    public = set(importlib.import_module("terrane.inference").__all__)
    depth = len(path.relative_to(ROOT).parts)  # plugin/x.py has 2: `from ..inference` leaves the plugin
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if (node.level == depth and module.split(".")[0] == "inference") or module.startswith(
            "terrane.inference"
        ):
            assert module in {"inference", "terrane.inference"}, f"{module} is not public"
            assert {a.name for a in node.names} <= public
        assert not module.startswith(("PyQt5", "PyQt6")), "import Qt through qgis.PyQt"
