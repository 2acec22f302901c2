"""The package's own threads: kernels hand in strips of work, one thread per core takes them one after the other.

Numba's threads beside BLAS's threads are a trap, because each pool spins while the other waits for its core. So there is
one pool, ours; the kernels it runs are serial and hold no lock, and BLAS is held to one thread while it runs. Strips are cut by
the shapes, never by the number of threads, and each writes its own part of the result: the same bits on any machine's cores.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from threadpoolctl import ThreadpoolController


class _SingleThreadedBLAS:
    """Holds BLAS to one thread while anybody is inside. The limit is the process's, so those inside are counted:
    the first sets it, the last restores what it found."""

    def __init__(self):
        self.lock, self.inside, self.libraries, self.before = threading.Lock(), 0, None, []

    def __enter__(self):
        with self.lock:
            if self.inside == 0:
                if self.libraries is None:            # looked for once: it takes 0.3 ms
                    self.libraries = ThreadpoolController().select(user_api="blas").lib_controllers
                self.before = [library.get_num_threads() for library in self.libraries]
                for library in self.libraries:
                    library.set_num_threads(1)
            self.inside += 1

    def __exit__(self, *error):
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                for library, threads in zip(self.libraries, self.before):
                    library.set_num_threads(threads)


_blas = _SingleThreadedBLAS()
_mine = threading.local()
_lock = threading.Lock()
_pool = None
_threads = None


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads(n=None):
    """How many threads kernels use; threads(n) sets it, from 1 up. The results do not depend on it, to the bit.

    At the start it is SCRATCHNET_THREADS, or the number of cores this process may use.
    """
    global _threads, _pool
    with _lock:
        if n is not None:
            if isinstance(n, bool) or not isinstance(n, int) or n < 1:
                raise ValueError(f"threads = {n!r}; expected a whole number from 1 up.")
            if n != _threads:
                _threads, old, _pool = n, _pool, None
                if old is not None:
                    old.shutdown(wait=False)
        elif _threads is None:
            asked = os.environ.get("SCRATCHNET_THREADS", "")
            _threads = int(asked) if asked.isdigit() and int(asked) > 0 else _cores()
        return _threads


def _begin_anew():
    """In a forked child none of the pool's threads exist, and a lock may be held by one that does not."""
    global _pool, _lock, _blas
    _pool, _lock, _blas = None, threading.Lock(), _SingleThreadedBLAS()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def run(task, parts):
    """task(part) for every part, over the pool; returns when all are done, and raises what the first to fail raised.

    The caller works too, beside the pool's threads. Ctrl-C is answered as soon as the parts at work are done: those not
    begun are dropped.
    """
    parts = list(parts)
    with _blas:
        n = min(threads(), len(parts))
        if n < 2 or getattr(_mine, "worker", False):
            for part in parts:
                task(part)
            return
        waiting, take, stop = iter(parts), threading.Lock(), threading.Event()

        def work():
            try:
                while not stop.is_set():
                    with take:
                        part = next(waiting, stop)
                    if part is stop:
                        return
                    task(part)
            except BaseException:
                stop.set()
                raise

        others = _submit(work, n - 1)
        try:
            _mine.worker = True                        # a kernel inside a kernel's part runs where it is
            work()
        finally:
            _mine.worker = False
            stop.set()
            wait(others)
        for other in others:
            other.result()


def _work(work):
    _mine.worker = True
    work()


def _submit(work, times):
    global _pool
    n = threads()
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, n - 1), thread_name_prefix="scratchnet")
        return [_pool.submit(_work, work) for _ in range(times)]


def buffer(name, size, dtype):
    """An uninitialised flat array of this thread's own, kept from call to call, so that steps do not allocate anew."""
    kept = _mine.__dict__.setdefault("buffers", {})
    if name not in kept or kept[name].size < size or kept[name].dtype != dtype:
        kept[name] = np.empty(size, dtype)
    return kept[name][:size]
