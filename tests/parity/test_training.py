# SPDX-License-Identifier: GPL-2.0-or-later
"""Training, one tiny step per stage: every loss has a gradient, runs resume, checkpoints have the layout."""

from __future__ import annotations

from pathlib import Path

import pytest

# terratorch and what it imports warn of things that are theirs to mend.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

CHIPS = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("terratorch", reason="training needs terratorch (build.py test --parity)")
    from training.simulate import TRAIN_SEED, make_set
    from training.train import main

    folder = tmp_path_factory.mktemp("run")
    make_set(folder / "chips", TRAIN_SEED, CHIPS, 224, workers=1)
    main(["--run", str(folder), "--chips", str(CHIPS), "--steps", "1", "--threads", "1"])
    return folder


def test_every_stage_ends_and_is_not_run_twice(run: Path) -> None:
    from training.stages import STAGES
    from training.train import main

    for name in STAGES:
        assert (run / f"{name}.done").is_file()
    before = {path.name: path.stat().st_mtime_ns for path in run.glob("*.pt")}
    main(["--run", str(run), "--chips", str(CHIPS), "--steps", "1", "--threads", "1"])
    assert before == {path.name: path.stat().st_mtime_ns for path in run.glob("*.pt")}


def test_checkpoints_have_the_official_layout(run: Path) -> None:
    import torch

    from training.starter_model import MAE_FILE, TARGETS, build_mae, build_tokenizer, tokenizer_file

    official = run / "official"
    state = torch.load(official / MAE_FILE, weights_only=True)
    assert state.keys() == build_mae().state_dict().keys()
    assert "encoder_embeddings.untok_sen2l2a@224.proj.weight" in state
    for target in TARGETS:
        state = torch.load(official / tokenizer_file(target), weights_only=True)
        assert state.keys() == build_tokenizer(target).state_dict().keys()


def test_every_stage_moves_what_it_trains(run: Path) -> None:
    import torch

    from training import stages
    from training.data import Chips

    chips = Chips(run / "chips")
    for stage in stages.STAGES.values():
        torch.manual_seed(0)
        modules = {name: stages.build(name) for name in (*stage.trains, *stage.reads)}
        losses = [stage.loss(modules, chips.batch((1, step), 2), step) for step in (0, 1)]
        sum(value for step in losses for value in step.values()).backward()
        for name in stage.trains:
            moved = [p.grad is not None for p in modules[name].parameters() if p.requires_grad]
            assert any(moved), (stage.name, name)
        assert all(torch.isfinite(value).all() for step in losses for value in step.values())


def test_a_stopped_stage_resumes(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from training import stages, train
    from training.data import Chips

    chips = Chips(run / "chips")
    stage = replace(stages.STAGES["tok_NDVI"], steps=3, batch=2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    train.run_stage(stage, chips, whole)
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    monkeypatch.setattr(train, "LOG_EVERY", 3)
    monkeypatch.setattr(train, "_log", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train.run_stage(stage, chips, cut)
    assert (cut / "tok_NDVI.resume").is_file()
    monkeypatch.undo()
    train.run_stage(stage, chips, cut)
    first, second = (train.load_module("tok_NDVI", folder).state_dict() for folder in (whole, cut))
    for name, tensor in first.items():
        assert (tensor == second[name]).all(), name
