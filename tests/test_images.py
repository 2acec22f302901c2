"""Pictures as they really come: every fault case of loading, made on the spot with Pillow."""

import errno
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, PngImagePlugin

from scratchnet import images
from scratchnet.errors import ImageError, ShapeError
from scratchnet.images import load, resize, sample_photograph, save
from tests.pictures import (  # noqa: F401 (one is a fixture)
    bytes_as, eight_bit, message, no_unexpected_warning_and_no_global_change, pattern, png_header)


# load: plain pictures

@pytest.mark.parametrize("name, format", [("a.png", "PNG"), ("a.bmp", "BMP"), ("a.tif", "TIFF"), ("a.tiff", "TIFF"),
                                          ("a.ppm", "PPM"), ("a.PNG", "PNG"), ("no_extension", "PNG"), ("wrong.jpg", "PNG")])
def test_lossless_formats_arrive_exactly(tmp_path, name, format):
    (tmp_path / name).write_bytes(bytes_as(format))
    x = load(tmp_path / name)
    assert x.shape == (1, 10, 16, 3) and x.dtype == np.float32 and x.flags.c_contiguous
    assert np.array_equal(x[0], pattern() / np.float32(255))


@pytest.mark.parametrize("format, options", [("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"lossless": True}), ("GIF", {})])
def test_lossy_formats_arrive_nearly(tmp_path, format, options):
    smooth = np.linspace(0, 200, 16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)
    (tmp_path / "a").write_bytes(bytes_as(format, smooth, **options))
    assert np.abs(eight_bit(load(tmp_path / "a")) - smooth).mean() < 8


def test_mpo_of_one_frame_opens_as_a_picture(tmp_path):
    frame = Image.fromarray(np.full((8, 8, 3), 90, np.uint8))
    frame.save(tmp_path / "a.mpo", "MPO")
    assert np.abs(eight_bit(load(tmp_path / "a.mpo")) - 90).max() <= 2


# load: the fault cases

def test_I1_missing_file_is_named_with_a_near_one(tmp_path):
    (tmp_path / "bridge.jpeg").write_bytes(b"x")
    with pytest.raises(FileNotFoundError) as error:
        load(tmp_path / "bridge.jpg")
    assert f"No image at '{tmp_path}/bridge.jpg' (looked in {tmp_path})" in message(error)
    assert f"Did you mean '{tmp_path}/bridge.jpeg'?" in message(error)


def test_I1_missing_file_in_the_working_folder_or_in_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bridge.jpg").write_bytes(b"x")
    with pytest.raises(FileNotFoundError) as error:
        load("BRIDGE.JPEG")
    assert f"'BRIDGE.JPEG' (looked in {tmp_path}). Did you mean 'bridge.jpg'?" in message(error)
    with pytest.raises(FileNotFoundError) as error:
        load("nowhere/bridge.jpg")
    assert "mean" not in message(error)


def test_I2_folder_is_listed(tmp_path):
    for name in ["b.png", "a.JPG", "notes.txt"]:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(IsADirectoryError) as error:
        load(tmp_path)
    assert "is a folder; give one image file. It holds: a.JPG, b.png." in message(error)
    for i in range(9):
        (tmp_path / f"c{i}.webp").write_bytes(b"x")
    with pytest.raises(IsADirectoryError, match=r"c2\.webp, \.\.\."):
        load(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(IsADirectoryError, match="It holds: no picture"):
        load(tmp_path / "empty")


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "p.png")
    with pytest.raises(ImageError, match="pipe"):
        load(tmp_path / "p.png")


@pytest.mark.parametrize("name", ["two words.png", "Brücke.png", "桥.png", "100% [a] 'b'.png"])
@pytest.mark.parametrize("as_given", [str, os.fsencode, lambda path: path], ids=["str", "bytes", "Path"])
def test_I3_names_just_work(tmp_path, name, as_given):
    target = tmp_path / name
    save(as_given(target), pattern())
    assert np.array_equal(eight_bit(load(as_given(target))), pattern())


def test_I3_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save("~/a.png", pattern())
    assert (tmp_path / "a.png").is_file() and load("~/a.png").shape == (1, 10, 16, 3)


@pytest.mark.parametrize("content, start", [(b"<!DOCTYPE html><html></html>", "'<!DOCTYPE html'"),
                                            (b"\n\n <html>\n<body>", "'<html>'"),
                                            (b"404: Not Found", "'404: Not Found'"), (b"P", "'P'")])
def test_I4_text_saved_as_a_picture(tmp_path, content, start):
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(ImageError) as error:
        load(tmp_path / "x.jpg")
    assert f"x.jpg' is not an image (it starts with {start}" in message(error)
    assert "A download probably saved a web page." in message(error)


def test_I4_a_web_page_is_named_under_any_extension(tmp_path):
    (tmp_path / "picture.php").write_bytes(b"<!doctype HTML>")
    with pytest.raises(ImageError, match="saved a web page"):
        load(tmp_path / "picture.php")


def test_I4_binary_of_another_kind(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(ImageError, match="not an image .*Convert it to PNG or JPEG") as error:
        load(tmp_path / "x.jpg")
    assert "web page" not in message(error)


def test_I5_empty_file(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(ImageError) as error:
        load(tmp_path / "x.png")
    assert f"'{tmp_path}/x.png' is empty (0 bytes)" in message(error)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_I6_cut_off(tmp_path, format):
    whole = bytes_as(format, np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    (tmp_path / "x.jpg").write_bytes(whole[:len(whole) * 2 // 3])
    with pytest.raises(ImageError) as error:
        load(tmp_path / "x.jpg")
    assert "x.jpg' is cut off" in message(error) and "Re-download it." in message(error)


@pytest.mark.parametrize("format, options", [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("BMP", {}),
                                             ("TIFF", {}), ("WEBP", {}), ("PPM", {})])
def test_I6_wherever_it_is_cut(tmp_path, format, options):
    """Never a half-grey picture: each shorter file is refused by name, or still holds every pixel."""
    warnings.simplefilter("ignore")            # Pillow has remarks of its own on torn TIFF directories
    path, whole = tmp_path / "x", bytes_as(format, **options)
    path.write_bytes(whole)
    expected, refused = load(path), 0
    for n in range(0, len(whole), 7):
        path.write_bytes(whole[:n])
        try:
            assert np.array_equal(load(path), expected)
        except ImageError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > len(whole) // 7 * 0.9


def test_I7_damaged_png_is_named(tmp_path):
    whole = bytearray(bytes_as("PNG"))
    whole[whole.index(b"IDAT") + 4] ^= 0xFF    # the zlib header
    (tmp_path / "x.png").write_bytes(whole)
    with pytest.raises(ImageError) as error:
        load(tmp_path / "x.png")
    assert "x.png' is damaged (" in message(error)


def test_I7_any_flipped_byte_of_a_png_is_noticed(tmp_path):
    """Decoding alone misses the late ones; the checksums do not. (The last 12 bytes are the end mark and hold no pixel.)"""
    path, whole = tmp_path / "x.png", bytes_as("PNG", np.random.default_rng(0).integers(0, 256, (10, 16, 3), np.uint8))
    for n in range(len(whole) - 12):
        torn = bytearray(whole)
        torn[n] ^= 0x5A
        path.write_bytes(torn)
        with pytest.raises(ImageError, match=r"x\.png"):
            load(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_I7_no_other_exception_escapes(tmp_path_factory, data):
    """Promise 2: whatever the bytes, a picture or an ImageError that names the file."""
    warnings.simplefilter("ignore")
    torn = bytearray(bytes_as(data.draw(st.sampled_from(images.FORMATS))))
    for _ in range(data.draw(st.integers(1, 4))):
        torn[data.draw(st.integers(0, min(len(torn) - 1, 400)))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "x.bin"
    path.write_bytes(torn)
    try:
        x = load(path, max_pixels=1_000_000)
        assert x.dtype == np.float32 and x.shape[0] == 1 and x.shape[3] == 3 and 0 <= x.min() and x.max() <= 1
    except ImageError as error:
        assert str(path) in str(error)


def test_errors_of_the_disk_keep_their_type(tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(bytes_as("PNG"))

    def failing(self):
        raise OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", failing)
    with pytest.raises(OSError, match="Input/output error"):
        load(tmp_path / "x.png")


def test_I8_bomb_is_refused_before_decoding(tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(png_header(50_000, 50_000))
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ImageError) as error:
        load(tmp_path / "x.png")
    assert "x.png' claims 50000x50000 pixels (2.5 gigapixels); limit is 40 megapixels. Refused before decoding" in message(error)


def test_I9_our_own_limit_where_pillow_only_warns(tmp_path):
    (tmp_path / "x.png").write_bytes(png_header(11_000, 11_000))
    with pytest.raises(ImageError, match=r"claims 11000x11000 pixels \(0\.121 gigapixels\)"):
        load(tmp_path / "x.png")


def test_I9_max_pixels_is_inclusive_and_can_go_down_and_up(tmp_path, monkeypatch):
    save(tmp_path / "x.png", pattern())
    assert load(tmp_path / "x.png", max_pixels=160).shape == (1, 10, 16, 3)
    with pytest.raises(ImageError, match="max_pixels="):
        load(tmp_path / "x.png", max_pixels=159)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)      # Pillow alone would raise DecompressionBombError
    assert load(tmp_path / "x.png").shape == (1, 10, 16, 3)
    assert Image.MAX_IMAGE_PIXELS == 20
    monkeypatch.undo()


@pytest.mark.parametrize("limit", [20, 100], ids=["error", "warning"])
def test_I9_where_pillow_checks_once_more_its_error_is_ours(tmp_path, monkeypatch, limit):
    save(tmp_path / "x.tif", pattern())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)   # warnings are errors in this file
    with pytest.raises(ImageError, match=r"x\.tif' claims more pixels than Pillow decodes"):
        load(tmp_path / "x.tif")
    monkeypatch.undo()


def test_a_box_is_cut_before_resizing_and_may_end_within_a_pixel():
    """On a ramp the value is the place: row i of the result lies in the middle of its share of the box."""
    ramp = np.broadcast_to(np.linspace(0, 1, 40)[:, None, None], (40, 40, 3))            # at row centre r: (r - .5) / 39
    for top in (10, 10.25, 10.5):
        rows = images.resize(ramp, (6, 4), (3.5, top, 11.5, top + 12))[0]
        assert rows.shape == (6, 4, 3) and np.allclose(rows[:, :, 0], ((top + 2 * np.arange(6) + .5) / 39)[:, None], atol=2e-3)
    assert images.resize(ramp, 20, (0, 0, 10, 40)).shape == (1, 20, 5, 3)
    assert np.array_equal(images.resize(ramp, (8, 9), (0, 0, 40, 40)), images.resize(ramp, (8, 9)))
    with pytest.raises(ImageError, match="40 wide and 40 high"):
        images.resize(ramp, 20, (0, 0, 41, 40))


def test_I10_phone_photograph_is_resized(tmp_path):
    Image.new("RGB", (6000, 4000), (200, 100, 50)).save(tmp_path / "phone.jpg")
    x = load(tmp_path / "phone.jpg", size=400)
    assert x.shape == (1, 267, 400, 3)
    assert np.abs(eight_bit(x) - (200, 100, 50)).max() <= 2


@pytest.mark.parametrize("sides, size, expected", [((10, 16), 8, (5, 8)), ((16, 10), 8, (8, 5)), ((10, 16), 16, (10, 16)),
                                                   ((10, 16), 32, (20, 32)), ((1, 50), 3, (1, 3)), ((7, 10), 5, (4, 5)),
                                                   ((10, 16), (3, 9), (3, 9)), ((10, 16), np.int64(8), (5, 8))])
def test_size_is_the_longer_side(tmp_path, sides, size, expected):
    pixels = np.random.default_rng(1).integers(0, 256, (*sides, 3), np.uint8)
    save(tmp_path / "x.png", pixels)
    x = load(tmp_path / "x.png", size=size)
    assert x.shape == (1, *expected, 3)
    by_pillow = Image.fromarray(pixels).resize(expected[::-1], Image.Resampling.LANCZOS)
    assert np.array_equal(eight_bit(x), np.asarray(by_pillow))


@pytest.mark.parametrize("size", [0, -3, 2.5, "400", (3,), (3, 0), (3, 4, 5)])
def test_size_must_be_a_number_of_pixels(tmp_path, size):
    save(tmp_path / "x.png", pattern())
    for call in (lambda: load(tmp_path / "x.png", size), lambda: resize(pattern(), size)):
        with pytest.raises(ShapeError, match="expected a whole number of pixels"):
            call()


def test_size_is_held_to_the_limit_too(tmp_path):
    save(tmp_path / "x.png", pattern())
    with pytest.raises(ImageError, match=r"size=1000000 makes .*x\.png' 625000x1000000 pixels \(625 gigapixels\)"):
        load(tmp_path / "x.png", size=1_000_000)


@pytest.mark.parametrize("format, options", [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True}),
                                             ("TIFF", {}), ("TIFF", {"compression": "tiff_deflate"})])
@pytest.mark.parametrize("orientation, upright", [
    (1, lambda a: a),                  (2, lambda a: a[:, ::-1]),           (3, lambda a: a[::-1, ::-1]),
    (4, lambda a: a[::-1]),            (5, lambda a: a.swapaxes(0, 1)),     (6, lambda a: np.rot90(a, -1)),
    (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),                            (8, lambda a: np.rot90(a))])
def test_I11_orientation(tmp_path, format, options, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.kron(np.random.default_rng(3).integers(0, 256, (2, 4, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
    (tmp_path / "x").write_bytes(bytes_as(format, pixels, exif=exif, **options))
    x = eight_bit(load(tmp_path / "x"))
    assert x.shape == upright(pixels).shape
    assert images.stored_sides(tmp_path / "x") == x.shape[:2]
    assert np.abs(x - upright(pixels)).max() <= 3


def test_I11_orientation_before_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.jpg").write_bytes(bytes_as("JPEG", pattern(20, 40), exif=exif))
    assert load(tmp_path / "x.jpg").shape == (1, 40, 20, 3)
    assert load(tmp_path / "x.jpg", size=10).shape == (1, 10, 5, 3)


def test_I10_how_large_a_picture_is_in_its_file_costs_no_decoding(tmp_path):
    (tmp_path / "x.png").write_bytes(bytes_as("PNG", pattern(20, 40))[:60])        # nothing behind the header but a beginning
    assert images.stored_sides(tmp_path / "x.png") == (20, 40)
    (tmp_path / "page.png").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(ImageError, match="is not an image"):
        images.stored_sides(tmp_path / "page.png")
    with pytest.raises(FileNotFoundError, match="No image at"):
        images.stored_sides(tmp_path / "nothing.png")


def test_I11_unknown_orientation_and_damaged_exif_are_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    (tmp_path / "x.png").write_bytes(bytes_as("PNG", exif=exif))
    assert np.array_equal(eight_bit(load(tmp_path / "x.png")), pattern())
    (tmp_path / "y.png").write_bytes(bytes_as("PNG", exif=b"Exif\0\0nonsense"))
    assert np.array_equal(eight_bit(load(tmp_path / "y.png")), pattern())
    assert images.stored_sides(tmp_path / "x.png") == images.stored_sides(tmp_path / "y.png") == pattern().shape[:2]


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_I12_palette_gives_colours_not_indices(tmp_path, format):
    picture = Image.new("P", (3, 1))
    picture.putpalette([200, 10, 20, 30, 220, 40, 50, 60, 240])
    picture.putdata([0, 1, 2])
    picture.save(tmp_path / "x", format)
    assert eight_bit(load(tmp_path / "x")).tolist() == [[[200, 10, 20], [30, 220, 40], [50, 60, 240]]]


def see_through(kind):
    """A picture of two pixels: one transparent with red behind it (or nearly so), one opaque."""
    if kind == "RGBA":
        return Image.fromarray(np.uint8([[[255, 0, 0, 0], [10, 20, 30, 255]]])), {}
    if kind == "LA":
        return Image.fromarray(np.uint8([[[40, 0], [90, 255]]]), "LA"), {}
    if kind == "P":
        picture = Image.new("P", (2, 1))
        picture.putpalette([255, 0, 0, 10, 20, 30])
        picture.putdata([0, 1])
        return picture, {"transparency": 0}
    if kind == "P of bytes":
        return see_through("P")[0], {"transparency": b"\x00\xff"}
    if kind == "RGB with a key":
        return Image.fromarray(np.uint8([[[255, 0, 0], [10, 20, 30]]])), {"transparency": (255, 0, 0)}
    if kind == "L with a key":
        return Image.fromarray(np.uint8([[40, 90]])), {"transparency": 40}
    if kind == "1 with a key":
        return Image.fromarray(np.uint8([[0, 255]])).convert("1"), {"transparency": 0}
    if kind == "16 bits with a key":
        return Image.fromarray(np.uint16([[1000, 90 * 257]])), {"transparency": 1000}


OPAQUE = {"LA": 90, "L with a key": 90, "1 with a key": 255, "16 bits with a key": 90}


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "P of bytes", "RGB with a key", "L with a key", "1 with a key",
                                  "16 bits with a key"])
@pytest.mark.parametrize("background", [None, (0, 128, 255)])
def test_I13_transparent_pixels_are_filled(tmp_path, kind, background):
    picture, options = see_through(kind)
    picture.save(tmp_path / "x.png", **options)
    options = {} if background is None else {"background": background}
    with pytest.warns(UserWarning) as caught:
        x = eight_bit(load(tmp_path / "x.png", **options))
    assert x[0, 0].tolist() == list(background or (255, 255, 255))
    assert x[0, 1].tolist() == ([OPAQUE[kind]] * 3 if kind in OPAQUE else [10, 20, 30])
    assert len(caught) == 1 and caught[0].filename == __file__
    said = str(caught[0].message)
    assert f"'{tmp_path}/x.png'" in said and "transparent pixels filled with" in said
    assert ("white (background=(255, 255, 255))" if background is None else "(background=(0, 128, 255))") in said


def test_I13_half_transparent_is_mixed(tmp_path):
    Image.fromarray(np.uint8([[[100, 0, 200, 51]]])).save(tmp_path / "x.png")
    with pytest.warns(UserWarning, match="transparent"):
        x = eight_bit(load(tmp_path / "x.png"))
    assert np.abs(x[0, 0] - (224, 204, 244)).max() <= 1             # 0.2 of the colour, 0.8 of white


def test_I13_gif_and_webp_too(tmp_path):
    picture, options = see_through("P")
    picture.save(tmp_path / "x.gif", **options)
    see_through("RGBA")[0].save(tmp_path / "x.webp", lossless=True)
    for name in ("x.gif", "x.webp"):
        with pytest.warns(UserWarning, match="transparent"):
            assert eight_bit(load(tmp_path / name))[0].tolist() == [[255, 255, 255], [10, 20, 30]]


def test_I13_opaque_alpha_says_nothing(tmp_path):
    Image.fromarray(pattern()).convert("RGBA").save(tmp_path / "x.png")
    assert np.array_equal(eight_bit(load(tmp_path / "x.png")), pattern())


@pytest.mark.parametrize("background", [(1.0, 1.0, 1.0), (256, 0, 0), (0, -1, 0), (1, 2), (1, 2, 3, 4), "red"])
def test_I13_background_is_checked(tmp_path, background):
    save(tmp_path / "x.png", pattern())
    with pytest.raises(ShapeError, match="background="):
        load(tmp_path / "x.png", background=background)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_I14_cmyk_is_converted_with_a_warning(tmp_path, format):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x", format)
    with pytest.warns(UserWarning, match="CMYK.*colours may shift") as caught:
        x = eight_bit(load(tmp_path / "x"))
    assert len(caught) == 1 and f"'{tmp_path}/x'" in str(caught[0].message)
    assert np.abs(x - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("format, mode", [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("TIFF", "I"), ("PPM", "I")])
def test_I15_ramp_of_16_bits_keeps_256_levels(tmp_path, format, mode):
    ramp = np.arange(65536).reshape(256, 256)
    dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    Image.frombytes(mode, (256, 256), ramp.astype(dtype).tobytes()).save(tmp_path / "x", format)
    with Image.open(tmp_path / "x") as opened:
        assert opened.mode == mode             # the test tests what it says
    x = eight_bit(load(tmp_path / "x"))
    assert np.array_equal(x, np.repeat(np.rint(ramp / 257)[..., None], 3, axis=-1))
    assert len(np.unique(x)) == 256


def test_I15_orientation_of_16_bits(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = np.arange(8, dtype=np.uint16).reshape(2, 4) * 257 * 30
    Image.fromarray(grey).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(eight_bit(load(tmp_path / "x.png"))[..., 0], np.rot90(grey, -1) // 257)


def test_I15_float_grey(tmp_path):
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert np.array_equal(eight_bit(load(tmp_path / "x.tif"))[..., 0], np.rint(values * 255))


@pytest.mark.parametrize("values", [np.float32([[0, 255]]), np.float32([[-1, 1]]), np.float32([[0, np.nan]]),
                                    np.int32([[0, 65536]]), np.int32([[-1, 5]])])
def test_I15_other_ranges_are_refused_not_guessed(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(ImageError, match=r"x\.tif' holds values .*; expected 0 to (1|65535)\."):
        load(tmp_path / "x.tif")


@pytest.mark.parametrize("mode, values", [("L", [0, 100, 255]), ("1", [0, 255, 255])])
@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_I16_grey_and_one_bit_become_three_channels(tmp_path, mode, values, format):
    Image.fromarray(np.uint8([values])).convert(mode).save(tmp_path / "x", format)
    assert eight_bit(load(tmp_path / "x")).tolist() == [[[v] * 3 for v in values]]


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP", "MPO"])
def test_I17_first_frame_with_a_warning(tmp_path, format):
    frames = [Image.new("RGB", (8, 8), colour) for colour in [(250, 0, 0), (0, 250, 0), (0, 0, 250)]]
    frames[0].save(tmp_path / "x", format, save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning) as caught:
        x = eight_bit(load(tmp_path / "x"))
    assert [str(w.message) for w in caught] == [f"'{tmp_path}/x' holds 3 frames; only the first is used"]
    assert np.abs(x - (250, 0, 0)).max() <= 8


@pytest.mark.parametrize("name, content", [("x.fits", b"SIMPLE  =                    T"), ("x.psd", b"8BPS\0\1"),
                                           ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")])
def test_I18_format_outside_the_list(tmp_path, name, content):
    (tmp_path / name).write_bytes(content + bytes(100))
    with pytest.raises(ImageError) as error:
        load(tmp_path / name)
    assert f"{name}': '{name[1:]}' is not supported; convert to PNG or JPEG." in message(error)


@pytest.mark.parametrize("format", ["TGA", "ICO", "PCX", "SGI", "JPEG2000", "DDS"])
def test_I18_what_pillow_could_open_stays_closed(tmp_path, format):
    (tmp_path / "x.png").write_bytes(bytes_as(format, np.zeros((16, 16, 3), np.uint8)))
    with pytest.raises(ImageError, match=r"x\.png' is not an image"):
        load(tmp_path / "x.png")


def test_load_from_many_threads(tmp_path):
    for k in range(4):
        save(tmp_path / f"{k}.png", np.full((30, 40, 3), 60 * k + 2, np.uint8))
    right = []

    def work(k):
        right.append(all((eight_bit(load(tmp_path / f"{k}.png", size=20)) == 60 * k + 2).all() for _ in range(10)))
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert right == [True] * 4


def test_sample_photograph():
    x = sample_photograph()
    assert x.shape == (1, 600, 512, 3) and x.dtype == np.float32
    assert x.std() > 0.1                       # somebody is in it
    assert sample_photograph(size=100).shape == (1, 100, 85, 3)


def test_sample_photograph_imports_no_matplotlib():
    code = ("import sys; from scratchnet.images import sample_photograph; sample_photograph(32); "
            "assert 'matplotlib' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("size, box", [((30, 30), (10, 0, 70, 60)), ((30, 80), (0, 15, 80, 45)), ((60, 80), (0, 0, 80, 60))])
def test_the_middle_is_cut_not_stretched(size, box):
    picture = np.random.default_rng(0).random((1, 60, 80, 3)).astype(np.float32)
    assert np.array_equal(images.middle(picture, size), images.resize(picture, size, box))
