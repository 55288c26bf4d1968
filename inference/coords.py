# SPDX-License-Identifier: GPL-2.0-or-later
"""Places as TerraMind writes them: ``lat=48.25 lon=-3.50 [EOS]``, on a grid of 0.25 degrees, as token ids.

The constants are those of terratorch's ``CoordsTokenizer``, ``init_empty_target_modality`` and
``init_full_input_modality``. The vocabulary is a file of its own (``TerraMind-1.0-Tokenizer-Coords``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Union

import numpy as np
import numpy.typing as npt

from .errors import PackError
from .text import TextTokenizer, parse

Ids = npt.NDArray[np.int64]
Places = npt.NDArray[np.float64]

PAD, EOS, START, STOP = 0, 3, 5, 6
"""Padding, the end of a text, and the sentinels ``[S_1]``, ``[S_2]`` around what is generated."""
GENERATED = 3
"""Tokens that are generated at most: latitude, longitude, and the end."""
LENGTH = 4
"""Tokens that a sequence of coordinates may have."""
STEP = 0.25


class CoordsVocabulary:
    """Places to ids and back, by one vocabulary."""

    def __init__(self, tokenizer: TextTokenizer, name: str = "The vocabulary of coordinates") -> None:
        self.tokenizer = tokenizer
        self.sentinels = frozenset(i for t, i in tokenizer.vocabulary.items() if t.startswith("[S_"))
        for token, number in (("[EOS]", EOS), ("[S_1]", START), ("[S_2]", STOP)):
            if tokenizer.vocabulary.get(token) != number:
                raise PackError(f"{name} does not fit TerraMind: {token} must have the id {number} in it.")
        self.unknown = tokenizer.vocabulary.get("[UNK]")
        # One place that it should know, whatever part of the Earth it is for.
        first = {
            word[:4]: word for word in reversed(list(tokenizer.vocabulary)) if word[:4] in ("lat=", "lon=")
        }
        self._ids(f"{first.get('lat=', 'lat=-33.50')} {first.get('lon=', 'lon=12.25')} [EOS]")

    def encode(self, places: Places) -> Ids:
        """(B, 2) longitude and latitude in degrees to (B, L) ids, the end included; L is 3 as a rule.

        Rounded to 0.25 degrees, half to even, as the reference does. Raises PackError where the vocabulary
        has no words for a place.
        """
        rows = [self._row(float(lon), float(lat)) for lon, lat in places]
        if len({len(row) for row in rows}) > 1:
            raise PackError("The vocabulary of coordinates spells places with different numbers of tokens.")
        return np.array(rows, np.int64)

    def _row(self, lon: float, lat: float) -> list[int]:
        if not (math.isfinite(lon) and math.isfinite(lat)):
            raise ValueError(f"{lon}, {lat} is no place")
        lon, lat = (float(np.rint(v / STEP) * STEP) for v in (lon, lat))
        return self._ids(f"lat={lat:.2f} lon={lon:.2f} [EOS]")

    def _ids(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text)
        if (
            self.unknown in ids and "-0.00" in text
        ):  # the reference writes minus zero; the file may not know it
            ids = self.tokenizer.encode(text.replace("-0.00", "0.00"))
        row = ids[: ids.index(EOS) + 1] if EOS in ids else ids
        if EOS not in row or len(row) > LENGTH or self.unknown in row:
            raise PackError(f"The vocabulary of coordinates does not hold {text!r}: take the official file.")
        return row

    def decode(self, ids: Sequence[int]) -> tuple[float, float]:
        """Longitude and latitude in degrees that tokens spell; NaN, NaN where they spell no place."""
        words = self.tokenizer.decode(int(i) for i in ids[:2]).split(" ")
        try:
            lat, lon = (float(word.strip(f"{name}=")) for word, name in zip(words, ("lat", "lon")))
        except ValueError:
            return math.nan, math.nan
        if len(words) != 2 or not (abs(lat) <= 90 and abs(lon) <= 180):
            return math.nan, math.nan
        return lon, lat

    def merged(self, generated: Sequence[int]) -> list[int]:
        """What stands between ``[S_1]`` and the next sentinel of what was generated after it."""
        kept: list[int] = []
        inside = True
        for number in generated:
            if number in self.sentinels:
                inside = number == START
            elif inside:
                kept.append(int(number))
        return kept


def load_vocabulary(path: Union[str, Path]) -> CoordsVocabulary:
    """Read a vocabulary's file. Raises PackError that names it."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path.name} cannot be read ({error.strerror}).") from error
    return CoordsVocabulary(parse(data, path.name), path.name)
