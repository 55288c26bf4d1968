# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiny encoder and decoder pairs with the published names, whose masks can be worked out by hand.

The encoder gives the picture back. The decoder takes what has nearly the colour of a positive point, not that of
a negative one, and lies in the box; a box alone takes all in it. Needs numpy and onnx only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import parser

SIDE = 64
SCORES = (0.90, 0.91, 0.95, 0.92)
"""Of four masks: the first for clear prompts, the third is the best of the rest."""

_MATCHING = """
    z1 = Constant <value_ints: ints = [0]> ()
    one = Constant <value_ints: ints = [1]> ()
    minus1 = Constant <value_ints: ints = [-1]> ()
    n2 = Constant <value_ints: ints = [-1, 2]> ()
    low = Constant <value = float {-10.0}> ()
    high = Constant <value = float {10.0}> ()
    half = Constant <value = float {0.5}> ()
    zero = Constant <value = float {0.0}> ()
    i0 = Constant <value = int64 {0}> ()
    i1 = Constant <value = int64 {1}> ()
    f1 = Constant <value = float {1.0}> ()
    f2 = Constant <value = float {2.0}> ()
    f3 = Constant <value = float {3.0}> ()
    picture = Squeeze (EMB, z1)
    pixels = Transpose <perm = [1, 2, 0]> (picture)
    shape = Shape (picture)
    rows = Gather <axis = 0> (shape, i1)
    i2 = Constant <value = int64 {2}> ()
    columns = Gather <axis = 0> (shape, i2)
    places = Reshape (POINTS, n2)
    labels32 = Cast <to = 1> (LABELS)
    labels = Reshape (labels32, minus1)
    moved = Add (places, half)
    floored = Floor (moved)
    whole = Cast <to = 7> (floored)
    x = Gather <axis = 1> (whole, z1)
    ysel = Gather <axis = 1> (whole, one)
    xc = Sub (columns, i1)
    yc = Sub (rows, i1)
    x1c = Min (x, xc)
    xin = Max (x1c, i0)
    y1c = Min (ysel, yc)
    yin = Max (y1c, i0)
    at = Concat <axis = 1> (yin, xin)
    colours = GatherND (pixels, at)
    c1 = Unsqueeze (colours, c_axes)
    p1 = Unsqueeze (pixels, z1)
    apart = Sub (p1, c1)
    distance = Abs (apart)
    farthest = ReduceMax <axes = [3], keepdims = 0> (distance)
    like = Sub (TOLERANCE, farthest)
    column_labels = Unsqueeze (labels, c_axes)
    on = Equal (column_labels, f1)
    off = Equal (column_labels, zero)
    like_on = Where (on, like, low)
    like_off = Where (off, like, low)
    pos = ReduceMax <axes = [0], keepdims = 0> (like_on)
    neg = ReduceMax <axes = [0], keepdims = 0> (like_off)
    is_on = Equal (labels, f1)
    on_f = Cast <to = 1> (is_on)
    count_on = ReduceMax <keepdims = 0> (on_f)
    is_two = Equal (labels, f2)
    two_f = Cast <to = 1> (is_two)
    is_three = Equal (labels, f3)
    three_f = Cast <to = 1> (is_three)
    has_box = ReduceMax <keepdims = 0> (two_f)
    two_c = Unsqueeze (two_f, one)
    three_c = Unsqueeze (three_f, one)
    first = Mul (places, two_c)
    second = Mul (places, three_c)
    corner0 = ReduceSum <keepdims = 0> (first, z1)
    corner1 = ReduceSum <keepdims = 0> (second, z1)
    bx0 = Gather <axis = 0> (corner0, i0)
    by0 = Gather <axis = 0> (corner0, i1)
    bx1 = Gather <axis = 0> (corner1, i0)
    by1 = Gather <axis = 0> (corner1, i1)
    across = Range (i0, columns, i1)
    down = Range (i0, rows, i1)
    across_f = Cast <to = 1> (across)
    down_flat = Cast <to = 1> (down)
    down_f = Unsqueeze (down_flat, one)
    right = Greater (across_f, bx0)
    left = Less (across_f, bx1)
    under = Greater (down_f, by0)
    over = Less (down_f, by1)
    in_x = And (right, left)
    in_y = And (under, over)
    inside = And (in_x, in_y)
    box_term = Where (inside, high, low)
    boxed = Cast <to = 9> (has_box)
    frame = Where (boxed, box_term, high)
    no_points = Where (boxed, high, low)
    pointed = Cast <to = 9> (count_on)
    wanted = Where (pointed, pos, no_points)
    unwanted = Neg (neg)
    least = Min (wanted, unwanted, frame)
    steep = Constant <value = float {40.0}> ()
    logits2 = Mul (least, steep)
"""


