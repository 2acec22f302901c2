"""Folders of people must be read as their owners meant them, in one order everywhere, and refused by name when they cannot be."""

import numpy as np
import pytest

from scratchnet import images, people
from scratchnet.errors import ImageError, ShapeError


def put(path, value=.5, shape=(4, 3)):
    """A tiny picture of one grey, or of one colour."""
    images.save(path, np.broadcast_to(np.float32(value), (*shape, 3)))


@pytest.fixture
def family(tmp_path):
    for k, name in enumerate(["Zoe/10.png", "Zoe/9.bmp", "ada/b.PNG", "ada/a.webp", "Bo/1.png"]):
        put(tmp_path / name, k / 10)
    return tmp_path


@pytest.fixture
def pairs(tmp_path):
    for name in ("Ann_Lee/Ann_Lee_0001.png", "Ann_Lee/Ann_Lee_0002.png", "Bo/Bo_0001.png"):
        put(tmp_path / name)
    (tmp_path / "pairs.csv").write_text("first,second,same\nAnn_Lee/Ann_Lee_0001.png,Ann_Lee/Ann_Lee_0002.png,1\n"
                                        "Bo/Bo_0001.png,Ann_Lee/Ann_Lee_0002.png,0\n")
    return tmp_path


def test_names_labels_and_paths_come_in_the_order_of_people(family):
    names, labels, paths = people.folder(family)
    assert names == ["ada", "Bo", "Zoe"] and labels.tolist() == [0, 0, 1, 2, 2]
    assert [path.replace(str(family), "").replace("\\", "/") for path in paths] == \
        ["/ada/a.webp", "/ada/b.PNG", "/Bo/1.png", "/Zoe/9.bmp", "/Zoe/10.png"]


def test_a_limit_takes_the_first_of_each_and_only_takes_those_named(family):
    assert people.folder(family, limit=1).labels.tolist() == [0, 1, 2]
    some = people.folder(str(family), only=["Zoe", "ada"])
    assert some.names == ["Zoe", "ada"] and some.labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(FileNotFoundError, match="no subfolder 'Eve'.*holds 3: ada, Bo, Zoe"):
        people.folder(family, only=["Eve"])
    with pytest.raises(ShapeError, match="limit=0"):
        people.folder(family, limit=0)


def test_what_systems_and_authors_leave_is_passed_over(family):
    for name in (".DS_Store", "ada/.DS_Store", "ada/Thumbs.db", "LICENSE", "pairs.csv"):
        (family / name).write_text("x")
    (family / ".git").mkdir()
    assert people.folder(family).names == ["ada", "Bo", "Zoe"] and len(people.folder(family).paths) == 5


def test_nothing_is_opened_before_it_is_loaded(family):
    (family / "Bo/2.jpg").write_text("<html>not here</html>")
    found = people.folder(family)
    assert len(found.paths) == 6
    with pytest.raises(ImageError, match=r"2\.jpg' is not an image"):
        people.load(found.paths, (4, 3))


def test_no_folder_is_pythons_own_error(family):
    with pytest.raises(FileNotFoundError):
        people.folder(family / "nobody")
    with pytest.raises(NotADirectoryError):
        people.folder(family / "Bo/1.png")


def test_a_folder_without_people_is_refused(tmp_path):
    with pytest.raises(ImageError, match="holds no people. Expected one subfolder a person"):
        people.folder(tmp_path)


def test_a_picture_beside_the_people_is_refused_by_name(family):
    put(family / "who.png")
    with pytest.raises(ImageError, match=r"who\.png' \(1 in all\) lies beside the people"):
        people.folder(family)


def test_a_person_without_pictures_is_refused_by_name(family):
    (family / "Eve").mkdir()
    with pytest.raises(ImageError, match="Eve' holds no picture"):
        people.folder(family)


@pytest.mark.parametrize("name", ["notes.txt", "1.heic", "noending"])
def test_a_file_that_is_no_picture_is_refused_by_name(family, name):
    (family / "Bo" / name).write_text("x")
    with pytest.raises(ImageError, match=f"{name}' is no picture"):
        people.folder(family)


def test_a_folder_in_a_persons_folder_is_refused_even_if_it_is_called_a_picture(family):
    (family / "Bo/old.png").mkdir()
    with pytest.raises(ImageError, match=r"old\.png' is no picture"):
        people.folder(family)


