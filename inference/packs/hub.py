# SPDX-License-Identifier: GPL-2.0-or-later
"""Official TerraMind weights from the Hugging Face hub, or from a folder on a machine without network.

Downloads go through ``huggingface_hub`` into its own cache, so that HF_HOME, HF_ENDPOINT (mirrors), HF_TOKEN
and HF_HUB_OFFLINE mean what they always mean, and other programs share the files. What the library does not
do is done here: a download goes on where an earlier process was stopped, and every file is compared with the
checksum that the hub states for it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from ..errors import DiskFull, InputError, MachineError, ModelError, PackError, RuntimeMissing, TerraneError
from ..types import Cancel, Progress, ProgressCallback
from .files import sha256_file
from .weights import vocabulary_file

OWNER = "ibm-esa-geospatial"
SIZES = ("tiny", "small", "base", "large")
LICENSE = "Apache-2.0"
TOKENIZED = ("S2L2A", "S1RTC", "S1GRD", "DEM", "LULC", "NDVI")
"""Modalities that have a tokenizer. Names of repositories and files are those in terratorch's
``terramind_register`` and ``tokenizer_register``."""
TOKENIZED_INPUTS = ("LULC", "NDVI")
"""Inputs that enter as tokens."""
COORDS = "COORDS"
COORDS_FILE = "TerraMind_Tokenizer_Coords.json"
"""What the vocabulary of coordinates is called beside the other files; on the hub it is a config.json."""
PARAMETERS = {"tiny": 52_941_504, "small": 126_026_880, "base": 379_644_672, "large": 946_906_112}
"""Numbers in TerraMind_v1_SIZE.pt that a pack can use, embeddings of every modality among them: counted from the
shipped skeletons, which a test repeats. What the hub says of a file is asked before it is fetched."""
TOKENIZER_PARAMETERS = {
    "S2L2A": 289_290_693,
    "S1RTC": 286_587_173,
    "S1GRD": 286_587_173,
    "DEM": 286_316_821,
    "LULC": 183_894_021,
    "NDVI": 286_316_821,
}
"""The same of TerraMind_Tokenizer_MODALITY.pt: encoder, codebook and decoder."""
PART = ".terrane.part"
TIMEOUT = 20.0
"""Seconds that the hub may take to answer."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository; ``name`` is also what conversion looks for, unless ``as_name`` says otherwise."""

    repo: str
    name: str
    as_name: str = ""

    @property
    def local_name(self) -> str:
        """What it is called in a folder that holds files of many repositories."""
        return self.as_name or self.name


@dataclass(frozen=True)
class Fetched:
    """A file that is here, whole: its content was compared with the hub's checksum, where it came from there."""

    file: HubFile
    path: Path
    sha256: str
    revision: str = ""

    def source(self) -> dict[str, str]:
        """What a pack records of it."""
        found = {"repo": self.file.repo, "file": self.file.name, "sha256": self.sha256}
        return {**found, **({"revision": self.revision} if self.revision else {})}


def size_of(model: str) -> str:
    """The size in a model's name, "terramind-tiny" or "tiny". Raises ModelError."""
    size = model.lower().replace("terramind-1.0-", "terramind-").rpartition("terramind-")[2]
    if size not in SIZES:
        names = ", ".join(f"terramind-{size}" for size in SIZES)
        raise ModelError(f"There is no model {model!r} to fetch; there are {names}.")
    return size


def files_of(size: str, inputs: Sequence[str], targets: Sequence[str]) -> list[HubFile]:
    """What a pack of these modalities is made of: the model, and the tokenizers it needs."""
    needed = [m for m in inputs if m in TOKENIZED_INPUTS] + [t for t in targets if t in TOKENIZED]
    files = [HubFile(f"{OWNER}/TerraMind-1.0-{size}", f"TerraMind_v1_{size}.pt")]
    files += [
        HubFile(f"{OWNER}/TerraMind-1.0-Tokenizer-{modality}", f"TerraMind_Tokenizer_{modality}.pt")
        for modality in dict.fromkeys(needed)
    ]
    if COORDS in (*inputs, *targets):
        repo = f"{OWNER}/TerraMind-1.0-Tokenizer-Coords"
        files.append(HubFile(repo, "config.json", COORDS_FILE))
    return files


def download_bytes(files: Sequence[HubFile]) -> int:
    """About how many bytes these files are: float32, as they are published. Coordinates' words are left out."""
    known = {f"TerraMind_v1_{size}.pt": count for size, count in PARAMETERS.items()}
    known.update({f"TerraMind_Tokenizer_{name}.pt": count for name, count in TOKENIZER_PARAMETERS.items()})
    return sum(4 * known.get(file.name, 0) for file in files)


