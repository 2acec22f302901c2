"""Pictures made on the spot, for the tests of images.py."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile


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
