"""The size formula, "same", and the words with which a shape is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet.errors import ShapeError
from scratchnet.shapes import check_window, expect_batch, expect_floats, output_size, padding, same_padding, window_output

sides = st.integers(1, 12)


# ---- n = floor((n_prev + p_before + p_after - f) / s) + 1 ----------------------------------------------------------------

@pytest.mark.parametrize("n_prev, f, stride, before, after, n", [
    (6, 3, 1, 0, 0, 4), (6, 3, 1, 1, 1, 6),           # the lecture's 6x6 with a 3x3 filter, without and with p = 1
    (7, 3, 2, 0, 0, 3),                               # its strided convolution: (7 - 3) / 2 + 1
    (39, 3, 1, 0, 0, 37), (37, 5, 2, 0, 0, 17), (17, 5, 2, 0, 0, 7),    # its example network
    (8, 3, 2, 0, 0, 3), (8, 3, 2, 0, 1, 4),           # not whole: the floor
    (5, 5, 9, 0, 0, 1)])
def test_output_size(n_prev, f, stride, before, after, n):
    assert output_size(n_prev, f, stride, before, after) == n


@given(n_prev=sides, f=sides, stride=sides, before=st.integers(0, 5), after=st.integers(0, 5))
def test_output_size_counts_the_windows_that_fit(n_prev, f, stride, before, after):
    padded = n_prev + before + after
    fits = [start for start in range(0, padded, stride) if start + f <= padded]
    if fits:
        assert output_size(n_prev, f, stride, before, after) == len(fits)
    else:
        with pytest.raises(ShapeError):
            output_size(n_prev, f, stride, before, after)


@pytest.mark.parametrize("n_prev, f, stride, pads", [
    (6, 3, 1, (1, 1)), (6, 5, 1, (2, 2)), (6, 1, 1, (0, 0)),           # the lecture's p = (f - 1) / 2
    (6, 2, 1, (0, 1)), (6, 4, 1, (1, 2)),             # even f: what is left over goes after
    (5, 3, 2, (1, 1)), (6, 3, 2, (0, 1)), (4, 2, 3, (0, 1)), (5, 1, 2, (0, 0))])
def test_same_padding(n_prev, f, stride, pads):
    assert same_padding(n_prev, f, stride) == pads


@given(n_prev=sides, f=sides, stride=sides)
def test_same_gives_one_output_for_each_stride_begun(n_prev, f, stride):
    before, after = same_padding(n_prev, f, stride)
    assert output_size(n_prev, f, stride, before, after) == int(np.ceil(n_prev / stride))
    assert 0 <= after - before <= 1 and before < f


def test_padding_is_top_bottom_left_right():
    assert padding(2, 9, 9, (3, 3), 1) == (2, 2, 2, 2)
    assert padding("same", 6, 5, (4, 3), 1) == (1, 2, 1, 1)


def test_window_output_of_vggs_layers():
    assert window_output((1, 300, 400, 64), (3, 3), 1, "same") == ((1, 300, 400), (1, 1, 1, 1))
    assert window_output((2, 75, 101, 256), (2, 2), 2, 0) == ((2, 37, 50), (0, 0, 0, 0))


def test_s4_a_filter_that_does_not_fit_says_by_how_much():
    with pytest.raises(ShapeError, match=r"f = 5 > n_prev \+ padding = 2 \+ 2.*larger picture, a smaller filter or more padding"):
        output_size(2, 5, 1, 1, 1)


# ---- windows -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("f, window", [(3, (3, 3)), ((3, 2), (3, 2)), ([1, 4], (1, 4)), (np.int64(2), (2, 2))])
def test_a_window_is_one_side_or_two(f, window):
    assert check_window("Conv2D", f, 1, 0) == window


@pytest.mark.parametrize("f, stride, pad, words", [
    (2.5, 1, 0, "f = 2.5; expected a whole number from 1 up, or two"), (0, 1, 0, "f = 0"), ((3, 0), 1, 0, r"f = \(3, 0\)"),
    ((3,), 1, 0, "f = "), ("3", 1, 0, "f = '3'"), (None, 1, 0, "f = None"), (True, 1, 0, "f = True"),
    (3, 0, 0, "stride = 0; expected a whole number from 1 up"), (3, (1, 1), 0, "stride = "), (3, 1.0, 0, "stride = 1.0"),
    (3, 1, -1, 'pad = -1; expected "same" or a whole number from 0 up'), (3, 1, "SAME", "pad = 'SAME'"), (3, 1, 0.5, "pad = 0.5")])
def test_s22_windows_that_are_none(f, stride, pad, words):
    with pytest.raises(ShapeError, match="MaxPool2D: " + words):
        check_window("MaxPool2D", f, stride, pad)


# ---- arrays --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_pass_as_they_are(dtype):
    a = np.zeros((1, 2, 3, 4), dtype)[:, ::-1]
    assert expect_floats(a) is a and expect_batch(a, n_C=4) is a


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.uint16])
def test_s7_whole_numbers_become_float32(dtype):
    a = expect_batch(np.ones((1, 2, 3, 4), dtype))
    assert a.dtype == np.float32 and a.all()


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex64, object, "U3", ">f4"])
def test_s8_other_numbers_are_refused_with_those_that_pass(dtype):
    with pytest.raises(ShapeError, match=r"scores is of .*; expected float32 \(to run\) or float64 \(to check\)"):
        expect_floats(np.zeros(3, dtype), "scores")


def test_s1_one_picture_is_told_how_to_become_a_batch():
    with pytest.raises(ShapeError, match=r"x has shape \(64, 64, 3\), one picture \(n_H, n_W, n_C\); expected four axes.*x\[None\]"):
        expect_batch(np.zeros((64, 64, 3)), "x")


@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (1, 2, 3, 4, 5)])
def test_other_ranks_are_refused(shape):
    with pytest.raises(ShapeError, match=r"expected four axes \(m, n_H, n_W, n_C\), channels last"):
        expect_batch(np.zeros(shape))


@pytest.mark.parametrize("shape, n_C, words", [
    ((1, 5, 5, 4), 3, "has 4 channels.*expected n_C_prev = 3.*alpha channel"),
    ((1, 3, 8, 9), 3, r"has 9 channels.*expected n_C_prev = 3\. .*channels-first.*x.transpose\(0, 2, 3, 1\)"),
    ((1, 5, 5, 64), 128, "has 64 channels.*expected n_C_prev = 128")])
def test_s2_other_channels_are_refused_with_a_guess(shape, n_C, words):
    with pytest.raises(ShapeError, match=words):
        expect_batch(np.zeros(shape), n_C=n_C)
