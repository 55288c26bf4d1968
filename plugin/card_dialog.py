# SPDX-License-Identifier: GPL-2.0-or-later
"""The full model card that lies in a pack, as a page to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from qgis.PyQt.QtCore import Qt, QUrl
from qgis.PyQt.QtGui import QDesktopServices, QTextCursor, QTextDocument, QTextFrameFormat, QTextTable
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from .i18n import tr

_MOST = 1_000_000
"""Bytes of a card that are shown; packs come from anywhere."""


class CardDialog(QDialog):
    """Shows ``card.about``; it does not keep the user from working on."""

    def __init__(self, card: Any, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Model card: {model}").format(model=card.name))
        self.resize(620, 680)
        self.page = QTextBrowser(self)
        self.page.setAccessibleName(self.windowTitle())
        self.page.setOpenLinks(False)
        self.page.anchorClicked.connect(follow)
        show_markdown(self.page, read(card.about))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.page)
        layout.addWidget(buttons)


def read(path: Path) -> str:
    """The text of a card; why it cannot be read, where it cannot."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode("utf-8", "replace")
    except OSError as error:
        return tr("{file} cannot be read: {reason}.").format(file=path, reason=error.strerror)


def follow(url: QUrl) -> None:
    """Links of a card lead to the web or nowhere."""
    if url.scheme() in ("http", "https"):
        QDesktopServices.openUrl(url)


def show_markdown(page: QTextBrowser, text: str) -> None:
    """Markdown with tables that have lines, and without HTML."""
    document = page.document()
    document.setDocumentMargin(12)
    features = QTextDocument.MarkdownFeature
    document.setMarkdown(
        text, QTextDocument.MarkdownFeatures(features.MarkdownDialectGitHub | features.MarkdownNoHTML)
    )
    line = page.palette().mid()
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            style = frame.format()
            style.setBorder(1)
            style.setBorderBrush(line)
            style.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
            style.setBorderCollapse(True)
            style.setCellPadding(4)
            style.setCellSpacing(0)
            style.setTopMargin(6)
            style.setBottomMargin(6)
            frame.setFormat(style)
    block = document.begin()
    while block.isValid():
        if block.blockFormat().headingLevel() > 1:
            spaced = block.blockFormat()
            spaced.setTopMargin(14)
            QTextCursor(block).setBlockFormat(spaced)
        block = block.next()
    page.moveCursor(QTextCursor.MoveOperation.Start)
