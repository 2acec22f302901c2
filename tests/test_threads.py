"""Threads: the same bits from any number of them and for any number of callers, and BLAS as it was before, whatever happened."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import scratchnet
from scratchnet import kernels, layers, style
from scratchnet.activations import ReLU, softmax_cross_entropy
from scratchnet.kernels import winograd
from scratchnet.kernels.threads import run
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess
from scratchnet.optimizers import Adam
from tests.blas import blas_threads

ROOT = Path(__file__).parents[1]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="only some systems fork")


@pytest.fixture(autouse=True)
def as_before():
    """Every test finds two threads, and must leave BLAS with as many as it had."""
    before, blas = scratchnet.threads(), blas_threads()
    scratchnet.threads(2)
    yield
    scratchnet.threads(before)
    assert blas_threads() == blas


def child(code, *words, timeout=120):
    """What a process of its own prints. It must end well, and soon: one that hangs fails the test."""
    result = subprocess.run([sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", code, *map(str, words)],
                            capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return result.stdout


# ---- the same bits ---------------------------------------------------------------------------------------------------------

def small_vgg(dtype):
    """Two blocks as in VGG, wide enough for Winograd's way, and a first layer too narrow for it."""
    rng, net, n_C_prev = np.random.default_rng(0), {"input": Preprocess(mean=(0.5, 0.5, 0.5))}, 3
    for block, n_C in enumerate((16, 24), 1):
        for i in (1, 2):
            net[f"conv{block}_{i}"], net[f"relu{block}_{i}"] = layers.Conv2D(n_C_prev, n_C, rng=rng), ReLU()
            n_C_prev = n_C
        net[f"pool{block}"] = layers.MaxPool2D()
    return Network(net).astype(dtype)


def style_step(dtype):
    """Everything that two steps of style transfer make: pictures, costs, gradients."""
    C, S = np.random.default_rng(1).random((2, 1, 72, 88, 3)).astype(dtype)
    settings = dict(content_layer="relu2_2", lam={"relu1_1": 0.5, "relu2_1": 0.5})
    cost = style.TotalCost(small_vgg(dtype), C, S, tv=0.1, **settings)
    step, dG = cost((C + S) / 2)
    steps = list(style.transfer(small_vgg(dtype), C, S, steps=2, start="noise", **settings))
    return [dG, np.array([step.J, *step.per_layer.values()]), *(s.G for s in steps), np.array([s.J for s in steps])]


def training_step(dtype):
    """Parameters after two steps of Adam on a batch, and all gradients: a convolution of every kind, and a dense layer."""
    rng = np.random.default_rng(2)
    net = Network({"conv1": layers.Conv2D(3, 16, rng=rng), "relu1": ReLU(), "pool1": layers.MaxPool2D(),
                   "conv2": layers.Conv2D(16, 24, rng=rng), "relu2": ReLU(), "each": layers.DepthwiseConv2D(24, stride=2, rng=rng),
                   "conv3": layers.Conv2D(24, 32, f=1, rng=rng), "relu3": ReLU(), "conv4": layers.Conv2D(32, 16, f=5, stride=2, rng=rng),
                   "pool4": layers.AvgPool2D(), "flatten": layers.Flatten(), "dense": layers.Dense(5 * 6 * 16, 10, rng=rng)})
    net, x, labels = net.astype(dtype), rng.random((8, 80, 96, 3)).astype(dtype), np.arange(8)
    everything, optimizer = [], Adam(0.01)

    def f(params):
        at = net.with_params(params)
        a, caches = at.forward(x, training=True)
        J, da = softmax_cross_entropy(a["dense"], labels)
        dx, grads = at.backward({"dense": da}, caches)
        everything.extend([dx, *grads.values()])
        return J, grads

    params = net.params
    for _ in range(2):
        params, J = optimizer.step(f, params)
        everything.append(np.array(J))
    return [*everything, *params.values()]


