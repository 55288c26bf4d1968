# SPDX-License-Identifier: GPL-2.0-or-later
"""Large files through QGIS's network manager: its proxy and certificates, going on where a download stopped.

The hub answers a request for a file with its size and checksum, and the place where the bytes are. These
are asked for first; the bytes go to a ``.part`` file, from its end on where it exists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsNetworkAccessManager
from qgis.PyQt.QtCore import QObject, QUrl, pyqtSignal
from qgis.PyQt.QtNetwork import QNetworkReply, QNetworkRequest

from .i18n import tr
from .words import amount_word

ENDPOINT = "https://huggingface.co"
_BUFFER = 4 * 1024 * 1024
"""Bytes that wait in memory while the disk is busy."""
_HOPS = 5
_STATUS = QNetworkRequest.Attribute.HttpStatusCodeAttribute
_POLICY = QNetworkRequest.Attribute.RedirectPolicyAttribute
_MANUAL = QNetworkRequest.RedirectPolicy.ManualRedirectPolicy
_SAFE = QNetworkRequest.RedirectPolicy.NoLessSafeRedirectPolicy
_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416


def endpoint() -> str:
    """The hub, or the mirror that HF_ENDPOINT names."""
    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


@dataclass
class Item:
    """A file to fetch. Size and checksum are known once the hub has been asked."""

    url: str
    path: Path
    size: int = 0
    etag: str = ""

    @property
    def part(self) -> Path:
        """What is here of it."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def here(self) -> int:
        """Bytes that need not be fetched."""
        for path in (self.path, self.part):
            if path.is_file():
                return path.stat().st_size
        return 0


