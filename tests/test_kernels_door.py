"""The kernels' door, and what stands around it: whatever array comes in, the same numbers go out and nothing is compiled anew.

Two signatures of each kernel, the same bits at any number of threads, and work to be done where nothing can be written.
"""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

import scratchnet
from scratchnet import kernels, style
from scratchnet.activations import ReLU
from scratchnet.kernels import batchnorm, gemm, jit, loops, pooling, winograd
from scratchnet.kernels.threads import run
from scratchnet.layers import AvgPool2D, Conv2D, MaxPool2D
from scratchnet.network import Network
from tests.blas import blas_threads
from tests.close import assert_close

COMPILED    = {f"{module.__name__.split('.')[-1]}.{name}": kernel for module in (loops, gemm, winograd, pooling, batchnorm)
               for name, kernel in vars(module).items() if hasattr(kernel, "py_func")}
needs_numba = pytest.mark.skipif(not COMPILED, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")

BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def arguments(dtype):
    """What each function of `kernels` takes, {name: arguments}: odd shapes, stride 2, uneven pads."""
    rng, pad = np.random.default_rng(1), (1, 0, 1, 1)                   # a pooling window must meet the picture
    a_prev, a, dz = [rng.standard_normal((2, *shape)).astype(dtype) for shape in ((5, 6, 2), (2, 4, 2), (2, 4, 3))]
    W, W_each     = [rng.standard_normal((3, 2, 2, *shape)).astype(dtype) for shape in ((3,), ())]
    b, b_each     = [rng.standard_normal(n).astype(dtype) for n in (3, 2)]
    _, winner     = loops.max_pool(a_prev, 3, 2, 2, pad)
    length        = loops.l2_pool(a_prev, 3, 2, 2, pad)
    rows, slopes  = a_prev.reshape(-1, 2), rng.standard_normal(2).astype(dtype)
    return {
        "prelu": (rows, slopes), "prelu_dz": (rows, rows[::-1] > 0, slopes), "prelu_dalpha": (rows[::-1], rows),
        "batchnorm_moments": (rows,), "batchnorm": (rows, slopes, b_each, slopes, b_each), "batchnorm_sums": (rows[::-1], rows),
        "batchnorm_da_prev": (rows[::-1], rows, slopes, b_each, slopes),
        "conv2d": (a_prev, W, b, 2, pad), "conv2d_da_prev": (dz, W, 2, pad, 5, 6), "conv2d_dW": (a_prev, dz, 2, pad, 3, 2),
        "conv2d_db": (dz,), "depthwise_conv2d": (a_prev, W_each, b_each, 2, pad),
        "depthwise_conv2d_da_prev": (a, W_each, 2, pad, 5, 6), "depthwise_conv2d_dW": (a_prev, a, 2, pad, 3, 2),
        "max_pool": (a_prev, 3, 2, 2, pad), "max_pool_da_prev": (a, winner, 3, 2, 2, pad, 5, 6),
        "avg_pool": (a_prev, 3, 2, 2, pad), "avg_pool_da_prev": (a, 3, 2, 2, pad, 5, 6),
        "l2_pool": (a_prev, 3, 2, 2, pad), "l2_pool_da_prev": (a, a_prev, length, 3, 2, 2, pad),
        "max_place": (a_prev,),
    }


IN_FLOAT64 = ("batchnorm_moments", "batchnorm_sums")                    # sums over all positions of all pictures
NAMES = pytest.mark.parametrize("name", list(arguments(np.float64)))


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


# ---- at the door ---------------------------------------------------------------------------------------------------------

def compiled():
    """How many signatures of each kernel exist: numba compiles one for every new kind of argument."""
    return {name: len(kernel.signatures) for name, kernel in COMPILED.items()}


@NAMES
@needs_numba
def test_loops_run_as_plain_python_and_agree(name):
    args = arguments(np.float64)[name]
    for plain, fast in zip(as_tuple(getattr(loops, name).py_func(*args)), as_tuple(getattr(loops, name)(*args))):
        assert plain.dtype == fast.dtype and np.allclose(plain, fast, rtol=1e-13, atol=1e-13)


@NAMES
@BOTH_DTYPES
def test_kernels_agree_with_the_loops_keep_dtype_and_leave_their_inputs_alone(name, dtype):
    args, before = arguments(dtype)[name], arguments(dtype)[name]
    for fast, slow in zip(as_tuple(getattr(kernels, name)(*args)), as_tuple(getattr(loops, name)(*args))):
        assert_close(fast, slow) if slow.dtype.kind == "f" else np.testing.assert_array_equal(fast, slow)
        assert slow.dtype in (dtype, np.uint16, np.int32, np.bool_) or name in IN_FLOAT64
    assert all(np.array_equal(arg, old) for arg, old in zip(args, before))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


KINDS = {"read-only": read_only, "strided": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
         "backwards": lambda array: array[::-1].copy()[::-1], "Fortran": np.asfortranarray}


@needs_numba
def test_a_style_step_needs_two_signatures_of_a_kernel_and_no_third():
    net = Network({"conv1": Conv2D(3, 8), "relu1": ReLU(), "pool1": MaxPool2D(), "conv2": Conv2D(8, 8), "relu2": ReLU(),
                   "pool2": AvgPool2D(), "conv3": Conv2D(8, 4, f=2, stride=2, pad=0), "relu3": ReLU()})
    C = np.random.default_rng(0).random((1, 16, 24, 3))

    def step(C, S):
        list(style.transfer(net, C, S, steps=1, content_layer="relu2", lam={"relu1": 1, "relu3": 1}))

    for dtype in (np.float32, np.float64):
        step(C.astype(dtype), C[:, ::-1].astype(dtype))
    before = compiled()
    for dtype in (np.float32, np.float64):
        step(read_only(C.astype(dtype)), C.astype(dtype)[:, ::-1, ::2])
    assert compiled() == before
    for name in ("gemm.im2col", "gemm.col2im_add", "winograd.tiles_in", "winograd.tiles_out", "pooling.max_rows", "pooling.max_rows_back",
                 "loops.avg_pool", "loops.avg_pool_da_prev"):
        assert before[name] == 2, f"{name} was compiled for {COMPILED[name].signatures}"


@NAMES
@BOTH_DTYPES
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_array_gives_the_same_numbers_and_compiles_nothing_new(kind, name, dtype):
    args = arguments(dtype)[name]
    plain, before = getattr(kernels, name)(*args), compiled()
    odd = [KINDS[kind](arg) if isinstance(arg, np.ndarray) else arg for arg in args]
    for a, b in zip(as_tuple(getattr(kernels, name)(*odd)), as_tuple(plain)):
        assert np.array_equal(a, b) or np.allclose(a, b, rtol=1e-5, atol=1e-6)
    assert compiled() == before


# ---- threads -------------------------------------------------------------------------------------------------------------

@pytest.fixture
def threads():
    """scratchnet.threads, set back at the end."""
    before = scratchnet.threads()
    yield scratchnet.threads
    scratchnet.threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only some systems fork")
def test_c4_a_forked_child_has_threads_of_its_own():
    code = ("import os, numpy as np; from scratchnet.layers import Conv2D; layer, x = Conv2D(8, 8), np.ones((4, 64, 64, 8), np.float32); "
            "z = layer.forward(x)[0]; child = os.fork(); "
            "same = np.array_equal(layer.forward(x)[0], z); "
            "os._exit(0 if same else 3) if child == 0 else print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))")
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "0", run.stderr


@BOTH_DTYPES
def test_n17_any_number_of_threads_gives_the_same_bits(threads, dtype):
    rng = np.random.default_rng(0)
    a_prev, W, W5, b = [rng.standard_normal(shape).astype(dtype) for shape in ((1, 60, 70, 32), (3, 3, 32, 48), (5, 5, 32, 48), (48,))]
    dz, A = rng.standard_normal((1, 60, 70, 48)).astype(dtype), a_prev.reshape(-1, 32)

    def everything(n):
        threads(n)
        results = [kernels.matmul(A.T, A), kernels.matmul(A, A[:32]), kernels.conv2d_db(dz)]
        results += kernels.max_pool(a_prev, 3, 3, 2, (1, 1, 1, 1))
        for filters, p in ((W, 1), (W5, 2)):
            f, pad = len(filters), 4 * (p,)
            results += [kernels.conv2d(a_prev, filters, b, 1, pad), kernels.conv2d_da_prev(dz, filters, 1, pad, 60, 70),
                        kernels.conv2d_dW(a_prev, dz, 1, pad, f, f)]
        return results

    one, two, four = map(everything, (1, 2, 4))
    assert all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(one, two, four))