def bits(arrays):
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("step", [style_step, training_step])
@pytest.mark.parametrize("small", [winograd.SMALL, 0], ids=["as it comes", "all in strips"])
@DTYPES
def test_n17_a_whole_step_has_the_same_bits_at_1_2_and_4_threads(monkeypatch, step, small, dtype):
    monkeypatch.setattr(winograd, "SMALL", small)
    monkeypatch.setattr(winograd, "STRIP", 2 ** 16)
    made = {}
    for n in (1, 2, 4):
        scratchnet.threads(n)
        made[n] = bits(step(dtype))
    assert made[1] == made[2] == made[4] and len(made[1]) > 5


def test_c3_many_callers_get_the_bits_they_get_alone_while_the_number_of_threads_changes():
    work = [lambda: style_step(np.float32), lambda: training_step(np.float32), lambda: style_step(np.float64)]
    alone, over = [bits(step()) for step in work], threading.Event()

    def restless():
        n = 0
        while not over.wait(0.002):
            n += 1
            scratchnet.threads(1 + n % 4)

    changing = threading.Thread(target=restless)
    changing.start()
    try:
        with ThreadPoolExecutor(4) as callers:
            together = list(callers.map(lambda k: bits(work[k % 3]()), range(9)))
    finally:
        over.set()
        changing.join()
    assert together == [alone[k % 3] for k in range(9)]


# ---- BLAS is held to one thread, and gets its own back ---------------------------------------------------------------------

def in_thread(task):
    """A thread at work on task, and a list that will hold what it returned or raised."""
    result = []

    def work():
        try:
            result.append(task())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, result


@pytest.mark.parametrize("parts", [1, 6])
def test_blas_is_held_for_every_caller_not_only_the_first(parts):
    """threadpoolctl obeys only one thread at a time, unless told that it may obey another."""
    seen = []
    run(lambda part: seen.append(max(blas_threads())), range(parts))
    for _ in range(2):
        thread, _ = in_thread(lambda: run(lambda part: seen.append(max(blas_threads())), range(parts)))
        thread.join()
    assert seen == 3 * parts * [1]


@pytest.mark.parametrize("fails", [False, True], ids=["done", "with an error"])
@pytest.mark.parametrize("main", ["comes first", "comes last", "stays away"])
def test_callers_that_overlap(main, fails):
    """The first to enter is the first to leave; in between, BLAS must stay at one thread for the second."""
    before = blas_threads()
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first():
        def task(part):
            if part == 0:
                first_in.set()
                assert second_in.wait(10)
                if fails:
                    raise ZeroDivisionError
        run(task, range(2))

    def second():
        def task(part):
            if part == 0:
                second_in.set()
                assert first_out.wait(10)
                seen.append(blas_threads())
        assert first_in.wait(10)
        run(task, range(2))

    def leave(task):
        try:
            task()
        finally:
            first_out.set()

    if main == "comes first":
        thread, result = in_thread(second)
        try:
            leave(first)
        except ZeroDivisionError:
            assert fails
    else:
        thread, raised = in_thread(lambda: leave(first))
        if main == "comes last":
            second()
            result = [None]
        else:
            other, result = in_thread(second)
            other.join(10)
        assert isinstance(raised[0] if raised else None, ZeroDivisionError) == fails
    thread.join(10)
    assert result == [None] and seen == [[1] * len(before)] and blas_threads() == before


def test_an_error_in_a_helping_thread_is_heard_and_the_rest_dropped():
    mine, done = threading.get_ident(), []
    helping = threading.Event()

    def task(part):
        done.append(part)
        if threading.get_ident() != mine:
            helping.set()
            raise ZeroDivisionError("in the pool")
        assert helping.wait(10)

    before = blas_threads()
    with pytest.raises(ZeroDivisionError, match="in the pool"):
        run(task, range(100))
    assert len(done) <= 4 and blas_threads() == before


