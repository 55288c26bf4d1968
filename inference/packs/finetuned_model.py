# SPDX-License-Identifier: GPL-2.0-or-later
"""A fine-tuned terratorch model, loaded without the hub and made static enough to export.

Needs torch and terratorch, which are imported inside the functions: this runs in the worker's environment.
The checkpoint's pickle is read with torch's restricted unpickler; a checkpoint that needs more than plain
values is refused unless the user trusts it.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Optional
from unittest import mock

from ..errors import PackError, RuntimeMissing
from .checkpoint import NESTED
from .finetuned_settings import IMAGE_KEYS, Settings, backbone_option

_HARMLESS = (
    ("lightning.fabric.utilities.data", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"),
    ("pathlib", "PosixPath"),
    ("pathlib", "PurePosixPath"),
    ("terratorch.datasets.utils", "HLSBands"),
    ("terratorch.models.model", "AuxiliaryHead"),
)
"""Classes that only hold values, which Lightning and terratorch leave in checkpoints."""

_UNSAFE = re.compile(r"GLOBAL ([\w.]+)")
_PREFIX = "model."


@dataclass(frozen=True)
class Inputs:
    """What a built model takes: its own name of each modality → ours, and bands of each of ours."""

    names: Mapping[str, str]
    channels: Mapping[str, int]
    patch: int
    dim: int
    thinks: tuple[str, ...]
    """Modalities that a TiM model imagines on the way."""


def require_terratorch() -> str:
    """Terratorch's version. Raises RuntimeMissing with what to do."""
    try:
        import terratorch
    except ImportError as error:
        raise RuntimeMissing(
            "Fine-tuned models are converted with terratorch, which this Python does not have. Run the "
            "conversion in an environment with terratorch (pip install terratorch)."
        ) from error
    del terratorch
    return metadata.version("terratorch")


