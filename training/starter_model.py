# SPDX-License-Identifier: GPL-2.0-or-later
"""The starter model: TerraMind's own modules with small dimensions.

``build_mae`` and ``build_tokenizer`` return terratorch modules whose ``state_dict()`` has the official
layout, so that the ordinary converter binds them like the official checkpoints. Needs terratorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

TILE = 112
PATCH = 8
GRID = TILE // PATCH

#: How the masked autoencoder is built (``TerraMind``'s own argument names where they exist).
MAE: Mapping[str, Any] = {
    "dim": 128,
    "encoder_depth": 5,
    "decoder_depth": 1,
    "num_heads": 4,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "proj_bias": True,
    "mlp_bias": True,
    "gated_mlp": False,
}

#: Standardisation of the raw input: TerraMind v1's own statistics (terratorch,
#: ``terramind_register.v1_pretraining_mean`` / ``_std``), reflectance x 10000.
INPUTS: Mapping[str, Mapping[str, Any]] = {
    "S2L2A": {
        "key": "untok_sen2l2a@224",
        "bands": ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"),
        "unit": "reflectance × 10000",
        "mean": (
            1390.458,
            1503.317,
            1718.197,
            1853.91,
            2199.1,
            2779.975,
            2987.011,
            3083.234,
            3132.22,
            3162.988,
            2424.884,
            1857.648,
        ),
        "std": (
            2106.761,
            2141.107,
            2038.973,
            2134.138,
            2085.321,
            1889.926,
            1820.257,
            1871.918,
            1753.829,
            1797.379,
            1434.261,
            1334.311,
        ),
    },
}

#: Settings of a diffusion decoder: TerraMind's own.
DIFFUSION: Mapping[str, Any] = {
    "train_steps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "prediction": "sample",
    "zero_terminal_snr": True,
    "spacing": "trailing",
    "steps": 10,
}

#: What is generated. DEM statistics are the starter's own: one image does not show how high a place lies, so
#: it learns relief alone, each tile about a constant height, and mean +- 1 std spans that relief,
#: since the diffusion decoder's clamp limits its output to that range.
TARGETS: Mapping[str, Mapping[str, Any]] = {
    "DEM": {
        "key": "tok_dem@224",
        "decoder": "diffusion",
        "codebook": (8, 6, 5, 4),
        "channels": 1,
        "unit": "m",
        "mean": (600.0,),
        "std": (250.0,),
        "clamp": 1.0,
        "diffusion": DIFFUSION,
        "note": "Relief in metres about a constant level of 600 m: how high the place lies is not known.",
        # Two channels a group of GroupNorm(32), or a tile's mean would be normalised away.
        "unet": {
            "patch_size": 8,
            "model_channels": 64,
            "num_res_blocks": 1,
            "channel_mult": (1, 1),
            "attention_resolutions": [2],
        },
        "encoder": {"dim": 96, "depth": 2, "heads": 3},
    },
    "LULC": {
        "key": "tok_lulc@224",
        "decoder": "direct",
        "codebook": (7, 5, 5, 5),
        "channels": 10,
        "unit": "class",
        "logits": 10,
        "vit": {"dim": 96, "depth": 2, "heads": 3},
        "encoder": {"dim": 128, "depth": 3, "heads": 4},
    },
    "NDVI": {
        "key": "tok_ndvi@224",
        "decoder": "direct",
        "codebook": (8, 5, 5, 4),
        "channels": 1,
        "unit": "",
        "mean": (0.327,),
        "std": (0.322,),
        "vit": {"dim": 64, "depth": 2, "heads": 2},
        "encoder": {"dim": 96, "depth": 2, "heads": 3},
    },
}

SETTINGS: Mapping[str, Any] = {
    "id": "starter",
    "name": "Starter (simulated)",
    "size": "starter",
    "tile": TILE,
    "patch": PATCH,
    "gsd": 10.0,
    "chain": False,
    "mae": MAE,
    "inputs": INPUTS,
    "targets": TARGETS,
    "notice": "starter model, trained on simulated scenes: for trying things out",
}

#: File names of the checkpoints in a run folder, laid out like the official ones.
MAE_FILE = "TerraMind_v1_starter.pt"


def tokenizer_file(modality: str) -> str:
    """Return the file name of one tokenizer's checkpoint, as the official ones are called."""
    return f"TerraMind_Tokenizer_{modality}.pt"


