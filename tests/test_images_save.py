"""Pictures on their way out, and arrays at the door: saving whole or not at all, shapes, ranges, sizes."""

import errno
import os
import stat
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from scratchnet.errors import ImageError
from scratchnet.images import expect_picture, load, resize, save, to_channels_last
from tests.pictures import (  # noqa: F401 (one is a fixture)
    bytes_as, eight_bit, message, no_unexpected_warning_and_no_global_change, pattern, png_header)


# save

@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".PNG"])
@pytest.mark.parametrize("batch", [True, False])
def test_round_trip_is_exact(tmp_path, suffix, batch):
    x = pattern() / np.float32(255)
    assert save(tmp_path / f"x{suffix}", x[None] if batch else x) == 0
    assert np.array_equal(load(tmp_path / f"x{suffix}"), x[None])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))
def test_round_trip_rounds_to_the_nearest_level(tmp_path_factory, n_H, n_W, seed):
    x = np.random.default_rng(seed).uniform(0, 1, (1, n_H, n_W, 3))
    path = tmp_path_factory.mktemp("round") / "x.png"
    save(path, x)
    assert np.abs(load(path) - x).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_I25_jpeg_with_a_note_about_loss(tmp_path, suffix):
    colours = np.uint8([[[250, 20, 20], [20, 20, 250]] * 8] * 16)
    with pytest.warns(UserWarning, match="JPEG loses a little detail") as caught:
        save(tmp_path / f"x{suffix}", colours)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert np.abs(eight_bit(load(tmp_path / f"x{suffix}")) - colours).max() < 30        # halved colour would be off by 100
    with Image.open(tmp_path / f"x{suffix}") as opened:
        assert opened.format == "JPEG" and [layer[1:3] for layer in opened.layer] == [(1, 1)] * 3       # 4:4:4
    assert (tmp_path / f"x{suffix}").read_bytes() == bytes_as("JPEG", colours, quality=95, subsampling=0)


@pytest.mark.parametrize("name, given", [("x.xyz", ".xyz"), ("x.gif", ".gif"), ("x.npz", ".npz"), ("x", "x"), ("x.png.bak", ".bak")])
def test_I25_unknown_extension(tmp_path, name, given):
    with pytest.raises(ImageError) as error:
        save(tmp_path / "new" / name, pattern())
    assert message(error) == f"cannot save as '{given}'; use .png"
    assert os.listdir(tmp_path) == []


def test_I24_clipped_values_are_counted(tmp_path):
    x = np.full((1, 10, 10, 3), 0.5, np.float32)
    x[0, 0, 0], x[0, 9, 9, 1] = (1.5, -0.2, 300 / 255), np.float32(1) + np.float32(1e-6)
    assert save(tmp_path / "x.png", x) == pytest.approx(4 / 300)
    y = eight_bit(load(tmp_path / "x.png"))
    assert y[0, 0].tolist() == [255, 0, 255] and y[9, 9].tolist() == [128, 255, 128]
    assert isinstance(save(tmp_path / "x.png", x), float)


@pytest.mark.parametrize("bad, word", [(np.nan, "2 NaN"), (np.inf, "2 Inf"), (-np.inf, "2 Inf")])
def test_I24_nan_writes_nothing(tmp_path, bad, word):
    save(tmp_path / "x.png", pattern())
    before = (tmp_path / "x.png").read_bytes()
    x = np.zeros((1, 4, 5, 3), np.float32)
    x[0, 2, 3, 1] = x[0, 3, 0, 0] = bad
    for path in (tmp_path / "x.png", tmp_path / "folder" / "y.png"):
        with pytest.raises(ImageError) as error:
            save(path, x)
        assert f"picture has {word}, first at [0, 2, 3, 1]" in message(error)
    assert (tmp_path / "x.png").read_bytes() == before and os.listdir(tmp_path) == ["x.png"]


@pytest.mark.parametrize("x", [np.zeros((4, 5)), np.zeros((2, 4, 5, 3)), np.zeros((3, 4, 5)), np.zeros((4, 5, 4)),
                               np.zeros((0, 5, 3)), np.zeros((4, 5, 3), np.float16), np.zeros((4, 5, 3), complex)])
def test_save_refuses_what_is_no_picture(tmp_path, x):
    with pytest.raises(ImageError):
        save(tmp_path / "x.png", x)
    assert os.listdir(tmp_path) == []


