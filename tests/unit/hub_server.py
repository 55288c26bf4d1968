# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Hugging Face hub: repositories in folders, with its headers, redirects, ranges and error codes.

``python hub_server.py ROOT LOG`` prints its port and serves until it is ended. ``ROOT/OWNER/NAME/FILE`` is what
it holds. Each request is a line of JSON in LOG. ``ROOT/settings.json`` may change while it runs: ``rate``
(bytes a second), ``drop_after`` (bytes after which the first connection is cut), ``damage`` (a file whose
content is changed on the way), ``gated`` (a repository).
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHUNK = 16 * 1024
LARGE = 100_000
"""Bytes from which a file is kept as the hub keeps large ones: elsewhere, named by its SHA-256."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    log: Path
    dropped = False

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""

    def settings(self) -> dict[str, Any]:
        file = self.root / "settings.json"
        return json.loads(file.read_text(encoding="ascii")) if file.exists() else {}

    def note(self, **entry: Any) -> None:
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(json.dumps({"method": self.command, "path": self.path, **entry}) + "\n")

    def refuse(self, status: int, code: str) -> None:
        self.note(status=status)
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, *, body: bool) -> None:
        if self.path.startswith("/store/"):
            self.send_file(self.root / self.path[len("/store/") :], body)
            return
        parts = self.path.strip("/").split("/")
        if len(parts) < 5 or parts[2] != "resolve":
            self.refuse(404, "EntryNotFound")
            return
        repo, name = "/".join(parts[:2]), "/".join(parts[4:])
        if self.settings().get("gated") == repo:
            self.refuse(403, "GatedRepo")
        elif not (self.root / repo).is_dir():
            self.refuse(404, "RepoNotFound")
        elif not (self.root / repo / name).is_file():
            self.refuse(404, "EntryNotFound")
        else:
            self.resolve(repo, name, body)

    def resolve(self, repo: str, name: str, body: bool) -> None:
        data = (self.root / repo / name).read_bytes()
        if len(data) < LARGE:
            etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            self.send_file(self.root / repo / name, body, etag)
            return
        self.note(status=302)
        self.send_response(302)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(data)))
        # Another host, as the hub's own store: clients do not follow it for HEAD, and keep their token back.
        self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/store/{repo}/{name}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, path: Path, body: bool, etag: str = "") -> None:
        settings = self.settings()
        data = path.read_bytes()
        if settings.get("damage") == path.name:
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") :].partition("-")[0])
        self.send_response(206 if self.headers.get("Range") else 200)
        if etag:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{etag}"')
        if self.headers.get("Range"):
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        sent = 0
        try:
            while body and start + sent < len(data):
                chunk = data[start + sent : start + sent + CHUNK]
                self.wfile.write(chunk)
                self.wfile.flush()
                sent += len(chunk)
                if settings.get("rate"):
                    time.sleep(len(chunk) / settings["rate"])
                if sent >= settings.get("drop_after", len(data) + 1) and not Handler.dropped:
                    Handler.dropped = True
                    self.close_connection = True
                    self.connection.close()
                    return
        except OSError:
            self.close_connection = True
        finally:
            self.note(status=206 if start else 200, start=start, sent=sent)


def main() -> None:
    Handler.root, Handler.log = Path(sys.argv[1]), Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
