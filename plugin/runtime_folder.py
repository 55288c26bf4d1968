# SPDX-License-Identifier: GPL-2.0-or-later
"""Where ONNX Runtime lives for QGIS: one folder of its own, put at the end of ``sys.path``.

``<profile>/terrane/py<X.Y>/``, or ``TERRANE_RUNTIME``, or the folder of the Options page. The end of
the path, so that nothing of QGIS (numpy above all) is ever shadowed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QObject, QProcess, QProcessEnvironment, pyqtSignal

from . import log, settings
from .i18n import tr

REQUIREMENTS = Path(__file__).resolve().parent.parent / "resources" / "runtime-requirements.txt"
_PROBE = "import sys; sys.path.append(sys.argv[1]); import onnxruntime; print(onnxruntime.__version__)"


def folder() -> Path:
    """The runtime folder in use (it may not exist yet)."""
    chosen = os.environ.get("TERRANE_RUNTIME") or settings.preferences().runtime_folder
    if chosen:
        return Path(chosen)
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return Path(QgsApplication.qgisSettingsDirPath()) / "terrane" / version


def add_to_path() -> str:
    """Put the folder at the end of ``sys.path``; returns the entry, for ``remove_from_path``."""
    entry = str(folder())
    if entry not in sys.path:
        sys.path.append(entry)
    importlib.invalidate_caches()
    return entry


def remove_from_path(entry: str) -> None:
    """Undo ``add_to_path``."""
    if entry in sys.path:
        sys.path.remove(entry)


def is_installed() -> bool:
    """Whether ``import onnxruntime`` would find it. Does not import it."""
    if "onnxruntime" in sys.modules:
        return True
    spec = importlib.util.find_spec("onnxruntime")
    # A folder without __init__.py is a leftover, not a package.
    return spec is not None and spec.origin is not None


def python_executable() -> Optional[str]:
    """The Python that QGIS embeds, as a program: ``sys.executable`` is QGIS itself on Windows and macOS."""
    names = ("python3.exe", "python.exe") if os.name == "nt" else ("python3", "python")
    executable = Path(sys.executable or "")
    if executable.name.lower().startswith("python"):
        return str(executable)
    roots = [Path(sys.exec_prefix), Path(sys.base_prefix), executable.parent]
    for root in roots:
        for place in (root, root / "bin"):
            for name in names:
                if (place / name).is_file():
                    return str(place / name)
    return shutil.which(names[0])


class Installer(QObject):
    """Fills the runtime folder with pip in a child process; QGIS stays usable.

    Everything is installed beside the final folder, imported once in a child process, and moved into
    place only when that worked: a failed or cancelled installation leaves nothing behind.
    """

    said = pyqtSignal(str)
    """One line about what happens now."""
    done = pyqtSignal(str)
    """Finished: empty when all is well, else a sentence that says what went wrong and what to do."""

    def __init__(self, parent: Optional[QObject] = None, *, target: Optional[Path] = None) -> None:
        super().__init__(parent)
        self._target = target or folder()
        self._part = self._target.with_name(self._target.name + ".part")
        self._output: list[str] = []
        self._step = ""
        self._cancelled = False
        self._process = QProcess(self)
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        environment = QProcessEnvironment.systemEnvironment()
        for name in ("PYTHONPATH", "PYTHONSTARTUP", "PIP_TARGET", "PIP_USER", "PIP_PREFIX"):
            environment.remove(name)
        self._process.setProcessEnvironment(environment)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed_to_start)

    def start(self) -> None:
        """Begin. ``done`` follows in any case."""
        python = python_executable()
        if python is None:
            self.done.emit(
                tr("QGIS's own Python was not found, so ONNX Runtime cannot be installed from here.")
            )
            return
        self._python = python
        try:
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(parents=True)
        except OSError as error:
            self.done.emit(
                tr("The folder {folder} cannot be written: {reason}.").format(
                    folder=self._part.parent, reason=error.strerror
                )
            )
            return
        self.said.emit(tr("Downloading ONNX Runtime…"))
        self._step = "pip"
        self._process.start(
            python,
            [
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
                "--progress-bar",
                "off",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--target",
                str(self._part),
                "-r",
                str(REQUIREMENTS),
            ],
        )

    def cancel(self) -> None:
        """Stop; ``done`` follows with a sentence."""
        self._cancelled = True
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.kill()
            self._process.waitForFinished(3000)

    def _read(self) -> None:
        text = bytes(self._process.readAllStandardOutput()).decode("utf-8", "replace")
        for line in text.splitlines():
            self._output.append(line)
            if line.startswith(("Collecting", "Downloading", "  Downloading")):
                self.said.emit(
                    tr("Downloading {package}…").format(
                        package=re.split(r"[<>=\[ -]", line.split()[1].split("/")[-1])[0]
                    )
                )
            elif line.startswith("Installing"):
                self.said.emit(tr("Installing…"))

    def _failed_to_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(tr("{python} could not be started.").format(python=self._python))

    def _finished(self, code: int, _status: QProcess.ExitStatus) -> None:
        self._read()
        if self._cancelled:
            self._end(tr("Cancelled; nothing was installed."))
        elif code != 0:
            self._end(self._explain())
        elif self._step == "pip":
            self.said.emit(tr("Trying it out…"))
            self._step = "probe"
            self._process.start(self._python, ["-c", _PROBE, str(self._part)])
        else:
            self._end(self._move_into_place())

    def _move_into_place(self) -> str:
        try:
            if self._target.exists():
                shutil.rmtree(self._target)
            os.replace(self._part, self._target)
        except OSError as error:
            return tr("The folder {folder} cannot be written: {reason}.").format(
                folder=self._target, reason=error.strerror
            )
        importlib.invalidate_caches()
        return ""

    def _explain(self) -> str:
        """Pip's output as one sentence that helps."""
        output = "\n".join(self._output)
        if "No module named pip" in output:
            return tr(
                "QGIS's Python has no pip. On Debian or Ubuntu install it with "
                "“sudo apt install python3-pip”, then press Install again."
            )
        if self._step == "probe":
            return tr(
                "ONNX Runtime was downloaded but does not start on this computer; the log has the details."
            )
        if "No space left" in output:
            return tr("There is not enough disk space for ONNX Runtime (about 80 MB).")
        network = (
            "Temporary failure",
            "Connection",
            "Network",
            "NewConnectionError",
            "timed out",
            "ProxyError",
            "SSL",
        )
        if any(word in output for word in network):
            return tr(
                "The package index could not be reached; check the network connection and press Install again."
            )
        if "No matching distribution" in output:
            return tr("There is no ONNX Runtime for this Python ({version}) and system.").format(
                version=".".join(map(str, sys.version_info[:2]))
            )
        return tr("Installing ONNX Runtime failed; the log has the details.")

    def _end(self, problem: str) -> None:
        shutil.rmtree(self._part, ignore_errors=True)
        if self._output:
            log.info("\n".join(self._output))
        self.done.emit(problem)
