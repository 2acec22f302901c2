"""BatchNorm in training, forward and backward: the kernels against the same formulas as NumPy operations, one after the other.

    python -m benchmarks.batchnorm [--m 80]

Numbers are (m, 56, 48, 32), float32. Both sides give the same z and gradients first, and only then are timed, in turn.
"""

import argparse
import statistics
import time

import numpy as np

from scratchnet.normalisation import BatchNorm


def in_numpy(layer, a_prev, dz):
    """z, da_prev, dgamma, dbeta by the formulas of the layer."""
    axes = (0, 1, 2)
    mean, var = a_prev.mean(axis=axes, dtype=np.float64), a_prev.var(axis=axes, dtype=np.float64)
    rate = (1 / np.sqrt(var + layer.eps)).astype(a_prev.dtype)
    a_hat = (a_prev - mean.astype(a_prev.dtype)) * rate
    z = a_hat * layer.params["gamma"] + layer.params["beta"]
    da_hat = dz * layer.params["gamma"]
    da_prev = rate * (da_hat - da_hat.mean(axis=axes) - a_hat * np.mean(da_hat * a_hat, axis=axes))
    return z, da_prev, np.sum(dz * a_hat, axis=axes), np.sum(dz, axis=axes)


def by_kernels(layer, a_prev, dz):
    z, cache = layer.forward(a_prev, training=True)
    da_prev, grads = layer.backward(dz, cache)
    return z, da_prev, grads["gamma"], grads["beta"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--m", type=int, default=80)
    rng, arguments = np.random.default_rng(0), parser.parse_args()
    a_prev, dz = rng.standard_normal((2, arguments.m, 56, 48, 32), np.float32)
    layer, seconds = BatchNorm(32), {in_numpy: [], by_kernels: []}
    for ours, theirs in zip(by_kernels(layer, a_prev, dz), in_numpy(layer, a_prev, dz)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
    for _ in range(7):
        for side, times in seconds.items():
            begun = time.perf_counter()
            side(layer, a_prev, dz)
            times.append(time.perf_counter() - begun)
    slow, fast = (statistics.median(times) for times in seconds.values())
    print(f"NumPy {slow:.3f} s   kernels {fast:.3f} s   gain {slow / fast:.1f}   {7 * a_prev.nbytes / fast / 1e9:.0f} GB/s")


if __name__ == "__main__":
    main()
