# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a view takes to encode and a click to answer, with random weights of MobileSAM's size.

The decoder is that of Segment Anything (two-way transformer of two layers, 256 channels, 2,048 in between, four
masks; 4 million parameters) with its published inputs and outputs; the encoder has MobileSAM's 6 million as
convolutions. Needs torch and onnx: ``python benchmarks/prompts.py [--runs 20]``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".link"))

DIM, GRID = 256, 64


class Attention(nn.Module):
    def __init__(self, inner: int, heads: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(DIM, inner) for _ in range(3))
        self.out = nn.Linear(inner, DIM)

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        def split(x: torch.Tensor) -> torch.Tensor:
            return x.reshape(1, -1, self.heads, x.shape[-1] // self.heads).transpose(1, 2)

        q, k, v = split(self.q(q)), split(self.k(k)), split(self.v(v))
        seen = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) @ v
        return self.out(seen.transpose(1, 2).reshape(1, -1, self.heads * q.shape[-1]))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.own, self.onto, self.back = Attention(DIM), Attention(DIM // 2), Attention(DIM // 2)
        self.mlp = nn.Sequential(nn.Linear(DIM, 2048), nn.ReLU(), nn.Linear(2048, DIM))
        self.norms = nn.ModuleList(nn.LayerNorm(DIM) for _ in range(4))

    def forward(
        self, tokens: torch.Tensor, image: torch.Tensor, pe: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.norms[0](tokens + self.own(tokens, tokens, tokens))
        tokens = self.norms[1](tokens + self.onto(tokens, image + pe, image))
        tokens = self.norms[2](tokens + self.mlp(tokens))
        return tokens, self.norms[3](image + self.back(image + pe, tokens, tokens))


class Decoder(nn.Module):
    """Segment Anything's, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(2, DIM // 2))
        self.kinds = nn.Embedding(5, DIM)
        self.tokens = nn.Parameter(torch.randn(1, 5, DIM))
        self.pe = nn.Parameter(torch.randn(1, GRID * GRID, DIM))
        self.no_mask = nn.Parameter(torch.randn(1, DIM, 1, 1))
        self.shrink = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2), nn.GELU(), nn.Conv2d(4, 16, 2, 2), nn.GELU(), nn.Conv2d(16, DIM, 1)
        )
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.final, self.norm = Attention(DIM // 2), nn.LayerNorm(DIM)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(DIM, 64, 2, 2),
            nn.GroupNorm(1, 64),
            nn.GELU(),
            nn.ConvTranspose2d(64, 32, 2, 2),
            nn.GELU(),
        )
        self.hyper = nn.ModuleList(
            nn.Sequential(nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, 32))
            for _ in range(4)
        )
        self.iou = nn.Sequential(
            nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, 4)
        )

    def forward(self, image_embeddings, point_coords, point_labels, mask_input, has_mask_input, orig_im_size):
        turned = 6.2832 * ((2 * (point_coords + 0.5) / 1024 - 1) @ self.places)
        points = torch.cat((turned.sin(), turned.cos()), -1) + self.kinds((point_labels + 1).long())
        dense = has_mask_input * self.shrink(mask_input) + (1 - has_mask_input) * self.no_mask
        image = (image_embeddings + dense).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.tokens, points), 1)
        for block in self.blocks:
            tokens, image = block(tokens, image, self.pe)
        tokens = self.norm(tokens + self.final(tokens, image + self.pe, image))
        large = self.up(image.transpose(1, 2).reshape(1, DIM, GRID, GRID))
        weights = torch.stack([head(tokens[:, i + 1]) for i, head in enumerate(self.hyper)], 1)
        low = (weights @ large.flatten(2)).reshape(1, 4, 4 * GRID, 4 * GRID)
        size = orig_im_size.long()
        full = nn.functional.interpolate(low, size=(1024, 1024), mode="bilinear")
        masks = nn.functional.interpolate(full, size=(size[0], size[1]), mode="bilinear")
        return masks, torch.sigmoid(self.iou(tokens[:, 0])), low


def encoder() -> nn.Module:
    """About 6 million parameters and 40 billion multiplications, as TinyViT at 1024."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, 4), nn.GELU()]
    for before, after, count in ((64, 128, 2), (128, 160, 3), (160, 320, 6)):
        layers += [nn.Conv2d(before, after, 2, 2 if after < 320 else 1, padding=0 if after < 320 else "same")]
        for _ in range(count):
            layers += [
                nn.GELU(),
                nn.Conv2d(after, after, 3, padding=1, groups=after),
                nn.Conv2d(after, 4 * after, 1),
            ]
            layers += [nn.GELU(), nn.Conv2d(4 * after, after, 1)]
    return nn.Sequential(*layers, nn.Conv2d(320, DIM, 1))


def export(folder: Path) -> tuple[Path, Path, int, int]:
    torch.manual_seed(0)
    first, second = encoder().eval(), Decoder().eval()
    paths = folder / "bench.encoder.onnx", folder / "bench.decoder.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            first, torch.zeros(1, 3, 1024, 1024), str(paths[0]), input_names=["input_image"],
            output_names=["image_embeddings"], opset_version=17, dynamo=False,
        )  # fmt: skip
        torch.onnx.export(
            second,
            (
                torch.zeros(1, DIM, GRID, GRID), torch.zeros(1, 2, 2), torch.zeros(1, 2),
                torch.zeros(1, 1, 256, 256), torch.zeros(1), torch.tensor([1024.0, 1024.0]),
            ),
            str(paths[1]), opset_version=17, dynamo=False,
            input_names=[
                "image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"
            ],
            output_names=["masks", "iou_predictions", "low_res_masks"],
            dynamic_axes={"point_coords": {1: "points"}, "point_labels": {1: "points"}},
        )  # fmt: skip
    counts = [sum(p.numel() for p in model.parameters()) for model in (first, second)]
    return (*paths, *counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    from terrane.inference import Affine, Grid, Prompt, PromptSession, Size, View, add_promptable

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TERRANE_MODELS"] = str(Path(scratch) / "models")
        encoder_path, decoder_path, *counts = export(Path(scratch))
        pack = add_promptable([encoder_path, decoder_path], Path(scratch) / "models")
        rng = np.random.default_rng(0)
        image = rng.integers(0, 255, (900, 1400, 3), np.uint8)
        view = View(image, Grid("EPSG:32632", Affine(1, 0, 0, 0, -1, 0), Size(1400, 900)))
        PromptSession.open(view, pack.id).close()  # loads the encoder
        with PromptSession.open(view, pack.id, device="auto") as session:
            prompt = Prompt(((700.5, 400.5),), (True,))
            session.segment(prompt)
            times = []
            for _ in range(runs):
                started = time.perf_counter()
                session.segment(prompt)
                times.append(1000 * (time.perf_counter() - started))
                prompt = prompt.with_point(*rng.uniform(0, 900, 2))
            print(
                f"encoder {counts[0] / 1e6:.1f} M, decoder {counts[1] / 1e6:.1f} M parameters, view 1400 × 900"
            )
            print(f"encode {1000 * session.seconds:.0f} ms")
            print(
                f"click  {statistics.median(times):.0f} ms (median of {runs}; {min(times):.0f} to {max(times):.0f})"
            )


if __name__ == "__main__":
    main()
