"""The face encoder that ships: what it is made of, its file, and (with real data) how many strangers it knows from one picture."""

import numpy as np
import pytest

from benchmarks.faces import orl_unseen
from scratchnet import drawn_faces, faces, models, readers, threshold
from scratchnet.models.face_encoder import FILE, SIZE, untrained
from scratchnet.similarity import squared_euclidean


def test_the_table_ends_in_128_numbers_of_length_1():
    rows = {row.layer: row for row in untrained().summary((2, *SIZE, 3)).rows}
    assert rows["grey"].shape == (2, 56, 48, 1) and rows["relu4_1"].shape == (2, 7, 6, 96) and rows["encoding"].shape == (2, 128)
    assert sum(row.parameters for row in rows.values()) == 803904


def test_the_file_is_small_whole_and_says_how_pictures_are_prepared():
    assert FILE.stat().st_size <= 2 * 10 ** 6
    net, arrays = models.face_encoder(), readers.read(FILE)
    assert arrays.keys() == {**net.params, **net.state}.keys()
    assert readers.read_notes(FILE)["preprocess"] == net.layers["input"].describe()
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}


def test_light_and_colour_of_the_lamp_change_nothing():
    """Grey and standardised: a picture taken at half the light, or without colours, is the same picture."""
    x = drawn_faces.faces(2, 2, seed=1, amount=0.5)[0]
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    f = faces.encode(models.face_encoder(), x)
    np.testing.assert_allclose(f, faces.encode(models.face_encoder(), 0.2 + 0.5 * np.repeat(grey[..., None], 3, -1)), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(f, axis=1), 1, atol=1e-5)


def test_drawn_people_are_told_apart_though_it_never_saw_one():
    x, labels = drawn_faces.faces(12, 4, seed=5, amount=0.4)
    f = faces.encode(models.face_encoder(), x)
    i, j = np.triu_indices(len(f), 1)
    pixels = x.reshape(len(x), -1)
    ours, floor = (threshold.auc(squared_euclidean(e[i], e[j]), labels[i] == labels[j]) for e in (f, pixels))
    assert ours > 0.85 and ours > floor, (ours, floor)


@pytest.mark.real
def test_strangers_are_known_from_one_picture(data_folder):
    """s31 ... s40 of ORL, whom nothing was trained on; raw pixels identify 0.83 of them at an AUC of 0.945."""
    net = models.face_encoder()
    row = orl_unseen(lambda pictures: faces.encode(net, pictures), data_folder / "faces/orl")
    assert row["identified"] >= 0.93 and row["auc"] >= 0.98, row
