"""The functions that compare encodings: numbers by hand, SciPy's numbers, what holds for all of them, zeros, refusals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.similarity import all_pairs, chi2, cosine_distance, cosine_similarity, euclidean, jaccard, squared_euclidean

REFERENCE = Path(__file__).parent / "reference" / "similarity.npz"
DISTANCES = [squared_euclidean, euclidean, cosine_distance, chi2]
EVERY     = DISTANCES + [cosine_similarity, jaccard]
EACH      = pytest.mark.parametrize("d", EVERY, ids=lambda d: d.__name__)


def encodings(seed=0, m=4, n_f=5, dtype=np.float64):
    """Non-negative, so that every function takes them."""
    return np.random.default_rng(seed).random((m, n_f)).astype(dtype)


# ---- numbers by hand -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("d, number", [
    (squared_euclidean, 25), (euclidean, 5), (cosine_similarity, 9 / (5 * np.sqrt(18))), (cosine_distance, 1 - 9 / (5 * np.sqrt(18))),
    (jaccard, 3 / 10), (chi2, 9 / 3 + 16 / 4)])
def test_numbers_by_hand(d, number):
    """f = (3, 0, 3, 0), f' = (0, 4, 3, 0): differences 3, 4, 0, 0; minima sum to 3, maxima to 10."""
    assert d(np.array([3., 0, 3, 0]), np.array([0., 4, 3, 0])) == pytest.approx(number, rel=1e-14)


def test_jaccard_of_sets_and_of_the_same_sets_as_vectors():
    assert jaccard({"hat", "beard"}, {"beard", "glasses"}) == 1 / 3
    assert jaccard([True, True, False], [False, True, True]) == pytest.approx(1 / 3)
    assert jaccard(frozenset(), {"hat"}) == 0


def test_they_disagree_about_who_is_alike():
    """Twice as bright is the same direction, yet far; a small step aside is near, yet another direction."""
    f, brighter, aside = np.array([1., 1]), np.array([3., 3]), np.array([1., 0])
    assert cosine_distance(f, brighter) < cosine_distance(f, aside)
    assert euclidean(f, brighter) > euclidean(f, aside)


def test_scipys_numbers():
    with np.load(REFERENCE) as r:
        for name, d in [("sqeuclidean", squared_euclidean), ("euclidean", euclidean), ("cosine", cosine_distance)]:
            assert np.allclose(all_pairs(d, r["f_1"], r["f_2"]), r[name], rtol=1e-13, atol=1e-15)
        assert np.allclose(1 - all_pairs(jaccard, r["b_1"].astype(float), r["b_2"].astype(float)), r["jaccard"], rtol=1e-14, atol=1e-15)
        assert np.allclose(all_pairs(jaccard, r["b_1"], r["b_2"]), 1 - r["jaccard"], atol=1e-7)
        assert np.allclose(all_pairs(chi2, r["p_1"], r["p_2"]), r["chi2"], rtol=1e-12)


# ---- what holds for all ------------------------------------------------------------------------------------------------

VECTORS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=6).map(lambda pairs: np.array(pairs).T)


@given(VECTORS)
def test_symmetric_and_within_its_range(pair):
    f_1, f_2 = pair
    for d in EVERY:
        assert d(f_1, f_2) == d(f_2, f_1) >= 0
    for d in (jaccard, cosine_similarity, cosine_distance):
        assert d(f_1, f_2) <= 1 + 1e-15
    assert chi2(f_1, f_2) <= np.sum(f_1 + f_2) * (1 + 1e-14)


@given(VECTORS)
def test_nothing_is_nearer_than_oneself(pair):
    f = pair[0]
    assert squared_euclidean(f, f) == euclidean(f, f) == chi2(f, f) == 0 and jaccard(f, f) == 1
    assert cosine_similarity(f, f) == pytest.approx(1 if f.any() else 0, abs=1e-14)


