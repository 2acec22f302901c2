"""Large arrays on memory that was used before, because fresh memory is slow: the system zeroes it page by page.

A step of style transfer makes and drops the same arrays as the step before, hundreds of megabytes of them. `empty` hands out
memory that nobody holds any more. Nobody has to give anything back: Python counts who holds an array, and so can we.
"""

import math
import mmap
import os
import sys
import threading

import numpy as np

SMALLEST = 2 ** 20             # bytes; below, the system's own allocator is fast
SPARE = 1.25                   # what is kept, in all, of the most that was ever held at a time
_blocks = []                   # the one used longest ago first
_most = 0
_lock = threading.Lock()


def empty(shape, dtype):
    """An uninitialised array, like np.empty."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    with _lock:
        return _block(size)[:size].view(dtype).reshape(shape)


def zeros(shape, dtype):
    """An array of zeros, like np.zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def _block(size):
    """Bytes that nobody else holds: the smallest free block that is large enough, but not a quarter too large, or a new one.

    Before a new one is made, free blocks are given back to the system until all together keep to the limit.
    """
    global _most
    free = [i for i in range(len(_blocks)) if sys.getrefcount(_blocks[i]) == 2]        # held by the list and by this question
    fitting = [i for i in free if size <= _blocks[i].size <= 1.25 * size]
    if fitting:
        _blocks.append(_blocks.pop(min(fitting, key=lambda i: _blocks[i].size)))
        return _blocks[-1]
    total, unused = size + sum(block.size for block in _blocks), sum(_blocks[i].size for i in free)
    _most = max(_most, total - unused)
    gone = []
    while free and total > SPARE * _most:
        gone.append(free.pop(0))
        total -= _blocks[gone[-1]].size
    for i in reversed(gone):
        del _blocks[i]
    _blocks.append(_fresh(size))
    return _blocks[-1]


def _fresh(size):
    """New memory from the system itself, to which it goes back at once when it is dropped; the allocator would keep it."""
    if not hasattr(mmap, "MAP_PRIVATE"):               # Windows
        return np.empty(size, np.uint8)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)              # as NumPy asks for: fewer, larger pages
    return np.frombuffer(pages, np.uint8)


def _begin_anew():
    """In a forked child the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
