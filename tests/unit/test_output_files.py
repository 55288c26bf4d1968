# SPDX-License-Identifier: GPL-2.0-or-later
"""An output is whole or absent, whatever goes wrong while it is written."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from geos import NAMES, make_geo
from terrane.inference.errors import Cancelled, DiskFull, OutputError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io import output
from terrane.inference.io.base import OutputSpec
from terrane.inference.types import Cancel, Size, Window

SPEC = OutputSpec("float32", -9999.0, ["DEM"], ["m"])
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture
def grid(geo):
    return Grid(
        geo.parse_crs("EPSG:32632"), Affine(10.0, 0.0, 500000.0, 0.0, -10.0, 5100000.0), Size(600, 500)
    )


def values(rows=500):
    return np.random.default_rng(0).normal(size=(1, rows, 600)).astype(np.float32)


def names(folder):
    return sorted(os.listdir(folder))


def test_the_name_appears_on_commit_only(geo, grid, tmp_path):
    path = tmp_path / "dem.tif"
    writer = geo.writer(str(path), grid, SPEC)
    writer.write(Window(0, 0, 600, 500), values())
    parts = names(tmp_path)
    assert len(parts) == 1
    assert parts[0].startswith(".dem.")
    assert parts[0].endswith(".part.tif")
    writer.commit()
    assert names(tmp_path) == ["dem.tif"]
    writer.abort()
    writer.abort()
    assert names(tmp_path) == ["dem.tif"]


def test_abort_leaves_nothing(geo, grid, tmp_path):
    writer = geo.writer(str(tmp_path / "dem.tif"), grid, SPEC)
    writer.write(Window(0, 0, 600, 100), values(100))
    writer.abort()
    writer.abort()
    assert names(tmp_path) == []


def test_pixels_that_are_never_written_are_nodata(geo, grid, tmp_path):
    from terrane.inference.io.base import BandRef

    path = str(tmp_path / "dem.tif")
    writer = geo.writer(path, grid, SPEC)
    writer.write(Window(0, 256, 600, 100), values(100))
    writer.commit()
    _, valid = geo.reader([BandRef(path)], grid).read(grid.window)
    assert valid[0, 256:356].all()
    assert not valid[0, :256].any()
    assert not valid[0, 356:].any()


def test_refusals_before_anything_is_written(geo, grid, tmp_path):
    existing = tmp_path / "there.tif"
    existing.write_bytes(b"precious")
    with pytest.raises(OutputError, match="already exists"):
        geo.writer(str(existing), grid, SPEC)
    assert existing.read_bytes() == b"precious"
    with pytest.raises(OutputError, match="does not exist"):
        geo.writer(str(tmp_path / "none" / "a.tif"), grid, SPEC)
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        geo.writer(str(tmp_path / "folder.tif"), grid, SPEC, overwrite=True)
    assert names(tmp_path) == ["folder.tif", "there.tif"]


def test_overwriting_replaces_only_when_complete(geo, grid, tmp_path):
    path = tmp_path / "dem.tif"
    path.write_bytes(b"old")
    (tmp_path / "dem.tif.aux.xml").write_text("<PAMDataset/>")
    writer = geo.writer(str(path), grid, SPEC, overwrite=True)
    writer.write(Window(0, 0, 600, 500), values())
    assert path.read_bytes() == b"old"
    writer.commit()
    assert names(tmp_path) == ["dem.tif"], "statistics of the old file must not describe the new one"
    assert geo.describe(str(path)).bands[0].description == "DEM"


def test_a_file_that_appears_meanwhile_is_kept(geo, grid, tmp_path):
    path = tmp_path / "dem.tif"
    writer = geo.writer(str(path), grid, SPEC)
    writer.write(Window(0, 0, 600, 500), values())
    path.write_bytes(b"someone else's")
    with pytest.raises(OutputError, match="appeared meanwhile"):
        writer.commit()
    assert names(tmp_path) == ["dem.tif"]
    assert path.read_bytes() == b"someone else's"


def test_output_open_elsewhere_as_windows_tells(geo, grid, tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(errno.EACCES, "in use", str(target))

    writer = geo.writer(str(tmp_path / "dem.tif"), grid, SPEC)
    writer.write(Window(0, 0, 600, 500), values())
    monkeypatch.setattr(output.os, "replace", refuse)
    with pytest.raises(OutputError, match="open in another program"):
        writer.commit()
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(geo, grid, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OutputError, match="cannot be written"):
        geo.writer(str(folder / "a.tif"), grid, SPEC)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write, as /proc")
def test_folder_that_takes_no_files(geo, grid):
    with pytest.raises(OutputError):
        geo.writer("/proc/self/a.tif", grid, SPEC)


def test_forecast_refuses_a_disk_that_is_too_small(geo, grid, tmp_path, monkeypatch):
    need = output.bytes_needed(grid, SPEC)
    assert need > 600 * 500 * 4 * 2
    monkeypatch.setattr(output.shutil, "disk_usage", lambda _: Usage(10**9, 0, need - 1))
    with pytest.raises(DiskFull, match=r"dem\.tif needs up to .* MB"):
        geo.writer(str(tmp_path / "dem.tif"), grid, SPEC)
    assert names(tmp_path) == []


def test_disk_that_fills_up_meanwhile(geo, grid, tmp_path, monkeypatch):
    writer = geo.writer(str(tmp_path / "dem.tif"), grid, SPEC)
    writer.write(Window(0, 0, 600, 100), values(100))
    monkeypatch.setattr(output.shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(DiskFull, match="is full"):
        writer.write(Window(0, 100, 600, 100), values(100))
    assert names(tmp_path) == []


LIMITED = """
import resource, sys
import numpy as np
from geos import make_geo
from terrane.inference.errors import Cancelled, DiskFull, OutputError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.base import OutputSpec
from terrane.inference.types import Cancel, Size, Window
geo = make_geo(sys.argv[1])
grid = Grid(geo.parse_crs("EPSG:32632"), Affine(10.0, 0.0, 5e5, 0.0, -10.0, 5.1e6), Size(1000, 1000))
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
writer = None
try:
    writer = geo.writer(sys.argv[2], grid, OutputSpec("float32", -9999.0, ["DEM"]))
    values = np.random.default_rng(0).normal(size=(1, 200, 1000)).astype(np.float32)
    for row in range(0, 1000, 200):
        writer.write(Window(0, row, 1000, 200), values)
    writer.commit()
