"""Memory used again: never while anybody holds it, and no more of it than is held at a time."""

import numpy as np
import pytest

from scratchnet.kernels import arena

MB = 2 ** 20


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(arena, "_arena", None)


def address(array):
    return array.__array_interface__["data"][0]


def reach():
    """Megabytes of the stretch that were ever handed out."""
    return sum(arena._arena.ranges[-1][:2]) / MB


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


def test_free_neighbours_become_one_range():
    a, b, c = (arena.empty((2 * MB,), np.uint8) for _ in range(3))
    where = address(a)
    del a, b
    assert address(arena.empty((4 * MB,), np.uint8)) == where and reach() == 6
    del c


def test_no_array_lies_on_another_whatever_comes_and_goes():
    rng, held = np.random.default_rng(0), {}
    for i in range(400):
        if held and rng.random() < 0.5:
            value = rng.choice(list(held))
            assert (held.pop(value) == value).all()
        held[i] = arena.empty((int(rng.integers(MB, 4 * MB)),), np.float32)
        held[i].fill(i)
        held = {value: held[value] for value in list(held)[-12:]}
    assert all((array == value).all() for value, array in held.items())
    assert reach() < 2 * 12 * 16                       # twelve arrays of at most 16 MB at a time


def test_small_arrays_are_left_to_the_system():
    arena.empty((10,), np.float64)
    assert arena._arena is None


def test_what_grows_step_by_step_takes_no_more_than_the_last_and_the_one_before():
    for size in range(2, 40, 3):                       # one at a time, each too large for the range before
        arena.empty((size * MB,), np.uint8)
    assert reach() <= 38


def test_memory_given_back_can_be_used_again():
    a, b = arena.empty((MB,), np.float32), arena.empty((MB,), np.float32)
    b.fill(2)
    del a
    arena.trim()
    c = arena.empty((MB,), np.float32)
    c.fill(1)
    assert (b == 2).all() and (c == 1).all()


def test_without_addresses_to_reserve_arrays_are_numpys_own(monkeypatch):
    monkeypatch.setattr(arena, "_reserve", lambda: b"")
    a = arena.zeros((MB,), np.float32)
    assert a.shape == (MB,) and not a.any() and arena._arena.ranges == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.bool_])
def test_shape_and_type_are_those_of_numpy(dtype):
    a = arena.empty((3, MB, 2), dtype)
    assert a.shape == (3, MB, 2) and a.dtype == dtype and a.flags.c_contiguous and a.flags.writeable
