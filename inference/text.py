# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the JSON files of Hugging Face's ``tokenizers`` and does what they say: text to ids and back.

In pure Python, for the small vocabularies of coordinates: models WordPiece and WordLevel, added tokens, the
normalisers and pre-tokenisers of BERT, white space, templates. What is not understood is refused by name,
never skipped. (https://huggingface.co/docs/tokenizers, format version 1.0)
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from .errors import PackError

MAX_BYTES = 64 * 1024 * 1024
_CLEANUP = (
    *((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m")),
    *((" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")),
)
"""What the WordPiece decoder tidies up, as the original does."""


@dataclass(frozen=True)
class _Token:
    """A token that is found in the text before the model sees it."""

    number: int
    single_word: bool
    left: bool
    right: bool
    """Whether it takes the white space beside it."""


@dataclass(frozen=True)
class _Added:
    """Such tokens, of which the longest that matches first wins."""

    tokens: Mapping[str, _Token]
    pattern: Optional[re.Pattern[str]]

    def split(self, text: str) -> Iterator[Union[str, int]]:
        """Pieces of text, with the ids of the tokens between them."""
        done = 0
        for match in self.pattern.finditer(text) if self.pattern else ():
            token, (start, end) = self.tokens[match[0]], match.span()
            beside = text[start - 1 : start] + text[end : end + 1]
            if start < done or (token.single_word and re.search(r"\w", beside)):
                continue
            if token.left:
                start = max(done, len(text[:start].rstrip()))
            if token.right:
                end = len(text) - len(text[end:].lstrip())
            if start > done:
                yield text[done:start]
            yield token.number
            done = end
        if done < len(text):
            yield text[done:]


@dataclass(frozen=True)
class TextTokenizer:
    """One tokenizer file. ``vocabulary``: token → id, the added ones included."""

    vocabulary: Mapping[str, int]
    _tokens: Mapping[int, str]
    _raw: _Added
    _normal: _Added
    _normalise: Callable[[str], str]
    _words: Callable[[str], list[str]]
    _model: Callable[[str], list[int]]
    _around: tuple[tuple[int, ...], tuple[int, ...]]
    _join: Callable[[Sequence[str]], str]

    def encode(self, text: str) -> list[int]:
        """Ids of a text, with what the file's template puts around it."""
        ids: list[int] = []
        for piece in self._raw.split(text):
            if isinstance(piece, int):
                ids.append(piece)
                continue
            for part in self._normal.split(self._normalise(piece)):
                if isinstance(part, int):
                    ids.append(part)
                else:
                    ids.extend(i for word in self._words(part) for i in self._model(word))
        before, after = self._around
        return [*before, *ids, *after]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids, special tokens included; unknown ids are left out."""
        return self._join([self._tokens[i] for i in ids if i in self._tokens])


def is_tokenizer(content: Any) -> bool:
    """Whether parsed JSON looks like a tokenizer's file at all."""
    return (
        isinstance(content, dict) and isinstance(content.get("model"), dict) and "vocab" in content["model"]
    )


def parse(data: bytes, name: str) -> TextTokenizer:
    """Read a tokenizer's file. Raises PackError that says what is wrong with ``name``."""
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES // 2**20} MB")
        content = json.loads(data.decode("utf-8"))
        if not is_tokenizer(content):
            raise ValueError("it has no model with a vocabulary")
        return _build(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise PackError(f"{name} is not a tokenizer that Terrane can read: {problem[:200]}.") from error


def _build(content: Mapping[str, Any]) -> TextTokenizer:
    model = content["model"]
    vocabulary = {str(token): int(number) for token, number in model["vocab"].items()}
    entries = content.get("added_tokens") or []
    everything = {**vocabulary, **{str(e["content"]): int(e["id"]) for e in entries}}
    return TextTokenizer(
        vocabulary=everything,
        _tokens={number: token for token, number in everything.items()},
        _raw=_added(e for e in entries if not e.get("normalized", True)),
        _normal=_added(e for e in entries if e.get("normalized", True)),
        _normalise=_normaliser(content.get("normalizer")),
        _words=_pre_tokeniser(content.get("pre_tokenizer")),
        _model=_model(model, vocabulary),
        _around=_template(content.get("post_processor")),
        _join=_decoder(content.get("decoder")),
    )


def _added(entries: Iterable[Mapping[str, Any]]) -> _Added:
    tokens = {
        str(e["content"]): _Token(
            int(e["id"]), *(bool(e.get(k)) for k in ("single_word", "lstrip", "rstrip"))
        )
        for e in entries
        if e["content"]
    }
    longest = sorted(tokens, key=lambda token: (-len(token), token))
    return _Added(tokens, re.compile("|".join(map(re.escape, longest))) if tokens else None)


def _kind(spec: Mapping[str, Any], what: str, known: Iterable[str]) -> str:
    kind, names = str(spec["type"]), sorted(known)
    if kind not in names:
        raise ValueError(f"its {what} is {kind}; {', '.join(names)} are understood")
    return kind


def _normaliser(spec: Optional[Mapping[str, Any]]) -> Callable[[str], str]:
    if spec is None:
        return lambda text: text
    plain: dict[str, Callable[[str], str]] = {
        "Lowercase": str.lower,
        "StripAccents": _without_accents,
        "Strip": _stripper(spec),
        **{form: _unicode(form) for form in ("NFC", "NFD", "NFKC", "NFKD")},
    }
    kind = _kind(spec, "normalizer", (*plain, "Sequence", "BertNormalizer"))
    if kind == "BertNormalizer":
        return _bert_normaliser(spec)
    if kind != "Sequence":
        return plain[kind]
    parts = [_normaliser(part) for part in spec["normalizers"]]

    def all_of(text: str) -> str:
        for part in parts:
            text = part(text)
        return text

    return all_of


def _unicode(form: Any) -> Callable[[str], str]:
    return lambda text: unicodedata.normalize(form, text)


def _stripper(spec: Mapping[str, Any]) -> Callable[[str], str]:
    def strip(text: str) -> str:
        text = text.lstrip() if spec.get("strip_left", True) else text
        return text.rstrip() if spec.get("strip_right", True) else text

    return strip


def _without_accents(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) != "Mn")


def _bert_normaliser(spec: Mapping[str, Any]) -> Callable[[str], str]:
    lower = bool(spec.get("lowercase", True))
    given = spec.get("strip_accents")
    accents = lower if given is None else bool(given)

    def normalise(text: str) -> str:
        if spec.get("clean_text", True):
            kept = (c for c in text if c not in "\0\ufffd" and not _is_control(c))
            text = "".join(" " if c.isspace() else c for c in kept)
        if spec.get("handle_chinese_chars", True):
            text = "".join(f" {c} " if "\u3400" <= c <= "\u9fff" else c for c in text)
        if accents:
            text = _without_accents(unicodedata.normalize("NFD", text))
        return text.lower() if lower else text

    return normalise


def _is_control(c: str) -> bool:
    return c not in "\t\n\r" and unicodedata.category(c).startswith("C")


def _pre_tokeniser(spec: Optional[Mapping[str, Any]]) -> Callable[[str], list[str]]:
    if spec is None:
        return lambda text: [text] if text else []
    plain: dict[str, Callable[[str], list[str]]] = {
        "BertPreTokenizer": _bert_words,
        "Whitespace": re.compile(r"\w+|[^\w\s]+").findall,
        "WhitespaceSplit": str.split,
    }
    kind = _kind(spec, "pre_tokenizer", (*plain, "Sequence"))
    if kind != "Sequence":
        return plain[kind]
    parts = [_pre_tokeniser(part) for part in spec["pretokenizers"]]

    def all_of(text: str) -> list[str]:
        words = [text]
        for part in parts:
            words = [word for old in words for word in part(old)]
        return words

    return all_of


def _bert_words(text: str) -> list[str]:
    """Words between white space, with every sign of punctuation a word of its own."""
    return "".join(f" {c} " if _is_punctuation(c) else c for c in text).split()


def _is_punctuation(c: str) -> bool:
    return ("!" <= c <= "~" and not c.isalnum()) or unicodedata.category(c).startswith("P")


def _model(spec: Mapping[str, Any], vocabulary: Mapping[str, int]) -> Callable[[str], list[int]]:
    # Old files of WordPiece and WordLevel do not name their type.
    guess = "WordPiece" if "continuing_subword_prefix" in spec else "WordLevel"
    kind = _kind({"type": spec.get("type", guess)}, "model", ("WordPiece", "WordLevel"))
    unknown = str(spec.get("unk_token", "[UNK]" if kind == "WordPiece" else "<unk>"))

    def missing() -> list[int]:
        if unknown in vocabulary:
            return [vocabulary[unknown]]
        raise PackError(f"The tokenizer knows neither a word nor {unknown}.")

    if kind == "WordLevel":
        return lambda word: [vocabulary[word]] if word in vocabulary else missing()
    prefix = str(spec.get("continuing_subword_prefix", "##"))
    longest = int(spec.get("max_input_chars_per_word", 100))

    def pieces(word: str) -> list[int]:
        ids, start = [], 0
        while start < len(word) <= longest:
            for end in range(len(word), start, -1):
                piece = (prefix if start else "") + word[start:end]
                if piece in vocabulary:
                    ids.append(vocabulary[piece])
                    start = end
                    break
            else:
                break
        return ids if start == len(word) else missing()

    return pieces


def _template(spec: Optional[Mapping[str, Any]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids that come before and after a text."""
    if spec is None:
        return (), ()
    if _kind(spec, "post_processor", ("TemplateProcessing", "BertProcessing")) == "BertProcessing":
        return (int(spec["cls"][1]),), (int(spec["sep"][1]),)
    around: tuple[list[int], list[int]] = ([], [])
    place = 0
    for item in spec["single"]:
        if "Sequence" in item:
            place = 1
        else:
            special = spec["special_tokens"][item["SpecialToken"]["id"]]
            around[place].extend(int(i) for i in special["ids"])
    return tuple(around[0]), tuple(around[1])


def _decoder(spec: Optional[Mapping[str, Any]]) -> Callable[[Sequence[str]], str]:
    if spec is None:
        return " ".join
    _kind(spec, "decoder", ("WordPiece",))
    prefix, tidy = str(spec.get("prefix", "##")), bool(spec.get("cleanup", True))

    def join(tokens: Sequence[str]) -> str:
        parts = []
        for place, token in enumerate(tokens):
            part = token
            if place:
                part = token[len(prefix) :] if token.startswith(prefix) else f" {token}"
            for old, new in _CLEANUP if tidy else ():
                part = part.replace(old, new)
            parts.append(part)
        return "".join(parts)

    return join
