"""Large arrays on memory that was used before, because fresh memory is slow: the system zeroes it page by page.

A step of style transfer makes and drops the same arrays as the step before, 450 MB of them for VGG-19 at 300x400. `empty` hands out
memory that nobody holds any more. Nobody has to give anything back: Python counts who holds an array, and so can we.
"""

import math
import sys
import threading

import numpy as np

SMALLEST = 2 ** 20             # bytes; below, the system's own allocator is fast
_blocks = []
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
    """Bytes that nobody else holds: the smallest block that is large enough, but not twice too large, or a new one.

    Every view of a block holds it, so a block held by the list and by this function's variables alone is free. Blocks
    that stay free while a new one is needed are given back to the system: what is kept is what the last step needed.
    """
    free = [i for i in range(len(_blocks)) if sys.getrefcount(_blocks[i]) == 2]        # the list, and getrefcount's argument
    fitting = [i for i in free if size <= _blocks[i].size <= 2 * size]
    if fitting:
        return _blocks[min(fitting, key=lambda i: _blocks[i].size)]
    for i in reversed(free):
        del _blocks[i]
    _blocks.append(np.empty(size, np.uint8))
    return _blocks[-1]
