"""How hard the drawn faces are for raw pixels, and how much of a person a line through them already recovers.

    python -m benchmarks.drawn_faces

20 people with 10 pictures each. Identified: one picture of each person is known, the others are asked, and the nearest known one
answers; the mean over the 10 choices of the known picture (chance: 0.05). AUC: how often two pictures of one person are nearer than two
of different people. The second line is PCA with the spread within a person whitened away, learned from 150 other people: no network, and
already far from the pixels, so what makes a person is there to be found.
"""

import time

import numpy as np

from scratchnet import drawn_faces


def score(f, labels, each):
    """Encodings (m, n_f), `each` in a row of every person -> (identified, AUC), both in [0, 1], ties counted half in AUC."""
    f = f.astype(np.float64)
    square = (f * f).sum(axis=1)
    d = np.maximum(square[:, None] + square - 2 * f @ f.T, 0)
    identified = []
    for known in range(each):
        gallery = np.arange(known, len(f), each)
        asked = np.setdiff1d(np.arange(len(f)), gallery)
        identified.append(np.mean(labels[gallery][d[np.ix_(asked, gallery)].argmin(axis=1)] == labels[asked]))
    i, j = np.triu_indices(len(f), 1)
    same = labels[i] == labels[j]
    near, far = d[i, j][same], np.sort(d[i, j][~same])
    above = len(far) - (np.searchsorted(far, near, "left") + np.searchsorted(far, near, "right")) / 2
    return float(np.mean(identified)), float(above.mean() / len(far))


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
        identified, auc = score(f, labels, 10)
        print(f"{name:35} identified {identified:.3f}   AUC {auc:.3f}")


if __name__ == "__main__":
    main()
