# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fine-tuned terratorch model was trained for and on: read from its checkpoint's hyper-parameters
and, where there is one, from the yaml that it was trained with. Neither torch nor terratorch is needed.

The yaml is LightningCLI's: ``model.init_args`` holds what the checkpoint calls hyper-parameters,
``data.init_args`` the data module's settings (means, stds, bands, crops).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from ..errors import PackError
from ..modalities import MODALITIES

TASKS: Mapping[str, tuple[str, str]] = {
    "SemanticSegmentationTask": ("segment", "segmentation"),
    "PixelwiseRegressionTask": ("regress", "regression"),
    "ClassificationTask": ("classify", "classification"),
}
"""terratorch's task classes: our task, and what its model factory calls it."""

IMAGE_KEYS: Mapping[str, str] = {
    "untok_sen2l2a@224": "S2L2A",
    "untok_sen2l1c@224": "S2L1C",
    "untok_sen2rgb@224": "RGB",
    "untok_sen1grd@224": "S1GRD",
    "untok_sen1rtc@224": "S1RTC",
    "untok_dem@224": "DEM",
}
"""terratorch's name of a modality's embedding → our modality."""

DEFAULT_TILE = 224
_CROPS = ("crop", "h_crop", "w_crop", "h_stride")
_ALSO = {"nir broad": "B08", "nir wide": "B08"}
"""Band names of terratorch (HLSBands) that our table of aliases does not know."""


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each band, in the unit in which the files hold it."""

    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Settings:
    """A fine-tuned model's settings. ``model_args`` never ask for pretrained weights."""

    task: str
    factory: str
    """The factory's name of the task."""
    model_args: Mapping[str, Any]
    class_names: tuple[str, ...]
    data: Mapping[str, Any]
    """Settings of the data module; empty where they are not known."""
    data_class: str


