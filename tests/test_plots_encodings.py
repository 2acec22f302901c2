"""Points lie where the encodings are, rings where the loss changes, and colours say what mining says."""

import numpy as np
import pytest
from matplotlib.patches import Circle

from scratchnet import plots
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.mining import kinds_of
from scratchnet.plots import encodings
from scratchnet.similarity import squared_euclidean
from tests.figures import expect_readable, figure_of

rng = np.random.default_rng(7)
# An anchor at (1, 0), its positive at a distance of 2, negatives at 1 (hard), 2.2 (semi-hard, with a margin of 1) and 5 (easy).
PLANE, WHO = np.array([[1., 0], [3, 0], [1, 1], [1, -2.2], [-4, 0]]), ["anna", "anna", "ben", "ben", "carl"]


def words_of(fig):
    return [text.get_text() for text in fig.texts]


def points(collections):
    return [collection.get_offsets().tolist() for collection in collections]


# ---------------------------------------------------------------------------------------------------------------- triplet_plane

def test_rings_have_the_roots_of_squared_distances_as_radii_and_negatives_their_kinds(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.triplet_plane(path, PLANE, WHO, 0, 1, 1., 3))
    ax = fig.axes[0]
    rings = [patch for patch in ax.patches if isinstance(patch, Circle) and not patch.get_fill()]
    assert [ring.radius for ring in rings] == pytest.approx([2, np.sqrt(5)]) and {tuple(ring.center) for ring in rings} == {(1, 0)}
    own, easy, semi_hard, hard, named, chosen = points(ax.collections)
    assert own == named == [[1, 0], [3, 0]] and easy == [[-4, 0]] and semi_hard == chosen == [[1, -2.2]] and hard == [[1, 1]]
    assert {"1 easy", "1 semi-hard", "1 hard", "d_AP = 4: radius √4 = 2", "d_AP + margin = 5: radius √5 = 2.24",
            "d_AN = 4.84: N is semi-hard", "L = max(d_AP − d_AN + margin, 0) = 0.16"} <= set(words_of(fig))
    assert ax.patches[-1].get_xy()[:3].tolist() == PLANE[[0, 1, 3]].tolist()
    assert ax.get_window_extent().width == ax.get_window_extent().height and np.ptp(ax.get_xlim()) == pytest.approx(np.ptp(ax.get_ylim()))
    assert words_of(fig)[1] == "the encodings as they are, in 2 dimensions"


def test_without_a_chosen_negative_no_triplet_is_drawn(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.triplet_plane(path, PLANE, WHO, 0, 1, 1.))
    assert not {"N", "The chosen triplet"} & set(words_of(fig)) and len(fig.axes[0].collections) == 5
    assert not any(type(patch).__name__ == "Polygon" for patch in fig.axes[0].patches)


def test_in_many_dimensions_every_point_keeps_its_distance_from_the_anchor(monkeypatch):
    f, labels = rng.normal(size=(30, 16)).astype(np.float32), np.arange(30) % 5
    before = f.copy()
    fig = figure_of(monkeypatch, lambda path: plots.triplet_plane(path, f, labels, 7, 12, .5))
    d = squared_euclidean(f[7].astype(float), f.astype(float))
    own, *kinds, named = fig.axes[0].collections
    for kind, collection in enumerate(kinds):
        expected = d[(labels != labels[7]) & (kinds_of(d[12], d, .5) == kind)]
        assert np.square(points([collection])[0]).reshape(-1, 2).sum(axis=1) == pytest.approx(expected)
    assert points([named])[0][0] == [0, 0] and "n_f = 16" in words_of(fig)[1]
    assert np.array_equal(f, before)


@pytest.mark.parametrize("f, labels, A, P, margin, N", [
    (np.zeros((3, 8)), [0, 0, 1], 0, 1, .2, 2), (np.zeros((2, 2)), [0, 0], 0, 1, 0., None),
    (1e4 * rng.normal(size=(300, 1)), np.arange(300) % 30, 0, 30, .2, 7),
    (1e-6 * rng.normal(size=(9, 2)), np.arange(9) % 3, 0, 3, .2, 1), (rng.normal(size=(60, 64)), np.arange(60) % 20, 59, 19, .2, 0),
])
def test_a_batch_of_any_size_and_scale_can_be_read(f, labels, A, P, margin, N, monkeypatch):
    expect_readable(figure_of(monkeypatch, lambda path: plots.triplet_plane(path, f, labels, A, P, margin, N)))