def collect(files: Sequence[HubFile], folder: Union[str, Path]) -> list[Fetched]:
    """The same files from a folder, at any depth: for machines without network. Raises InputError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} with the model's files.")
    found = []
    for file in files:
        paths = sorted(p for p in folder.rglob(file.local_name) if p.is_file())
        vocabulary = vocabulary_file(folder) if file.local_name == COORDS_FILE else None
        paths += [vocabulary] if vocabulary is not None else []
        if not paths:
            raise InputError(
                f"{folder} lacks {file.local_name} (the file {file.name} of {file.repo}); put it there."
            )
        found.append(Fetched(file, paths[0], sha256_file(paths[0])))
    return found


def fetch(
    files: Sequence[HubFile],
    *,
    spare: int = 0,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
) -> list[Fetched]:
    """Download what is not in the cache yet, and check everything. ``spare``: bytes that must stay free.

    Raises RuntimeMissing (no huggingface_hub), MachineError (no network), ModelError (a repository that is
    not there, or asks for an account), DiskFull, PackError (a wrong checksum), Cancelled.
    """
    hub = _Hub()
    if hub.offline:
        return [hub.cached(file) for file in files]
    remotes = [hub.look_up(file) for file in files]
    left = sum(remote.size - remote.here for remote in remotes)
    _check_room(hub.cache, left + spare)
    done = sum(remote.here for remote in remotes)
    total = max(1, sum(remote.size for remote in remotes))

    def wrote(count: int) -> None:
        nonlocal done
        if cancel is not None:
            cancel.raise_if_set()
        done += count
        if progress is not None:
            progress(Progress(min(done, total), total, message=f"Downloading {_megabytes(done, total)}"))

    wrote(0)
    return [hub.get(remote, wrote) for remote in remotes]


def _megabytes(done: int, total: int) -> str:
    return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"


def _check_room(place: Path, needed: int) -> None:
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise DiskFull(
            f"The model needs {needed / 1e6:.0f} MB in {place}, where {free / 1e6:.0f} MB are free; make room, or "
            "set HF_HOME to a larger disk."
        )


@dataclass(frozen=True)
class _Remote:
    """What the hub says of a file, and where the cache keeps it."""

    file: HubFile
    url: str
    etag: str
    size: int
    revision: str
    blob: Path

    @property
    def part(self) -> Path:
        return self.blob.with_name(self.blob.name + PART)

    @property
    def here(self) -> int:
        """Bytes that need not be downloaded."""
        for path in (self.blob, self.part):
            if path.is_file():
                return min(path.stat().st_size, self.size)
        return 0


class _Hub:
    """``huggingface_hub``, and what its errors mean."""

    def __init__(self) -> None:
        try:
            import huggingface_hub
            from huggingface_hub import file_download
        except ImportError as error:
            raise RuntimeMissing(
                f"Fetching models needs the package huggingface_hub ({error}): pip install huggingface_hub. "
                "Without network, use --from DIR."
            ) from error
        self._hub, self._download = huggingface_hub, file_download
        constants = huggingface_hub.constants
        self.offline = bool(constants.HF_HUB_OFFLINE)
        self.cache = Path(constants.HF_HUB_CACHE)
        self.endpoint = str(constants.ENDPOINT)
        huggingface_hub.utils.disable_progress_bars()
        huggingface_hub.utils.logging.set_verbosity_error()

    def cached(self, file: HubFile) -> Fetched:
        """A file that the cache holds, checked against the checksum it is named after."""
        path = self._hub.try_to_load_from_cache(file.repo, file.name)
        if not isinstance(path, (str, os.PathLike)):
            raise MachineError(
                f"{file.name} of {file.repo} is not in {self.cache}, and HF_HUB_OFFLINE forbids to fetch it; "
                "fetch it with a network first, or use --from DIR."
            )
        blob = Path(path).resolve()
        # Where the system has no links, the cache keeps files under their own names, without a checksum.
        sha256 = sha256_file(blob) if blob.name == file.name else _checked(blob, blob.name, file)
        return Fetched(file, Path(path), sha256, Path(path).parent.name)

    def look_up(self, file: HubFile) -> _Remote:
        """Size, checksum and revision of a file."""
        with self._explained(file):
            url = self._hub.hf_hub_url(file.repo, file.name)
            found = self._hub.get_hf_file_metadata(url, timeout=TIMEOUT)
        if not found.etag or found.size is None or not found.commit_hash:
            raise MachineError(
                f"{self.endpoint} does not say what {file.name} is; is it a mirror of the hub?"
            )
        folder = self._download.repo_folder_name(repo_id=file.repo, repo_type="model")
        there = self._hub.try_to_load_from_cache(file.repo, file.name, revision=found.commit_hash)
        known = isinstance(there, (str, os.PathLike))
        blob = Path(there).resolve() if known else self.cache / folder / "blobs" / found.etag
        return _Remote(file, url, found.etag, int(found.size), found.commit_hash, blob)

    def get(self, remote: _Remote, wrote: Callable[[int], None]) -> Fetched:
        """The whole file in the cache; goes on where an earlier download stopped."""
        blob, part = remote.blob, remote.part
        with self._explained(remote.file):
            if not blob.is_file():
                blob.parent.mkdir(parents=True, exist_ok=True)
                self._resume(remote, wrote)
                try:
                    sha256 = _checked(part, remote.etag, remote.file)
                except PackError:
                    part.unlink()
                    raise
                os.replace(part, blob)
            else:
                sha256 = _checked(blob, remote.etag, remote.file)
            # The cache holds the content now: this only links it to its revision, the one looked up above.
            path = self._hub.hf_hub_download(remote.file.repo, remote.file.name)
            _checked(Path(path).resolve(), remote.etag, remote.file)
        return Fetched(remote.file, Path(path), sha256, remote.revision)

    def _resume(self, remote: _Remote, wrote: Callable[[int], None]) -> None:
        """Append what is missing; a connection that breaks is taken up again as long as something came."""
        with _Watched(remote.part, wrote) as file:
            begin = file.seek(0, io.SEEK_END)
            if begin > remote.size:
                begin = file.truncate(0)
            while begin < remote.size:
                try:
                    self._download.http_get(
                        remote.url,
                        file,
                        resume_size=begin,
                        headers=self._hub.utils.build_hf_headers(library_name="terrane"),
                        expected_size=remote.size,
                    )
                except Exception as error:
                    if file.seek(0, io.SEEK_END) == begin or not _is_network(error):
                        raise
                begin = file.seek(0, io.SEEK_END)

    @contextmanager
    def _explained(self, file: HubFile) -> Iterator[None]:
        try:
            yield
        except TerraneError:
            raise
        except Exception as error:
            explained = self._explain(error, file)
            if explained is None:
                raise
            raise explained from error

    def _explain(self, error: Exception, file: HubFile) -> Optional[TerraneError]:
        errors = self._hub.errors
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return DiskFull(
                f"There is not enough room for {file.name} in {self.cache}; set HF_HOME to a larger disk."
            )
        if isinstance(error, errors.GatedRepoError):
            return ModelError(
                f"{file.repo} asks for an account: accept its terms on {self.endpoint}, then set HF_TOKEN."
            )
        if isinstance(error, (errors.RepositoryNotFoundError, errors.EntryNotFoundError)):
            return ModelError(f"{self.endpoint} has no {file.name} in {file.repo}.")
        if isinstance(error, errors.HfHubHTTPError):
            status = getattr(error.response, "status_code", "an error")
            return MachineError(f"{self.endpoint} answers {status} for {file.name}; try again later.")
        if _is_network(error):
            return MachineError(
                f"{file.name} cannot be fetched from {self.endpoint} ({_words(error)}); what is here already is "
                "kept: try again with a network, or use --from DIR."
            )
        if isinstance(error, OSError) and error.errno is None:
            return MachineError(f"The download of {file.name} was cut short; run the command again to go on.")
        if isinstance(error, OSError):
            return MachineError(
                f"{self.cache} cannot be used ({error.strerror}); set HF_HOME to another folder."
            )
        return None


def _is_network(error: BaseException) -> bool:
    """Whether it comes from the network: the library's client changed twice, and each has errors of its own."""
    home = type(error).__module__.partition(".")[0]
    clients = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
    return home in clients or isinstance(error, (ConnectionError, TimeoutError))


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


class _Watched(io.FileIO):
    """A file that is appended to, and says how much was written."""

    def __init__(self, path: Path, wrote: Callable[[int], None]) -> None:
        super().__init__(path, "ab")
        self._wrote = wrote

    def write(self, data: Any) -> int:
        """Write all of it."""
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        self._wrote(done)
        return done


def _checked(path: Path, etag: str, file: HubFile) -> str:
    """The SHA-256 of a file whose content has the hub's checksum. Raises PackError for any other.

    A download that is wrong as a whole is deleted: there is nothing to go on with.

    Large files' etags are their SHA-256; small ones' are git's, a SHA-1 of a header and the content.
    """
    sha256 = sha256_file(path)
    found = sha256 if len(etag) == 64 else _git_sha1(path)
    if found != etag:
        todo = "fetch it again" if path.name.endswith(PART) else f"delete {path} and fetch it again"
        raise PackError(f"{file.name} is not what {file.repo} holds (its checksum differs); {todo}.")
    return sha256


def _git_sha1(path: Path) -> str:
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