def _text(emb: str, points: str, labels: str, tolerance: float) -> str:
    """The matching part with its names filled in."""
    text = _MATCHING.replace("EMB", emb).replace("POINTS", points).replace("LABELS", labels)
    axes = "    c_axes = Constant <value_ints: ints = [1, 2]> ()\n"
    limit = f"    tolerance = Constant <value = float {{{tolerance}}}> ()\n"
    return axes + limit + text.replace("TOLERANCE", "tolerance")


def _save(path: Path, text: str) -> Path:
    model = parser.parse_model(text)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


_HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def encoder(path: Path, layout: str = "sam", side: int = SIDE, name: str = "") -> Path:
    """Gives the picture back, under the names that the layout's exports have."""
    if layout == "efficientsam":
        face = "float[1, 3, H, W] batched_images) => (float[1, 3, H, W] image_embeddings)"
        body = "image_embeddings = Identity (batched_images)"
    elif layout == "sam2":
        face = (
            f"float[1, 3, {side}, {side}] image) => (float[1, 3, {side}, {side}] high_res_feats_0, "
            f"float[1, 3, {side}, {side}] high_res_feats_1, float[1, 3, {side}, {side}] image_embed)"
        )
        body = "\n".join(
            f"{n} = Identity (image)" for n in ("high_res_feats_0", "high_res_feats_1", "image_embed")
        )
    elif layout == "optimum":
        face = (
            f"float[1, 3, {side}, {side}] pixel_values) => (float[1, 3, {side}, {side}] image_embeddings, "
            f"float[1, 3, {side}, {side}] image_positional_embeddings)"
        )
        body = "image_embeddings = Identity (pixel_values)\nimage_positional_embeddings = Identity (pixel_values)"
    elif layout == "preprocess":
        # samexporter's --use-preprocess: rows, columns, bands as they are; padded inside.
        face = f"float[H, W, 3] input_image) => (float[1, 3, {side}, {side}] image_embeddings)"
        body = f"""
            side = Constant <value_ints: ints = [{side}, {side}, 3]> ()
            zeros = Constant <value_ints: ints = [0, 0, 0]> ()
            size = Shape (input_image)
            more = Sub (side, size)
            pads = Concat <axis = 0> (zeros, more)
            padded = Pad (input_image, pads)
            scale = Constant <value = float {{0.02}}> ()
            scaled = Mul (padded, scale)
            turned = Transpose <perm = [2, 0, 1]> (scaled)
            first = Constant <value_ints: ints = [0]> ()
            image_embeddings = Unsqueeze (turned, first)"""
    else:
        given = name or "image_embeddings"
        face = f"float[1, 3, {side}, {side}] images) => (float[1, 3, {side}, {side}] {given})"
        body = f"{given} = Identity (images)"
    return _save(path, f"{_HEAD} encoder ({face} {{ {body} }}")