@pytest.mark.parametrize("changes, error, words", [
    (dict(f=PLANE[0]), ShapeError, "f has shape"),
    (dict(f=np.where(PLANE == 3, np.nan, PLANE)), NumericsError, r"f holds 1 of 10 .* \[1, 0\]"),
    (dict(labels=WHO[:4]), ShapeError, "labels"), (dict(A=9), ShapeError, "A = 9"), (dict(P=1.), ShapeError, "P = 1.0"),
    (dict(P=0), ShapeError, "two pictures of one person"), (dict(P=2), ShapeError, "P = 2 ben"),
    (dict(N=1), ShapeError, "another person as N"),
    (dict(margin=-1), ShapeError, "margin"), (dict(margin=np.nan), NumericsError, "margin"),
])
def test_a_plane_refuses_what_is_no_triplet(changes, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.triplet_plane(tmp_path / "t.png", **{**dict(f=PLANE, labels=WHO, A=0, P=1, margin=1., N=3), **changes})


# ---------------------------------------------------------------------------------------------------------------- over time

def test_components_are_those_of_the_covariance_matrix_and_do_not_flip():
    f = rng.normal(size=(50, 6)) * [3, 1, 2, .5, .1, 1] + 4
    mean, V = encodings.principal(f)
    _, by_size = np.linalg.eigh(np.cov(f.T))
    assert mean == pytest.approx(f.mean(axis=0)) and abs(V @ by_size[:, [-1, -2]]) == pytest.approx(np.eye(2), abs=1e-9)
    assert (V.max(axis=1) == abs(V).max(axis=1)).all() and np.array_equal(encodings.principal(2 * mean - f)[1].round(9), V.round(9))
    assert encodings.principal(f[:, :1])[1].tolist() == [[1], [0]] and encodings.principal(f[:1])[1].shape == (2, 6)


def test_mean_distances_are_those_of_the_pairs():
    f, labels = rng.normal(size=(12, 4)), np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4])
    i, j = np.triu_indices(12, 1)
    d, same = squared_euclidean(f[i], f[j]), labels[i] == labels[j]
    assert encodings.mean_distances(f, labels) == pytest.approx((d[same].mean(), d[~same].mean()))
    assert encodings.mean_distances(f[:1], labels[:1]) == (None, None)


def test_all_panels_show_the_plane_of_the_last_one(monkeypatch):
    stages = [(epoch, rng.normal(size=(9, 5)) / (1 + epoch), np.arange(9) % 3) for epoch in (0, 4, 8)]
    fig = figure_of(monkeypatch, lambda path: plots.encodings_over_time(path, stages))
    mean, V = encodings.principal(stages[-1][1])
    panels = fig.axes[:3]
    for ax, (_, f, labels) in zip(panels, stages):
        for who, at in enumerate(points(ax.collections)):
            assert np.array(at) == pytest.approx((f[labels == who] - mean) @ V.T)
        assert len(ax.collections) == 3
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in panels}) == 1
    assert {"epoch 0", "epoch 4", "epoch 8"} <= set(words_of(fig))


def test_two_dimensions_are_not_projected(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.encodings_over_time(path, [(0, PLANE, WHO)]))
    assert points(fig.axes[0].collections) == [PLANE[:2].tolist(), PLANE[2:4].tolist(), PLANE[4:].tolist()]


def test_twelve_people_look_different_and_others_are_grey():
    looks = [encodings.person_looks(k) for k in range(14)]
    assert len({look["marker"] for look in looks[:12]}) == 12
    assert looks[12] == looks[13] and looks[12]["color"] not in {look["color"] for look in looks[:12]}


@pytest.mark.parametrize("n, scale, n_f, people", [(1, 0, 3, 2), (5, 1, 8, 14), (30, 1e3, 8, 3), (2, 1e-9, 1, 60), (3, 1, 2, 1)])
def test_any_number_of_stages_and_people_can_be_read(n, scale, n_f, people, monkeypatch):
    names = np.array([f"a long name and number {k % people}" for k in range(60)])
    stages = [(k, scale * rng.normal(size=(60, n_f)), names) for k in range(n)]
    fig = figure_of(monkeypatch, lambda path: plots.encodings_over_time(path, stages))
    expect_readable(fig)
    assert len(fig.axes) == n + 1 and (f"{people - 12} more" in words_of(fig)) == (people > 12)


@pytest.mark.parametrize("stages, error, words", [
    ([], ShapeError, "no stages"), ([(0, PLANE, WHO[:2])], ShapeError, "f of epoch 0"), ([(0, PLANE[0], WHO)], ShapeError, "f of epoch 0"),
    ([(0, PLANE, WHO), (3, PLANE * np.nan, WHO)], NumericsError, "f of epoch 3"),
    ([(0, PLANE, WHO), (1, np.zeros((5, 3)), WHO)], ShapeError, "2 and 3"),
])
def test_stages_refuse_what_is_no_encoding(stages, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.encodings_over_time(tmp_path / "s.png", stages)
