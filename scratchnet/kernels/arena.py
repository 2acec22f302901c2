"""Large arrays on memory that was used before, because fresh memory is slow: the system zeroes it page by page.

A step of style transfer makes and drops the same arrays as the step before, hundreds of megabytes of them. `empty` hands out
ranges of one long stretch of addresses, which costs nothing where it was never touched. Nobody has to give anything back: a
range is free when the array that stood for it is gone, and free neighbours are one range again. So memory grows to what is held
at a time, and little more.
"""

import ctypes
import math
import mmap
import os
import sys
import threading
import weakref

import numpy as np

SMALLEST = 2 ** 20             # bytes; below, the system's own allocator is fast
PAGE = 2 ** 16                 # ranges begin at multiples of this
_lock = threading.Lock()


class _Arena:
    """The stretch, and who holds which part of it: [start, size, weak reference or None] in order of addresses."""

    def __init__(self):
        self.stretch, self.ranges = _reserve(), []

    def array(self, size):
        """An array of bytes that nobody else holds, or None when the stretch is full."""
        pages = -(-size // PAGE) * PAGE
        self._join()
        free = [r for r in self.ranges if r[2] is None and r[1] >= pages]
        chosen = min(free, key=lambda r: r[1]) if free else self._at_the_end(pages)
        if chosen is None:
            return None
        start, length, _ = chosen
        array = np.frombuffer(memoryview(self.stretch)[start:start + size], np.uint8)
        where = self.ranges.index(chosen)
        rest = [[start + pages, length - pages, None]] if length > pages else []
        self.ranges[where:where + 1] = [[start, pages, weakref.ref(array)], *rest]
        return array

    def _join(self):
        """What nobody holds any more is free; free neighbours become one."""
        joined = []
        for start, size, holder in self.ranges:
            holder = None if holder is None or holder() is None else holder
            if holder is None and joined and joined[-1][2] is None:
                joined[-1][1] += size
            else:
                joined.append([start, size, holder])
        self.ranges = joined

    def _at_the_end(self, size):
        """A free range behind all others, grown to this size."""
        if self.ranges and self.ranges[-1][2] is None:
            last = self.ranges.pop()
            start = last[0]
        else:
            start = sum(self.ranges[-1][:2]) if self.ranges else 0
        if start + size > len(self.stretch):
            return None
        self.ranges.append([start, size, None])
        return self.ranges[-1]

    def give_back(self):
        """The pages of free ranges, to the system; they can be touched again."""
        self._join()
        for start, size, holder in self.ranges:
            if holder is None and hasattr(mmap, "MADV_DONTNEED"):
                self.stretch.madvise(mmap.MADV_DONTNEED, start, size)


def _reserve():
    """Addresses for as much as the machine has; b"" where the system gives none, and then arrays are NumPy's own."""
    if not hasattr(mmap, "MAP_PRIVATE"):               # Windows
        return b""
    lazily = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        stretch = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | lazily)
    except (OSError, ValueError):                      # a limit on addresses
        return b""
    if hasattr(mmap, "MADV_HUGEPAGE"):
        stretch.madvise(mmap.MADV_HUGEPAGE)            # as NumPy asks for: fewer, larger pages
    return stretch


_arena = None


def empty(shape, dtype):
    """An uninitialised array, like np.empty."""
    global _arena
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    with _lock:
        _arena = _arena or _Arena()
        array = _arena.array(size)
    return np.empty(shape, dtype) if array is None else array.view(dtype).reshape(shape)


def zeros(shape, dtype):
    """An array of zeros, like np.zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def trim():
    """Gives to the system what nobody holds: here, and what its allocator keeps (after a network was loaded and copied, as much)."""
    with _lock:
        if _arena is not None:
            _arena.give_back()
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):          # glibc; others need not be asked
        ctypes.CDLL(None).malloc_trim(0)


def _begin_anew():
    """In a forked child the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
