"""Real people whom the networks never saw: how many are known from one picture, and how fast.

    python -m benchmarks.faces [--data FOLDER] [--json FILE]

orl_unseen   s31 ... s40 of the ORL faces (AT&T Laboratories Cambridge), ten pictures each, none used in training. Identified: one
             picture of each person is in the gallery, the nearest one answers for the other nine; the mean over the ten choices of
             that picture (chance: 0.1). AUC over all 4950 pairs. The floor is printed beside it: raw pixels at 46 x 56, and PCA of
             them whitened within the 30 people that one may train on.
FOLDER, by default the environment variable SCRATCHNET_DATA, holds faces/orl.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from scratchnet import people, threshold
from scratchnet.similarity import all_pairs, squared_euclidean

TRAINED_ON, UNSEEN = range(1, 31), range(31, 41)


def orl_unseen(encode, folder):
    """How well an encoder knows the ten people of ORL that nothing was trained on -> {"identified", "auc"}

    encode  a function from pictures (100, 112, 92, 3), float32 in [0, 1], to encodings (100, n_f)
    folder  that of the ORL faces, with s01 ... s40
    """
    asked = people.orl(folder, UNSEEN)
    return score(encode(people.load(asked.paths)), asked.labels)


def score(f, labels):
    """Encodings (m, n_f), each person's pictures in a row and as many of everybody -> {"identified", "auc"}, by squared distances."""
    d = all_pairs(squared_euclidean, np.asarray(f, np.float64))
    each = len(f) // (labels.max() + 1)
    identified = []
    for known in range(each):
        gallery = np.arange(known, len(f), each)
        others = np.setdiff1d(np.arange(len(f)), gallery)
        identified.append(np.mean(labels[gallery][d[np.ix_(others, gallery)].argmin(axis=1)] == labels[others]))
    i, j = np.triu_indices(len(f), 1)
    return {"identified": float(np.mean(identified)), "auc": threshold.auc(d[i, j], labels[i] == labels[j])}


def pixels(pictures):
    """(m, 112, 92, 3) -> (m, 56 * 46), float64: means of 2 x 2 grey pixels, as they are."""
    m, n_H, n_W, _ = pictures.shape
    return pictures[..., 0].reshape(m, n_H // 2, 2, n_W // 2, 2).mean(axis=(2, 4), dtype=np.float64).reshape(m, -1)


def whitened_pca(folder, n=60):
    """The encoder without a network: `n` principal components of the 30 training people, scaled so that the spread within a person
    is the same in every direction.   -> encode, as orl_unseen wants it"""
    known = people.orl(folder, TRAINED_ON)
    x = pixels(people.load(known.paths))
    mean = x.mean(axis=0)
    _, _, V = np.linalg.svd(x - mean, full_matrices=False)
    z = (x - mean) @ V[:n].T
    within = z - np.stack([z[known.labels == k].mean(axis=0) for k in range(len(known.names))])[known.labels]
    L = np.linalg.cholesky(np.linalg.inv(within.T @ within / len(within) + 1e-3 * np.eye(n)))
    return lambda pictures: (pixels(pictures) - mean) @ V[:n].T @ L


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("SCRATCHNET_DATA"), metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("no data: give --data FOLDER, or set SCRATCHNET_DATA.")
    orl, rows = Path(arguments.data) / "faces/orl", []
    for name, encode in (("raw pixels, 46 x 56", pixels), ("PCA (60), whitened within people", whitened_pca(orl))):
        row = orl_unseen(encode, orl)
        print(f"orl_unseen   {name:35} identified {row['identified']:.3f}   AUC {row['auc']:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
