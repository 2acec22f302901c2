"""What SciPy says about distances of small vectors, written down so that our tests need no SciPy.

    python tests/reference/make_similarity_reference.py        (SciPy and NumPy, a second; writes similarity.npz)

Nothing here imports scratchnet. Rows of f_1 with rows of f_2, every one with every one:

    sqeuclidean, euclidean, cosine   scipy.spatial.distance.cdist of f_1 (5, 7) and f_2 (4, 7)
    jaccard                          the same of b_1 (5, 9) and b_2 (4, 9), booleans; a distance, 1 - similarity; two of the rows are empty
    chi2                             p_1 (5, 6) and p_2 (4, 6), histograms that sum to 1: twice scipy.stats.chisquare with (p + p') / 2
                                     as what is expected, because ((p - p') / 2)^2 / ((p + p') / 2) = (p - p')^2 / (2 (p + p'))
"""

from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import chisquare

rng = np.random.default_rng(1)
f_1, f_2 = rng.standard_normal((5, 7)), rng.standard_normal((4, 7))
b_1, b_2 = rng.random((5, 9)) < 0.4, rng.random((4, 9)) < 0.4
b_1[0] = b_2[0] = False
p_1, p_2 = rng.dirichlet(np.ones(6), 5), rng.dirichlet(np.ones(6), 4)

out = {"f_1": f_1, "f_2": f_2, "b_1": b_1, "b_2": b_2, "p_1": p_1, "p_2": p_2}
for name in ("sqeuclidean", "euclidean", "cosine"):
    out[name] = cdist(f_1, f_2, name)
out["jaccard"] = cdist(b_1, b_2, "jaccard")
out["chi2"] = np.array([[2 * chisquare(p, (p + q) / 2).statistic for q in p_2] for p in p_1])

np.savez(Path(__file__).with_name("similarity.npz"), **out)
