# SPDX-License-Identifier: GPL-2.0-or-later
"""The starter model: TerraMind's own modules with small dimensions.

``build_mae`` and ``build_tokenizer`` return terratorch modules whose ``state_dict()`` has the official
layout, so that the ordinary converter binds them like the official checkpoints; they need terratorch.
The tables and ``coords_ids`` need numpy alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .initial_weights import fan_out, look_here, spread_places

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

_S2L2A_MEAN = (450.0, 520.0, 810.0, 820.0, 1150.0, 1940.0, 2230.0, 2360.0, 2500.0, 2540.0, 1880.0, 1150.0)
_S2L2A_STD = (410.0, 450.0, 570.0, 770.0, 760.0, 1090.0, 1270.0, 1460.0, 1470.0, 1330.0, 1350.0, 1050.0)
_S1GRD_MEAN, _S1GRD_STD = (-12.599, -20.293), (5.195, 5.890)

#: What enters as pixels, in each modality's unit and order of bands. Optical values are standardised with the median
#: of the simulated scenes and half of what lies between their 16th and 84th percentile, rounded: with the official
#: statistics (a deviation of 0.2 in reflectance, which clouds make) water, woods and shade look alike to a small
#: model. Radar and RGB have TerraMind v1's own (terratorch, ``terramind_register.v1_pretraining_mean``).
#: ``offset``: Sentinel-2 values come without the offset that products carry since baseline 04.00.
INPUTS: Mapping[str, Mapping[str, Any]] = {
    "S2L2A": {
        "key": "untok_sen2l2a@224",
        "bands": ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"),
        "unit": "reflectance × 10000",
        "offset": "remove",
        "mean": _S2L2A_MEAN,
        "std": _S2L2A_STD,
    },
    "S2L1C": {
        "key": "untok_sen2l1c@224",
        "bands": ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"),
        "unit": "reflectance × 10000",
        "offset": "remove",
        "mean": (
            *(1340.0, 1100.0, 1040.0, 950.0, 1210.0, 1930.0, 2230.0),
            *(2240.0, 2490.0, 830.0, 13.0, 1860.0, 1120.0),
        ),
        "std": (
            *(630.0, 510.0, 480.0, 670.0, 680.0, 950.0, 1160.0),
            *(1270.0, 1360.0, 560.0, 100.0, 1310.0, 1010.0),
        ),
    },
    "RGB": {
        "key": "untok_sen2rgb@224",
        "bands": ("R", "G", "B"),
        "unit": "0–255",
        "offset": "none",
        "mean": (87.271, 80.931, 66.667),
        "std": (58.767, 47.663, 42.631),
    },
    "S1GRD": {
        "key": "untok_sen1grd@224",
        "bands": ("VV", "VH"),
        "unit": "dB",
        "offset": "none",
        "mean": _S1GRD_MEAN,
        "std": _S1GRD_STD,
    },
    "DEM": {
        "key": "untok_dem@224",
        "bands": ("DEM",),
        "unit": "m",
        "offset": "none",
        "mean": (500.0,),
        "std": (300.0,),
    },
}

#: The place on the Earth, which enters as a text of three words: latitude, longitude, end.
COORDS: Mapping[str, Any] = {
    "key": "coords",
    "bands": ("lon", "lat"),
    "unit": "degrees",
    "offset": "none",
    "length": 4,  # of terratorch's ``MODALITY_INFO["coords"]["max_tokens"]``
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
#: it learns relief alone, each tile about 0 m, and mean +- 1 std spans that relief,
#: since the diffusion decoder's clamp limits its output to that range.
TARGETS: Mapping[str, Mapping[str, Any]] = {
    "DEM": {
        "key": "tok_dem@224",
        "decoder": "diffusion",
        "codebook": (7, 6, 5, 4),
        "channels": 1,
        "unit": "m",
        "mean": (0.0,),
        "std": (250.0,),
        "clamp": 1.0,
        "diffusion": DIFFUSION,
        "note": "Relief in metres about a level of 0: how high the place lies is not known.",
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
        "codebook": (8, 8, 5, 4),
        "channels": 1,
        "unit": "",
        "mean": (0.327,),
        "std": (0.322,),
        "vit": {"dim": 64, "depth": 2, "heads": 2},
        "encoder": {"dim": 96, "depth": 2, "heads": 3},
    },
    "S1GRD": {
        "key": "tok_sen1grd@224",
        "decoder": "direct",
        "codebook": (6, 6, 5, 4),
        "channels": 2,
        "unit": "dB",
        "mean": _S1GRD_MEAN,
        "std": _S1GRD_STD,
        "vit": {"dim": 96, "depth": 2, "heads": 3},
        "encoder": {"dim": 96, "depth": 2, "heads": 3},
    },
    "S2L2A": {
        "key": "tok_sen2l2a@224",
        "decoder": "direct",
        "codebook": (6, 6, 5, 5),
        "channels": 12,
        "unit": "reflectance × 10000",
        "mean": _S2L2A_MEAN,
        "std": _S2L2A_STD,
        "vit": {"dim": 112, "depth": 2, "heads": 4},
        "encoder": {"dim": 128, "depth": 2, "heads": 4},
    },
}

SETTINGS: Mapping[str, Any] = {
    "id": "starter",
    "name": "Starter (simulated)",
    "size": "starter",
    "tile": TILE,
    "patch": PATCH,
    "gsd": 10.0,
    "chain": True,
    "mae": MAE,
    "inputs": INPUTS,
    "coords": COORDS,
    "targets": TARGETS,
    "notice": "starter model, trained on simulated scenes: for trying things out",
}

#: File names of the checkpoints in a run folder, laid out like the official ones.
MAE_FILE = "TerraMind_v1_starter.pt"
COORDS_FILE = "coords/config.json"

#: Ids of a vocabulary of coordinates, those of terratorch's blank one (``build_blank_wordpiece``).
SPECIAL = ("[PAD]", "[UNK]", "[SOS]", "[EOS]", "[S_0]", "[S_1]", "[S_2]")
EOS = SPECIAL.index("[EOS]")
#: Words a degree: terratorch's ``CoordsTokenizer`` writes places on a grid of 0.25 degrees.
A_DEGREE = 4
LATITUDES, LONGITUDES = 180 * A_DEGREE + 1, 360 * A_DEGREE + 1
FIRST_LATITUDE = len(SPECIAL)
FIRST_LONGITUDE = FIRST_LATITUDE + LATITUDES
WORDS = FIRST_LONGITUDE + LONGITUDES


def tokenizer_file(modality: str) -> str:
    """Return the file name of one tokenizer's checkpoint, as the official ones are called."""
    return f"TerraMind_Tokenizer_{modality}.pt"


