"""What was found by fuzzing stays mended; a short fuzz without a fuzzer finds nothing new."""

from __future__ import annotations

import random
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import CASES, TARGETS, Target

LONGEST = 1.0  # seconds of CPU for one input; what is quadratic takes many times as long


def spent(target: Target, data: bytes) -> float:
    """The CPU time of one attempt."""
    before = time.process_time()
    target.attempt(data)
    return time.process_time() - before


@cache
def mixtures(name: str) -> st.SearchStrategy[list[bytes]]:
    """Pieces of the seeds of a target, its tokens, and any octets."""
    target = TARGETS[name]
    seeds = [b"", *(seed[:300] for seed in target.seeds())]
    return st.lists(st.one_of(st.sampled_from([b"", *target.tokens]), st.sampled_from(seeds), st.binary(max_size=6)), max_size=8)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_every_seed_passes(target: Target) -> None:
    """What a fuzz starts from breaks no promise."""
    assert all(spent(target, seed) < LONGEST for seed in [b"", *target.seeds()])


@pytest.mark.parametrize("case", sorted(CASES.glob("*/*")), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_finding_stays_mended(case: Path) -> None:
    """Each input that broke a parser once is read within its promises."""
    assert spent(TARGETS[case.parent.name], case.read_bytes()) < LONGEST


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_promises_hold(target: Target, data: st.DataObject) -> None:
    """Whatever is put together of seeds, tokens and any octets, nothing raises, limits hold, what is written is read back."""
    target.attempt(b"".join(data.draw(mixtures(target.name))))


def test_every_case_belongs_to_a_target() -> None:
    """No finding is kept where nobody tries it."""
    assert {folder.name for folder in CASES.iterdir() if folder.is_dir()} <= set(TARGETS)


@pytest.mark.large
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_thousand_mutations_pass(target: Target) -> None:
    """Pieces cut out, doubled, exchanged, tokens put in, octets changed; the seed is fixed, so a failure comes again."""
    chance = random.Random(target.name)
    seeds = [*target.seeds(), *target.tokens]

    for _turn in range(1_000):
        data = bytearray(chance.choice(seeds))
        for _change in range(chance.randint(1, 8)):
            start = chance.randint(0, len(data))
            end = min(len(data), start + chance.randint(0, 64))
            piece = chance.choice([b"", data[start:end] * 3, chance.choice(seeds)[:200], chance.randbytes(3), *target.tokens])
            data[start : chance.choice([start, end])] = piece
        assert spent(target, bytes(data)) < LONGEST, bytes(data)
