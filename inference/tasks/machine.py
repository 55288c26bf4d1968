# SPDX-License-Identifier: GPL-2.0-or-later
"""What this machine can say of itself: peak memory, and how fast it ran earlier."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from ..packs.files import cache_dir


def peak_rss_mb() -> Optional[float]:
    """Peak resident memory of this process in MB (10⁶ bytes); None where the system does not say."""
    peak = _peak_bytes()
    return None if peak is None else peak / 1e6


def _peak_bytes() -> Optional[int]:
    if sys.platform == "win32":
        return _peak_bytes_windows()
    try:
        # On Linux ru_maxrss starts from the parent's size after fork and exec; VmHWM does not.
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return None


def _peak_bytes_windows() -> Optional[int]:
    """PROCESS_MEMORY_COUNTERS.PeakWorkingSetSize of psapi.h."""
    import ctypes

    class Counters(ctypes.Structure):
        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("page_faults", ctypes.c_uint32),
            *((f"size{i}", ctypes.c_size_t) for i in range(8)),
        )

    windll: Any = getattr(ctypes, "windll", None)
    counters = Counters()
    counters.cb = ctypes.sizeof(Counters)
    process = ctypes.c_void_p(windll.kernel32.GetCurrentProcess())
    if not windll.psapi.GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb):
        return None
    return int(counters.size0)


class Timings:
    """Seconds per tile of earlier runs, in a small JSON file: what forecasts are made of."""

    LIMIT = 200
    """Entries kept; the oldest go first."""

    def __init__(self, path: Optional[Path] = None) -> None:
        self._path = path or default_timings_path()

    def recall(self, key: str) -> Optional[float]:
        """Seconds per tile of the last run under this key; None before the first."""
        value = self._read().get(key)
        return value if isinstance(value, float) and value > 0 else None

    def remember(self, key: str, seconds_per_tile: float) -> None:
        """Store a measurement. A folder that cannot be written only costs the forecast."""
        table = self._read()
        table.pop(key, None)
        table[key] = float(seconds_per_tile)
        kept = dict(list(table.items())[-self.LIMIT :])
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            os.replace(part, self._path)
        except OSError:
            with suppress(OSError):
                part.unlink()

    def _read(self) -> dict[str, Any]:
        try:
            table = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return table if isinstance(table, dict) else {}


def default_timings_path() -> Path:
    """``timings.json`` in Terrane's cache folder."""
    return cache_dir() / "timings.json"
