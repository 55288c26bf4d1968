# SPDX-License-Identifier: GPL-2.0-or-later
"""Training of the starter: ``python -m training.train --run training/runs/starter``.

Runs the stages of :mod:`training.stages` in order and resumes where a killed run stopped. Writes logs, one
weights file per module, and at the end the checkpoints in the official layout. Needs terratorch.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import stages
from .data import Chips
from .simulate import TRAIN_SEED, make_set
from .starter_model import MAE_FILE, TARGETS, tokenizer_file

SEED = 20
SAVE_EVERY = 100
LOG_EVERY = 25


def rate_at(step: int, stage: stages.Stage) -> float:
    """Return the learning rate of a step: a short warm-up, then a cosine to a fiftieth."""
    warm = max(1, min(60, stage.steps // 10))
    if step < warm:
        return stage.rate * (step + 1) / warm
    done = (step - warm) / max(1, stage.steps - warm)
    return stage.rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))


def run_stage(stage: stages.Stage, chips: Chips, run: Path) -> None:
    """Train one stage to its last step, from its own resume file when there is one."""
    import torch

    finished = run / f"{stage.name}.done"
    if finished.exists():
        return
    torch.manual_seed(SEED)
    modules = {name: load_module(name, run) for name in (*stage.trains, *stage.reads)}
    trained = [p for name in stage.trains for p in modules[name].parameters() if p.requires_grad]
    for name in stage.reads:
        modules[name].eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(trained, lr=stage.rate, betas=(0.9, 0.95), weight_decay=0.02)
    first, spent = _resume(stage, run, modules, optimiser)
    began = time.perf_counter() - spent
    means: dict[str, float] = {}
    for step in range(first, stage.steps):
        torch.manual_seed(SEED * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, stage)
        batch = chips.batch((SEED, _number(stage.name), step), stage.batch, turn=stage.turn)
        losses = stage.loss(modules, batch, step)
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        for name, loss in losses.items():
            means[name] = 0.95 * means.get(name, loss.item()) + 0.05 * loss.item()
        if step % LOG_EVERY == LOG_EVERY - 1:
            _log(run, stage, step + 1, means, time.perf_counter() - began)
        if step % SAVE_EVERY == SAVE_EVERY - 1:
            _save_resume(stage, run, modules, optimiser, step + 1, time.perf_counter() - began)
    for name in stage.trains:
        _write(modules[name].state_dict(), run / f"{name}.pt")
    finished.write_text(f"{stage.steps} steps, {time.perf_counter() - began:.0f} s\n")
    (run / f"{stage.name}.resume").unlink(missing_ok=True)


def load_module(name: str, run: Path) -> Any:
    """Return a module with the weights that the run has for it so far, in training mode."""
    import torch

    module = stages.build(name)
    if (run / f"{name}.pt").is_file():
        module.load_state_dict(torch.load(run / f"{name}.pt", weights_only=True))
    return module.train()


def save_official(run: Path) -> Path:
    """Write the checkpoints as the official ones are laid out, plain state dicts; return their folder."""
    folder = run / "official"
    folder.mkdir(exist_ok=True)
    _write(load_module("mae", run).state_dict(), folder / MAE_FILE)
    for target in TARGETS:
        _write(load_module(f"tok_{target}", run).state_dict(), folder / tokenizer_file(target))
    return folder


def _number(name: str) -> int:
    return int.from_bytes(name.encode()[-4:], "big")


def _resume(stage: stages.Stage, run: Path, modules: Mapping[str, Any], optimiser: Any) -> tuple[int, float]:
    import torch

    path = run / f"{stage.name}.resume"
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    for name in stage.trains:
        modules[name].load_state_dict(state["modules"][name])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), float(state["seconds"])


def _save_resume(
    stage: stages.Stage, run: Path, modules: Mapping[str, Any], optimiser: Any, step: int, seconds: float
) -> None:
    trained = {name: modules[name].state_dict() for name in stage.trains}
    state = {"modules": trained, "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
    _write(state, run / f"{stage.name}.resume")


def _write(state: Any, path: Path) -> None:
    """Save under a temporary name first: a killed run leaves no half file."""
    import torch

    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.replace(path)


def _log(run: Path, stage: stages.Stage, step: int, means: Mapping[str, float], seconds: float) -> None:
    text = " ".join(f"{name} {value:.3f}" for name, value in means.items())
    line = f"{stage.name} {step}/{stage.steps} {seconds:.0f} s  {text}"
    print(line, flush=True)
    with (run / f"{stage.name}.log").open("a") as file:
        file.write(line + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, make the training scenes if they are not there, and run the stages."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("training/runs/starter"))
    parser.add_argument("--chips", type=int, default=1500)
    parser.add_argument("--stages", default=",".join(stages.STAGES))
    parser.add_argument("--steps", type=int, help="instead of each stage's own number of steps")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(chosen.threads)
    make_set(chosen.run / "chips", TRAIN_SEED, chosen.chips, 224)
    chips = Chips(chosen.run / "chips")
    for name in chosen.stages.split(","):
        stage = stages.STAGES[name]
        run_stage(replace(stage, steps=chosen.steps or stage.steps), chips, chosen.run)
    if all((chosen.run / f"{name}.done").exists() for name in stages.STAGES):
        print(f"checkpoints in {save_official(chosen.run)}")


if __name__ == "__main__":
    main()