def vocabulary(modality: str) -> int:
    """Return the number of codes of one target's codebook (the product of its FSQ levels)."""
    size = 1
    for levels in TARGETS[modality]["codebook"]:
        size *= int(levels)
    return size


def build_mae() -> Any:
    """Return the masked autoencoder, a ``terratorch`` ``TerraMind`` in training mode with fresh weights."""
    from terratorch.models.backbones.terramind.model.decoder_embeddings import ImageTokenDecoderEmbedding
    from terratorch.models.backbones.terramind.model.encoder_embeddings import ImageEncoderEmbedding
    from terratorch.models.backbones.terramind.model.modality_info import MODALITY_INFO
    from terratorch.models.backbones.terramind.model.terramind import TerraMind
    from terratorch.models.backbones.terramind.model.tm_utils import LayerNorm
    from torch import nn

    encoders = {
        spec["key"]: ImageEncoderEmbedding(
            num_channels=len(spec["bands"]), patch_size=PATCH, image_size=TILE, sincos_pos_emb=True
        )
        for spec in INPUTS.values()
    }
    decoders = {
        spec["key"]: ImageTokenDecoderEmbedding(
            vocab_size=vocabulary(name), patch_size=PATCH, image_size=TILE, sincos_pos_emb=True
        )
        for name, spec in TARGETS.items()
    }
    return TerraMind(
        encoder_embeddings=encoders,
        decoder_embeddings=decoders,
        modality_info=MODALITY_INFO,
        act_layer=nn.GELU,
        norm_layer=partial(LayerNorm, eps=1e-6, bias=False),
        **MAE,
    )


def build_tokenizer(modality: str) -> Any:
    """Return the tokenizer of one target, a ``terratorch`` ``VQVAE`` or ``DiVAE`` with fresh weights."""
    from terratorch.models.backbones.terramind.tokenizer.vqvae import VQVAE, DiVAE

    _register_decoders(modality)
    spec = TARGETS[modality]
    common = {
        "image_size": TILE,
        "n_channels": spec["channels"],
        "enc_type": f"vit_terrane_{modality.lower()}_enc",
        "patch_size": PATCH,
        "post_mlp": True,
        "quant_type": "fsq",
        "codebook_size": "-".join(str(level) for level in spec["codebook"]),
        "latent_dim": len(spec["codebook"]),
    }
    if spec["decoder"] == "direct":
        return VQVAE(dec_type=f"vit_terrane_{modality.lower()}_dec", **common)
    return DiVAE(
        dec_type=f"unet_terrane_{modality.lower()}",
        prediction_type=DIFFUSION["prediction"],
        num_train_timesteps=DIFFUSION["train_steps"],
        zero_terminal_snr=DIFFUSION["zero_terminal_snr"],
        clip_sample=True,
        **common,
    )


def _register_decoders(modality: str) -> None:
    """Make the small encoder and decoder known to terratorch, which looks both up by name in its modules."""
    from terratorch.models.backbones.terramind.tokenizer.models import vit_models
    from terratorch.models.backbones.terramind.tokenizer.models.unet import unet

    spec = TARGETS[modality]
    name = modality.lower()

    def vit(cls: Any, size: Mapping[str, int]) -> Any:
        return partial(cls, dim_tokens=size["dim"], depth=size["depth"], num_heads=size["heads"])

    setattr(vit_models, f"vit_terrane_{name}_enc", vit(vit_models.ViTEncoder, spec["encoder"]))
    if "vit" in spec:
        setattr(vit_models, f"vit_terrane_{name}_dec", vit(vit_models.ViTDecoder, spec["vit"]))
    if "unet" in spec:
        setattr(unet, f"unet_terrane_{name}", partial(unet.PatchedUNetCondCat, **spec["unet"]))
