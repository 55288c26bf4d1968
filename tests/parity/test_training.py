# SPDX-License-Identifier: GPL-2.0-or-later
"""Training, one tiny step per stage: every loss has a gradient, runs resume, checkpoints have the layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

# terratorch and what it imports warn of things that are theirs to mend.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

CHIPS, SIZE = 2, 128


def fake_set(folder: Path, first_seed: int, count: int, _size: int) -> None:
    """Write noise as ``make_set`` writes scenes: training does not care, and simulating takes long."""
    rng = np.random.default_rng(first_seed)
    folder.mkdir(exist_ok=True)
    for name, bands in (("s2l2a", 12), ("s2l1c", 13)):
        np.save(folder / f"{name}.npy", rng.integers(1, 4000, (count, bands, SIZE, SIZE)).astype(np.uint16))
    np.save(folder / "rgb.npy", rng.integers(0, 255, (count, 3, SIZE, SIZE)).astype(np.uint8))
    np.save(folder / "s1grd.npy", rng.normal(-12, 3, (count, 2, SIZE, SIZE)).astype(np.float16))
    np.save(folder / "dem.npy", (rng.normal(300, 30, (count, SIZE, SIZE))).astype(np.float32))
    np.save(folder / "lulc.npy", rng.integers(1, 10, (count, SIZE, SIZE)).astype(np.uint8))
    np.save(folder / "coords.npy", rng.uniform(-80, 80, (count, 2)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("terratorch", reason="training needs terratorch (build.py test --parity)")
    from training import train

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "make_set", fake_set)
        patch.setattr(train, "UNSEEN", 1)
        train.main(["--run", str(folder), "--chips", str(CHIPS), "--steps", "1", "--workers", "1"])
    return folder


def test_every_stage_ends_and_is_not_run_twice(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import train
    from training.stages import STAGES

    for name in STAGES:
        assert (run / f"{name}.done").is_file()
    before = {path.name: path.stat().st_mtime_ns for path in run.glob("*.pt")}
    monkeypatch.setattr(train, "make_set", lambda *_: None)
    train.main(["--run", str(run), "--chips", str(CHIPS), "--steps", "1", "--workers", "1"])
    assert before == {path.name: path.stat().st_mtime_ns for path in run.glob("*.pt")}


def test_checkpoints_have_the_official_layout(run: Path) -> None:
    import torch

    from training.starter_model import (
        COORDS_FILE,
        MAE_FILE,
        TARGETS,
        build_mae,
        build_tokenizer,
        tokenizer_file,
    )

    official = run / "official"
    state = torch.load(official / MAE_FILE, weights_only=True)
    assert state.keys() == build_mae().state_dict().keys()
    assert "encoder_embeddings.untok_sen2l2a@224.proj.weight" in state
    assert (official / COORDS_FILE).is_file()
    for target in TARGETS:
        state = torch.load(official / tokenizer_file(target), weights_only=True)
        assert state.keys() == build_tokenizer(target).state_dict().keys()


def test_the_log_tells_how_unseen_scenes_are_done(run: Path) -> None:
    text = (run / "joint.log").read_text()
    for figure in ("LULC acc", "LULC mIoU", "DEM corr", "NDVI MAE", "LULC/after DEM acc"):
        assert figure in text


def test_every_stage_moves_what_it_trains(run: Path) -> None:
    import torch

    from training import stages
    from training.data import Chips
    from training.starter_model import TARGETS

    chips = Chips(run / "chips")
    everything = stages.Plan(
        ("S2L1C", "DEM", "COORDS"), ("LULC", "NDVI", "S2L2A"), ("S1GRD",), True, round_trip=True
    )
    for stage in stages.STAGES.values():
        torch.manual_seed(0)
        modules = {name: stages.build(name) for name in stage.trains}
        plans = [stage.plan(0), stage.plan(1)]
        if stage.name == "joint":
            plans = [everything, stages.Plan(("S2L2A",), ("DEM", "S1GRD"))]
        losses = [
            stage.loss(modules, chips.batch((1, step), 2, plan.inputs, plan.targets), plan)
            for step, plan in enumerate(plans)
        ]
        sum(value for step in losses for value in step.values()).backward()
        for name in stage.trains:
            moved = [p.grad is not None for p in modules[name].parameters() if p.requires_grad]
            assert any(moved), (stage.name, name)
        assert all(torch.isfinite(value).all() for step in losses for value in step.values())
    gradients = modules["mae"].encoder_embeddings
    for key in ("untok_sen2l1c@224", "untok_dem@224", "coords", "tok_sen1grd@224"):
        assert all(p.grad is not None for p in gradients[key].parameters()), key
    assert modules.keys() >= {f"tok_{target}" for target in TARGETS}


def test_each_patch_looks_at_its_own_place_at_first() -> None:
    pytest.importorskip("terratorch", reason="training needs terratorch (build.py test --parity)")
    import torch

    from training.starter_model import GRID, MAE, build_mae

    torch.manual_seed(1)
    mae = build_mae()
    place = mae.decoder_embeddings["tok_dem@224"].pos_emb
    seen = torch.randn(1, GRID * GRID, MAE["dim"])
    block, here = mae.decoder[0], torch.arange(GRID * GRID)
    grid = torch.stack([here // GRID, here % GRID], dim=1).float()
    queries = block.cross_attn.q(block.query_norm(mae.mask_token + place))
    context = block.context_norm(mae.decoder_proj_context(seen) + place)
    keys = block.cross_attn.kv(context)[..., : MAE["dim"]]
    for head in range(MAE["num_heads"]):
        part = slice(head * 32, (head + 1) * 32)
        weights = (queries[..., part] @ keys[..., part].mT * 32**-0.5).softmax(dim=-1)[0]
        away = torch.cdist(grid, grid, p=float("inf"))
        assert (weights * away).sum(dim=-1).mean() < 1.0  # of 14 patches; about 6 with random weights


def test_tokens_are_named_before_they_are_decoded() -> None:
    pytest.importorskip("terratorch", reason="training needs terratorch (build.py test --parity)")
    from training.stages import NAMING_STEPS, STAGES

    plan = STAGES["joint"].plan
    first, later = plan(NAMING_STEPS - 1), plan(NAMING_STEPS)
    assert first.tokens
    assert not first.decodes
    assert later.decodes


def test_plans_are_fixed_by_the_step_and_make_nothing_from_itself() -> None:
    pytest.importorskip("terratorch", reason="training needs terratorch (build.py test --parity)")
    from training.stages import STAGES, TARGET_SHARES

    plan = STAGES["joint"].plan
    plans = [plan(step) for step in range(400)]
    assert plans == [plan(step) for step in range(400)]
    for drawn in plans:
        assert drawn.inputs[0] != "COORDS"
        assert drawn.targets
        assert not {*drawn.inputs} & {*drawn.targets, *drawn.before}
        assert not {*drawn.before} & {*drawn.targets}
    shares = {"chain": np.mean([bool(drawn.before) for drawn in plans])}
    shares["alone"] = np.mean([drawn.inputs in (("S2L2A",), ("S2L2A", "COORDS")) for drawn in plans])
    shares["place"] = np.mean(["COORDS" in drawn.inputs for drawn in plans])
    assert 0.18 < shares["chain"] < 0.3
    assert 0.5 < shares["alone"] < 0.7
    assert 0.18 < shares["place"] < 0.32
    assert {target for drawn in plans for target in drawn.targets} == set(TARGET_SHARES)


@pytest.mark.parametrize("name", ["tok_NDVI", "joint"])
def test_a_stopped_stage_resumes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from dataclasses import replace

    from training import stages, train

    stage = replace(stages.STAGES[name], steps=3, batch=2, guess=None)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
        (folder / "chips").symlink_to(run / "chips")
    train.run_stage(stage, whole)
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    monkeypatch.setattr(train, "LOG_EVERY", 3)
    monkeypatch.setattr(train, "_log", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train.run_stage(stage, cut)
    assert (cut / f"{name}.resume").is_file()
    monkeypatch.undo()
    train.run_stage(stage, cut)
    for module in stage.trains:
        first, second = (train.load_module(module, folder).state_dict() for folder in (whole, cut))
        for key, tensor in first.items():
            assert (tensor == second[key]).all(), (module, key)
