"""Memory used again: never while anybody holds it, and not kept beyond need."""

import numpy as np
import pytest

from scratchnet.kernels import arena

MB = 2 ** 20


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(arena, "_blocks", [])
    monkeypatch.setattr(arena, "_most", 0)


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_that_nobody_holds_is_used_again():
    a = arena.empty((MB,), np.float32)
    where = address(a)
    del a
    assert address(arena.empty((4, MB // 4), np.float32)) == where


def test_memory_that_a_view_holds_is_not():
    a = arena.empty((MB,), np.float32)
    a[:] = 1
    view = a.reshape(1024, -1)[3:5, ::2]
    del a
    b = arena.zeros((MB,), np.float32)
    assert not np.shares_memory(view, b) and (view == 1).all() and not b.any()


def test_small_arrays_are_left_to_the_system():
    arena.empty((10,), np.float64)
    assert arena._blocks == []


def test_what_is_kept_is_bounded_by_what_was_held_at_a_time():
    for size in range(2, 40, 3):                       # one at a time, each too large for the block before
        arena.empty((size * MB,), np.uint8)
    assert sum(block.size for block in arena._blocks) <= arena.SPARE * 38 * MB


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.bool_])
def test_shape_and_type_are_those_of_numpy(dtype):
    a = arena.empty((3, MB, 2), dtype)
    assert a.shape == (3, MB, 2) and a.dtype == dtype and a.flags.c_contiguous and a.flags.writeable
