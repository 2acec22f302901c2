"""The ladder, rung by rung: every convolution of VGG-19 by loops, by im2col and one matrix product, and by Winograd's way;
and the gradient to its filters, dW, by the last two.

    python -m benchmarks.conv2d [--size 300x400] [--json FILE]

Each rung is first compared with the loops in float64 on a part of the picture; then the rungs are timed in turn and the medians
printed, in GFLOP/s of the plain convolution, beside the machine's peak for a large matrix product. Loops are timed on a few rows.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from scratchnet import models
from scratchnet.kernels import gemm, loops, threads, winograd

PAD = (1, 1, 1, 1)
LOOP_ROWS = 4


def peak(n=2048, repeats=5):
    """GFLOP/s of an n x n matrix product, cut over the package's threads."""
    A = np.random.default_rng(0).random((n, n), np.float32)
    return 2 * n ** 3 / 1e9 / min(seconds(lambda: gemm.matmul(A, A)) for _ in range(repeats))


def seconds(work):
    """How long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def rungs(n_H, n_W, n_C_prev, n_C, repeats):
    """{rung: GFLOP/s}, and the largest error against float64 loops relative to the largest output."""
    rng = np.random.default_rng(0)
    a_prev = rng.standard_normal((1, n_H, n_W, n_C_prev), dtype=np.float32)
    W = rng.standard_normal((3, 3, n_C_prev, n_C), dtype=np.float32) / np.float32(np.sqrt(9 * n_C_prev))
    b, U = np.zeros(n_C, np.float32), winograd.filters(W)
    part = np.ascontiguousarray(a_prev[:, :8, :8])
    truth = loops.conv2d(part.astype(float), W.astype(float), b.astype(float), 1, PAD)
    error = {name: np.abs(z - truth).max() / np.abs(truth).max() for name, z in (
        ("gemm", gemm.conv2d(part, W, b, 1, PAD)), ("winograd", winograd.conv2d(part, W, b, 1, PAD, U)))}
    assert max(error.values()) < 1e-5, error
    dz = rng.standard_normal((1, n_H, n_W, n_C), dtype=np.float32)
    dW, dW_winograd = (kernel.conv2d_dW(a_prev, dz, 1, PAD, 3, 3) for kernel in (gemm, winograd))
    assert np.abs(dW_winograd - dW).max() < 1e-5 * np.abs(dW).max()
    rows = np.ascontiguousarray(a_prev[:, :LOOP_ROWS])
    work = {"loops": lambda: loops.conv2d(rows, W, b, 1, PAD), "gemm": lambda: gemm.conv2d(a_prev, W, b, 1, PAD),
            "winograd": lambda: winograd.conv2d(a_prev, W, b, 1, PAD, U),
            "dW_gemm": lambda: gemm.conv2d_dW(a_prev, dz, 1, PAD, 3, 3),
            "dW_winograd": lambda: winograd.conv2d_dW(a_prev, dz, 1, PAD, 3, 3)}
    times = {name: [] for name in work}
    for _ in range(repeats + 1):
        for name, f in work.items():
            times[name].append(seconds(f))
    flop = 2 * 9 * n_H * n_W * n_C_prev * n_C / 1e9
    speed = {name: flop / statistics.median(t[1:]) for name, t in times.items()}
    speed["loops"] *= len(rows[0]) / n_H
    return speed, error


def main():
    """Prints a row a layer, and writes them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="300x400", metavar="HxW")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    n_H, n_W = map(int, arguments.size.split("x"))
    top, rows, known = peak(), [], {}
    print(f"{threads.threads()} threads, {top:.0f} GFLOP/s for a large matrix product\n")
    print(f"{'layer':9}{'size':>9}{'channels':>10}{'loops':>8}{'gemm':>7}{'winograd':>10}{'of peak':>9}{'error':>10}"
          f"{'dW: gemm':>10}{'winograd':>10}")
    n_C_prev = 3
    for row in models.vgg19().summary((1, n_H, n_W, 3)).rows:
        if row.kind == "Conv2D":
            case = (*row.shape[1:3], n_C_prev, row.shape[3])
            known[case] = known.get(case) or rungs(*case, arguments.repeats)
            speed, error = known[case]
            print(f"{row.layer:9}{f'{case[0]}x{case[1]}':>9}{f'{case[2]}->{case[3]}':>10}{speed['loops']:8.1f}{speed['gemm']:7.0f}"
                  f"{speed['winograd']:10.0f}{speed['winograd'] / top:8.1f}x{error['winograd']:10.1e}"
                  f"{speed['dW_gemm']:10.0f}{speed['dW_winograd']:10.0f}", flush=True)
            rows.append({"case": row.layer, **{f"{name}_gflops": s for name, s in speed.items()}, "peak_gflops": top,
                         "winograd_error": float(error["winograd"])})
            n_C_prev = row.shape[3]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
