# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures every test folder shares, and the relay that joins several sessions into one summary.

``build.py test`` runs the tests in more than one process (PyPI's rasterio and QGIS each bring a GDAL).
Every session but the last writes its reports with ``--relay-to FILE``; the last reads them with
``--relay-from FILE`` and counts them as its own, so that pytest's closing line covers everything.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Machines that test are busy machines: an example that takes long is no failure.
settings.register_profile("terrane", deadline=None)
settings.load_profile("terrane")

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("terrane")
    group.addoption("--relay-to", metavar="FILE", help="write this session's reports to FILE")
    group.addoption(
        "--relay-from", metavar="FILE", action="append", default=[], help="count FILE's reports, too"
    )


def pytest_configure(config: pytest.Config) -> None:
    _private_folders()
    if hasattr(config, "workerinput"):  # an xdist worker: its controller does the talking
        return
    if config.getoption("--relay-to"):
        config.pluginmanager.register(RelayWriter(config), "relay-writer")
    if config.getoption("--relay-from"):
        config.pluginmanager.register(RelayReader(config), "relay-reader")


def _private_folders() -> None:
    """Qt wants a runtime folder that is ours alone; onnxruntime and GDAL need nothing of the user's."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if not os.environ.get("XDG_RUNTIME_DIR") or not runtime.is_dir() or not os.access(runtime, os.W_OK):
        os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="terrane-runtime-")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


class RelayWriter:
    """Writes each report as one line of JSON, and a closing line that shows the session was not cut short."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.file = Path(config.getoption("--relay-to")).open("w", encoding="utf-8")  # noqa: SIM115

    def _write(self, data: object) -> None:
        self.file.write(json.dumps(data, default=str) + "\n")
        self.file.flush()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self._write(self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    def pytest_unconfigure(self) -> None:
        self._write({"complete": True})
        self.file.close()


class RelayReader:
    """Adds other sessions' reports to this one's terminal report and exit status."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        for name in self.config.getoption("--relay-from"):
            for report in self._reports(Path(name)):
                category = "error" if report.failed else report.outcome
                if isinstance(report, pytest.TestReport):
                    status = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
                    category = status[0]
                terminal.stats.setdefault(category, []).append(report)
                if report.failed:
                    session.testsfailed += 1
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED
                elif session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
                    session.exitstatus = pytest.ExitCode.OK

    def _reports(self, path: Path) -> Iterator[Any]:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        entries = [json.loads(line) for line in lines]
        for entry in entries:
            entry.pop("node", None)  # xdist's worker, which is no more
            if isinstance(entry.get("longrepr"), list):  # of a skip; JSON has no tuples
                entry["longrepr"] = tuple(entry["longrepr"])
            if "$report_type" in entry:
                yield self.config.hook.pytest_report_from_serializable(config=self.config, data=entry)
        if not any(entry.get("complete") for entry in entries):
            text = f"the session that wrote {path.name} did not reach its end (crashed?)"
            yield pytest.TestReport(path.name, (path.name, 0, path.name), {}, "failed", text, "call")


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout (or TERRANE_SHARED); the test is skipped by name where it is missing."""
    folder = Path(os.environ.get("TERRANE_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder} (set TERRANE_SHARED)")
    return folder