def vocabulary(modality: str) -> int:
    """Return the number of codes of one target's codebook (the product of its FSQ levels)."""
    size = 1
    for levels in TARGETS[modality]["codebook"]:
        size *= int(levels)
    return size


def coords_words() -> tuple[str, ...]:
    """Return every word of the starter's coordinates by id: specials, latitudes from south, longitudes from west.

    A place has one word for its latitude and one for its longitude, as terratorch expects; minus zero has none.
    """
    latitudes = (f"lat={i / A_DEGREE - 90:.2f}" for i in range(LATITUDES))
    longitudes = (f"lon={i / A_DEGREE - 180:.2f}" for i in range(LONGITUDES))
    return (*SPECIAL, *latitudes, *longitudes)


def write_vocabulary(folder: Path) -> Path:
    """Write the words of coordinates below a folder of checkpoints, a file of the ``tokenizers`` package."""
    special = [
        {"id": number, "content": word, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for number, word in enumerate(SPECIAL)
    ]
    words = {word: number for number, word in enumerate(coords_words())}
    content = {
        "version": "1.0",
        **dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder")),
        "added_tokens": special,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    }
    path = folder / COORDS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(content, separators=(",", ":")).encode() + b"\n")
    return path


def coords_ids(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.int64]:
    """Return the ids (..., 3) of places in degrees, as the engine feeds them: latitude, longitude, end.

    Rounded to 0.25 degrees, half to even; longitude from -180 to 180, latitude from -90 to 90.
    """
    east = np.rint(np.asarray(longitude, np.float64) * A_DEGREE).astype(np.int64)
    north = np.rint(np.asarray(latitude, np.float64) * A_DEGREE).astype(np.int64)
    if (np.abs(east) > 180 * A_DEGREE).any() or (np.abs(north) > 90 * A_DEGREE).any():
        raise ValueError("a place lies outside -180 to 180 and -90 to 90 degrees")
    lat = FIRST_LATITUDE + 90 * A_DEGREE + north
    lon = FIRST_LONGITUDE + 180 * A_DEGREE + east
    return np.stack([lat, lon, np.full_like(lat, EOS)], axis=-1)


def build_mae() -> Any:
    """Return the masked autoencoder, a ``terratorch`` ``TerraMind`` in training mode with fresh weights."""
    from terratorch.models.backbones.terramind.model.decoder_embeddings import ImageTokenDecoderEmbedding
    from terratorch.models.backbones.terramind.model.encoder_embeddings import (
        ImageEncoderEmbedding,
        ImageTokenEncoderEmbedding,
        SequenceEncoderEmbedding,
    )
    from terratorch.models.backbones.terramind.model.modality_info import MODALITY_INFO
    from terratorch.models.backbones.terramind.model.terramind import TerraMind
    from terratorch.models.backbones.terramind.model.tm_utils import LayerNorm
    from torch import nn

    place = {"patch_size": PATCH, "image_size": TILE, "sincos_pos_emb": True}
    pixels = {
        spec["key"]: ImageEncoderEmbedding(num_channels=len(spec["bands"]), **place)
        for spec in INPUTS.values()
    }
    length = COORDS["length"]
    words = {COORDS["key"]: SequenceEncoderEmbedding(WORDS, length, max_sincos_pos_emb=length)}
    chained = {
        spec["key"]: ImageTokenEncoderEmbedding(vocab_size=vocabulary(name), **place)
        for name, spec in TARGETS.items()
    }
    made = {
        spec["key"]: ImageTokenDecoderEmbedding(vocab_size=vocabulary(name), **place)
        for name, spec in TARGETS.items()
    }
    mae = TerraMind(
        encoder_embeddings={**pixels, **words, **chained},
        decoder_embeddings=made,
        modality_info=MODALITY_INFO,
        act_layer=nn.GELU,
        norm_layer=partial(LayerNorm, eps=1e-6, bias=False),
        **MAE,
    )
    degrees = {FIRST_LATITUDE: LATITUDES, FIRST_LONGITUDE: LONGITUDES}
    spread_places(mae.encoder_embeddings[COORDS["key"]].token_emb, degrees, A_DEGREE, mae.init_std)
    look_here(mae)
    for spec in TARGETS.values():
        fan_out(mae.decoder_embeddings[spec["key"]].to_logits, spec["codebook"])
    return mae


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