def test_save_beyond_what_the_format_can_hold(tmp_path):
    with pytest.raises(ImageError, match="cannot save this as WEBP"):
        save(tmp_path / "x.webp", np.zeros((1, 1, 20_000, 3)))
    assert os.listdir(tmp_path) == []


def test_notes_go_into_a_png(tmp_path):
    save(tmp_path / "x.png", pattern(), notes={"alpha": "10", "style": "Die große Welle, 神奈川沖浪裏"})
    with Image.open(tmp_path / "x.png") as opened:
        opened.load()
        assert opened.text == {"alpha": "10", "style": "Die große Welle, 神奈川沖浪裏"}
    assert np.array_equal(eight_bit(load(tmp_path / "x.png")), pattern())


def test_notes_elsewhere_are_left_out_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="BMP has no place for notes"):
        save(tmp_path / "x.bmp", pattern(), notes={"alpha": "10"})


@pytest.mark.parametrize("notes", [{"alpha": 10}, {10: "alpha"}, {"神": "x"}, ["alpha"]])
def test_notes_that_are_no_strings_are_refused(tmp_path, notes):
    with pytest.raises(ImageError, match="notes"):
        save(tmp_path / "x.png", pattern(), notes=notes)
    assert os.listdir(tmp_path) == []


class Limit:
    """A full disk, imitated: no file of this process may pass `size` bytes."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        resource = pytest.importorskip("resource")
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_):
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def test_D1_full_disk_leaves_the_old_file(tmp_path):
    noise = np.random.default_rng(0).uniform(size=(1, 100, 100, 3))
    save(tmp_path / "x.png", pattern())
    before = (tmp_path / "x.png").read_bytes()
    with Limit(10_000), pytest.raises(OSError) as error:
        save(tmp_path / "x.png", noise)
    assert error.value.errno == errno.EFBIG and "x.png'" in message(error) and "what was there is intact" in message(error)
    assert (tmp_path / "x.png").read_bytes() == before and os.listdir(tmp_path) == ["x.png"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure, shown", [(OSError(errno.ENOSPC, "No space left on device"), OSError),
                                            (PermissionError(errno.EACCES, "Permission denied"), PermissionError),
                                            (KeyboardInterrupt(), KeyboardInterrupt)])
def test_D1_K4_whatever_stops_a_save_the_old_file_stays(tmp_path, monkeypatch, step, failure, shown):
    save(tmp_path / "x.png", pattern())
    before = (tmp_path / "x.png").read_bytes()

    def failing(*_):
        raise failure
    monkeypatch.setattr(os, step, failing)
    with pytest.raises(shown) as error:
        save(tmp_path / "x.png", 1 - pattern() / 255)
    if shown is not KeyboardInterrupt:
        assert failure.strerror in message(error) and "x.png" in message(error)
    assert (tmp_path / "x.png").read_bytes() == before and os.listdir(tmp_path) == ["x.png"]


def test_a_save_is_staged_beside_its_target_and_never_half(tmp_path, monkeypatch):
    """D4: at the moment of the swap the new file is complete, and in the same folder."""
    seen = []
    replace = os.replace

    def watching(source, target):
        seen.append((os.path.dirname(source), os.path.exists(target), eight_bit(load(source)).tolist()))
        replace(source, target)
    monkeypatch.setattr(os, "replace", watching)
    save(tmp_path / "x.png", pattern())
    assert seen == [(str(tmp_path), False, pattern().tolist())]


def test_D2_missing_folder_is_made(tmp_path):
    save(tmp_path / "a" / "b" / "x.png", pattern())
    assert os.listdir(tmp_path / "a" / "b") == ["x.png"]


def test_a_target_that_is_a_folder(tmp_path):
    (tmp_path / "x.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"x\.png"):
        save(tmp_path / "x.png", pattern())
    assert os.listdir(tmp_path) == ["x.png"]


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_D5_new_file_follows_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        save(tmp_path / "x.png", pattern())
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "x.png").st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_D5_old_mode_is_kept(tmp_path, mode):
    save(tmp_path / "x.png", pattern())
    os.chmod(tmp_path / "x.png", mode)
    save(tmp_path / "x.png", pattern(4, 4))
    assert stat.S_IMODE(os.stat(tmp_path / "x.png").st_mode) == mode
    assert load(tmp_path / "x.png").shape == (1, 4, 4, 3)


def test_D6_leftovers_of_a_crash_go_when_old(tmp_path):
    for name in (".scratchnet-0.tmp", ".scratchnet-1.tmp", "mine.tmp"):
        (tmp_path / name).write_bytes(b"half")
    for name in (".scratchnet-0.tmp", "mine.tmp"):
        os.utime(tmp_path / name, (time.time() - 7200,) * 2)
    save(tmp_path / "x.png", pattern())
    assert sorted(os.listdir(tmp_path)) == [".scratchnet-1.tmp", "mine.tmp", "x.png"]


def test_a_link_is_written_through(tmp_path):
    save(tmp_path / "target.png", pattern())
    (tmp_path / "link.png").symlink_to(tmp_path / "target.png")
    save(tmp_path / "link.png", pattern(4, 4))
    assert (tmp_path / "link.png").is_symlink() and load(tmp_path / "target.png").shape == (1, 4, 4, 3)


# expect_picture

@pytest.mark.parametrize("dtype, out", [("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8")])
def test_floats_pass_and_keep_their_dtype(dtype, out):
    x = np.random.default_rng(0).uniform(size=(4, 5, 3)).astype(dtype)
    for argument in (x, x[None]):
        y = expect_picture(argument)
        assert y.shape == (1, 4, 5, 3) and y.dtype == np.dtype(out) and y.dtype.isnative and y.flags.c_contiguous
        assert np.array_equal(y[0], x)


def test_S7_uint8_is_divided_by_255():
    y = expect_picture(pattern())
    assert y.dtype == np.float32 and np.array_equal(y[0], pattern() / np.float32(255))


def test_S17_lists_and_pillow_images_are_accepted():
    assert np.array_equal(expect_picture(Image.fromarray(pattern()))[0], pattern() / np.float32(255))
    assert expect_picture([[[0.0, 0.5, 1.0]]]).tolist() == [[[[0.0, 0.5, 1.0]]]]


def test_S6_views_give_the_same_numbers():
    x = np.random.default_rng(0).uniform(size=(6, 8, 3))
    for view in (x[::-1], x[:, ::2], np.asfortranarray(x), x.swapaxes(0, 1)):
        y = expect_picture(view)
        assert y.flags.c_contiguous and np.array_equal(y[0], view)


@pytest.mark.parametrize("values, said, remedy", [([0, 255], "S: values reach 255 but dtype is float: expected [0, 1].", "Divide by 255."),
                                                  ([0, 1.2], "S: values reach 1.2 but", "np.clip"),
                                                  ([-1, 1], "S: values run from -1 to 1 but", "Undo"),
                                                  ([-123, 151], "S: values run from -123 to 151 but", "Undo")])
def test_I22_values_out_of_range(values, said, remedy):
    x = np.linspace(*values, 60).reshape(4, 5, 3)
    with pytest.raises(ImageError) as error:
        expect_picture(x, "S")
    assert said in message(error) and remedy in message(error)


def test_I22_the_reverse_a_unit_range_in_uint8():
    x = (np.random.default_rng(0).uniform(size=(4, 5, 3)) > 0.5).astype(np.uint8)
    with pytest.raises(ImageError, match="values reach 1 but dtype is uint8"):
        expect_picture(x)
    assert expect_picture(np.zeros((4, 5, 3), np.uint8)).max() == 0         # black is a picture


def test_I22_rounding_is_tolerated_and_left_alone():
    x = np.float32([[[0, 0.5, 1 + 1e-5], [-1e-5, 0, 1]]])
    assert np.array_equal(expect_picture(x)[0], x)
    for wrong in (1.002, -0.002):
        with pytest.raises(ImageError):
            expect_picture(np.full((1, 1, 3), wrong))


@pytest.mark.parametrize("shape", [(3, 300, 400), (1, 3, 300, 400), (2, 3, 30, 40)])
def test_I23_channels_first(shape):
    with pytest.raises(ImageError) as error:
        expect_picture(np.zeros(shape, np.float32), "C")
    assert (f"C: shape {shape} looks channels-first; scratchnet uses (n_H, n_W, n_C). Use to_channels_last(x)."
            == message(error))


@pytest.mark.parametrize("shape", [(), (3,), (5, 3), (4, 5, 1), (4, 5, 4), (2, 4, 5, 3), (0, 4, 5, 3), (1, 1, 4, 5, 3), (0, 5, 3),
                                   (4, 5, 0)])
def test_S1_S2_S14_other_shapes(shape):
    with pytest.raises(ImageError) as error:
        expect_picture(np.zeros(shape, np.float32), "G")
    assert f"G has shape {shape}; expected one picture, (n_H, n_W, 3) or (1, n_H, n_W, 3)." in message(error)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, complex, np.complex64, object, bool, np.int64, np.uint16, "U3"])
def test_S8_other_dtypes(dtype):
    with pytest.raises(ImageError, match="C has dtype .*; expected uint8 .*, float32 or float64"):
        expect_picture(np.zeros((4, 5, 3), dtype), "C")


def test_N1_nan_is_counted_and_located():
    x = np.zeros((1, 4, 6, 3))
    x[0, 3, 5, 1:] = np.nan
    with pytest.raises(ImageError) as error:
        expect_picture(x, "G")
    assert "G has 2 NaN, first at [0, 3, 5, 1]." in message(error)
    with pytest.raises(ImageError, match=r"G has 2 NaN, first at \[3, 5, 1\]"):
        expect_picture(x[0], "G")              # in the caller's own indices
    with pytest.raises(ImageError, match="picture has 1 Inf"):
        expect_picture(np.float32([[[0, 0, np.inf]]]))


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", ">f4"])
def test_S16_arguments_stay_as_they_were(tmp_path, dtype):
    x = (pattern() if dtype == "u1" else pattern() / 255).astype(dtype)
    x.flags.writeable = False
    before = x.tobytes()
    expect_picture(x), save(tmp_path / "x.png", x), resize(x, 7), to_channels_last(x.transpose(2, 0, 1))
    assert x.tobytes() == before
    if dtype != "u1":
        wild = x * 3 - 1
        before = wild.tobytes()
        save(tmp_path / "x.png", wild)         # clips its own copy
        assert wild.tobytes() == before


# to_channels_last, resize

def test_to_channels_last():
    x = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    y = to_channels_last(x)
    assert y.shape == (2, 4, 5, 3) and y.dtype == x.dtype and y.flags.c_contiguous
    assert y[1, 2, 3, 0] == x[1, 0, 2, 3] and y[0, 3, 4, 2] == x[0, 2, 3, 4]
    assert np.array_equal(to_channels_last(x[0]), y[0]) and to_channels_last(x[0]).flags.c_contiguous
    assert np.array_equal(expect_picture(to_channels_last(np.moveaxis(pattern(), -1, 0)))[0], pattern() / np.float32(255))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 4, 5), (2, 4, 5, 3), (1, 2, 3, 4, 5)])
def test_to_channels_last_refuses_other_shapes(shape):
    with pytest.raises(ImageError, match="expected channels first"):
        to_channels_last(np.zeros(shape))


@pytest.mark.parametrize("size, expected", [(8, (5, 8)), (32, (20, 32)), ((7, 3), (7, 3)), ((16, 10), (16, 10))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resize_sides_and_dtype(size, expected, dtype):
    x = (pattern() / 255).astype(dtype)[None]
    y = resize(x, size)
    assert y.shape == (1, *expected, 3) and y.dtype == dtype and y.flags.c_contiguous
    assert y.min() >= 0 and y.max() <= 1


def test_resize_is_finer_than_8_bits():
    x = np.linspace(0.500, 0.502, 64, dtype=np.float32).reshape(1, 1, 64, 1).repeat(3, -1).repeat(8, 1)
    assert len(np.unique(resize(x, 32))) > 8   # half an 8-bit step, and still a ramp


def test_resize_keeps_channels_and_agrees_with_8_bits():
    pixels = np.kron(pattern(5, 8), np.ones((6, 6, 1), np.uint8))
    by_pillow = np.asarray(Image.fromarray(pixels).resize((20, 12), Image.Resampling.LANCZOS)) / 255
    assert np.abs(resize(pixels, (12, 20))[0] - by_pillow).max() < 0.008


def test_resize_overshoot_is_clipped():
    edge = np.zeros((1, 8, 8, 3), np.float32)
    edge[:, :, 4:] = 1
    y = resize(edge, 32)
    assert y.min() == 0 and y.max() == 1
    assert np.array_equal(resize(edge, 8), edge)


def test_memory_of_load_is_not_a_multiple_of_the_limit(tmp_path):
    """A refused bomb costs nothing that counts."""
    (tmp_path / "x.png").write_bytes(png_header(20_000, 20_000))
    tracemalloc.start()
    with pytest.raises(ImageError):
        load(tmp_path / "x.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
