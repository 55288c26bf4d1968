# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokenizer files read in pure Python, and places spelled by them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.coords import CoordsVocabulary, load_vocabulary
from terrane.inference.errors import PackError
from terrane.inference.text import parse
from toy_values import SPECIAL, WORDS, vocabulary

TOY = CoordsVocabulary(parse(vocabulary(), "toy"))


def file(**changes: Any) -> bytes:
    return json.dumps({**json.loads(vocabulary(SPECIAL)), **changes}).encode()


def piece_file(vocab: dict[str, int], **changes: Any) -> bytes:
    content = json.loads(vocabulary(SPECIAL))
    model = {**content["model"], "vocab": {**content["model"]["vocab"], **vocab}}
    return json.dumps({**content, "model": model, **changes}).encode()


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_places_come_back_on_their_grid(lon: float, lat: float) -> None:
    ids = TOY.encode(np.array([[lon, lat]]))
    assert ids.shape == (1, 3)
    assert ids[0, 2] == 3
    found = TOY.decode(list(ids[0]))
    assert abs(found[0] - lon) <= 0.125
    assert abs(found[1] - lat) <= 0.125
    assert all(math.modf(v * 4)[0] == 0 for v in found)


def test_places_are_spelled_as_the_reference_does() -> None:
    """Half to even; minus zero where the file knows it, zero where it does not."""
    words = [WORDS[i] for i in TOY.encode(np.array([[11.125, 11.375]]))[0]]
    assert words == ["lat=11.50", "lon=11.00", "[EOS]"]
    minus = CoordsVocabulary(parse(vocabulary((*WORDS, "lon=-0.00")), "toy"))
    assert minus.encode(np.array([[-0.1, 5.0]]))[0, 1] == len(WORDS)
    assert WORDS[TOY.encode(np.array([[-0.1, 5.0]]))[0, 1]] == "lon=0.00"


@pytest.mark.parametrize(
    "words",
    [
        *(("lon=3.00", "lat=4.00"), ("lat=4.00",), (), ("lat=4.00", "[PAD]"), ("lat=4.00", "lat=5.00")),
        ("[EOS]", "lon=3.00"),
    ],
)
def test_other_words_are_no_place(words: tuple[str, ...]) -> None:
    assert all(map(math.isnan, TOY.decode([WORDS.index(word) for word in words])))


def test_ids_without_a_word_are_no_place() -> None:
    assert all(map(math.isnan, TOY.decode([29_999, 29_998])))


def test_what_was_written_ends_at_the_next_sentinel() -> None:
    assert TOY.merged([10, 11, 3]) == [10, 11, 3]
    assert TOY.merged([10, 6, 11]) == [10]
    assert TOY.merged([6, 6, 6]) == []
    assert TOY.merged([6, 5, 11]) == [11]


def test_what_does_not_fit_terramind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"\[EOS\] must have the id 3"):
        CoordsVocabulary(parse(vocabulary(WORDS[1:]), "x"))
    with pytest.raises(PackError, match="does not hold 'lat="):
        CoordsVocabulary(parse(vocabulary(SPECIAL), "x"))
    with pytest.raises(ValueError, match="is no place"):
        TOY.encode(np.array([[np.nan, 1.0]]))
    with pytest.raises(PackError, match=r"config.json cannot be read"):
        load_vocabulary(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff", "codec"),
        (b"[]", "no model"),
        (b'{"model": {"vocab": {"a": "x"}}}', "invalid literal"),
        (file(model={"type": "BPE", "vocab": {}}), "its model is BPE; WordLevel, WordPiece are understood"),
        (file(normalizer={"type": "Replace"}), "its normalizer is Replace"),
        (file(pre_tokenizer={"type": "ByteLevel"}), "its pre_tokenizer is ByteLevel"),
        (file(post_processor={"type": "ByteLevel"}), "its post_processor is ByteLevel"),
        (file(decoder={"type": "Metaspace"}), "its decoder is Metaspace"),
        (file(decoder=3), "TypeError"),
    ],
)
def test_files_that_are_not_understood_are_refused(data: bytes, problem: str) -> None:
    with pytest.raises(PackError, match="not a tokenizer that Terrane can read") as caught:
        parse(data, "words.json")
    assert problem in str(caught.value)
    assert "words.json" in str(caught.value)


def test_word_pieces() -> None:
    """Greedy, longest first; a word with a part that is not known is unknown as a whole."""
    tokenizer = parse(
        piece_file({"lat": 7, "##s": 8, "=": 9, "4": 10, "##2": 11, "un": 12, "##able": 13}), "x"
    )
    assert tokenizer.encode("Lats=42 [EOS]") == [7, 8, 9, 10, 11, 3]
    assert tokenizer.encode("unable lats? unx") == [12, 13, 7, 8, 1, 1]
    assert tokenizer.encode("lät") == [7]
    assert tokenizer.decode([7, 8, 9, 10, 11, 3, 999]) == "lats = 42 [EOS]"
    assert parse(piece_file({}, decoder=None), "x").decode([5, 3]) == "[S_1] [EOS]"


def test_added_tokens_keep_their_flags() -> None:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    added = [
        {"id": 7, "content": "ab", **flags},
        {"id": 8, "content": "abc", **flags},
        {"id": 9, "content": "one", **flags, "single_word": True},
        {"id": 10, "content": "<m>", **flags, "lstrip": True, "rstrip": True},
        {"id": 11, "content": "low", **flags, "normalized": True},
    ]
    tokenizer = parse(file(added_tokens=added, pre_tokenizer=None), "x")
    assert tokenizer.encode("abcab") == [8, 7]
    assert tokenizer.encode("one") == [9]
    assert tokenizer.encode("someone") == [1]
    assert tokenizer.encode("ab  <m>  ab") == [7, 10, 7]
    assert tokenizer.encode("LOW") == [11]


def test_templates_words_and_normalisers() -> None:
    template = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[SOS]"}},
            {"Sequence": {"id": "A"}},
            {"SpecialToken": {"id": "[EOS]"}},
        ],
        "special_tokens": {"[SOS]": {"ids": [2]}, "[EOS]": {"ids": [3]}},
    }
    level = {
        "type": "WordLevel",
        "vocab": {"[UNK]": 1, "a": 7, "b-c": 8, "b": 9, "-": 10},
        "unk_token": "[UNK]",
    }
    parts = {
        "type": "Sequence",
        "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Strip"}, {"type": "StripAccents"}],
    }
    split = {"type": "WhitespaceSplit"}
    given = file(model=level, normalizer=parts, pre_tokenizer=split, post_processor=template, added_tokens=[])
    assert parse(given, "x").encode(" A B-C x ") == [2, 7, 8, 1, 3]
    bert = {"type": "BertProcessing", "sep": ["[EOS]", 3], "cls": ["[SOS]", 2]}
    sequence = {"type": "Sequence", "pretokenizers": [split, {"type": "Whitespace"}]}
    given = file(model=level, normalizer=None, pre_tokenizer=sequence, post_processor=bert, added_tokens=[])
    assert parse(given, "x").encode("a b-c") == [2, 7, 9, 10, 1, 3]
