"""The strongest places: against a search by brute force, in value and place, and in parts that are put together."""

import itertools
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import scratchnet
from scratchnet import images, models, readers, strongest
from scratchnet.activations import ReLU
from scratchnet.errors import ImageError, NumericsError, ShapeError
from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network
from scratchnet.receptive_field import box
from scratchnet.strongest import ARRAYS, merge
from tests.peak_memory import numbers_of

LAYERS = ["relu1", "pool", "relu2"]


def network(seed=0):
    rng = np.random.default_rng(seed)
    return Network({"conv1": Conv2D(3, 5, rng=rng), "relu1": ReLU(), "pool": MaxPool2D(), "conv2": Conv2D(5, 7, rng=rng), "relu2": ReLU()})


def pictures(m, seed=0):
    """m pictures of different sizes, some of them plain, so that units tie within a picture and between pictures."""
    rng = np.random.default_rng(seed)
    some = [rng.random((*rng.integers(6, 15, 2), 3), dtype=np.float32) for _ in range(m)]
    return [np.full_like(x, 0.5) if n % 7 == 3 else x for n, x in enumerate(some)]


def brute_force(net, some, layer, k):
    """[[(value, picture, i, j, box), ...] of each unit], by looking at every position of every picture in turn."""
    best = None
    for number, x in enumerate(some):
        a = net.forward(x[None], keep=[layer])[0][layer][0]
        best = best or [[] for _ in range(a.shape[2])]
        for unit, places in enumerate(best):
            value, i, j = max(((a[i, j, unit], -i, -j) for i in range(a.shape[0]) for j in range(a.shape[1])))
            places.append((value, number, -i, -j, box(net, layer, -i, -j, x.shape[:2])))
    return [sorted(places, key=lambda place: (-place[0], place[1]))[:k] for places in best]


def assert_same(a, b):
    """Equal in everything, to the bit."""
    assert (a.layer, a.k, a.names, a.seen) == (b.layer, b.k, b.names, b.seen)
    for name in ARRAYS:
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


@pytest.mark.parametrize("layer", LAYERS)
def test_the_search_is_that_by_brute_force_on_50_pictures(layer):
    net, some = network().freeze(), pictures(50)
    found, expected = strongest.strongest(net, some, layer), brute_force(net, some, layer, 9)
    assert found.value.shape == (len(expected), 9) and found.seen == ((0, 50),)
    for unit, places in enumerate(expected):
        for n, (value, number, i, j, edges) in enumerate(places):
            assert (found.value[unit, n], found.picture[unit, n], *found.position[unit, n]) == (value, number, i, j)
            assert tuple(found.box[unit, n]) == edges and tuple(found.size[unit, n]) == some[number].shape[:2]


def test_several_layers_in_one_pass_are_each_what_their_own_pass_finds():
    found = strongest.strongest(network(), pictures(20), LAYERS, k=3)
    assert list(found) == LAYERS
    for layer in LAYERS:
        assert_same(found[layer], strongest.strongest(network(), pictures(20), layer, k=3))


def test_patches_by_hand():
    """One unit that is the redness of a pixel: the strongest is the reddest, the first in reading order, of the earlier picture."""
    W = np.zeros((1, 1, 3, 1), np.float32)
    W[..., 0, 0] = 1
    net = Network({"red": Conv2D(3, 1, f=1)}).with_params({"red.W": W, "red.b": np.zeros(1, np.float32)})
    some = np.zeros((3, 2, 4, 3), np.float32)
    some[0, 1, 2, 0], some[0, 1, 3, 0], some[1, 0, 1, 0], some[2, 1, 1, 0] = 0.5, 0.5, 0.75, 0.5
    patches = strongest.strongest(net, some, "red", k=2).patches(0)
    assert patches == [dict(unit=0, picture=1, value=0.75, position=[0, 1], box=[0, 1, 1, 2], size=[2, 4]),
                       dict(unit=0, picture=0, value=0.5, position=[1, 2], box=[1, 2, 2, 3], size=[2, 4])]


def test_fewer_pictures_than_patches():
    found = strongest.strongest(network(), pictures(4), "relu2")
    assert found.value.shape == (7, 4) and sorted(found.picture[0]) == [0, 1, 2, 3]


def test_a_dense_layer_has_one_place():
    net = Network({"conv": Conv2D(3, 2), "flatten": Flatten(), "fc": Dense(4 * 5 * 2, 6)})
    found = strongest.strongest(net, np.random.default_rng(0).random((12, 4, 5, 3), dtype=np.float32), "fc", k=2)
    assert not found.position.any() and (found.box == [0, 0, 4, 5]).all()


