# SPDX-License-Identifier: GPL-2.0-or-later
"""Get TerraMind: official weights from the hub, through QGIS's network manager, made into a model pack."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Optional

from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QLabel, QWidget

from ..inference import OFFICIAL_SIZES, PackError, models_folder, official_bytes, official_files
from .download import Download, Item, endpoint, problem_of
from .i18n import tr
from .jobs import Jobs
from .models_page import (
    DEFAULT_INPUTS,
    DEFAULT_TARGETS,
    LICENCE,
    OFFICIAL_INPUTS,
    OFFICIAL_TARGETS,
    Choice,
    Page,
    free_name,
)
from .panels.field import wrapped
from .words import amount_word, input_word, target_word


class DownloadPage(Page):
    """Choose, see the licence, download; the download goes on where it stopped."""

    def __init__(self, jobs: Jobs, parent: Optional[QWidget] = None) -> None:
        super().__init__(jobs, tr("Download"), parent)
        self._download: Optional[Download] = None
        self.size = QComboBox(self)
        for size in OFFICIAL_SIZES:
            alone = official_bytes(official_files(size, (), ()))
            self.size.addItem(f"{size} ({amount_word(alone)})", size)
        self.size.setToolTip(tr("Larger ones are better and slower."))
        self.inputs = Choice({key: input_word(key) for key in OFFICIAL_INPUTS}, DEFAULT_INPUTS, self)
        self.targets = Choice({key: target_word(key) for key in OFFICIAL_TARGETS}, DEFAULT_TARGETS, self)
        self.amount = QLabel(self)
        licence = f'<a href="{LICENCE}">Apache 2.0</a>'
        server = f'<a href="{endpoint()}/ibm-esa-geospatial">{endpoint().partition("//")[2]}</a>'
        guide = wrapped(
            self,
            tr(
                "IBM and ESA publish TerraMind's weights under the {licence} licence at {server}: free to use and "
                "share, with the licence and notices kept, and without any warranty."
            ).format(licence=licence, server=server),
        )
        guide.setOpenExternalLinks(True)
        self.accept_licence = QCheckBox(tr("I accept the licence"), self)
        self.keep = QCheckBox(tr("Keep the downloaded files"), self)
        self.keep.setToolTip(
            tr("Another size needs the same tokenizers; the model itself does not need them.")
        )
        self.column.addWidget(guide)
        self.form.addRow(tr("Size"), self.size)
        self.form.addRow(tr("Takes"), self.inputs)
        self.form.addRow(tr("Makes"), self.targets)
        self.form.addRow("", self.amount)
        self.form.addRow("", self.accept_licence)
        self.form.addRow("", self.keep)
        self.finish_layout()
        self.size.currentIndexChanged.connect(self.check)
        for box in (self.inputs, self.targets):
            box.changed.connect(self.check)
        self.accept_licence.toggled.connect(self.check)
        self.check()

    @property
    def downloading(self) -> bool:
        """Whether files are on their way."""
        return self._download is not None

    @property
    def running(self) -> bool:
        """Whether anything is under way."""
        return self.downloading or super().running

    def wanted(self) -> Any:
        """What has to be fetched, as the engine names it."""
        return official_files(self.size.currentData(), self.inputs.chosen(), self.targets.chosen())

    def files(self) -> list[Item]:
        """The same with where it is, and where it goes."""
        folder = downloads_folder()
        return [
            Item(f"{endpoint()}/{file.repo}/resolve/main/{file.name}", folder / file.local_name)
            for file in self.wanted()
        ]

    def check(self) -> None:
        """The button is enabled when something is chosen and the licence accepted."""
        self.amount.setText(
            tr("{count} files, about {amount}").format(
                count=len(self.wanted()), amount=amount_word(self._amount())
            )
        )
        chosen = bool(self.inputs.chosen() and self.targets.chosen())
        self.button.setEnabled(self.running or (chosen and self.accept_licence.isChecked()))

    def _amount(self) -> int:
        """About how much there is to download, in bytes."""
        return official_bytes(self.wanted())

    def fetch(self, size: str) -> None:
        """Begin with a size whose licence was accepted elsewhere; what is under way goes on."""
        if self.running:
            return
        self.size.setCurrentIndex(self.size.findData(size))
        self.accept_licence.setChecked(True)
        self.begin()

    def begin(self) -> None:
        """Fetch, then convert."""
        items = self.files()
        # The model is as large again.
        self._download = Download(items, self, spare=self._amount())
        self._download.progress.connect(self._show_bytes)
        self._download.done.connect(self._downloaded)
        self.show_busy()
        self.bar.setTextVisible(True)
        self._download.start()

    def stop(self) -> None:
        """Stop the download, or the conversion."""
        if self._download is not None:
            self._download.cancel()
        else:
            super().stop()

    def _show_bytes(self, here: int, total: int) -> None:
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * here / max(1, total)))
        self.bar.setFormat(f"{amount_word(here)} / {amount_word(total)}")

    def _downloaded(self, problem: str) -> None:
        download, self._download = self._download, None
        self.bar.setFormat("%p %")
        if download is not None:
            download.deleteLater()
        if problem or download is None:
            self.show_idle()
            self.note.say(problem)
            return
        self._convert(download.items)

    def _convert(self, items: list[Item]) -> None:
        from ..inference import convert_checkpoint

        size = self.size.currentData()
        inputs, targets, keep = self.inputs.chosen(), self.targets.chosen(), self.keep.isChecked()
        output = models_folder() / free_name(models_folder(), f"terramind-{size}")
        sources = [{"repo": _repo(item), "file": item.path.name, "sha256": item.etag} for item in items]

        def run(progress: Any, cancel: Any) -> Any:
            for item in items:
                cancel.raise_if_set()
                problem = problem_of(item)
                if problem:
                    raise PackError(problem)
            pack = convert_checkpoint(
                items[0].path,
                items[0].path.parent,
                inputs,
                targets,
                output,
                manifest={"sources": [source for source in sources if len(source["sha256"]) == 64]},
                progress=progress,
                cancel=cancel,
            )
            if not keep:
                shutil.rmtree(items[0].path.parent, ignore_errors=True)
            return pack

        self.work(tr("Terrane: adding a model"), run)


def downloads_folder() -> Path:
    """Where downloads wait until they are a model: hidden, so that it is no model itself."""
    return models_folder() / ".downloads"


def _repo(item: Item) -> str:
    return item.url[len(endpoint()) + 1 :].partition("/resolve/")[0]