def test_grey_becomes_three_equal_channels_and_order_is_that_of_the_paths(tmp_path):
    (tmp_path / "grey.ppm").write_bytes(b"P5 2 1 255\n" + bytes([0, 51]))
    put(tmp_path / "colour.png", (1, .2, 0), (1, 2))
    x = people.load([tmp_path / "grey.ppm", tmp_path / "colour.png"])
    assert x.shape == (2, 1, 2, 3) and x.dtype == np.float32
    assert np.allclose(x[0], [[[0, 0, 0], [.2, .2, .2]]]) and np.allclose(x[1], [1, .2, 0])


def test_pictures_of_several_sizes_need_a_size(tmp_path):
    put(tmp_path / "a.png", .5, (4, 3))
    put(tmp_path / "b.png", .5, (6, 5))
    both = [tmp_path / "a.png", tmp_path / "b.png"]
    with pytest.raises(ShapeError, match=r"b\.png' is 6x5 .*a\.png' is 4x3.*size=\(4, 3\)"):
        people.load(both)
    assert people.load(both, (8, 8)).shape == (2, 8, 8, 3)
    for paths, size in (([], None), (both, 8)):
        with pytest.raises(ShapeError, match="at least 1 picture|expected \\(n_H, n_W\\)"):
            people.load(paths, size)


@pytest.mark.parametrize("form", ["s{}", "s{:02}"])
def test_orl_is_numbered_with_and_without_zeros(tmp_path, form):
    for number in (1, 2, 10):
        for picture in (1, 2, 10):
            put(tmp_path / form.format(number) / f"{picture}.png")
    (tmp_path / "README").write_text("x")
    found = people.orl(tmp_path, (2, 10))
    assert found.names == [form.format(2), form.format(10)] and found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert [path[-6:] for path in found.paths[:3]] == ["/1.png", "/2.png", "10.png"]
    with pytest.raises(FileNotFoundError, match="no subfolder 's3' .37 of 40"):
        people.orl(tmp_path)


def test_lfw_gives_pairs_as_numbers_of_pictures(pairs):
    found = people.lfw(pairs)
    assert found.people.names == ["Ann_Lee", "Bo"]
    assert found.first.tolist() == [0, 2] and found.second.tolist() == [1, 1] and found.same.tolist() == [True, False]
    assert found.same.dtype == bool


@pytest.mark.parametrize("line, complaint", [
    ("Bo/Bo_0001.png,Bo/Bo_0009.png,1", r"line 2: there is no picture 'Bo/Bo_0009\.png'"),
    ("../Bo/Bo_0001.png,Bo/Bo_0001.png,1", "there is no picture"),
    ("Bo/Bo_0001.png,Ann_Lee/Ann_Lee_0001.png,1", "line 2: same is 1, but .* the folders of two people"),
    ("Ann_Lee/Ann_Lee_0002.png,Ann_Lee/Ann_Lee_0001.png,0", "same is 0, but .* one person's folder"),
    ("Bo/Bo_0001.png,Ann_Lee/Ann_Lee_0001.png,no", "expected first,second,same with same 1 or 0"),
    ("Bo/Bo_0001.png,0", "line 2: 'Bo/Bo_0001.png,0'; expected first,second,same"),
    ("", "lists no pairs")])
def test_a_wrong_line_of_pairs_is_named(pairs, line, complaint):
    (pairs / "pairs.csv").write_text("first,second,same\n" + line + "\n")
    with pytest.raises(ImageError, match=complaint):
        people.lfw(pairs)


def test_pairs_without_their_head_and_no_pairs_at_all_are_refused(pairs):
    (pairs / "pairs.csv").write_text("a,b,1\n")
    with pytest.raises(ImageError, match="begins with 'a,b,1'; expected the head first,second,same"):
        people.lfw(pairs)
    (pairs / "pairs.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"pairs\.csv"):
        people.lfw(pairs)


@pytest.mark.real
def test_orl_is_forty_people_ten_times(data_folder):
    found = people.orl(data_folder / "faces/orl")
    assert found.names == [f"s{k:02}" for k in range(1, 41)] and np.bincount(found.labels).tolist() == [10] * 40
    x = people.load(found.paths[:20])
    assert x.shape == (20, 112, 92, 3) and np.ptp(x, axis=3).max() == 0 and x.std() > .1
    assert people.orl(data_folder / "faces/orl", range(31, 41), limit=2).labels.tolist() == np.repeat(np.arange(10), 2).tolist()


@pytest.mark.real
def test_lfw_fold_1_is_807_pictures_and_600_pairs(data_folder):
    found = people.lfw(data_folder / "faces/lfw_fold1")
    assert len(found.people.paths) == 807 and len(found.first) == len(found.second) == 600 and found.same.sum() == 300
    assert people.load(found.people.paths[:3]).shape == (3, 250, 250, 3)
