# SPDX-License-Identifier: GPL-2.0-or-later
"""Outputs that appear under their names all together, complete, or not at all.

Everything is written into a hidden folder beside the output, on the same file system, and renamed when
the last of it is complete. A run that is killed leaves that folder behind; the next run into the same
place removes it, because a lock that dies with its process tells that nobody is working there.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Optional

from ..errors import DiskFull, OutputError
from ..io.output import check_output, size_text

PREFIX, SUFFIX = ".terrane-", ".part"
SIDECARS = (".aux.xml", ".ovr", ".msk")
"""What GDAL may keep beside a raster."""


def check_outputs(outputs: Mapping[str, str], sources: Sequence[str], *, overwrite: bool) -> None:
    """Refuse outputs that cannot be written, before any work. Raises OutputError."""
    taken = {_key(source) for source in sources if os.path.exists(source)}
    for target, name in outputs.items():
        if _key(name) in taken:
            raise OutputError(f"The output for {target} ({name}) is also an input or another output.")
        taken.add(_key(name))
        check_output(name, overwrite=overwrite)


def _key(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))


def check_space(outputs: Mapping[str, str], needed: Mapping[str, int]) -> None:
    """Compare what is needed per output with what is free on each disk. Raises DiskFull.

    What is needed under another name, such as a journal, is on the disk of the first output.
    """
    wanted: dict[int, int] = {}
    folders: dict[int, Path] = {}
    for output, size in needed.items():
        folder = Path(outputs.get(output) or next(iter(outputs.values()))).resolve().parent
        device = os.stat(folder).st_dev
        folders[device] = folder
        wanted[device] = wanted.get(device, 0) + size
    for device, size in wanted.items():
        free = shutil.disk_usage(folders[device]).free
        if free < size:
            raise DiskFull(
                f"The run may need {size_text(size)} in {folders[device]}, where {size_text(free)} "
                "are free. Free some space, or choose another folder or a smaller extent."
            )


class Staging:
    """Hidden folders beside the outputs; use as a context, which cleans up whatever happened."""

    def __init__(self, outputs: Mapping[str, str]) -> None:
        self._outputs = {target: Path(name) for target, name in outputs.items()}
        self._folders: dict[Path, Path] = {}
        self._locks: list[IO[Any]] = []

    def __enter__(self) -> Staging:
        try:
            for path in self._outputs.values():
                if path.parent not in self._folders:
                    clean_stale(path.parent)
                    self._folders[path.parent] = self._make(path.parent)
        except OSError as error:
            self.close()
            raise explained(error, path.parent) from error
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _make(self, parent: Path) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, suffix=SUFFIX, dir=parent))
        self._locks.append(hold(folder / "lock"))
        return folder

    def path(self, target: str) -> str:
        """Where to write the output of a target."""
        final = self._outputs[target]
        return str(self._folders[final.parent] / final.name)

    def scratch(self, target: str, name: str) -> str:
        """A path for something temporary, on the disk of the target's output."""
        return str(self._folders[self._outputs[target].parent] / f"scratch-{target}-{name}")

    def deliver(self) -> None:
        """Give every output its final name; all of them, or none. Raises OutputError or DiskFull."""
        undo: list[tuple[Path, Optional[Path]]] = []
        try:
            for final in self._outputs.values():
                _to_disk(self._folders[final.parent] / final.name)
            for final in self._outputs.values():
                self._deliver(final, undo)
        except OSError as error:
            for path, backup in reversed(undo):
                with suppress(OSError):
                    path.unlink() if backup is None else os.replace(backup, path)
            raise explained(error, final) from error

    def _deliver(self, final: Path, undo: list[tuple[Path, Optional[Path]]]) -> None:
        folder = self._folders[final.parent]
        for suffix in (*SIDECARS, ""):
            staged = folder / (final.name + suffix)
            goal = final.with_name(final.name + suffix)
            if goal.exists():
                backup = folder / f"old-{goal.name}"
                os.replace(goal, backup)
                undo.append((goal, backup))
            if staged.exists():
                os.replace(staged, goal)
                undo.append((goal, None))

    def close(self) -> None:
        """Remove the hidden folders with everything in them."""
        for lock in self._locks:
            lock.close()
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._locks, self._folders = [], {}


def clean_stale(parent: Path) -> None:
    """Remove what killed runs left in a folder; folders of living runs stay."""
    for folder in parent.glob(f"{PREFIX}*{SUFFIX}"):
        if folder.is_dir() and not in_use(folder / "lock"):
            shutil.rmtree(folder, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """Wait until a file's bytes, or those of a folder's files, are on the disk: the new name must not outlive
    them in a power failure.
    """
    for name in path.rglob("*") if path.is_dir() else (path,):
        if name.is_file():
            with open(name, "r+b") as file:
                os.fsync(file.fileno())


def hold(path: Path) -> IO[Any]:
    """A new lock file that is held until it is closed, or its process ends."""
    lock = open(path, "wb")  # noqa: SIM115 - that is the point
    # On Windows, being open is lock enough.
    if sys.platform != "win32":
        import fcntl

        with suppress(OSError):  # a file system without locks: stale folders there look alive, and stay
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def in_use(lock: Path) -> bool:
    """Whether a living process holds a lock."""
    if sys.platform == "win32":
        try:
            lock.unlink()
        except FileNotFoundError:
            return _is_new(lock.parent)
        except OSError:
            return True
        return False
    import fcntl

    try:
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return _is_new(lock.parent)
    except OSError:
        return True
    return False


def _is_new(folder: Path) -> bool:
    """A folder without a lock may be one that another run is just making."""
    try:
        return time.time() - folder.stat().st_mtime < 60
    except FileNotFoundError:
        return False
    except OSError:
        return True


def explained(error: OSError, path: Path) -> Exception:
    """An operating system's error in the words of the exit codes."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return DiskFull(f"The disk that holds {path} is full. Free some space and run it again.")
    return OutputError(f"{path} cannot be written ({error.strerror or error}). Choose another place.")
