# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiny random models of transformers' real classes, through their published folders. Skipped without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terrane.inference import Affine, Grid, Prompt, PromptSession, Size, View
from terrane.inference.errors import Cancelled, PackError
from terrane.inference.packs.prompt_pack import add_promptable
from terrane.inference.types import Cancel

transformers = pytest.importorskip("transformers", reason="the transformers library is not installed")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

PROMPT = {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 4}
MASK = {
    "hidden_size": 32,
    "mlp_dim": 32,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
}


def tiny(kind: str) -> Any:
    torch.manual_seed(1)
    if kind == "sam":
        vision = {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 128, "patch_size": 16,
            "output_channels": 32, "global_attn_indexes": [1], "window_size": 2, "mlp_dim": 32, "num_pos_feats": 16,
        }  # fmt: skip
        config = transformers.SamConfig(
            vision_config=vision,
            prompt_encoder_config={**PROMPT, "image_embedding_size": 8},
            mask_decoder_config=MASK,
        )
        return transformers.SamModel(config)
    if kind == "sam3_tracker":
        backbone = {
            "model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 128, "patch_size": 16, "window_size": 4,
            "global_attn_indexes": [1], "pretrain_image_size": 128,
        }  # fmt: skip
        vision = {
            "backbone_config": backbone,
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        }
        config = transformers.Sam3TrackerConfig(
            vision_config=vision, prompt_encoder_config=PROMPT, mask_decoder_config=MASK
        )
        return transformers.Sam3TrackerModel(config)
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 16, "num_attention_heads": 1,
        "image_size": [128, 128], "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 2, 2, 4], "window_size_per_stage": [8, 4, 2, 2],
        "global_attention_blocks": [3], "window_positional_embedding_background_size": [7, 7],
    }  # fmt: skip
    vision = {
        "backbone_config": backbone, "backbone_channel_list": [128, 64, 32, 16], "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    }  # fmt: skip
    config = transformers.Sam2Config(
        vision_config=vision, prompt_encoder_config=PROMPT, mask_decoder_config=MASK
    )
    return transformers.Sam2Model(config)


@pytest.fixture(params=["sam", "sam2", "sam3_tracker"])
def made(request, tmp_path: Path, monkeypatch) -> tuple[str, Any]:
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path / "models"))
    model = tiny(request.param).eval()
    model.save_pretrained(tmp_path / request.param)
    pack = add_promptable([tmp_path / request.param], tmp_path / "models")
    assert (pack.settings["model_type"], pack.tile) == (request.param, 128)
    return pack.id, model


def view() -> View:
    image = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    return View(image, Grid("EPSG:32632", Affine(1, 0, 0, 0, -1, 0), Size(128, 128)))


def test_the_answer_is_that_of_the_class_itself(made):
    name, model = made
    third = name.startswith("sam3")
    mean = torch.tensor([0.5] * 3 if third else [0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.5] * 3 if third else [0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    pixels = (torch.from_numpy(view().image.transpose(2, 0, 1)[None].copy()) / 255 - mean) / std
    with PromptSession.open(view(), name) as session:
        for prompt, feeds in (
            (
                Prompt(((40.5, 60.5), (9.5, 9.5)), (True, False)),
                {
                    "input_points": torch.tensor([[[[40.0, 60.0], [9.0, 9.0]]]]),
                    "input_labels": torch.tensor([[[1, 0]]]),
                },
            ),
            (
                Prompt(box=(10.5, 20.5, 90.5, 80.5)),
                {"input_boxes": torch.tensor([[[10.0, 20.0, 90.0, 80.0]]])},
            ),
        ):
            with torch.no_grad():
                wanted = model(pixel_values=pixels, multimask_output=False, **feeds)
            answer = session.segment(prompt)
            assert answer.score == pytest.approx(float(wanted.iou_scores.ravel()[0]), abs=1e-5)
            low = wanted.pred_masks.reshape(1, 1, *wanted.pred_masks.shape[-2:])
            full = torch.nn.functional.interpolate(low, size=(128, 128), mode="bilinear")[0, 0].numpy()
            sure = np.abs(full) > 1e-4
            assert np.array_equal(answer.mask[sure], full[sure] > 0)
        cancel = Cancel()
        cancel.set()
        with pytest.raises(Cancelled):
            session.segment(Prompt(((4.5, 6.5),), (True,)), cancel=cancel)


def test_cancel_works_between_blocks(made, monkeypatch):
    name, _ = made
    with PromptSession.open(view(), name) as session:
        cancel = Cancel()
        inner = session._model._model.mask_decoder
        monkeypatch.setattr(
            inner,
            "forward",
            lambda *_a, **_k: (cancel.set(), inner.iou_prediction_head(torch.zeros(1, 1, 32))),
        )
        with pytest.raises(Cancelled):
            session.segment(Prompt(((4.5, 6.5),), (True,)), cancel=cancel)


def test_another_type_and_missing_weights(made, tmp_path):
    _, model = made
    folder = tmp_path / "other"
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(PackError, match="type bert"):
        add_promptable([folder], tmp_path / "models")
    (folder / "config.json").write_text(json.dumps(config))
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights.pop(next(k for k in weights if "mask_decoder" in k))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    pack = add_promptable([folder], tmp_path / "models", name="holes")
    with pytest.raises(PackError, match="lacks 1 of its weights"):
        PromptSession.open(view(), pack.id)
