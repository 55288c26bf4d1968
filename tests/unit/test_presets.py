# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference import presets
from terrane.inference.errors import InputError


def test_the_table_is_that_of_the_contract() -> None:
    exact, balanced, fast = (presets.get(name) for name in ("exact", "balanced", "fast"))
    assert list(presets.PRESETS) == ["exact", "balanced", "fast"]
    assert presets.DEFAULT == "balanced"
    assert (exact.sampler, exact.top_p, exact.temperature) == ("top_p", 0.8, 1.0)
    assert (exact.steps, exact.clamp, exact.precision) == (10, 1.0, ("fp32",))
    assert (balanced.sampler, balanced.steps) == ("argmax", 2)
    assert (fast.sampler, fast.steps) == ("argmax", 1)


@pytest.mark.parametrize(("preset", "expected"), [("exact", 192), ("balanced", 192), ("fast", 208)])
def test_strides_for_tiles_of_224(preset: str, expected: int) -> None:
    assert presets.stride(224, presets.get(preset), 16) == expected
    assert presets.stride(224, presets.get(preset)) == expected


@pytest.mark.parametrize(("preset", "expected"), [("exact", 96), ("balanced", 96), ("fast", 104)])
def test_strides_for_tiles_of_112(preset: str, expected: int) -> None:
    assert presets.stride(112, presets.get(preset), 8) == expected


@given(st.sampled_from(list(presets.PRESETS)), st.integers(1, 64), st.integers(1, 32))
def test_strides_are_whole_patches_and_overlap(name: str, patches: int, patch: int) -> None:
    step = presets.stride(patches * patch, presets.get(name), patch)
    assert 0 < step <= patches * patch
    assert step % patch == 0
    assert step < patches * patch or patches == 1


def test_unknown_presets_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"no preset 'best'.*exact, balanced, fast"):
        presets.get("best")