@pytest.mark.parametrize("n", [1, 2])
def test_every_part_is_done_once_and_blas_gets_its_threads_back(threads, n):
    threads(n)
    before, done = blas_threads(), []
    run(lambda part: done.append((part, max(blas_threads()))), range(20))
    assert sorted(done) == [(part, 1) for part in range(20)] and blas_threads() == before


@pytest.mark.parametrize("n", [1, 2])
def test_a_part_that_fails_ends_the_others_and_is_heard(threads, n):
    threads(n)
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        run(lambda part: 1 / (3 - part), range(10))
    assert blas_threads() == before


# ---- where nothing can be written ----------------------------------------------------------------------------------------

NOTHING_IS_WRITABLE = """
import numba
njit = numba.njit
def refuse(*args, cache=False, **options):
    if cache:
        raise RuntimeError("cannot cache function: no locator available")
    return njit(*args, **options)
numba.njit = refuse
"""


def test_without_a_writable_folder_kernels_work_with_one_warning(monkeypatch):
    njit = numba.njit

    def refuse(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'twice': no locator available for file '...'")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", refuse)
    monkeypatch.delenv("SCRATCHNET_NO_CACHE", raising=False)
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR") as warned:
        twice = jit.kernel(lambda x: 2 * x)
    assert twice(21) == 42 and len(warned) == 1


def test_importing_all_kernels_without_a_writable_folder_warns_once():
    run = subprocess.run([sys.executable, "-c", NOTHING_IS_WRITABLE + "import scratchnet.kernels"], capture_output=True, text=True,
                         env={key: value for key, value in os.environ.items() if key != "SCRATCHNET_NO_CACHE"})
    assert run.returncode == 0 and run.stderr.count("UserWarning") == 1


def test_the_cache_can_be_switched_off(monkeypatch):
    asked = []
    monkeypatch.setattr(numba, "njit", lambda **options: asked.append(options) or (lambda function: function))
    monkeypatch.setenv("SCRATCHNET_NO_CACHE", "1")
    jit.kernel(len)
    assert "cache" not in asked[0]
