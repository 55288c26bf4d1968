# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that train side by side on one machine. Needs torch."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Team:
    """Workers that take every step together, each with its part of the batch; alone by default."""

    rank: int = 0
    size: int = 1

    def average(self, gradients: Sequence[Any]) -> None:
        """Replace gradients by their mean over the team, in place; all workers must have the same ones."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        parts = flat.split([gradient.numel() for gradient in gradients])
        torch._foreach_copy_(list(gradients), [p.view_as(g) for p, g in zip(parts, gradients)])


def run_together(work: Callable[..., None], calls: Sequence[tuple[Any, ...]], threads: int) -> None:
    """Run ``work(*call)`` for every call in a process of its own; all end when one fails or this one is ended."""
    context = multiprocessing.get_context("spawn")
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    processes = [context.Process(target=_alone, args=(work, call, threads), daemon=True) for call in calls]
    try:
        for process in processes:
            process.start()
        left = list(processes)
        while left:
            multiprocessing.connection.wait([process.sentinel for process in left])
            for process in left:
                if process.exitcode:
                    raise RuntimeError(f"{process.name} ended with code {process.exitcode}")
            left = [process for process in left if process.exitcode is None]
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            if process.pid is not None:
                process.join()
        signal.signal(signal.SIGTERM, before)


def run_team(work: Callable[..., None], call: tuple[Any, ...], size: int, threads: int) -> None:
    """Run ``work(*call, team)`` in ``size`` processes that average their gradients."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        calls = [(work, call, Team(rank, size), meeting) for rank in range(size)]
        run_together(_in_team, calls, threads)


def stop_with_parent() -> None:
    """End this process when the one that started it is gone, whatever ended that."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        sys.exit(1)


def _alone(work: Callable[..., None], call: tuple[Any, ...], threads: int) -> None:
    import torch

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(threads)
    work(*call)


def _in_team(work: Callable[..., None], call: tuple[Any, ...], team: Team, meeting: Path) -> None:
    from torch import distributed

    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=team.rank, world_size=team.size
    )
    try:
        work(*call, team)
        distributed.barrier()  # nobody leaves while another still sums up
    finally:
        distributed.destroy_process_group()
