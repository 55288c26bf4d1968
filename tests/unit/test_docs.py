# SPDX-License-Identifier: GPL-2.0-or-later
"""The documentation against the code: commands parse, verbs and options are named, links lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from terrane.inference import cli
from terrane.inference.packs import hub
from terrane.inference.packs.variants import LIMITS
from terrane.inference.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
REFERENCE = ROOT / "docs" / "command-line.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> Iterator[str]:
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        if found[1] == language:
            yield found[2]


def commands() -> list[tuple[str, list[str]]]:
    """Every ``terrane …`` line of a shell block, as (page, words); lines may go on after a backslash."""
    found = []
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["terrane"]:
                    found.append((page.name, words[1:]))
    return found


def parsers(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every verb, and every action of a verb, with its parser."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield name.strip(), parser
    for action in below:
        for word, child in action.choices.items():
            yield from parsers(child, f"{name} {word}")


VERBS = dict(parsers(cli._parser()))


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: str(value)[:60])
def test_commands_are_understood(page: str, words: list[str]) -> None:
    arguments = cli._parser().parse_args(words)
    assert callable(arguments.run)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "worker"])
def test_every_verb_is_documented(verb: str) -> None:
    assert f"terrane {verb}" in REFERENCE.read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "worker"])
def test_every_option_is_documented(verb: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    options = {a.option_strings[-1] for a in VERBS[verb]._actions if a.option_strings} - {"--help"}
    assert {option for option in options if not re.search(rf"{option}\b", text)} == set()


def test_every_preset_is_documented() -> None:
    text = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    for preset in PRESETS.values():
        assert f"*{preset.id}*" in text


def test_what_int8_may_cost_is_documented() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- starter figures -->.*?<!-- end -->", "", text, flags=re.DOTALL)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for target, limit in LIMITS.items():
        (row,) = [row for row in rows if target in re.split(r"[ ,|]+", row.split("|")[1])]
        assert f"{limit.value:g}" in row.split("|")[2]
        assert limit.reason.split(" (")[0].split(",")[0] in row


def test_sizes_of_official_weights_are_the_codes() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for size in hub.SIZES:
        (row,) = re.findall(rf"^\| {size} \| (.+) \| (.+) \|$", text, re.M)
        amounts = [hub.download_bytes(hub.files_of(size, (), targets)) for targets in ((), ("DEM", "LULC"))]
        words = tuple(f"{n / 1e6:.0f} MB" if n < 1e9 else f"{n / 1e9:.1f} GB" for n in amounts)
        assert row == words


def test_processing_ids_exist() -> None:
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "plugin" / "processing").glob("*.py"))
    named = {
        found for page in PAGES for found in re.findall(r"terrane:(\w+)", page.read_text(encoding="utf-8"))
    }
    assert "generate" in named
    for name in named:
        assert f'"{name}"' in sources, f"terrane:{name} is not in plugin/processing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", other.read_text(encoding="utf-8"), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_are_python(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")
