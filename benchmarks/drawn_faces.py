"""How hard the drawn faces are for raw pixels, and how much of a person a line through them already recovers.

    python -m benchmarks.drawn_faces

20 people with 10 pictures each. Identified: one picture of each person is known, the others are asked, and the nearest known one
answers; the mean over the 10 choices of the known picture (chance: 0.05). AUC: how often two pictures of one person are nearer than two
of different people. The second line is PCA with the spread within a person whitened away, learned from 150 other people: no network, and
already far from the pixels, so what makes a person is there to be found.
"""

import time

import numpy as np

from benchmarks.faces import score
from scratchnet import drawn_faces


def whitened_pca(pictures, labels, n=100):
    """Learn from other people -> a function from pictures (m, 64, 64, 3) to encodings (m, n) of length 1."""
    x = _halved(pictures)
    mean = x.mean(axis=0)
    _, _, V = np.linalg.svd(x - mean, full_matrices=False)
    z = (x - mean) @ V[:n].T
    people = np.stack([z[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    within = z - people[labels]
    L = np.linalg.cholesky(np.linalg.inv(within.T @ within / len(within) + 1e-3 * np.eye(n)))

    def encode(pictures):
        f = (_halved(pictures) - mean) @ V[:n].T @ L
        return f / np.linalg.norm(f, axis=1, keepdims=True)
    return encode


def _halved(pictures):
    m, n_H, n_W, n_C = pictures.shape
    return pictures.reshape(m, n_H // 2, 2, n_W // 2, 2, n_C).mean(axis=(2, 4), dtype=np.float64).reshape(m, -1)


def main():
    drawn_faces.faces(1, 1)
    start = time.perf_counter()
    pictures, labels = drawn_faces.faces(20, 10, seed=1)
    print(f"drawn: {len(pictures) / (time.perf_counter() - start):.0f} pictures a second")
    encode = whitened_pca(*drawn_faces.faces(150, 8, seed=2))
    for name, f in (("raw pixels", pictures.reshape(len(pictures), -1)), ("PCA (100), whitened within people", encode(pictures))):
        known = score(f, labels)
        print(f"{name:35} identified {known['identified']:.3f}   AUC {known['auc']:.3f}")


if __name__ == "__main__":
    main()
