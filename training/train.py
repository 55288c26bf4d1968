# SPDX-License-Identifier: GPL-2.0-or-later
"""Training of the starter: ``python -m training.train --run training/runs/starter``.

Runs the stages of :mod:`training.stages` and resumes where a killed run stopped: first the lanes beside each
other, then the joint stage on all cores, each with its share of every batch. Writes logs, one weights file per
module, and at the end the checkpoints in the official layout. Needs terratorch.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from . import stages
from .data import Chips
from .optimiser import Optimiser
from .score import score
from .simulate import TRAIN_SEED, UNSEEN_SEED, make_set
from .starter_model import MAE_FILE, TARGETS, tokenizer_file, write_vocabulary
from .workers import Team, run_team, run_together, stop_with_parent

SEED = 20
SAVE_EVERY = 100
LOG_EVERY = 50
SCORE_EVERY = 400

#: Scenes that are only looked at while training.
UNSEEN = 16

#: Of the moving average of the weights, which is what is kept: it spans the last 500 steps.
DECAY = 0.998


@dataclass
class State:
    """What a stage has made so far."""

    modules: dict[str, Any]
    optimiser: Optimiser
    averaged: dict[str, Any]
    """Modules with the moving average of the weights; empty where none is kept."""
    step: int = 0
    seconds: float = 0.0


def rate_at(step: int, stage: stages.Stage) -> float:
    """Return the learning rate of a step: a short warm-up, then a cosine to a fiftieth."""
    warm = max(1, min(60, stage.steps // 10))
    if step < warm:
        return stage.rate * (step + 1) / warm
    done = (step - warm) / max(1, stage.steps - warm)
    return stage.rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))


def run_stage(stage: stages.Stage, run: Path, team: Optional[Team] = None) -> None:
    """Train one stage to its last step, from its own resume file when there is one."""
    finished = run / f"{stage.name}.done"
    if finished.exists():
        return
    team = team or Team()
    chips, unseen = Chips(run / "chips"), run / "unseen"
    state = _begin(stage, run, team)
    began = time.perf_counter() - state.seconds
    means: dict[str, float] = {}
    while state.step < stage.steps:
        stop_with_parent()
        losses = _step(stage, chips, state, team)
        state.step += 1
        state.seconds = time.perf_counter() - began
        if team.rank:
            continue
        for name, loss in losses.items():
            means[name] = 0.95 * means.get(name, loss) + 0.05 * loss
        if state.step % LOG_EVERY == 0:
            _log(run, stage, state, means)
        if stage.guess and unseen.is_dir() and (state.step % SCORE_EVERY == 0 or state.step == stage.steps):
            _log(run, stage, state, _score(stage, state, Chips(unseen), team))
        if state.step % SAVE_EVERY == 0:
            _save_resume(stage, run, state)
    if team.rank == 0:
        for name in stage.trains:
            _write((state.averaged or state.modules)[name].state_dict(), run / f"{name}.pt")
        finished.write_text(f"{stage.steps} steps, {state.seconds:.0f} s\n")
        (run / f"{stage.name}.resume").unlink(missing_ok=True)


def _begin(stage: stages.Stage, run: Path, team: Team) -> State:
    import torch

    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    modules = {name: load_module(name, run) for name in stage.trains}
    optimiser = Optimiser(modules, stage.rate)
    keep = stage.averaged and team.rank == 0
    averaged = {name: copy.deepcopy(module).eval() for name, module in modules.items()} if keep else {}
    state = State(modules, optimiser, averaged)
    path = run / f"{stage.name}.resume"
    if path.is_file():
        saved = torch.load(path, weights_only=True)
        for name in stage.trains:
            modules[name].load_state_dict(saved["modules"][name])
        for name, module in averaged.items():
            module.load_state_dict(saved["averaged"][name])
        optimiser.load_state_dict(saved["optimiser"])
        state.step, state.seconds = int(saved["step"]), float(saved["seconds"])
    return state


def _trained(modules: Mapping[str, Any]) -> list[Any]:
    return [p for module in modules.values() for p in module.parameters() if p.requires_grad]


def _step(stage: stages.Stage, chips: Chips, state: State, team: Team) -> dict[str, float]:
    """Take one step on this worker's share of the batch; return its losses."""
    import torch

    step, trained = state.step, _trained(state.modules)
    torch.manual_seed((SEED * 1_000_003 + step) * 8 + team.rank)
    state.optimiser.set_rate(rate_at(step, stage))
    plan = stage.plan(step)
    key = (SEED, _number(stage.name), step, team.rank)
    targets = tuple(t for t in TARGETS if t in plan.targets)
    batch = chips.batch(key, stage.batch // team.size, plan.inputs, targets, turn=stage.turn)
    losses = stage.loss(state.modules, batch, plan)
    state.optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    team.average([p.grad for p in trained if p.grad is not None])
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    state.optimiser.step()
    if state.averaged:
        # The first steps' weights are forgotten sooner.
        weight = 1.0 - min(DECAY, (1.0 + step) / (10.0 + step))
        with torch.no_grad():
            torch._foreach_lerp_(_trained(state.averaged), trained, weight)
    return {name: loss.item() for name, loss in losses.items()}


def _score(stage: stages.Stage, state: State, unseen: Chips, team: Team) -> dict[str, float]:
    """Return how the stage does on unseen chips, while the other workers wait."""
    import torch

    modules = state.averaged or state.modules
    threads = torch.get_num_threads()
    torch.set_num_threads(max(threads, team.size))
    with torch.no_grad():
        figures = score(lambda inputs: stage.guess(modules, inputs), unseen)  # type: ignore[misc]
    torch.set_num_threads(threads)
    return figures


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
    write_vocabulary(folder)
    return folder


def _number(name: str) -> int:
    return int.from_bytes(name.encode()[-4:], "big")


def _save_resume(stage: stages.Stage, run: Path, state: State) -> None:
    content = {
        "modules": {name: module.state_dict() for name, module in state.modules.items()},
        "averaged": {name: module.state_dict() for name, module in state.averaged.items()},
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
    }
    _write(content, run / f"{stage.name}.resume")


def _write(state: Any, path: Path) -> None:
    """Save under a temporary name first: a killed run leaves no half file."""
    import torch

    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.replace(path)


def _log(run: Path, stage: stages.Stage, state: State, figures: Mapping[str, float]) -> None:
    text = "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
    line = f"{stage.name} {state.step}/{stage.steps} {state.seconds:.0f} s  {text}"
    print(line, flush=True)
    with (run / f"{stage.name}.log").open("a") as file:
        file.write(line + "\n")


def run_lane(lane: list[stages.Stage], run: Path, team: Optional[Team] = None) -> None:
    """Run stages one after the other."""
    for stage in lane:
        run_stage(stage, run, team)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, make the training scenes if they are not there, and run the stages."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("training/runs/starter"))
    parser.add_argument("--chips", type=int, default=2500)
    parser.add_argument("--stages", default=",".join(stages.STAGES))
    parser.add_argument("--steps", type=int, help="instead of each stage's own number of steps")
    parser.add_argument("--scale", type=float, default=1.0, help="times each stage's number of steps")
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each; 1: all in this one")
    parser.add_argument("--threads", type=int, default=1, help="cores of each process")
    chosen = parser.parse_args(arguments)
    run = chosen.run
    make_set(run / "chips", TRAIN_SEED, chosen.chips, 224)
    make_set(run / "unseen", UNSEEN_SEED, UNSEEN, 224)
    todo = {}
    for name in chosen.stages.split(","):
        stage = stages.STAGES[name]
        todo[name] = replace(stage, steps=chosen.steps or max(1, round(stage.steps * chosen.scale)))
    lanes = [[todo[name] for name in lane if name in todo] for lane in stages.LANES]
    rest = [stage for name, stage in todo.items() if not any(name in lane for lane in stages.LANES)]
    if chosen.workers == 1:
        import torch

        torch.set_num_threads(chosen.threads)
        run_lane([*(stage for lane in lanes for stage in lane), *rest], run)
    else:
        run_together(run_lane, [(lane, run) for lane in lanes if lane], chosen.threads)
        if rest:
            run_team(run_lane, (rest, run), chosen.workers, chosen.threads)
    if all((run / f"{name}.done").exists() for name in stages.STAGES):
        print(f"checkpoints in {save_official(run)}")


if __name__ == "__main__":
    main()
