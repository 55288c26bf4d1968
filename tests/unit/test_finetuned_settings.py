# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fine-tuned model's checkpoint and yaml say: task, bands, statistics, tile. Without terratorch."""

from __future__ import annotations

from typing import Any

import pytest
from terrane.inference.errors import PackError
from terrane.inference.packs.finetuned_settings import (
    band_names,
    settings_of,
    statistics_from_data,
    statistics_from_file,
    tile_of,
)

ARGS = {
    "backbone": "terramind_v1_base",
    "backbone_pretrained": True,
    "backbone_ckpt_path": "/somewhere/else.pt",
    "backbone_modalities": ["S2L2A", "S1GRD"],
    "decoder": "UNetDecoder",
    "num_classes": 2,
}
NAMES = {"S2L2A": "S2L2A", "S1GRD": "S1GRD"}
CHANNELS = {"S2L2A": 12, "S1GRD": 2}


def yaml_of(kind: str = "SemanticSegmentationTask", **data: Any) -> dict[str, Any]:
    return {
        "model": {
            "class_path": f"terratorch.tasks.{kind}",
            "init_args": {"model_args": ARGS, "model_factory": "EncoderDecoderFactory"},
        },
        "data": {"class_path": "GenericMultiModalDataModule", "init_args": data},
    }


def test_settings_of_a_yaml_never_ask_for_other_weights() -> None:
    settings = settings_of({}, yaml_of(), None)
    assert (settings.task, settings.factory) == ("segment", "segmentation")
    assert settings.model_args["backbone_pretrained"] is False
    assert "backbone_ckpt_path" not in settings.model_args
    nested = {"backbone": "terramind_v1_base", "backbone_kwargs": {"pretrained": True, "ckpt_path": "x"}}
    found = settings_of({"model_args": nested}, {}, "classify").model_args
    assert found["backbone_kwargs"] == {"pretrained": False}


def test_the_checkpoint_goes_before_the_yaml() -> None:
    hyper = {"model_args": {**ARGS, "num_classes": 5}, "class_names": ["a", "b", "c", "d", "e"]}
    settings = settings_of(hyper, yaml_of(), None)
    assert settings.model_args["num_classes"] == 5 and settings.class_names == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("SemanticSegmentationTask", "segment"),
        ("PixelwiseRegressionTask", "regress"),
        ("ClassificationTask", "classify"),
    ],
)
def test_tasks(kind: str, task: str) -> None:
    assert settings_of({}, yaml_of(kind), None).task == task


@pytest.mark.parametrize(
    ("hyper", "task"),
    [
        ({"model_args": ARGS, "ignore_index": None, "output_on_inference": "prediction"}, "segment"),
        ({"model_args": ARGS, "ignore_index": -100}, "classify"),
        ({"model_args": {"backbone": "terramind_v1_base"}, "ignore_index": None}, "regress"),
    ],
)
def test_a_task_is_told_from_the_hyper_parameters(hyper: dict[str, Any], task: str) -> None:
    assert settings_of(hyper, {}, None).task == task


@pytest.mark.parametrize(
    ("hyper", "yaml", "task", "words"),
    [
        ({}, {}, None, "--config"),
        ({"model_args": ARGS}, {}, None, "--task"),
        ({"model_args": ARGS}, {}, "paint", "not 'paint'"),
        ({"model_args": ARGS, "ignore_index": -100, "loss": "balanced_bce"}, {}, None, "several labels"),
        ({}, yaml_of("ObjectDetectionTask"), None, "ObjectDetectionTask"),
        ({"model_args": ARGS, "model_factory": "PrithviModelFactory"}, {}, "segment", "PrithviModelFactory"),
        ({"model_args": {**ARGS, "peft_config": {"method": "LORA"}}}, {}, "segment", "LoRA"),
        ({"model_args": {**ARGS, "backbone_use_temporal": True}}, {}, "segment", "dates"),
    ],
)
def test_what_cannot_be_converted_is_said(hyper: Any, yaml: Any, task: Any, words: str) -> None:
    with pytest.raises(PackError, match=words):
        settings_of(hyper, yaml, task)


def test_statistics_of_several_modalities_and_scales() -> None:
    data = {
        "means": {"S2L2A": [0.1] * 12, "S1GRD": [-12.0, -20.0]},
        "stds": {"S2L2A": [0.2] * 12, "S1GRD": [5.0, 6.0]},
        "constant_scale": {"S2L2A": 0.0001},
    }
    found = statistics_from_data(settings_of({}, yaml_of(**data), None), NAMES, CHANNELS)
    assert found["S2L2A"].mean == pytest.approx((1000.0,) * 12)
    assert found["S2L2A"].std == pytest.approx((2000.0,) * 12)
    assert found["S1GRD"].mean == (-12.0, -20.0) and found["S1GRD"].bands == ("VV", "VH")


def test_one_modality_has_bare_lists_and_named_bands() -> None:
    bands = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
    data = {"means": [1.0] * 6, "stds": [2.0] * 6, "output_bands": bands, "dataset_bands": ["X"] * 13}
    found = statistics_from_data(settings_of({}, yaml_of(**data), None), {"S2L2A": "S2L2A"}, {"S2L2A": 6})
    assert found["S2L2A"].bands == ("B02", "B03", "B04", "B8A", "B11", "B12")


def test_what_the_yaml_does_not_know_is_left_out() -> None:
    settings = settings_of({}, yaml_of(means={"S2L2A": "file.yaml"}, stds={"S2L2A": [1.0]}), None)
    assert statistics_from_data(settings, NAMES, CHANNELS) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1], "no JSON object"),
        ({"S2L2A": {"mean": [1.0]}}, "lists of numbers"),
        ({"S2L2A": {"mean": [1.0] * 12, "std": [0.0] * 12}}, "above 0"),
        ({"S2L2A": {"mean": [1.0] * 3, "std": [1.0] * 3}}, "12 bands, but 3 means"),
        ({"S2L2A": {"mean": [1.0] * 12, "std": [1.0] * 12, "bands": ["B02"]}}, "takes 12 bands"),
        ({"S2L2A": {"mean": [1.0] * 12, "std": [1.0] * 12, "bands": ["PINK"] * 12}}, "no band 'PINK'"),
    ],
)
def test_statistics_files_that_are_wrong(given: Any, words: str) -> None:
    with pytest.raises(PackError, match=words):
        statistics_from_file(given, NAMES, CHANNELS)


def test_band_names() -> None:
    assert band_names("S2L2A", ["B2", "b03", "NIR_BROAD", "Coastal_Aerosol"], 4) == (
        "B02",
        "B03",
        "B08",
        "B01",
    )
    assert band_names("RGB", ["RED", "GREEN", "BLUE"], 3) == ("R", "G", "B")
    with pytest.raises(PackError, match="nothing says which"):
        band_names("S2L2A", None, 6)


@pytest.mark.parametrize(
    ("data", "model", "tile"),
    [
        ({}, {}, 224),
        ({"train_transform": [{"class_path": "albumentations.D4"}]}, {}, 224),
        (
            {
                "train_transform": [
                    {"class_path": "albumentations.RandomCrop", "init_args": {"height": 256, "width": 256}}
                ]
            },
            {},
            256,
        ),
        ({}, {"tiled_inference_parameters": {"crop": 300, "stride": 200}}, 288),
        ({}, {"tiled_inference_parameters": {"h_crop": 512, "w_crop": 512}}, 512),
    ],
)
def test_tile_sizes(data: Any, model: Any, tile: int) -> None:
    assert tile_of(data, model, 32) == tile