def test_whatever_an_item_is(tmp_path):
    some = [np.rint(x * 255) / np.float32(255) for x in pictures(6)]
    paths = [tmp_path / f"{n}.png" for n in range(6)]
    for path, x in zip(paths, some):
        images.save(path, x)
    plain = strongest.strongest(network(), some, "relu2")
    for items in (paths, map(str, paths), ((f"picture {n}", x[None]) for n, x in enumerate(some)), iter(some)):
        found = strongest.strongest(network(), items, "relu2")
        assert all(np.array_equal(getattr(found, name), getattr(plain, name)) for name in ARRAYS)
    assert strongest.strongest(network(), paths, "relu2").names[3] == str(paths[3])


def test_pictures_and_network_stay_as_they_were_and_the_dtype_is_kept():
    net, some = network(), pictures(5)
    before, params = [x.copy() for x in some], {name: p.copy() for name, p in net.params.items()}
    found = strongest.strongest(net, some, "relu2")
    assert found.value.dtype == np.float32
    assert all(map(np.array_equal, some, before)) and all(np.array_equal(net.params[name], p) for name, p in params.items())
    assert not net.frozen and net.params["conv1.W"].flags.writeable
    assert strongest.strongest(net.astype(np.float64), [x.astype(np.float64) for x in some], "relu2").value.dtype == np.float64


# -------------------------------------------------------------------------------------------------------- parts of a search


SOME = pictures(24)
ALL = strongest.strongest(network(), SOME, LAYERS, k=4)


def part(first, last):
    for found in strongest.search(network(), SOME[first:last], LAYERS, k=4, first=first):
        pass
    return found


@given(st.sets(st.integers(1, 23), max_size=5), st.randoms())
@settings(max_examples=15)
def test_parts_in_any_order_and_any_brackets_make_the_whole(cuts, random):
    ends = [0, *sorted(cuts), 24]
    parts = [part(first, last)["relu2"] for first, last in itertools.pairwise(ends)]
    random.shuffle(parts)
    assert_same(reduce(merge, parts), ALL["relu2"])
    assert_same(reduce(lambda a, b: merge(b, a), parts), ALL["relu2"])          # ((d c) b) a is d (c (b a)), seen from the other end
    while len(parts) > 1:
        n = random.randrange(len(parts) - 1)
        parts[n:n + 2] = [merge(*parts[n:n + 2])]
    assert_same(parts[0], ALL["relu2"])


def test_a_part_says_which_pictures_it_has_searched():
    assert merge(part(4, 9)["pool"], part(0, 2)["pool"]).seen == ((0, 2), (4, 9))
    assert merge(part(2, 4)["pool"], merge(part(4, 9)["pool"], part(0, 2)["pool"])).seen == ((0, 9),)


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 23])
def test_a_search_that_goes_on_from_a_file_finds_what_one_pass_finds(tmp_path, cut):
    strongest.save(tmp_path / "found.npz", part(0, cut), {"k": "kept"})
    for found in strongest.search(network(), SOME[cut:], LAYERS, k=4, found=strongest.load(tmp_path / "found.npz")):
        pass
    for layer in LAYERS:
        assert_same(found[layer], ALL[layer])
    assert readers.read_notes(tmp_path / "found.npz")["k"] == "kept"


@pytest.mark.parametrize("alone, n", [(0, 2), (110, 2), (2 ** 18, 1), (2 ** 18, 2), (2 ** 18, 5)])
def test_whichever_pictures_are_looked_at_side_by_side_the_search_finds_the_same(monkeypatch, alone, n):
    """110 pixels: some of these pictures are alone, others in groups."""
    before = scratchnet.threads()
    monkeypatch.setattr(strongest, "ALONE", alone)
    try:
        scratchnet.threads(n)
        found = strongest.strongest(network(), SOME, LAYERS, k=4)
    finally:
        scratchnet.threads(before)
    for layer in LAYERS:
        assert_same(found[layer], ALL[layer])


def test_pictures_before_one_that_fails_still_count():
    def fails():
        raise ImageError("cut off")

    items, last = [*enumerate(SOME[:5]), ("bad", fails), *enumerate(SOME[6:])], None
    with pytest.raises(ImageError, match="cut off"):
        for last in strongest.search(network(), items, ["relu2"], k=4):
            pass
    assert_same(last["relu2"], part(0, 5)["relu2"])


def test_a_picture_may_be_a_function_that_makes_it_or_none():
    items = [(n, (lambda x=x, n=n: None if n == 2 else x)) for n, x in enumerate(SOME)]
    plain = [(n, None if n == 2 else x) for n, x in enumerate(SOME)]
    assert_same(strongest.strongest(network(), items, "relu2", k=4), strongest.strongest(network(), plain, "relu2", k=4))


