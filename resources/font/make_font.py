# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes font.npz beside it: DejaVu Sans drawn once, so that pictures can be captioned with numpy alone.

``python resources/font/make_font.py [DejaVuSans.ttf]`` needs Pillow; nothing else of the project does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE, HEIGHT, BASELINE = 14, 18, 14
CHARACTERS = "".join(map(chr, range(32, 127))) + "·→−×°±–…µσ²³ÄÖÜäöüßéèàçñ"
SOURCE = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def main() -> None:
    """Draw every character and save: coverage (n, height, width) uint8, advance widths, the characters."""
    font = ImageFont.truetype(sys.argv[1] if len(sys.argv) > 1 else SOURCE, SIZE)
    advances = np.array([max(1, round(font.getlength(c))) for c in CHARACTERS], np.uint8)
    glyphs = np.zeros((len(CHARACTERS), HEIGHT, int(advances.max()) + 1), np.uint8)
    for index, character in enumerate(CHARACTERS):
        image = Image.new("L", (glyphs.shape[2], HEIGHT))
        ImageDraw.Draw(image).text((0, BASELINE), character, fill=255, font=font, anchor="ls")
        glyphs[index] = np.asarray(image)
    codes = np.array([ord(c) for c in CHARACTERS], np.uint32)
    target = Path(__file__).with_name("font.npz")
    np.savez_compressed(target, glyphs=glyphs, advances=advances, codes=codes)


if __name__ == "__main__":
    main()
