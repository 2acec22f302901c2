"""Pictures as they really come: every fault case of the section on images, made on the spot with Pillow."""
import errno
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from scratchnet import images
from scratchnet.errors import ImageError, ShapeError
from scratchnet.images import expect_picture, load, resize, sample_photograph, save, to_channels_last


@pytest.fixture(autouse=True)
def no_unexpected_warning_and_no_global_change():
    """A warning that a test does not ask for fails it; Pillow's process-wide settings stay as they were."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before


def pattern(n_H=10, n_W=16):
    """(n_H, n_W, 3) uint8 in which every pixel, row and channel differs, so that no mix-up goes unseen."""
    i, j = np.mgrid[:n_H, :n_W]
    return np.stack([i * 16 % 256, j * 15 % 256, (7 * i + 5 * j) % 256], axis=-1).astype(np.uint8)


def bytes_as(format, pixels=None, **options):
    data = io.BytesIO()
    Image.fromarray(pattern() if pixels is None else pixels).save(data, format, **options)
    return data.getvalue()


def eight_bit(x):
    return np.rint(x[0] * 255).astype(int)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(n_H, n_W):
    """A PNG that claims n_H x n_W pixels and holds none."""
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", n_W, n_H, 8, 2, 0, 0, 0))
            + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b""))


def message(error):
    """One clear line: no line breaks, and not a novel."""
    text = str(error.value)
    assert "\n" not in text and len(text) < 400
    return text


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
    assert np.abs(x - upright(pixels)).max() <= 3


def test_I11_orientation_before_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.jpg").write_bytes(bytes_as("JPEG", pattern(20, 40), exif=exif))
    assert load(tmp_path / "x.jpg").shape == (1, 40, 20, 3)
    assert load(tmp_path / "x.jpg", size=10).shape == (1, 10, 5, 3)


def test_I11_unknown_orientation_and_damaged_exif_are_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    (tmp_path / "x.png").write_bytes(bytes_as("PNG", exif=exif))
    assert np.array_equal(eight_bit(load(tmp_path / "x.png")), pattern())
    (tmp_path / "y.png").write_bytes(bytes_as("PNG", exif=b"Exif\0\0nonsense"))
    assert np.array_equal(eight_bit(load(tmp_path / "y.png")), pattern())


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
