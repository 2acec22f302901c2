"""Does a step of style transfer cost as much for each pixel of a large picture as for each of a small one? Time and memory.

    python -m benchmarks.growth --weights vgg19 [--sizes 256 384 512 768 1024] [--json FILE]

One step through VGG-19 to relu5_1 for square pictures, each size in a process of its own, medians. A straight line through the points,
seconds = fixed + slope * megapixels, is fitted by least squares, for memory too; the last column says how far each point is off it.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.pairs import compare
from benchmarks.style_step import ours


def line(x, y):
    """The line of least squares through points, in relative error: (fixed, slope), and each point over the line."""
    x, y = np.asarray(x), np.asarray(y)
    fixed, slope = np.linalg.lstsq(np.stack([1 / y, x / y], axis=1), np.ones_like(y), rcond=None)[0]
    return (fixed, slope), y / (fixed + slope * x)


def main():
    """Prints a row a size, and writes them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, metavar="FILE", help="of VGG-19, or a name in the cache: vgg19")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 384, 512, 768, 1024], metavar="SIDE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = [compare(f"growth {side}x{side}", (ours, (arguments.weights, side, side)), None, None, None, arguments.repeats)
            for side in arguments.sizes]
    megapixels = [side ** 2 / 1e6 for side in arguments.sizes]
    (fixed_s, slope_s), off_s = line(megapixels, [row["ours_s"] for row in rows])
    (fixed_mb, slope_mb), off_mb = line(megapixels, [row["ours_mb"] for row in rows])
    print(f"{'size':>11}{'seconds':>10}{'off the line':>14}{'MB':>8}{'off the line':>14}")
    for row, seconds, memory in zip(rows, off_s, off_mb):
        print(f"{row['case'].split()[1]:>11}{row['ours_s']:10.2f}{seconds - 1:+14.0%}{row['ours_mb']:8.0f}{memory - 1:+14.0%}")
    print(f"seconds = {fixed_s:.2f} + {slope_s:.2f} a megapixel;  MB = {fixed_mb:.0f} + {slope_mb:.0f} a megapixel")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