@given(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_jaccard_of_sets_is_that_of_their_vectors(A, B):
    a, b = ([float(k in s) for k in range(8)] for s in (A, B))
    assert jaccard(A, B) == pytest.approx(jaccard(np.array(a), np.array(b)), rel=1e-15)


@given(st.integers(0, 10 ** 6), st.integers(2, 8))
def test_of_unit_vectors_three_are_one(seed, n_f):
    f = np.random.default_rng(seed).standard_normal((2, n_f))
    f_1, f_2 = f / np.linalg.norm(f, axis=1, keepdims=True)
    assert squared_euclidean(f_1, f_2) == pytest.approx(2 * cosine_distance(f_1, f_2), abs=1e-14)
    assert euclidean(f_1, f_2) ** 2 == pytest.approx(squared_euclidean(f_1, f_2), rel=1e-14)


@EACH
def test_rows_and_all_pairs_are_one_pair_at_a_time(d):
    f_1, f_2 = encodings(0, 3), encodings(1, 3)
    one_by_one = np.array([[d(a, b) for b in f_2] for a in f_1])
    assert np.array_equal(d(f_1, f_2), np.diag(one_by_one))
    assert np.array_equal(d(f_1[0], f_2), one_by_one[0]) and np.array_equal(d(f_1, f_2[0]), one_by_one[:, 0])
    assert np.array_equal(all_pairs(d, f_1, f_2), one_by_one)
    assert np.array_equal(all_pairs(d, f_1), all_pairs(d, f_1, f_1))
    assert all_pairs(d, f_1[:0], f_2).shape == (0, 3) and all_pairs(d, f_1, f_2[:0]).shape == (3, 0)


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_inputs_are_left_alone(d, dtype):
    f_1, f_2 = encodings(0, dtype=dtype), encodings(1, dtype=dtype)
    f_1.flags.writeable = f_2.flags.writeable = False
    assert d(f_1, f_2).dtype == d(f_1[0], f_2[0]).dtype == all_pairs(d, f_1, f_2).dtype == dtype


# ---- zeros, and the ends of the range ----------------------------------------------------------------------------------

@pytest.mark.filterwarnings("error")
def test_n10_n11_zeros_are_defined():
    zero, f = np.zeros(3), np.array([1., 2, 0])
    assert cosine_similarity(zero, f) == cosine_similarity(zero, zero) == 0
    assert cosine_distance(zero, f) == cosine_distance(zero, zero) == 1
    assert jaccard(set(), set()) == jaccard(zero, zero) == 1 and jaccard(zero, f) == 0
    assert chi2(zero, zero) == 0 and chi2(zero, f) == 3
    assert np.array_equal(cosine_similarity(np.stack([zero, f]), f), [0, cosine_similarity(f, f)])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_cosine_of_tiny_and_of_huge_vectors(scale):
    assert cosine_similarity(scale * np.array([3., 4]), np.array([4., 3]) / scale) == pytest.approx(24 / 25, rel=1e-14)


def test_all_pairs_sees_small_distances_in_float32():
    """Where ||f||^2 + ||f'||^2 - 2 f.f' returns noise."""
    f = np.array([[1, 0], [1, 1e-4]], np.float32)
    assert all_pairs(squared_euclidean, f)[0, 1] == pytest.approx(1e-8, rel=1e-6)


# ---- refusals ------------------------------------------------------------------------------------------------------------

@EACH
@pytest.mark.parametrize("f_1, f_2, words", [
    (np.ones(3), np.ones(4), r"\(3,\) and f_2 \(4,\)"), (np.ones((3, 1)), np.ones(3), "one length n_f"),
    (np.ones((3, 2)), np.ones((4, 2)), "all_pairs"), (np.ones((1, 2)), np.ones((4, 2)), "all_pairs"),
    (np.float64(1), np.ones(1), r"f_1 has shape \(\)"), (np.ones((1, 2, 2)), np.ones(2), r"expected \(n_f,\) or \(m, n_f\)"),
    (np.ones(2, complex), np.ones(2), "complex128"), (np.ones(2), np.ones(2, np.float16), "float16")])
def test_what_does_not_fit_is_refused(d, f_1, f_2, words):
    with pytest.raises(ShapeError, match=words):
        d(f_1, f_2)


@EACH
def test_n1_nan_is_named_with_its_place(d):
    f = encodings()
    f[2, 1] = np.nan
    with pytest.raises(NumericsError, match=r"f_2 has 1 nan or inf, first at \[2, 1\]"):
        d(encodings(1), f)


@pytest.mark.parametrize("d", [jaccard, chi2])
def test_negative_entries_are_refused_with_the_reason(d):
    with pytest.raises(ShapeError, match=r"f_1 has 1 negative entries, the least -2; .* denominator .* ReLU"):
        d(np.array([1., -2]), np.array([1., 2]))


def test_a_set_beside_a_vector_is_refused():
    with pytest.raises(ShapeError, match="f_1 is a set and f_2 a list"):
        jaccard({1}, [1])


@EACH
def test_s7_bytes_become_floats_before_any_arithmetic(d):
    f_1, f_2 = np.array([10, 200], np.uint8), np.array([250, 20], np.uint8)
    assert d(f_1, f_2) == pytest.approx(d(f_1.astype(float), f_2.astype(float)), rel=1e-6)