def test_what_the_search_has_yielded_does_not_change_when_it_goes_on():
    states = [(found["relu2"], {name: getattr(found["relu2"], name).copy() for name in ARRAYS})
              for found in strongest.search(network(), SOME, ["relu2"], k=2)]
    assert len(states) == 24
    for found, before in states:
        assert all(np.array_equal(getattr(found, name), before[name]) for name in ARRAYS)


def test_a_picture_that_could_not_be_read_counts_and_is_passed_over():
    holes = [(n, None if n in (0, 1, 7, 23) else x) for n, x in enumerate(SOME)]
    found = strongest.strongest(network(), holes, "relu2", k=24)
    assert found.seen == ((0, 24),) and found.value.shape == (7, 20)
    assert set(found.names) == set(range(24)) - {0, 1, 7, 23}


# ----------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("a, b, says", [
    (part(0, 5)["relu2"], part(4, 9)["relu2"], "both parts have searched picture 4"),
    (part(0, 5)["relu2"], part(5, 9)["pool"], "layer is 'relu2' in one part and 'pool'"),
    (part(0, 5)["relu2"], strongest.strongest(network(), SOME[:2], "relu2", k=3), "k is 4 in one part and 3")])
def test_parts_of_different_searches_are_refused(a, b, says):
    with pytest.raises(ShapeError, match=says):
        merge(a, b)


@pytest.mark.parametrize("some, layer, k, error, says", [
    ([], "relu2", 9, ShapeError, "no pictures"), (SOME, "relu9", 9, ShapeError, "did you mean 'relu"),
    (SOME, "relu2", 0, ShapeError, "k = 0"), (SOME, [], 9, ShapeError, "layers"),
    ([SOME[0], SOME[1] * 255], "relu2", 9, ImageError, "picture 1: values reach"),
    ([SOME[0], SOME[1][:1]], "relu2", 9, ShapeError, "does not fit")])
def test_what_cannot_be_searched_is_refused(some, layer, k, error, says):
    with pytest.raises(error, match=says):
        strongest.strongest(network(), some, layer, k)


def test_an_activation_that_is_no_number_is_named():
    net = network()
    net = net.with_params({**net.params, "conv2.b": np.array([0, 0, np.nan, 0, 0, 0, 0], np.float32)})
    with pytest.raises(NumericsError, match="unit 2 of 'relu2' is nan on picture 'cat'"):
        strongest.strongest(net, [("cat", SOME[0])], "relu2")


def test_a_unit_that_there_is_not_is_refused():
    with pytest.raises(ShapeError, match="7 units; expected 0 to 6"):
        ALL["relu2"].patches(7)


def test_another_file_is_refused(tmp_path):
    readers.save(tmp_path / "other.npz", {"W": np.zeros(3)})
    with pytest.raises(ShapeError, match="holds no strongest patches"):
        strongest.load(tmp_path / "other.npz")


# ------------------------------------------------------------------------------------------------------------ memory, VGG-19


def test_memory_does_not_grow_with_the_number_of_pictures():
    """400 pictures of 200 KB are 80 MB when they are all kept, 30 of them 6 MB."""
    code = """
import numpy as np
from scratchnet import models, strongest
rng, net = np.random.default_rng(0), models.small_vgg()
few, many = 30, 400
def some(m):
    return (rng.random((64, 64 * 4 + n % 3, 3), dtype=np.float32) for n in range(m))
strongest.strongest(net, some(few), ["relu1_1", "relu2_1"])
first = peak()
strongest.strongest(net, some(many), ["relu1_1", "relu2_1"])
print(first, peak())
"""
    few, many = numbers_of(code.replace("\n", "\n"))
    assert many - few < 8


@pytest.mark.real
def test_vgg19_on_photographs_is_brute_force(data_folder):
    net = models.vgg19(data_folder / "weights" / "vgg19_conv.npz").freeze(until="relu3_1")
    paths = sorted((data_folder / "photos").glob("*.jpg"))[:4]
    found = strongest.strongest(net, paths, "relu3_1", k=2)
    maps = [net.forward(images.load(path), keep=["relu3_1"], params=False)[0]["relu3_1"][0] for path in paths]
    values = np.array([a.max(axis=(0, 1)) for a in maps]).T                                  # (n_C, pictures)
    order = np.argsort(-values, axis=1, kind="stable")[:, :2]
    assert np.array_equal(found.picture, order) and np.array_equal(found.value, np.take_along_axis(values, order, axis=1))
    for unit in range(0, 256, 5):
        a = maps[found.picture[unit, 0]][:, :, unit]
        assert tuple(found.position[unit, 0]) == np.unravel_index(a.argmax(), a.shape)
