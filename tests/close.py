"""When a fast kernel agrees with its definition."""

import numpy as np

TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


def assert_close(fast, slow):
    """Same shape and dtype, and the largest difference is small beside the largest output (inputs are near 1)."""
    assert (fast.shape, fast.dtype) == (slow.shape, slow.dtype)
    if slow.size:
        assert np.abs(fast - slow).max() <= TOLERANCE[slow.dtype] * max(1, np.abs(slow).max())
