"""The self-test of the kernels: it finds what is wrong, reaches every kernel, and two kinds of numbers are all that compile."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchnet
from scratchnet import kernels
from scratchnet.kernels import loops, selftest, threads
from scratchnet.kernels.jit import KERNELS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("dtype", selftest.TOLERANCE)
@pytest.mark.parametrize("case", selftest.CASES)
def test_kernels_pass_on_this_machine(case, dtype):
    error, name = selftest.largest_error(case, dtype)
    assert error <= selftest.TOLERANCE[dtype], name
    assert selftest.differing_bits(case, dtype) == []


def test_every_function_that_has_a_definition_is_tried():
    tried = {name for case in selftest.CASES for name in selftest.arguments(case, "float32", selftest.SMALL)}
    assert tried == {name.partition(".")[2] for name in KERNELS if name.startswith("loops.")} | set(selftest.TOGETHER)


@pytest.mark.parametrize("planted, found", [(1e-3, 1e-3), (np.nan, np.nan)])
def test_a_wrong_number_is_found_and_named(monkeypatch, planted, found):
    right = kernels.avg_pool_da_prev

    def wrong(*args):
        da_prev = right(*args)
        da_prev[0, 2, 1, 0] += planted * np.abs(da_prev).max()
        return da_prev

    monkeypatch.setattr(kernels, "avg_pool_da_prev", wrong)
    error, name = selftest.largest_error("average pooling", "float64")
    assert name == "avg_pool_da_prev" and (error == pytest.approx(found) or math.isnan(error) and math.isnan(found))
    assert not error <= selftest.TOLERANCE["float64"]


def test_another_winner_of_a_max_pool_is_found(monkeypatch):
    monkeypatch.setattr(kernels, "max_pool", lambda *args: (loops.max_pool(*args)[0], 0 * loops.max_pool(*args)[1]))
    assert selftest.largest_error("max pooling 2x2", "float32")[0] == math.inf


def test_bits_that_hang_on_the_number_of_threads_are_found_and_the_number_is_put_back(monkeypatch):
    def wrong(a_prev, *window):
        return loops.l2_pool(a_prev, *window) * np.float32(1 + 1e-7 * scratchnet.threads())

    before = scratchnet.threads()
    monkeypatch.setattr(kernels, "l2_pool", wrong)
    assert selftest.differing_bits("L2 pooling", "float32") == ["l2_pool"] and scratchnet.threads() == before


def test_there_is_work_for_two_threads(monkeypatch):
    """Else one and two threads would be the same thing, and the test of bits would say nothing."""
    shared, run = [], threads.run

    def watched(task, parts):
        parts = list(parts)
        shared.append(len(parts) > 1)
        run(task, parts)

    monkeypatch.setattr(threads, "run", watched)
    for case in ("conv2d 3x3", "conv2d 3x3, stride 2", "conv2d 1x1", "conv2d 5x5", "max pooling 2x2"):
        shared.clear()
        selftest.differing_bits(case, "float32")
        assert sum(shared) > len(shared) / 2, case     # a ReLU of these sizes is one part


SIGNATURES = """
import numpy as np
from scratchnet import kernels
from scratchnet.kernels import selftest
from scratchnet.kernels.jit import KERNELS

def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a

kinds = [read_only, np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2], lambda a: a[::-1].copy()[::-1]]
for dtype in ("float32", "float64"):
    for case in selftest.CASES:
        selftest.largest_error(case, dtype)
        for kind in kinds:
            for name, args in selftest.arguments(case, dtype, selftest.SMALL).items():
                odd = [kind(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
                getattr(kernels, name)(*odd)
for name, kernel in KERNELS.items():
    print(name, len(kernel.signatures))
"""


@pytest.mark.skipif(not any(hasattr(kernel, "signatures") for kernel in KERNELS.values()), reason="NUMBA_DISABLE_JIT is set")
def test_every_kernel_compiles_for_float32_and_float64_and_for_no_kind_of_array_again():
    """In a process of its own, because other tests call the loops as they like. A kernel that nothing reaches shows as 0."""
    result = subprocess.run([sys.executable, "-c", SIGNATURES], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    counts = dict(line.split() for line in result.stdout.splitlines())
    assert counts == dict.fromkeys(KERNELS, "2")