except (OutputError, DiskFull) as error:
    print(type(error).__name__, error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
@pytest.mark.parametrize("limit", [50_000, 1_000_000, 4_400_000])
def test_failing_writes_are_noticed_and_cleaned_up(geo, tmp_path, limit):
    # 4.2 MB of pixels: the limit strikes while writing, in the last strips, or in the COG copy (with
    # its random values nearly as large as the plain file, but for the overviews).
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, geo.name, str(tmp_path / "dem.tif"), str(limit)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert "dem.tif" in done.stdout
    assert names(tmp_path) == []


@pytest.fixture
def small_disk():
    # Not in pytest's own folder: a run that is killed must not leave a mount there, which pytest could
    # not clean up ever after.
    folder = Path(tempfile.mkdtemp(prefix="terrane-small-disk-"))
    mount = shutil.which("mount")
    if mount is None or sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a real small disk needs root on Linux (mount -t tmpfs)")
    command = [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a tmpfs be mounted")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def test_a_disk_that_is_really_full(geo, grid, small_disk, monkeypatch):
    # The forecast is switched off, so that the failure comes from the disk itself.
    real = output.shutil.disk_usage
    monkeypatch.setattr(output.shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    big = Grid(grid.crs, grid.transform, Size(1600, 1600))
    noise = np.random.default_rng(0).normal(size=(1, 100, 1600)).astype(np.float32)

    def run():
        writer = geo.writer(str(small_disk / "dem.tif"), big, SPEC)
        for row in range(0, 1600, 100):
            writer.write(Window(0, row, 1600, 100), noise)
        writer.commit()

    with pytest.raises((DiskFull, OutputError)) as caught:
        run()
    assert "dem.tif" in str(caught.value)
    assert names(small_disk) == []
    assert real(str(small_disk)).free > 5_000_000


def test_size_in_words():
    assert output.size_text(10) == "10 bytes"
    assert output.size_text(3_210_000_000) == "3.2 GB"


def test_cancelling_interrupts_the_last_copy(geo, tmp_path, monkeypatch):
    """Compressing a large raster takes a while: the button must not wait for it, nor leave anything."""
    side = 2048
    monkeypatch.setattr("terrane.inference.io.rasterio_geo.COPY_CACHE_BYTES", 2**20)
    place = Affine(10.0, 0.0, 500000.0, 0.0, -10.0, 5100000.0)
    grid = Grid(geo.parse_crs("EPSG:32632"), place, Size(side, side))
    dice = np.random.default_rng(0)

    def filled(name):
        writer = geo.writer(str(tmp_path / name), grid, SPEC)
        for row in range(0, side, 512):
            block = dice.normal(size=(1, 512, side)) * 50 + 100
            writer.write(Window(0, row, side, 512), block.astype(np.float32))
        return writer

    writer = filled("whole.tif")
    started = time.monotonic()
    writer.commit(Cancel())
    whole = time.monotonic() - started
    cancel = Cancel()
    writer = filled("cut.tif")
    timer = threading.Timer(whole / 5, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        writer.commit(cancel)
    timer.join()
    assert names(tmp_path) == ["whole.tif"]


def test_cancelling_stops_warping(geo, grid, tmp_path):
    writer = geo.writer(str(tmp_path / "dem.tif"), grid, SPEC)
    writer.write(Window(0, 0, 600, 500), values())
    writer.commit()
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        geo.warp(
            str(tmp_path / "b.tif"),
            [str(tmp_path / "dem.tif")],
            grid,
            SPEC,
            resampling="nearest",
            cancel=cancel,
        )
    assert names(tmp_path) == ["dem.tif"]