def settings_of(hyper: Mapping[str, Any], yaml: Mapping[str, Any], task: Optional[str]) -> Settings:
    """Put together what a checkpoint (``hyper``) and a yaml say; the checkpoint goes first.

    ``task``: segment, regress or classify, where neither says. Raises PackError.
    """
    section = _mapping(yaml.get("model"))
    given = {**_mapping(section.get("init_args")), **{k: v for k, v in hyper.items() if v is not None}}
    model_args = given.get("model_args")
    if not isinstance(model_args, Mapping):
        raise PackError(
            "The checkpoint does not hold its settings (model_args); give the yaml that the model was "
            "trained with (--config)."
        )
    factory = given.get("model_factory", "EncoderDecoderFactory")
    if factory != "EncoderDecoderFactory":
        raise PackError(f"The model was built by {factory}; Terrane converts those of EncoderDecoderFactory.")
    name = str(given.get("_class_path") or section.get("class_path") or "").rsplit(".", 1)[-1]
    known = TASKS.get(name) or _task_named(task) or _task_guess({**hyper, **given}, model_args, name)
    data = _mapping(yaml.get("data"))
    return Settings(
        task=known[0],
        factory=known[1],
        model_args=without_pretraining(model_args),
        class_names=tuple(str(n) for n in given.get("class_names") or ()),
        data=_mapping(data.get("init_args")),
        data_class=str(data.get("class_path", "")),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _task_named(task: Optional[str]) -> Optional[tuple[str, str]]:
    if task is None:
        return None
    for pair in TASKS.values():
        if task == pair[0]:
            return pair
    raise PackError(f"A fine-tuned model can segment, regress or classify, not {task!r}.")


def _task_guess(given: Mapping[str, Any], model_args: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The task that the hyper-parameters' names give away."""
    if name:
        raise PackError(f"The model was trained as {name}; Terrane converts {', '.join(TASKS)}.")
    if "output_on_inference" in given or "output_most_probable" in given:
        return TASKS["SemanticSegmentationTask"]
    if "bce" in str(given.get("loss", "")):
        raise PackError("The model gives several labels at once, which Terrane does not convert.")
    if "num_classes" in model_args and "ignore_index" in given:
        return TASKS["ClassificationTask"]
    if "num_classes" not in model_args and "ignore_index" in given:
        return TASKS["PixelwiseRegressionTask"]
    raise PackError("The checkpoint does not say what it was trained for; give --task.")


def without_pretraining(model_args: Mapping[str, Any]) -> dict[str, Any]:
    """``model_args`` that call neither the hub nor another checkpoint. Raises PackError for LoRA and time."""
    args = dict(model_args)
    if args.pop("peft_config", None):
        raise PackError("The model was trained with PEFT (LoRA), which Terrane does not convert.")
    for name in ("backbone_ckpt_path", "aux_decoders"):
        args.pop(name, None)
    nested = args.get("backbone_kwargs")
    if nested:
        args["backbone_kwargs"] = {
            **{k: v for k, v in nested.items() if k != "ckpt_path"},
            "pretrained": False,
        }
    else:
        args["backbone_pretrained"] = False
    if backbone_option(args, "use_temporal"):
        raise PackError("The model takes several dates at once (use_temporal), which Terrane does not run.")
    return args


def backbone_option(model_args: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """A setting of the backbone: ``backbone_<name>``, or in ``backbone_kwargs``."""
    return _mapping(model_args.get("backbone_kwargs")).get(name, model_args.get(f"backbone_{name}", default))


def tile_of(data: Mapping[str, Any], model: Mapping[str, Any], multiple: int) -> int:
    """The tile that a model was trained on: its crops in the yaml, else 224; a multiple of ``multiple``."""
    tiled = _mapping(model.get("tiled_inference_parameters"))
    sizes = [tiled[name] for name in _CROPS[:2] if isinstance(tiled.get(name), int)]
    for name in ("test_transform", "predict_transform", "val_transform", "train_transform"):
        sizes.extend(_crop_sizes(data.get(name)))
    size = next((s for s in sizes if s >= multiple), DEFAULT_TILE)
    return size // multiple * multiple


def _crop_sizes(transforms: Any) -> Iterator[int]:
    """Heights of the crops among a list of albumentations' transforms."""
    for entry in transforms if isinstance(transforms, Sequence) else ():
        entry = _mapping(entry)
        if "Crop" in str(entry.get("class_path", "")):
            arguments = _mapping(entry.get("init_args"))
            height = arguments.get("height") or (arguments.get("size") or [None])[0]
            if isinstance(height, int):
                yield height


def statistics_from_data(
    settings: Settings, names: Mapping[str, str], channels: Mapping[str, int]
) -> dict[str, Statistics]:
    """Means and standard deviations of a yaml, by modality; those that it does not hold are left out.

    ``names``: the model's name of each input → our modality; ``channels``: bands that the model takes.
    """
    found = {}
    for name, modality in names.items():
        pair = [_values(settings.data.get(key), name, len(names)) for key in ("means", "stds")]
        if pair[0] is None or pair[1] is None:
            continue
        scale = settings.data.get("constant_scale") or 1.0
        factor = float(scale.get(name, 1.0) if isinstance(scale, Mapping) else scale)
        bands = band_names(
            modality,
            _listed(settings.data.get("output_bands"), name)
            or _listed(backbone_option(settings.model_args, "bands"), name)
            or _listed(settings.data.get("dataset_bands"), name),
            channels[modality],
        )
        found[modality] = checked_statistics(
            modality, bands, [v / factor for v in pair[0]], [v / factor for v in pair[1]]
        )
    return found


def _values(given: Any, name: str, count: int) -> Optional[list[float]]:
    """One modality's list among ``means`` or ``stds``; a bare list belongs to the only modality."""
    given = _listed(given, name) if isinstance(given, Mapping) else (given if count == 1 else None)
    if not isinstance(given, Sequence) or isinstance(given, str):
        return None
    return [float(v) for v in given] if all(isinstance(v, (int, float)) for v in given) else None


def _listed(given: Any, name: str) -> Any:
    return given.get(name) if isinstance(given, Mapping) else given


def band_names(modality: str, given: Optional[Sequence[Any]], channels: int) -> tuple[str, ...]:
    """Our names of the bands that a model takes. Raises PackError naming one that is not known."""
    bands = MODALITIES[modality].bands
    if not given:
        if channels == len(bands):
            return tuple(band.name for band in bands)
        raise PackError(
            f"The model takes {channels} bands of {modality}, and nothing says which; name them in a "
            "statistics file (--statistics)."
        )
    table = {alias: band.name for band in bands for alias in (band.name.lower(), *band.aliases)}
    table.update({k: v for k, v in _ALSO.items() if v in MODALITIES[modality].band_names})
    result = []
    for entry in given:
        text = str(getattr(entry, "value", entry)).lower().replace("_", " ").strip()
        padded = f"b0{text[1:]}" if len(text) == 2 and text[0] == "b" and text[1].isdigit() else text
        known = table.get(text) or table.get(padded)
        if known is None:
            raise PackError(f"{modality} has no band {entry!r}; it has {', '.join(b.name for b in bands)}.")
        result.append(known)
    if len(result) != channels or len(set(result)) != channels:
        raise PackError(
            f"The model takes {channels} bands of {modality}, but {len(result)} are named "
            f"({', '.join(result)})."
        )
    return tuple(result)


def statistics_from_file(
    content: Any, names: Mapping[str, str], channels: Mapping[str, int]
) -> dict[str, Statistics]:
    """The user's file: ``{"S2L2A": {"bands": [...], "mean": [...], "std": [...]}}``. Raises PackError."""
    if not isinstance(content, Mapping):
        raise PackError("The statistics are no JSON object of modalities.")
    found = {}
    for name, modality in names.items():
        entry = content.get(modality, content.get(name))
        if not isinstance(entry, Mapping):
            continue
        lists = [entry.get(key) for key in ("mean", "std")]
        if not all(isinstance(v, Sequence) and all(isinstance(x, (int, float)) for x in v) for v in lists):
            raise PackError(f"The statistics of {modality} need the lists of numbers 'mean' and 'std'.")
        bands = band_names(modality, entry.get("bands"), channels[modality])
        found[modality] = checked_statistics(modality, bands, list(lists[0] or ()), list(lists[1] or ()))
    return found


def checked_statistics(
    modality: str, bands: Sequence[str], mean: Sequence[Union[int, float]], std: Sequence[Union[int, float]]
) -> Statistics:
    """Statistics whose lengths and signs are right. Raises PackError."""
    if not len(bands) == len(mean) == len(std):
        raise PackError(
            f"{modality} has {len(bands)} bands, but {len(mean)} means and {len(std)} standard deviations."
        )
    if not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        raise PackError(f"The statistics of {modality} must be finite, with standard deviations above 0.")
    return Statistics(tuple(bands), tuple(float(m) for m in mean), tuple(float(s) for s in std))
