"""The package's own threads: kernels hand in strips of work, one thread per core takes them one after the other.

Numba's threads beside BLAS's threads are a trap, because each pool spins while the other waits for its core. So there is
one pool, ours; the kernels it runs are serial and hold no lock, and BLAS is held to one thread while it runs. Strips are cut by
the shapes, never by the number of threads, and each writes its own part of the result: the same bits on any machine's cores.

Whoever calls works too, and the pool's threads help: to wake a thread takes 0.1 to 0.2 ms, and a short task is done by then.
Ctrl-C reaches only the main thread, but there it may strike between any two steps. So what must be put right at
the end is written such that it can be done twice.
"""

import os
import threading
from queue import SimpleQueue

import numpy as np
from threadpoolctl import ThreadpoolController


class _SingleThreadedBLAS:
    """Holds BLAS to one thread while anybody is inside. The limit is the process's, so those inside are kept in a set:
    the first remembers what it found, the last restores it. Both methods can be repeated when Ctrl-C cut them short."""

    def __init__(self):
        self.lock, self.inside, self.libraries, self.found = threading.Lock(), set(), None, None

    def enter(self, who):
        self.inside.add(who)
        with self.lock:
            if self.libraries is None:                 # 0.3 ms to find, so they are kept
                self.libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            if self.found is None:
                self.found = [library.num_threads for library in self.libraries]
            self._set(1 for _ in self.libraries)

    def leave(self, who):
        self.inside.discard(who)
        with self.lock:
            if not self.inside:
                self.restore()

    def restore(self):
        """What was found. A fork may leave the limit behind too, with nobody inside."""
        if self.found is not None:
            self._set(self.found)
            self.found = None

    def _set(self, limits):
        """threadpoolctl 3.8 obeys the first thread that sets a limit, and silently no other until that one gives up its
        right. Here it is known who is inside, so nobody keeps a right."""
        for library, limit in zip(self.libraries, limits):
            give_up = getattr(library, "clear_controlling_thread", lambda force: None)
            give_up(force=True)
            library.set_num_threads(limit)
            give_up(force=True)


class _Job:
    """The parts of one call, and how many helpers are at work on them.

    Plain locks only: a Condition or an Event is Python itself, and Ctrl-C inside of it leaves it locked for ever.
    """

    def __init__(self, task, parts):
        self.task, self.waiting, self.lock = task, iter(parts), threading.Lock()
        self.helping, self.closed, self.error, self.busy = 0, False, None, threading.Lock()

    def work(self):
        """Takes part after part until none waits."""
        while True:
            with self.lock:
                part = next(self.waiting, self)
            if part is self:
                return
            self.task(part)

    def help(self):
        """work, in a thread of the pool. What goes wrong here is raised in the caller's thread."""
        with self.lock:
            if self.closed:
                return
            self.helping += 1
            if self.helping == 1:
                self.busy.acquire()
        try:
            self.work()
        except BaseException as error:
            self.error, self.waiting = error, iter(())
        with self.lock:
            self.helping -= 1
            if self.helping == 0:
                self.busy.release()

    def close(self):
        """Nobody begins another part; returns when those at work are done. Can be repeated."""
        with self.lock:
            self.closed, self.waiting = True, iter(())
        with self.busy:
            self.task = None                           # a helper may still hold this job: not its arrays as well


class _Pool:
    """Threads that help with jobs. They end with the process, or when the pool is dismissed."""

    def __init__(self, n):
        self.n, self.jobs = n, SimpleQueue()
        for i in range(n):
            threading.Thread(target=self._serve, name=f"scratchnet-{i}", daemon=True).start()

    def _serve(self):
        _mine.worker = True
        while True:
            job = self.jobs.get()
            if job is None:
                return
            job.help()
            del job                                    # else its arrays stay until the next one comes

    def dismiss(self):
        for _ in range(self.n):
            self.jobs.put(None)


_blas = _SingleThreadedBLAS()
_mine = threading.local()
_lock = threading.Lock()
_pool = None
_threads = None


def cores():
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def asked_for():
    """What SCRATCHNET_THREADS says; None when it says nothing or no whole number from 1 up."""
    words = os.environ.get("SCRATCHNET_THREADS", "")
    return int(words) if words.isdecimal() and int(words) > 0 else None


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
                    old.dismiss()
        elif _threads is None:
            _threads = asked_for() or cores()
        return _threads


def _begin_anew():
    """In a forked child none of the pool's threads exist, and a lock may be held by one that does not."""
    global _pool, _lock, _blas
    _blas.restore()
    _pool, _lock, _blas = None, threading.Lock(), _SingleThreadedBLAS()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def run(task, parts):
    """task(part) for every part, by the caller and the pool; returns when all are done, and raises what a part raised.

    Ctrl-C is answered as soon as the parts at work are done: those not begun are dropped.
    """
    parts, inner = list(parts), getattr(_mine, "worker", False)          # a kernel inside a kernel's part runs where it is
    job = _Job(task, parts)
    try:
        _mine.worker = True
        _blas.enter(job)
        if len(parts) > 1 and not inner:
            _call_for_help(job, len(parts) - 1)
        job.work()
    finally:
        try:
            _end(job, inner)
        except KeyboardInterrupt:
            _end(job, inner)
            raise
    if job.error is not None:
        raise job.error


def _call_for_help(job, most):
    global _pool
    n = threads() - 1
    with _lock:
        if n and (_pool is None or _pool.n != n):
            _pool = _Pool(n)
        pool = _pool
    for _ in range(min(n, most)):
        pool.jobs.put(job)


def _end(job, inner):
    job.close()
    _blas.leave(job)
    _mine.worker = inner


def buffer(name, size, dtype):
    """An uninitialised flat array of this thread's own, kept from call to call, so that steps do not allocate anew."""
    kept = _mine.__dict__.setdefault("buffers", {})
    if name not in kept or kept[name].size < size or kept[name].dtype != dtype:
        kept[name] = np.empty(size, dtype)
    return kept[name][:size]
