"""Kernel calls as one native function: every row once, whoever does it, and faults told."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binvision.kernels.jit import kernel
from binvision.kernels.program import Call, Program


class Work(NamedTuple):
    """Calls on rows."""

    calls: tuple[Call, ...]
    rows: int
    grain: int = 10**6


@kernel
def count(counts: np.ndarray, pair: tuple[np.ndarray, int], start: int, stop: int) -> None:
    """Add the pair's number to each element, and to the pair's array the number of elements."""
    seen, number = pair
    for i in range(start, stop):
        counts[i] += number
    seen[start] += stop - start


@kernel
def increase_reversed(values: np.ndarray, out: np.ndarray, start: int, stop: int) -> None:
    """Write each element's mirror image, plus 1, and take a while for it."""
    for i in range(start, stop):
        turns = np.int64(0)
        while turns * turns < 40_000:  # a loop that no compiler solves
            turns += 1
        out[i] = values[len(values) - 1 - i] + turns - 199


@kernel
def ask_for_too_much(out: np.ndarray, size: int, start: int, stop: int) -> None:
    """Ask for more memory than there is."""
    out[0] = len(np.empty(size, np.int64))


def run(program: Program, threads: int) -> list[int]:
    """Let threads 1, 2, ... and then this one take part; returns what each was told."""
    told = [0] * threads
    program.begin()

    def help(thread: int) -> None:
        told[thread] = program.work(thread, 0, len(program))

    helpers = [threading.Thread(target=help, args=(thread,)) for thread in range(1, threads)]
    for helper in helpers:
        helper.start()
    help(0)
    for helper in helpers:
        helper.join()
    return told


@settings(max_examples=25, deadline=None, print_blob=True)
@given(rows=st.lists(st.integers(0, 40), min_size=1, max_size=4), unit=st.integers(1, 7),
       threads=st.integers(1, 4), repeats=st.integers(1, 3))  # fmt: skip
def test_every_row_is_done_once_a_run(rows, unit, threads, repeats) -> None:
    counts = [np.zeros(n * unit, np.int64) for n in rows]
    seen = [np.zeros(n * unit + 1, np.int64) for n in rows]
    works = [
        Work((Call(count, (c, (s, 3)), unit),), n)
        for c, s, n in zip(counts, seen, rows, strict=True)
    ]
    program = Program(works, threads)
    for _ in range(repeats):
        assert run(program, threads) == [0] * threads
    assert program.runs == repeats
    for c, s in zip(counts, seen, strict=True):
        assert (c == 3 * repeats).all() and s.sum() == len(c) * repeats


def test_a_task_begins_when_the_one_before_is_done() -> None:
    """Each task reads the rows that the other thread has just written."""
    values = [np.zeros(4000, np.int64) for _ in range(31)]
    works = [
        Work((Call(increase_reversed, (before, after), 10),), 400)
        for before, after in zip(values, values[1:], strict=False)
    ]
    program = Program(works, 2)
    for _ in range(10):
        for value in values[1:]:
            value[:] = -1
        run(program, 2)
        assert (values[-1] == 30).all()


def test_one_thread_alone_does_the_others_part() -> None:
    counts, seen = np.zeros(100, np.int64), np.zeros(101, np.int64)
    program = Program([Work((Call(count, (counts, (seen, 1))),), 100)], 3)
    program.begin()
    assert program.work(2, 0, 1) == 0
    assert (counts == 1).all()
    assert program.work(0, 0, 1) == 0  # one that comes late finds nothing left
    assert (counts == 1).all()


def test_tasks_in_ranges() -> None:
    counts, seen = np.zeros(10, np.int64), np.zeros(11, np.int64)
    program = Program([Work((Call(count, (counts, (seen, n))),), 10) for n in (1, 10, 100)], 1)
    program.begin()
    program.work(0, 1, 2)
    assert (counts == 10).all()
    program.work(0, 2, 3)
    assert (counts == 110).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_kernel_without_memory_is_told_and_ends(threads: int) -> None:
    out = np.zeros(1, np.int64)
    program = Program([Work((Call(ask_for_too_much, (out, 2**60)),), 1)], threads)
    assert any(run(program, threads))
    assert out[0] == 0


def test_waiting_for_a_run_ends() -> None:
    program = Program([], 1)
    assert not program.await_run(0)
    program.begin()
    assert program.await_run(0) and not program.await_run(1)