def read_checkpoint(path: Path, *, trust: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hyper-parameters and state dict of a Lightning checkpoint (or a bare state dict).

    Without ``trust`` only tensors and plain values are read and no code of the file can run.
    """
    import pickle

    import torch

    if not path.is_file():
        raise PackError(f"There is no file {path}.")
    try:
        with torch.serialization.safe_globals(_harmless()):
            content = torch.load(path, map_location="cpu", weights_only=not trust, mmap=True)
    except pickle.UnpicklingError as error:
        asked = _UNSAFE.search(str(error))
        what = f"asks for {asked.group(1)}" if asked else "holds more than tensors and plain values"
        raise PackError(
            f"{path.name} {what}, and was not loaded: a checkpoint can run any program. If you trust where "
            "it comes from, allow it (--trust)."
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise PackError(
            f"{path.name} is not a checkpoint that torch can read ({str(error)[:120]})."
        ) from error
    if not isinstance(content, Mapping):
        raise PackError(f"{path.name} holds no state dict.")
    state = next((content[name] for name in NESTED if isinstance(content.get(name), Mapping)), content)
    tensors = {str(k): v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise PackError(f"{path.name} holds no state dict (no named tensors).")
    hyper = content.get("hyper_parameters")
    return (dict(hyper) if isinstance(hyper, Mapping) else {}), tensors


def _harmless() -> list[Any]:
    """The classes of ``_HARMLESS`` that are installed."""
    import importlib

    found = []
    for module, name in _HARMLESS:
        with contextlib.suppress(ImportError, AttributeError):
            found.append(getattr(importlib.import_module(module), name))
    return found


def build(settings: Settings, state: Mapping[str, Any]) -> Any:
    """Terratorch's model with a checkpoint's weights, in evaluation mode. Raises PackError."""
    from terratorch.registry import MODEL_FACTORY_REGISTRY

    factory = MODEL_FACTORY_REGISTRY.build("EncoderDecoderFactory")
    try:
        with warnings.catch_warnings(), _only_needed_tokenizers(), _no_download():
            warnings.simplefilter("ignore")
            model = factory.build_model(settings.factory, aux_decoders=None, **settings.model_args)
    except PackError:
        raise
    except Exception as error:  # terratorch raises bare Exceptions for what its registries do not know
        raise PackError(f"terratorch cannot build this model ({str(error)[:200]}).") from error
    _load_weights(model, state)
    model.eval()
    model.requires_grad_(False)
    return model


@contextlib.contextmanager
def _only_needed_tokenizers() -> Iterator[None]:
    """A TiM model's tokenizers (up to 290 million weights each) take no part in its answer: leave them out."""
    from terratorch.models.backbones.terramind.model import terramind_tim, terramind_vit

    def none(*_: Any, **__: Any) -> Any:
        import torch

        return torch.nn.ModuleDict()

    with (
        mock.patch.object(terramind_tim, "build_tokenizer", none),
        mock.patch.object(terramind_vit, "build_tokenizer", none),
    ):
        yield


@contextlib.contextmanager
def _no_download() -> Iterator[None]:
    """Whatever a configuration asks for, nothing is fetched: all weights are in the checkpoint."""
    import huggingface_hub

    def refuse(*_: Any, **__: Any) -> Any:
        raise PackError("The model's settings ask for a download, which a conversion does not make.")

    from terratorch.models.backbones.terramind.model import terramind_register

    with (
        mock.patch.object(huggingface_hub, "hf_hub_download", refuse),
        mock.patch.object(terramind_register, "hf_hub_download", refuse),
    ):
        yield


def _load_weights(model: Any, state: Mapping[str, Any]) -> None:
    """Give the model its weights; every one must be there and fit."""
    own = model.state_dict()
    given = {}
    for key, value in state.items():
        name = key.replace("_orig_mod.", "")  # torch.compile's prefix
        given[name[len(_PREFIX) :] if name.startswith(_PREFIX) else name] = value
    missing = [key for key in own if key not in given]
    wrong = [key for key in own if key in given and given[key].shape != own[key].shape]
    if missing or wrong:
        key = (missing or wrong)[0]
        what = "lacks" if missing else "has another shape for"
        more = len(missing) + len(wrong) - 1
        raise PackError(
            f"The checkpoint does not fit its settings: it {what} {key}"
            + (f", and {more} more differ" if more else "")
            + ". Is the yaml the one that it was trained with?"
        )
    left = [k for k in given if k not in own and k.split(".")[0] in ("encoder", "decoder", "neck", "head")]
    left = [k for k in left if ".tokenizer." not in f".{k}"]
    if left:
        raise PackError(
            f"The checkpoint holds weights that its settings do not use ({left[0]}); the settings are another's."
        )
    model.load_state_dict({key: given[key] for key in own}, strict=True)


def inputs_of(model: Any, settings: Settings) -> Inputs:
    """What a built model takes. Raises PackError for anything but TerraMind with images as inputs."""
    from terratorch.models.backbones.terramind.model.terramind_tim import TerraMindTiM
    from terratorch.models.backbones.terramind.model.terramind_vit import TerraMindViT

    backbone = model.encoder
    if not isinstance(backbone, (TerraMindViT, TerraMindTiM)):
        raise PackError(
            f"The model's backbone is {settings.model_args.get('backbone')}; Terrane converts terramind_v1_*."
        )
    thinks = tuple(backbone.tim_modalities) if isinstance(backbone, TerraMindTiM) else ()
    given = backbone_option(settings.model_args, "modalities")
    taken = [m for m in backbone.mod_name_mapping if m not in thinks or m in (given or ())]
    names, channels = {}, {}
    for name in taken:
        key = backbone.mod_name_mapping[name]
        modality = IMAGE_KEYS.get(key)
        if modality is None:
            raise PackError(
                f"The model takes {name!r} ({key}); Terrane converts models of {', '.join(IMAGE_KEYS.values())}."
            )
        embedding = backbone.encoder_embeddings[key]
        names[name] = modality
        channels[modality] = embedding.proj.in_features // (embedding.patch_size[0] * embedding.patch_size[1])
        patch, dim = int(embedding.patch_size[0]), int(embedding.dim_tokens)
    _check_thinking(backbone, thinks)
    return Inputs(names, channels, patch, dim, thinks)


def _check_thinking(backbone: Any, thinks: Sequence[str]) -> None:
    if backbone.num_register_tokens:
        raise PackError("The model has register tokens, which Terrane does not convert.")
    if not thinks:
        return
    if backbone.tim_decoding_steps != 1:
        raise PackError(
            f"The model thinks in {backbone.tim_decoding_steps} steps in random order; Terrane converts one "
            "step (tim_decoding_steps: 1)."
        )
    texts = [m for m in thinks if not str(backbone.mod_name_mapping[m]).startswith("tok_")]
    if texts:
        raise PackError(f"The model thinks in {', '.join(texts)}, which is no image; this is not converted.")


def reference_answer(model: Any, images: Mapping[str, Any]) -> Any:
    """Terratorch's own answer, its TiM tokens by argmax (``tim_temps=0``) whatever it was trained with."""
    import torch

    backbone = model.encoder
    if hasattr(backbone, "tim_temps"):
        backbone.tim_temps = 0.0
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model({name: image.clone() for name, image in images.items()}).output


def static_model(model: Any, inputs: Inputs, tile: int, *, pixels: bool) -> Any:
    """A module of plain tensors, ``(image, …) → answer``, for one tile size and any batch.

    ``pixels``: the answer is a raster, and always has a channel axis. The model is changed: its position
    embeddings are fixed for the tile, and a TiM encoder gives way to one without random numbers.
    """
    import torch

    _fix_positions(model.encoder, tile)
    if inputs.thinks:
        model.encoder = _thinking(model.encoder)

    class Static(torch.nn.Module):  # type: ignore[misc]
        """Positional images in, one tensor out."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.names = list(inputs.names)

        def forward(self, *images: Any) -> Any:
            """See ``static_model``."""
            answer = self.model(dict(zip(self.names, images))).output
            return answer.unsqueeze(1) if pixels and answer.ndim == 3 else answer

    return Static().eval()


def _fix_positions(backbone: Any, tile: int) -> None:
    """Interpolate position embeddings once, as the model itself would for each image of this size."""
    from terratorch.models.backbones.terramind.model.tm_utils import interpolate_pos_encoding

    groups = [backbone.encoder_embeddings]
    if hasattr(backbone, "sampler"):
        groups += [backbone.sampler.model.encoder_embeddings, backbone.sampler.model.decoder_embeddings]
    for embedding in (e for group in groups for e in group.values()):
        if tuple(embedding.image_size) != (tile, tile):
            fixed = interpolate_pos_encoding(
                embedding.pos_emb.clone(), tile, tile, embedding.patch_size, embedding.dim_tokens
            )
            if "pos_emb" in dict(embedding.named_parameters(recurse=False)):
                del embedding.pos_emb
                embedding.register_buffer("pos_emb", fixed)
            else:
                embedding.pos_emb = fixed
            embedding.image_size = (tile, tile)


def _thinking(tim: Any) -> Any:
    """In place of ``TerraMindTiM``: the same modules, one decoding step, the likeliest token.

    The reference decodes in a random order, which attention from nothing but mask tokens cannot see; all
    else of its forward pass is ``TerraMindViT``'s, with the imagined tokens as further inputs.
    """
    import torch
    from terratorch.models.backbones.terramind.model.terramind_vit import TerraMindViT

    class Thinking(torch.nn.Module):  # type: ignore[misc]
        """Images → features of every layer."""

        def __init__(self) -> None:
            super().__init__()
            self.tim = tim

        def forward(self, images: Mapping[str, Any]) -> Any:
            """Imagine the missing modalities in turn, then encode all of them."""
            mae, names = self.tim.sampler.model, self.tim.mod_name_mapping
            parts = [mae.encoder_embeddings[names[name]]({"tensor": x}) for name, x in images.items()]
            everything = dict(images)
            for modality in self.tim.tim_modalities:
                key = names[modality]
                if key in {names[name] for name in images}:
                    continue
                ids = self.imagine(mae, key, parts)
                everything[self.tim.output_mod_name_mapping[key]] = ids
                if key in mae.encoder_embeddings:
                    parts.append(mae.encoder_embeddings[key]({"tensor": ids}))
            return TerraMindViT.forward(self.tim, everything)

        @staticmethod
        def imagine(mae: Any, key: str, parts: Sequence[Mapping[str, Any]]) -> Any:
            """(B, N) tokens of one modality, given the embeddings of what is there."""
            tokens = torch.cat([part["x"] for part in parts], dim=1)
            emb = torch.cat([part["emb"] for part in parts], dim=1)
            context = mae.decoder_proj_context(mae.forward_encoder(tokens + emb, None)) + emb
            target = mae.decoder_embeddings[key]
            queries = (mae.mask_token + (target.pos_emb + target.mod_emb)).expand(tokens.shape[0], -1, -1)
            logits = target.forward_logits(mae.forward_decoder(queries, context, None, None))
            return logits.argmax(dim=-1)

    return Thinking()


def datamodule_statistics(data_class: str, data: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """``means``, ``stds``, ``constant_scale`` and bands that a data module of terratorch carries in its code.

    None for any other module: only terratorch's own code is imported.
    """
    import importlib
    import inspect

    name = data_class.rsplit(".", 1)[-1]
    if not data_class.startswith("terratorch.") and "." in data_class:
        return None
    modules = importlib.import_module("terratorch.datamodules")
    cls = getattr(modules, name, None)
    home = inspect.getmodule(cls) if cls is not None else None
    if cls is None or home is None or not hasattr(home, "MEANS") or not hasattr(home, "STDS"):
        return None
    defaults = {
        k: p.default
        for k, p in inspect.signature(cls).parameters.items()
        if p.default is not inspect.Parameter.empty
    }
    bands = list(data.get("bands") or defaults.get("bands") or home.MEANS)
    keys = [str(getattr(band, "value", band)) for band in bands]
    if not all(key in home.MEANS and key in home.STDS for key in keys):
        return None
    return {
        "means": [float(home.MEANS[key]) for key in keys],
        "stds": [float(home.STDS[key]) for key in keys],
        "output_bands": keys,
        "constant_scale": data.get("constant_scale", defaults.get("constant_scale", 1.0)),
    }
