# SPDX-License-Identifier: GPL-2.0-or-later
"""Fine-tuned terratorch models with random weights, as Lightning leaves them: checkpoint and yaml.

The backbones are terratorch's own classes (``TerraMindViT``, ``TerraMindTiM``), small enough to try every
decoder and task in seconds; decoders, necks, heads, task classes and the writing of the checkpoint are
terratorch's and Lightning's. Needs terratorch.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

SMALL: Mapping[str, Any] = {"dim": 24, "num_heads": 2, "encoder_depth": 4, "mlp_ratio": 2}
LAYERS = (0, 1, 2, 3)
CLASSES = ("Land", "Water", "Trees")
TILE = 64

NECKS: tuple[Mapping[str, Any], ...] = (
    {"name": "SelectIndices", "indices": list(LAYERS)},
    {"name": "ReshapeTokensToImage", "remove_cls_token": False},
)
PYRAMID = {"name": "LearnedInterpolateToPyramidal"}
DECODERS: Mapping[str, Mapping[str, Any]] = {
    "UNetDecoder": {"necks": [*NECKS, PYRAMID], "decoder_channels": [16, 12, 8, 8]},
    "UperNetDecoder": {"necks": [*NECKS, PYRAMID], "decoder_channels": 16},
    "FCNDecoder": {"necks": [*NECKS], "decoder_channels": 16, "decoder_num_convs": 4},
    # terratorch 1.2 does not hand it the number of classes by itself, and adds a head of its own.
    "LinearDecoder": {"necks": [*NECKS], "decoder_upsampling_size": 16, "decoder_num_classes": 6},
    "IdentityDecoder": {"necks": [{"name": "AggregateTokens", "pooling": "mean"}]},
}
BANDS = {"S2L2A": 12, "S1GRD": 2, "DEM": 1}
MEANS = {"S2L2A": [1500.0 + 100 * i for i in range(12)], "S1GRD": [-12.0, -20.0], "DEM": [600.0]}
STDS = {"S2L2A": [2000.0 + 10 * i for i in range(12)], "S1GRD": [5.0, 6.0], "DEM": [900.0]}


@dataclass(frozen=True)
class Recipe:
    """A model to make."""

    task: str
    """segment, regress or classify."""
    decoder: str = "UNetDecoder"
    modalities: Sequence[str] = ("S2L2A", "S1GRD")
    thinks: Sequence[str] = ()
    """TiM: modalities to imagine; empty for a plain encoder."""
    merge: str = "mean"
    seed: int = 0

    @property
    def name(self) -> str:
        """For file names."""
        return "-".join((self.task, self.decoder, *self.modalities, *self.thinks, self.merge)).lower()


def register() -> None:
    """Add the small backbones to terratorch's registry, built by the functions that build the official ones."""
    from terratorch.models.backbones.terramind.model import terramind_register as official
    from terratorch.models.backbones.terramind.model.tm_utils import LayerNorm
    from terratorch.registry import TERRATORCH_BACKBONE_REGISTRY as REGISTRY

    if "terramind_v1_toy" in REGISTRY:
        return
    shared = {
        **SMALL,
        "norm_layer": partial(LayerNorm, eps=1e-6, bias=False),
        "act_layer": nn.GELU,
        "pretrained_bands": official.PRETRAINED_BANDS,
    }

    def terramind_v1_toy(**given: Any) -> Any:
        return official.build_terrammind_vit(variant="terramind_v1_tiny", **shared, **given)

    def terramind_v1_toy_tim(**given: Any) -> Any:
        return official.build_terrammind_tim(variant="terramind_v1_tiny", decoder_depth=2, **shared, **given)

    REGISTRY.register(terramind_v1_toy)
    REGISTRY.register(terramind_v1_toy_tim)


def model_arguments(recipe: Recipe) -> dict[str, Any]:
    """``model_args`` as they stand in a yaml."""
    necks = [dict(neck) for neck in DECODERS[recipe.decoder]["necks"]]
    arguments: dict[str, Any] = {
        "backbone": "terramind_v1_toy_tim" if recipe.thinks else "terramind_v1_toy",
        "backbone_pretrained": False,
        "backbone_modalities": list(recipe.modalities),
        "backbone_merge_method": recipe.merge,
        "decoder": recipe.decoder,
        **{k: v for k, v in DECODERS[recipe.decoder].items() if k != "necks"},
        "necks": necks,
        "head_dropout": 0.1,
    }
    if recipe.thinks:
        arguments["backbone_tim_modalities"] = list(recipe.thinks)
    if recipe.task != "regress":
        arguments["num_classes"] = len(CLASSES)
    return arguments


def build_task(recipe: Recipe) -> Any:
    """Terratorch's task with random weights and running statistics that are not at their start."""
    from terratorch.tasks import ClassificationTask, PixelwiseRegressionTask, SemanticSegmentationTask

    register()
    torch.manual_seed(recipe.seed)
    given: dict[str, Any] = {
        "model_factory": "EncoderDecoderFactory",
        "model_args": model_arguments(recipe),
    }
    kinds = {
        "segment": partial(SemanticSegmentationTask, class_names=list(CLASSES)),
        "classify": partial(ClassificationTask, class_names=list(CLASSES)),
        "regress": PixelwiseRegressionTask,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = kinds[recipe.task](**given)
    for module in task.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return task.eval()


def write_checkpoint(task: Any, path: Path) -> Path:
    """The file that Lightning's Trainer writes."""
    import lightning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            accelerator="cpu",
            barebones=False,
        )
        trainer.strategy.connect(task)
        trainer.save_checkpoint(path)
    return path


def configuration(recipe: Recipe) -> dict[str, Any]:
    """The yaml that terratorch would have been run with."""
    classes = {
        "segment": "SemanticSegmentationTask",
        "regress": "PixelwiseRegressionTask",
        "classify": "ClassificationTask",
    }
    settings: dict[str, Any] = {
        "model_factory": "EncoderDecoderFactory",
        "model_args": {**model_arguments(recipe), "backbone_pretrained": True},
    }
    if recipe.task != "regress":
        settings["class_names"] = list(CLASSES)
    crop = {"class_path": "albumentations.RandomCrop", "init_args": {"height": TILE, "width": TILE}}
    several = len(recipe.modalities) > 1
    return {
        "model": {"class_path": f"terratorch.tasks.{classes[recipe.task]}", "init_args": settings},
        "data": {
            "class_path": "GenericMultiModalDataModule",
            "init_args": {
                "means": {m: MEANS[m] for m in recipe.modalities} if several else MEANS[recipe.modalities[0]],
                "stds": {m: STDS[m] for m in recipe.modalities} if several else STDS[recipe.modalities[0]],
                "train_transform": [crop],
            },
        },
    }


def images(recipe: Recipe, seed: int, count: int = 2, tile: int = TILE) -> dict[str, torch.Tensor]:
    """Standardised inputs (B, bands, T, T)."""
    generator = torch.Generator().manual_seed(seed)
    return {m: torch.randn(count, BANDS[m], tile, tile, generator=generator) for m in recipe.modalities}


def answer(task: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What terratorch itself says, with ``tim_temps=0``; always with a channel axis for rasters."""
    backbone = task.model.encoder
    if hasattr(backbone, "tim_temps"):
        backbone.tim_temps = 0.0
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = {name: image.clone() for name, image in inputs.items()}
        found = task(given).output
    return found.unsqueeze(1) if found.ndim == 3 else found  # type: ignore[no-any-return]
