# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetching official weights: from a hub that speaks HTTP, killed in the middle, offline, damaged, from a folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terrane.inference import cli
from terrane.inference.errors import DiskFull, ModelError, RuntimeMissing
from terrane.inference.packs import hub
from terrane.inference.packs.manifest import load_pack

pytest.importorskip("huggingface_hub")

REFERENCE = Path(__file__).resolve().parents[1] / "parity" / "reference"
FILES = {
    "ibm-esa-geospatial/TerraMind-1.0-tiny/TerraMind_v1_tiny.pt": "TerraMind_v1_gelu.pt",
    "ibm-esa-geospatial/TerraMind-1.0-Tokenizer-DEM/TerraMind_Tokenizer_DEM.pt": "TerraMind_Tokenizer_DEM.pt",
    "ibm-esa-geospatial/TerraMind-1.0-Tokenizer-LULC/TerraMind_Tokenizer_LULC.pt": "TerraMind_Tokenizer_LULC.pt",
}
CHILD = """
import sys
import huggingface_hub.constants as constants
constants.DOWNLOAD_CHUNK_SIZE = 32768
from terrane.inference.console import note
from terrane.inference.errors import TerraneError
from terrane.inference.packs.pull import PullRequest, pull
try:
    pull(PullRequest("terramind-tiny", sys.argv[1], skeletons=sys.argv[2], overwrite=True))
except TerraneError as error:
    note(str(error))
    sys.exit(error.exit_code)
"""
"""What the verb does, with the reference's small skeletons; pieces are small so that small files have several."""


class Hub:
    """The server, its folder and its log."""

    def __init__(self, folder: Path) -> None:
        self.root, self.log_file = folder / "hub", folder / "log.jsonl"
        for name, source in FILES.items():
            place = self.root / name
            place.parent.mkdir(parents=True)
            shutil.copy(REFERENCE / source, place)
        command = [sys.executable, Path(__file__).with_name("hub_server.py"), self.root, self.log_file]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def set(self, **settings: Any) -> None:
        (self.root / "settings.json").write_text(json.dumps(settings), encoding="ascii")

    def served(self) -> list[dict[str, Any]]:
        """Requests that were answered with content."""
        lines = self.log_file.read_text(encoding="utf-8").splitlines() if self.log_file.exists() else []
        entries = [json.loads(line) for line in lines]
        return [e for e in entries if e["method"] == "GET" and e.get("sent")]

    def bytes(self) -> int:
        return sum(path.stat().st_size for path in map(self.root.joinpath, FILES))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    assert made.process.stdout is not None
    made.process.stdout.close()