def decoder(path: Path, layout: str = "sam", side: int = SIDE, tolerance: float = 0.25) -> Path:
    """Compares colours; see above."""
    square = f"{side}, {side}"
    scores = "{" + ", ".join(map(str, SCORES)) + "}"
    many = """
        far = Constant <value = float {1000.0}> ()
        none = Sub (logits2, far)
        all = Add (logits2, far)
        stack = Constant <value_ints: ints = [0]> ()
        m0 = Unsqueeze (logits2, stack)
        m1 = Unsqueeze (none, stack)
        m3 = Unsqueeze (all, stack)"""
    if layout == "efficientsam":
        face = (
            "float[1, 3, h, w] image_embeddings, float[1, q, n, 2] batched_point_coords, "
            "float[1, q, n] batched_point_labels, int64[2] orig_im_size) => "
            "(float[1, q, 3, H, W] output_masks, float[1, q, 3] iou_predictions)"
        )
        body = (
            _text("image_embeddings", "batched_point_coords", "batched_point_labels", tolerance)
            + many
            + """
            three3 = Concat <axis = 0> (m1, m0, m3)
            lead = Constant <value_ints: ints = [0, 1]> ()
            output_masks = Unsqueeze (three3, lead)
            iou_predictions = Constant <value = float[1, 1, 3] {0.1, 0.95, 0.2}> ()"""
        )
    elif layout == "optimum":
        face = (
            f"float[1, 3, {square}] image_embeddings, float[1, 3, {square}] image_positional_embeddings, "
            "float[1, q, n, 2] input_points, int64[1, q, n] input_labels) => "
            f"(float[1, q, 3] iou_scores, float[1, q, 3, {square}] pred_masks)"
        )
        body = (
            _text("image_embeddings", "input_points", "input_labels", tolerance)
            + many
            + """
            three3 = Concat <axis = 0> (m1, m0, m3)
            lead = Constant <value_ints: ints = [0, 1]> ()
            pred_masks = Unsqueeze (three3, lead)
            iou_scores = Constant <value = float[1, 1, 3] {0.1, 0.95, 0.2}> ()"""
        )
    elif layout == "sam2":
        face = (
            f"float[1, 3, {square}] image_embed, float[1, 3, {square}] high_res_feats_0, "
            f"float[1, 3, {square}] high_res_feats_1, float[l, n, 2] point_coords, float[l, n] point_labels, "
            f"float[l, 1, {side // 4}, {side // 4}] mask_input, float[l] has_mask_input) => "
            f"(float[l, 3, {square}] masks, float[l, 3] iou_predictions)"
        )
        body = (
            _text("image_embed", "point_coords", "point_labels", tolerance)
            + many
            + """
            three3 = Concat <axis = 0> (m1, m0, m3)
            masks = Unsqueeze (three3, stack)
            iou_predictions = Constant <value = float[1, 3] {0.1, 0.95, 0.2}> ()"""
        )
    else:
        face = (
            f"float[1, 3, {square}] image_embeddings, float[1, n, 2] point_coords, float[1, n] point_labels, "
            f"float[1, 1, {side // 4}, {side // 4}] mask_input, float[1] has_mask_input, float[2] orig_im_size) => "
            f"(float[1, 4, h, w] masks, float[1, 4] iou_predictions, float[1, 4, {square}] low_res_masks)"
        )
        body = (
            _text("image_embeddings", "point_coords", "point_labels", tolerance)
            + many
            + f"""
            four = Concat <axis = 0> (m0, m1, m0, m3)
            low_res_masks = Unsqueeze (four, stack)
            masks = Identity (low_res_masks)
            iou_predictions = Constant <value = float[1, 4] {scores}> ()"""
        )
    return _save(path, f"{_HEAD} decoder ({face} {{ {body} }}")


def pair(folder: Path, layout: str = "sam", side: int = SIDE) -> tuple[Path, Path]:
    """An encoder and a decoder in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = "sam" if layout == "preprocess" else layout
    tolerance = {"efficientsam": 0.05}.get(layout, 0.25)
    return (
        encoder(folder / f"toy_{layout}.encoder.onnx", layout, side),
        decoder(folder / f"toy_{layout}.decoder.onnx", made, side, tolerance),
    )


def blocks(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """A dark picture (h, w, 3) with a red block in rows 8–19, columns 10–29, and a green one right of it in
    columns 34–49, and a red one in rows 40–51, columns 10–29."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[8:20, 10:30] = (200, 30, 30)
    image[8:20, 34:50] = (30, 200, 30)
    image[40:52, 10:30] = (200, 30, 30)
    return image