def test_an_error_while_others_are_at_work_waits_for_them():
    """Else a part would still write into arrays that somebody else has by then."""
    both_in, finished = threading.Barrier(2, timeout=10), []

    def task(part):
        both_in.wait()
        if part == 0:
            raise ZeroDivisionError
        threading.Event().wait(0.05)
        finished.append(part)

    with pytest.raises(ZeroDivisionError):
        run(task, range(2))
    assert finished == [1]


def test_arrays_are_let_go_when_the_work_is_done():
    """The pool must not hold on to the last job: arena could not use its memory again."""
    a = np.ones((1, 200, 200, 16), np.float32)
    kernels.conv2d(a, np.ones((3, 3, 16, 16), np.float32), np.zeros(16, np.float32), 1, (1, 1, 1, 1))
    for _ in range(3):
        run(lambda part, a=a: a.sum(), range(20))
    held = sys.getrefcount(a)
    run(lambda part: None, range(2))
    assert held == 2


# ---- fork ------------------------------------------------------------------------------------------------------------------

FORKING = """
import os, signal, threading, numpy as np, scratchnet
from scratchnet import kernels
from scratchnet.kernels import arena
from scratchnet.kernels.threads import run
from tests.blas import blas_threads
scratchnet.threads(2)
x, W, b = np.ones((4, 99, 99, 8), np.float32), np.ones((3, 3, 8, 8), np.float32), np.zeros(8, np.float32)
conv = lambda: kernels.conv2d(x, W, b, 1, (1, 1, 1, 1))
z, before = conv(), blas_threads()
"""


@forks
def test_c4_a_child_forked_while_others_work_is_not_held_up_by_their_locks():
    """The memory's lock is held by another thread, a third one is inside a kernel: neither is there in the child."""
    code = FORKING + """
inside, over = threading.Event(), threading.Event()
def busy():
    with arena._lock:
        run(lambda part: (inside.set(), over.wait(60)), range(2))
thread = threading.Thread(target=busy); thread.start(); inside.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if blas_threads() == before and np.array_equal(conv(), z) and blas_threads() == before else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set(); thread.join()
print(np.array_equal(conv(), z), blas_threads() == before)
"""
    assert child(code, timeout=60).split() == ["0", "True", "True"]


@forks
def test_c4_multiprocessing_by_fork_works():
    code = FORKING + """
import multiprocessing
def convolve(_):
    return conv()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(all(np.array_equal(one, z) for one in pool.map(convolve, range(4))))
"""
    assert child(code, timeout=60).strip() == "True"


# ---- Ctrl-C at any moment --------------------------------------------------------------------------------------------------

STORM = """
import faulthandler, random, signal, sys, time
import numpy as np, scratchnet
from scratchnet import kernels
from scratchnet.kernels import threads
from tests.blas import blas_threads
faulthandler.dump_traceback_later(90, exit=True)
scratchnet.threads(int(sys.argv[1]))
A = np.random.default_rng(0).random((128, 128), np.float32)
product, before, rng = kernels.matmul(A, A), blas_threads(), random.Random(int(sys.argv[2]))
begun = time.perf_counter()
for _ in range(50):
    kernels.matmul(A, A)
once = (time.perf_counter() - begun) / 50
def ctrl_c(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, ctrl_c)
struck = wrong = 0
for _ in range(int(sys.argv[3])):
    try:
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 3 * once))
        while True:
            kernels.matmul(A, A)
    except KeyboardInterrupt:
        struck += 1
        wrong += blas_threads() != before or bool(threads._blas.inside)
        wrong += not np.array_equal(kernels.matmul(A, A), product)
print(struck, wrong)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the alarm that plays Ctrl-C is POSIX")
@pytest.mark.parametrize("n", [1, 2])
def test_k3_a_ctrl_c_at_any_moment_leaves_threads_and_blas_as_they_were(n):
    """A real signal at random moments: nothing hangs, nothing is left behind, and the next product is right."""
    assert child(STORM, n, 7, 1000).split() == ["1000", "0"]