def environment(tmp_path: Path, url: str, **more: str) -> dict[str, str]:
    kept = {
        k: v for k, v in os.environ.items() if not k.upper().endswith("_PROXY") and not k.startswith("HF_")
    }
    cache = {"HF_HOME": str(tmp_path / "hf"), "TERRANE_MODELS": str(tmp_path / "models")}
    return {**kept, **cache, "HF_ENDPOINT": url, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*", **more}


def start(tmp_path: Path, url: str, **more: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", CHILD, str(tmp_path / "pack"), str(REFERENCE / "skeletons")]
    env = environment(tmp_path, url, **more)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def pulled(tmp_path: Path, url: str, **more: str) -> tuple[int, str]:
    """Exit code and what was said."""
    process = start(tmp_path, url, **more)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def one_sentence(said: str) -> str:
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("terrane: ")
    return lines[0]


def test_pull_makes_a_pack_that_says_where_it_is_from(server: Hub, tmp_path: Path) -> None:
    assert pulled(tmp_path, server.url) == (0, "")
    pack = load_pack(tmp_path / "pack")
    assert set(pack.targets) == {"DEM", "LULC"}
    manifest = json.loads((tmp_path / "pack" / "pack.json").read_text(encoding="utf-8"))
    assert [f"{s['repo']}/{s['file']}" for s in manifest["sources"]] == list(FILES)
    for source in manifest["sources"]:
        content = (server.root / source["repo"] / source["file"]).read_bytes()
        assert source["sha256"] == hashlib.sha256(content).hexdigest()
        assert len(source["revision"]) == 40
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    # The files lie in the hub's cache: once more, nothing is downloaded; and offline works as well.
    before = len(server.served())
    assert pulled(tmp_path, server.url) == (0, "")
    assert len(server.served()) == before
    server.process.kill()
    assert pulled(tmp_path, server.url, HF_HUB_OFFLINE="1") == (0, "")


def test_a_killed_download_goes_on_where_it_stopped(server: Hub, tmp_path: Path) -> None:
    server.set(rate=400_000)
    process = start(tmp_path, server.url)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        parts = [p.stat().st_size for p in (tmp_path / "hf").rglob("*.terrane.part")]
        if any(size > 200_000 for size in parts):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = sum(p.stat().st_size for p in (tmp_path / "hf").rglob("*.terrane.part"))
    assert kept > 200_000
    assert not (tmp_path / "pack").exists()
    time.sleep(0.3)  # until the server has seen that nobody listens
    interrupted = len(server.served())
    server.set()
    assert pulled(tmp_path, server.url) == (0, "")
    resumed = server.served()[interrupted:]
    assert resumed[0]["start"] == kept
    assert sum(e["sent"] for e in resumed) == server.bytes() - kept
    load_pack(tmp_path / "pack")


def test_a_connection_that_breaks_is_taken_up_again(server: Hub, tmp_path: Path) -> None:
    server.set(drop_after=150_000)
    assert pulled(tmp_path, server.url) == (0, "")
    assert server.served()[1]["start"] > 0
    load_pack(tmp_path / "pack")


def test_a_wrong_checksum_is_refused_and_mended_by_fetching_again(server: Hub, tmp_path: Path) -> None:
    server.set(damage="TerraMind_Tokenizer_DEM.pt")
    code, said = pulled(tmp_path, server.url)
    assert (code, "checksum differs" in one_sentence(said)) == (2, True)
    assert not (tmp_path / "pack").exists()
    assert not list((tmp_path / "hf").rglob("*.terrane.part"))
    server.set()
    assert pulled(tmp_path, server.url) == (0, "")


def test_what_the_hub_refuses(server: Hub, tmp_path: Path) -> None:
    server.set(gated="ibm-esa-geospatial/TerraMind-1.0-tiny")
    code, said = pulled(tmp_path, server.url)
    assert (code, "HF_TOKEN" in one_sentence(said)) == (2, True)
    server.set()
    lulc = server.root / "ibm-esa-geospatial" / "TerraMind-1.0-Tokenizer-LULC"
    (lulc / "TerraMind_Tokenizer_LULC.pt").rename(lulc / "other.pt")
    code, said = pulled(tmp_path, server.url)
    assert (code, "has no TerraMind_Tokenizer_LULC.pt" in one_sentence(said)) == (2, True)
    shutil.rmtree(lulc)
    code, said = pulled(tmp_path, server.url)
    assert (code, "has no TerraMind_Tokenizer_LULC.pt" in one_sentence(said)) == (2, True)
    assert server.served() == [], "looked up before anything is downloaded"


def test_without_a_network(tmp_path: Path) -> None:
    code, said = pulled(tmp_path, "http://127.0.0.1:9")
    assert (code, "--from DIR" in one_sentence(said)) == (3, True)
    code, said = pulled(tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert (code, "HF_HUB_OFFLINE" in one_sentence(said)) == (3, True)


def test_a_full_disk_is_noticed_before_downloading(
    server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = CHILD.replace(
        "try:\n",
        "import shutil\nshutil.disk_usage = lambda _: shutil._ntuple_diskusage(1, 1, 100_000)\ntry:\n",
        1,
    )
    words = [sys.executable, "-c", code, str(tmp_path / "pack"), str(REFERENCE / "skeletons")]
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment(tmp_path, server.url), check=False
    )
    assert done.returncode == DiskFull.exit_code
    assert "make room" in one_sentence(done.stderr)
    assert server.served() == []


# --- without the hub -------------------------------------------------------------------------------------


def test_files_are_those_of_terratorchs_registry() -> None:
    def names(*modalities: tuple[str, ...]) -> list[str]:
        return [f"{f.repo.partition('/')[2]}:{f.name}" for f in hub.files_of("base", *modalities)]

    assert names(("S2L2A",), ("DEM", "LULC")) == [
        "TerraMind-1.0-base:TerraMind_v1_base.pt",
        "TerraMind-1.0-Tokenizer-DEM:TerraMind_Tokenizer_DEM.pt",
        "TerraMind-1.0-Tokenizer-LULC:TerraMind_Tokenizer_LULC.pt",
    ]
    assert names(("LULC", "DEM", "COORDS"), ("LULC",))[1:] == [
        "TerraMind-1.0-Tokenizer-LULC:TerraMind_Tokenizer_LULC.pt",
        "TerraMind-1.0-Tokenizer-Coords:config.json",
    ], "raw inputs need no tokenizer, and each is fetched once"
    assert hub.size_of("TerraMind-1.0-tiny") == hub.size_of("terramind-tiny") == hub.size_of("tiny") == "tiny"
    with pytest.raises(ModelError, match="terramind-tiny, terramind-small"):
        hub.size_of("terramind-huge")


def test_sizes_are_those_of_the_shipped_skeletons() -> None:
    """Every number that a skeleton binds lies in the file that is downloaded."""
    from terrane.inference.packs.bind import load_skeletons

    counted = {}
    for skeleton in load_skeletons():
        shapes = {weight.key: weight.shape for tensors in skeleton.bins.values() for weight in tensors}
        counted[skeleton.path.stem] = sum(math.prod(shape) for shape in shapes.values())
    assert {size: counted[f"terramind-{size}"] for size in hub.SIZES} == hub.PARAMETERS
    assert {name: counted[f"terramind-v1-{name}"] for name in hub.TOKENIZED} == hub.TOKENIZER_PARAMETERS
    files = hub.files_of("tiny", ("S2L2A", "COORDS"), ("DEM", "LULC"))
    assert len(files) == 4
    assert hub.download_bytes(files) == 4 * sum(
        (hub.PARAMETERS["tiny"], hub.TOKENIZER_PARAMETERS["DEM"], hub.TOKENIZER_PARAMETERS["LULC"])
    )


def test_from_a_folder(tmp_path: Path) -> None:
    from terrane.inference.packs.pull import PullRequest, pull

    folder = tmp_path / "usb" / "deep"
    folder.mkdir(parents=True)
    for name, source in FILES.items():
        shutil.copy(REFERENCE / source, folder / Path(name).name)
    request = PullRequest(
        "terramind-tiny", tmp_path / "pack", source=folder.parent, skeletons=REFERENCE / "skeletons"
    )
    assert set(pull(request).targets) == {"DEM", "LULC"}
    manifest = json.loads((tmp_path / "pack" / "pack.json").read_text(encoding="utf-8"))
    expected = [hashlib.sha256((REFERENCE / source).read_bytes()).hexdigest() for source in FILES.values()]
    assert [s["sha256"] for s in manifest["sources"]] == expected


def test_words_of_coordinates_go_by_either_name(tmp_path: Path) -> None:
    """The hub calls them config.json; beside other files they need a name of their own."""
    files = [f for f in hub.files_of("tiny", ("COORDS",), ("DEM",)) if "Coords" in f.repo]
    words = json.dumps({"model": {"type": "WordPiece", "vocab": {"[UNK]": 0}}, "pre_tokenizer": None})
    for name in (hub.COORDS_FILE, "config.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text(words, encoding="utf-8")
        assert [found.path.name for found in hub.collect(files, folder)] == [name]


def test_the_verb_asks_lists_and_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path / "models"))
    pull = ["models", "pull", "terramind-tiny"]
    assert cli.main([*pull, "--from", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "Apache-2.0" in said
    assert "--yes" in said
    assert cli.main([*pull, "--from", str(tmp_path), "--yes"]) == 2
    assert f"{tmp_path} lacks TerraMind_v1_tiny.pt" in capsys.readouterr().err
    assert cli.main([*pull, "--from", str(tmp_path / "none"), "--yes"]) == 2
    assert "no folder" in capsys.readouterr().err
    assert cli.main([*pull, "--list", "--inputs", "S1GRD,COORDS", "--targets", "NDVI", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["files"]
    assert [f["as"] for f in listed] == [
        "TerraMind_v1_tiny.pt",
        "TerraMind_Tokenizer_NDVI.pt",
        "TerraMind_Tokenizer_Coords.json",
    ]
    assert cli.main([*pull, "--yes", "--int8"]) == 2
    assert "--calibrate" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_without_huggingface_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RuntimeMissing, match="pip install huggingface_hub"):
        hub.fetch(hub.files_of("tiny", ("S2L2A",), ("DEM",)))