class Download(QObject):
    """Fetches files one after the other. ``done`` follows in any case."""

    progress = pyqtSignal("qint64", "qint64")
    """Bytes that are here, and all."""
    done = pyqtSignal(str)
    """Empty when all files are here, else a sentence; what is here already is kept."""

    def __init__(self, items: Sequence[Item], parent: Optional[QObject] = None, *, spare: int = 0) -> None:
        """``spare``: bytes that the disk must have left over."""
        super().__init__(parent)
        self.items = list(items)
        self._spare = spare
        self._left: list[Item] = []
        self._reply: Optional[QNetworkReply] = None
        self._file: Any = None
        self._hops = 0
        self._ended = False

    def start(self) -> None:
        """Begin."""
        self._left = list(self.items)
        self._ask()

    def cancel(self) -> None:
        """Stop; what is here is kept for the next time."""
        self._end(tr("Cancelled; what is here already is kept for the next time."))

    # What the hub knows of each file.

    def _ask(self) -> None:
        if not self._left:
            self._begin()
            return
        self._hops = 0
        self._head(QUrl(self._left[0].url))

    def _head(self, url: QUrl) -> None:
        request = QNetworkRequest(url)
        request.setAttribute(_POLICY, _MANUAL)
        request.setRawHeader(b"Accept-Encoding", b"identity")
        self._reply = QgsNetworkAccessManager.instance().head(request)
        self._reply.finished.connect(self._answered)

    def _answered(self) -> None:
        reply = self._take_reply()
        if reply is None:
            return
        item, status = self._left[0], int(reply.attribute(_STATUS) or 0)
        headers = {
            bytes(name).lower(): bytes(reply.rawHeader(name)).decode("latin-1")
            for name in reply.rawHeaderList()
        }
        etag = headers.get(b"x-linked-etag") or headers.get(b"etag", "")
        size = headers.get(b"x-linked-size") or (headers.get(b"content-length", "") if status == _OK else "")
        location = headers.get(b"location", "")
        if 300 <= status < 400 and b"x-linked-etag" not in headers and location and self._hops < _HOPS:
            self._hops += 1
            self._head(reply.url().resolved(QUrl(location)))
            return
        if status >= 400 or not status:
            self._end(self._explain(reply, item))
            return
        if not size.isdigit() or not etag:
            self._end(
                tr("{server} does not say what {file} is; is it a mirror of the hub?").format(
                    server=endpoint(), file=item.path.name
                )
            )
            return
        item.size, item.etag = int(size), etag.replace("W/", "").strip('"')
        self._left.pop(0)
        self._ask()

    # The bytes.

    def _begin(self) -> None:
        needed = sum(max(0, item.size - item.here) for item in self.items) + self._spare
        folder = self.items[0].path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            self._end(
                tr("The folder {folder} cannot be written: {reason}.").format(
                    folder=folder, reason=error.strerror
                )
            )
            return
        if needed > free:
            words = tr("The model needs {needed} in {folder}, and {free} are free; make room there.")
            self._end(words.format(needed=amount_word(needed), folder=folder, free=amount_word(free)))
            return
        self._left = [item for item in self.items if not item.path.is_file()]
        self._next()

    def _next(self) -> None:
        self._tell()
        if not self._left:
            self._end("")
            return
        item = self._left[0]
        if item.here == item.size:
            self._complete(item)
            return
        if item.here > item.size:
            item.part.unlink()
        request = QNetworkRequest(QUrl(item.url))
        request.setAttribute(_POLICY, _SAFE)
        request.setRawHeader(b"Accept-Encoding", b"identity")
        if item.here:
            request.setRawHeader(b"Range", f"bytes={item.here}-".encode())
        self._reply = QgsNetworkAccessManager.instance().get(request)
        self._reply.setReadBufferSize(_BUFFER)
        self._reply.readyRead.connect(self._read)
        self._reply.finished.connect(self._received)

    def _read(self) -> None:
        reply = self._reply
        if reply is None or not self._left:
            return
        status = int(reply.attribute(_STATUS) or 0)
        if status not in (_OK, _PARTIAL):
            return
        try:
            if self._file is None:
                # A server that sends everything although the rest was asked for.
                self._file = self._left[0].part.open("ab" if status == _PARTIAL else "wb")
            self._file.write(bytes(reply.readAll()))
            self._file.flush()
        except OSError as error:
            self._end(
                tr("{file} cannot be written: {reason}.").format(
                    file=self._left[0].part, reason=error.strerror
                )
            )
            return
        self._tell()

    def _received(self) -> None:
        self._read()
        reply = self._take_reply()
        if reply is None:
            return
        item = self._left[0]
        if reply.error() != QNetworkReply.NetworkError.NoError:
            status = int(reply.attribute(_STATUS) or 0)
            if status == _NOT_SATISFIABLE:
                item.part.unlink()
            self._end(self._explain(reply, item))
        elif item.here != item.size:
            self._end(
                tr("The download of {file} was cut short; press Download to go on.").format(
                    file=item.path.name
                )
            )
        else:
            self._complete(item)

    def _complete(self, item: Item) -> None:
        os.replace(item.part, item.path)
        self._left.pop(0)
        self._next()

    def _tell(self) -> None:
        self.progress.emit(sum(item.here for item in self.items), sum(item.size for item in self.items))

    def _take_reply(self) -> Optional[QNetworkReply]:
        reply, self._reply = self._reply, None
        if self._file is not None:
            self._file.close()
            self._file = None
        if reply is not None:
            reply.deleteLater()
        return None if self._ended else reply

    def _explain(self, reply: QNetworkReply, item: Item) -> str:
        status = int(reply.attribute(_STATUS) or 0)
        if status in (401, 403):
            return tr("{server} wants an account for {file}; download it with a browser.").format(
                server=endpoint(), file=item.path.name
            )
        if status == 404:
            return tr("{server} has no file {file}.").format(server=endpoint(), file=item.path.name)
        return tr(
            "{file} could not be fetched ({reason}); what is here is kept: press Download to go on. Without network, "
            "see “From files”."
        ).format(file=item.path.name, reason=reply.errorString())

    def _end(self, problem: str) -> None:
        if self._ended:
            return
        self._ended = True
        reply = self._reply
        self._take_reply()
        if reply is not None and reply.isRunning():
            reply.abort()
        self.done.emit(problem)


def problem_of(item: Item) -> str:
    """Why a file is not what the hub holds; empty when it is (worker thread: reads the whole file).

    Large files' etags are their SHA-256; small ones' are git's, a SHA-1 of a header and the content.
    A wrong file is deleted: there is nothing to go on with.
    """
    if len(item.etag) not in (40, 64):
        return ""
    digest = hashlib.sha256() if len(item.etag) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(item.etag) == 40:
        digest.update(b"blob %d\0" % item.path.stat().st_size)
    with item.path.open("rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    if digest.hexdigest() == item.etag:
        return ""
    item.path.unlink()
    return tr("{file} is damaged (its checksum differs); download it again.").format(file=item.path.name)
