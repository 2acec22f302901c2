"""Everything a camera, a browser or a student calls a picture comes in here, and leaves as numbers in [0, 1].

    file  --load-->            C, S, G: (1, n_H, n_W, 3), RGB, float32 in [0, 1]  --save-->  file
    array --expect_picture-->  the same, or one sentence that says what it was instead

Pillow decodes. What it gets wrong without a word (16-bit grey, the colours behind alpha, palette indices, photographs
lying on their side) is put right here, and what it refuses is said again with the file's name. No other file imports it.
"""
import contextlib
import difflib
import importlib.util
import io
import os
import warnings

import numpy as np
from PIL import (ExifTags, Image, ImageOps,                                            # noqa: F401 (each plugin
                 BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin,      # enters itself in Image.OPEN)
                 PpmImagePlugin, TiffImagePlugin, WebPImagePlugin)

from scratchnet.atomic import replacing
from scratchnet.errors import ImageError, ShapeError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")      # no other parser sees a file; MPO opens as a JPEG
READABLE = tuple(end for end, name in Image.EXTENSION.items() if name in FORMATS) + (".mpo",)
SAVE_AS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP",
           ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM"}
OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0},               # 4:4:4, so that colour keeps its resolution
           "WEBP": {"lossless": True}}

# The value of white where a pixel has more than 8 bits. PPM of 16 bits opens as "I", TIFF and PFM of floats as "F".
WHITE = {"I;16": 65535, "I;16L": 65535, "I;16B": 65535, "I;16N": 65535, "I": 65535, "F": 1}

TOLERANCE = 1e-3        # a quarter of an 8-bit step: rounding may leave [0, 1] by so much


def load(path, size=None, max_pixels=40_000_000, background=(255, 255, 255)):
    """path -> (1, n_H, n_W, 3), RGB, float32 in [0, 1]; turned upright by its EXIF orientation.

    size        the longer side in pixels, or (n_H, n_W); None: as stored. LANCZOS on the 8-bit picture, aspect ratio kept
    max_pixels  a file whose header claims more is refused before it is decoded
    background  what shows through transparent pixels: (R, G, B), 0 to 255

    Grey becomes three equal channels, 16-bit grey v becomes v / 257 rounded to 8 bits; colour profiles are not applied.
    Warns where the picture is not quite the file: alpha filled, CMYK converted, the first of several frames taken.
    Raises FileNotFoundError, IsADirectoryError, and ImageError for a file that is no whole picture of an allowed format.
    """
    path, background, notes = _existing_file(path), tuple(background), []
    if len(background) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in background):
        raise ShapeError(f"background={background}: expected whole numbers (R, G, B) from 0 to 255.")
    with open(path, "rb") as file, _naming(path):
        image = _decode(file, path, size, max_pixels)
        rgb = _rgb(image, background, notes)
        with contextlib.suppress(Exception):   # a later frame may be damaged; the first is whole
            if getattr(image, "n_frames", 1) > 1:
                notes.append(f"holds {image.n_frames} frames; only the first is used")
    for note in notes:
        warnings.warn(f"'{path}' {note}", stacklevel=2)
    if size is not None:
        rgb = rgb.resize(_sides(rgb.height, rgb.width, size)[::-1], Image.Resampling.LANCZOS)       # Pillow: (n_W, n_H)
    return np.asarray(rgb, np.float32)[None] / np.float32(255)


def stored_sides(path):
    """(n_H, n_W) of a picture as its file has it, upright, by the header alone. Raises what load raises for what is no picture."""
    path = _existing_file(path)
    with open(path, "rb") as file, _naming(path):
        image, lying = _open(file, path), False
        n_W, n_H = [image.tag_v2[tag] for tag in (256, 257)] if hasattr(image, "tag_v2") else image.size      # Pillow turns some TIFFs
        with contextlib.suppress(Exception):   # a damaged EXIF block says nothing, here as in load
            lying = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        return (n_W, n_H) if lying else (n_H, n_W)


def sample_photograph(size=None):
    """The portrait of Grace Hopper that comes with matplotlib: (1, 600, 512, 3), or longer side `size`.

    A work of the US Navy, in the public domain. matplotlib is located, not imported.
    """
    package = os.path.dirname(importlib.util.find_spec("matplotlib").origin)
    return load(os.path.join(package, "mpl-data", "sample_data", "grace_hopper.jpg"), size)


def _existing_file(path):
    """A path as people write it (~, bytes, Path) -> the name of a file that is there, or help in finding it."""
    path = os.path.expanduser(os.fsdecode(path))
    folder, name = os.path.split(os.path.abspath(path))
    if os.path.isdir(path):
        pictures = sorted(entry for entry in os.listdir(path) if entry.lower().endswith(READABLE))
        holds = ", ".join(pictures[:5]) + (", ..." if len(pictures) > 5 else "") or "no picture"
        raise IsADirectoryError(f"'{path}' is a folder; give one image file. It holds: {holds}.")
    if not os.path.exists(path):
        there = {entry.lower(): entry for entry in os.listdir(folder)} if os.path.isdir(folder) else {}
        close = difflib.get_close_matches(name.lower(), there, n=1)
        hint = f" Did you mean '{os.path.join(os.path.dirname(path), there[close[0]])}'?" if close else ""
        raise FileNotFoundError(f"No image at '{path}' (looked in {folder}).{hint}")
    if not os.path.isfile(path):               # opening a pipe would wait for ever
        raise ImageError(f"'{path}' is a pipe or a device. Give an ordinary image file.")
    return path


@contextlib.contextmanager
def _naming(path):
    """Pillow complains in a dozen types and without the file's name; errors of the disk itself keep their type."""
    try:
        yield
    except (ImageError, ShapeError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"'{path}' claims more pixels than Pillow decodes. Use a smaller picture. ({error})") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise
        if isinstance(error, EOFError) or "truncated" in str(error).lower():
            raise ImageError(f"'{path}' is cut off: the file ends before the picture does. Re-download it.") from error
        detail = str(error).removesuffix(" when reading image file")
        raise ImageError(f"'{path}' is damaged ({detail}). Re-download it.") from error


def _decode(file, path, size, max_pixels):
    """The first frame, whole and upright; what it would cost is checked on the header alone."""
    image = _open(file, path)
    _check_size(image.height, image.width, max_pixels, f"'{path}' claims")
    if size is not None:
        _check_size(*_sides(image.height, image.width, size), max_pixels, f"size={size} makes '{path}'")
    image.verify()                             # the checksums of a PNG, which decoding does not look at
    image = _open(file, path)                  # verify uses an image up
    image.load()
    with contextlib.suppress(Exception):       # a damaged EXIF block says nothing; the pixels are whole
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _open(file, path):
    """Read the header. Not by Image.open, whose limit on pixels belongs to the process; ours is an argument."""
    file.seek(0)
    head = file.read(32)
    if not head:
        raise ImageError(f"'{path}' is empty (0 bytes): an interrupted save or download. Get it again.")
    for opener, accepts in (Image.OPEN[name] for name in FORMATS):
        if accepts(head.ljust(32, b"\0")) is True:
            file.seek(0)
            return opener(file, path)
    suffix = os.path.splitext(path)[1].lower()
    start = (head.lstrip()[:14].decode("utf-8", "replace").splitlines() or [""])[0]
    if suffix and suffix not in READABLE and "html" not in start.lower():
        raise ImageError(f"'{path}': '{suffix}' is not supported; convert to PNG or JPEG.")
    is_text = all(byte >= 32 or byte in b"\t\r\n" for byte in head)
    raise ImageError(f"'{path}' is not an image (it starts with {start!r}). "
                     + ("A download probably saved a web page." if is_text else "Convert it to PNG or JPEG."))


def _check_size(n_H, n_W, max_pixels, what):
    if n_H * n_W > max_pixels:
        raise ImageError(f"{what} {n_H}x{n_W} pixels ({n_H * n_W / 1e9:.3g} gigapixels); limit is {max_pixels / 1e6:g} "
                         "megapixels. Refused before decoding; max_pixels= moves the limit.")


def _rgb(image, background, notes):
    """Any mode -> 8-bit RGB; what a reader of the file could miss goes into `notes`."""
    if image.mode in WHITE:
        image = _eight_bit(image)
    if image.mode == "CMYK":
        notes.append("is CMYK, made for print: converted to RGB, colours may shift")
    if "transparency" not in image.info and image.mode not in ("RGBA", "LA", "PA", "RGBa"):
        return image.convert("RGB")            # palette indices become colours, grey three equal channels
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema()[0] < 255:
        colour = "white" if background == (255, 255, 255) else "a colour"
        notes.append(f"has holes: transparent pixels filled with {colour} (background={background})")
    # convert("RGB") alone would show whatever colours hide behind alpha 0
    return Image.alpha_composite(Image.new("RGBA", rgba.size, background), rgba).convert("RGB")


def _eight_bit(image):
    """Deep grey -> 8 bits: round(255 v / white), which is v / 257 at 16 bits. Pillow would cut all above 255 to 255."""
    v, white = np.asarray(image), WHITE[image.mode]
    if not (v.min() >= 0 and v.max() <= white):                     # so written, NaN fails too
        raise ImageError(f"'{image.filename}' holds values {v.min():g} to {v.max():g}; expected 0 to {white}. Scale them.")
    grey = Image.fromarray(np.rint(v * (255 / white)).astype(np.uint8))
    if "transparency" in image.info:           # a PNG may name one grey value as the transparent one, in 16 bits
        grey.putalpha(Image.fromarray(np.where(v == image.info["transparency"], 0, 255).astype(np.uint8)))
    return grey


def save(path, picture, notes=None):
    """Write (1, n_H, n_W, 3) or (n_H, n_W, 3), float in [0, 1], as 8 bits; return the share of values that were clipped.

    notes  {"alpha": "10", ...}, strings, kept in the text chunks of a PNG (no other format has a place for them)

    The folder is made when missing. The file is whole or not there: until the last moment the old one stays, and its
    permissions pass to the new. Raises ImageError for NaN, shapes and unknown extensions, before anything is written.
    """
    path = os.path.realpath(os.path.expanduser(os.fsdecode(path)))  # through a link, not over it
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SAVE_AS:
        raise ImageError(f"cannot save as '{suffix or os.path.basename(path)}'; use .png")
    x = _as_batch(picture, "picture")
    pixels = np.rint(np.clip(x[0], 0, 1) * 255).astype(np.uint8)    # clip first: a cast alone turns 300 into 44
    data = _encode(pixels, SAVE_AS[suffix], notes or {})
    with replacing(path) as file:
        file.write(data)
    return float(np.mean((x < 0) | (x > 1)))


def _encode(pixels, name, notes):
    """(n_H, n_W, 3) uint8 -> the bytes of the file, in memory: an encoder that fails has not touched the disk."""
    if notes and name != "PNG":
        warnings.warn(f"{name} has no place for notes; they are left out. Use .png to keep them.", stacklevel=3)
    if name == "JPEG":
        warnings.warn("JPEG loses a little detail (quality 95); .png keeps every pixel.", stacklevel=3)
    data, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    try:
        for key, text in notes.items():
            chunks.add_text(key, text)
        options = {"pnginfo": chunks} if name == "PNG" else OPTIONS.get(name, {})
        Image.fromarray(pixels).save(data, name, **options)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:     # notes not strings, too long for JPEG
        raise ImageError(f"cannot save this as {name} ({error}). Use .png, and notes that are strings.") from error
    return data.getvalue()


def save_film(path, pictures, seconds=0.25, rest=2.0):
    """Pictures (1, n_H, n_W, 3), one after the other, as an animated GIF that begins anew; the last stays for `rest` seconds.

    All are brought to the size of the last. A GIF has 256 colours: it is to look at, not to keep.   Raises as save does.
    """
    if not pictures:
        raise ImageError("a film needs at least one picture.")
    sides, frames = np.shape(pictures[-1])[-3:-1], []
    for picture in pictures:
        x = np.clip(_as_batch(picture, "picture"), 0, 1)
        x = x if x.shape[1:3] == sides else resize(x, sides)
        frames.append(Image.fromarray(np.rint(x[0] * 255).astype(np.uint8)).quantize(256, dither=Image.Dither.NONE))
    durations, data = [1000 * seconds] * (len(frames) - 1) + [1000 * rest], io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    with replacing(os.path.realpath(os.path.expanduser(os.fsdecode(path)))) as file:
        file.write(data.getvalue())


def expect_picture(x, name="picture"):
    """(n_H, n_W, 3) or (1, n_H, n_W, 3), uint8 or float in [0, 1] -> (1, n_H, n_W, 3), float32; float64 stays float64.

    The door through which arrays enter a driver. Never changes x, but may share its memory. Raises ImageError for another
    dtype, shape or range, for channels first, for more than one picture and for NaN; `name` is what the caller calls x.
    """
    x = _as_batch(x, name)
    lo, hi = x.min(), x.max()
    if lo < -TOLERANCE or hi > 1 + TOLERANCE:
        reach = "reach" if lo >= -TOLERANCE else f"run from {lo:g} to"
        remedy = "Divide by 255." if lo >= -TOLERANCE and hi > 2 else "Undo their scaling, or np.clip(x, 0, 1)."
        raise ImageError(f"{name}: values {reach} {hi:g} but dtype is float: expected [0, 1]. {remedy}")
    return x


def to_channels_last(x):
    """(3, n_H, n_W) -> (n_H, n_W, 3), or (m, 3, n_H, n_W) -> (m, n_H, n_W, 3); contiguous, dtype kept."""
    x = np.asarray(x)
    if x.ndim not in (3, 4) or x.shape[-3] != 3:
        raise ImageError(f"got shape {x.shape}; expected channels first: (3, n_H, n_W) or (m, 3, n_H, n_W).")
    return np.ascontiguousarray(np.moveaxis(x, -3, -1))


def resize(picture, size, box=None):
    """(1, n_H, n_W, 3) -> the same with longer side `size`, or with exactly size = (n_H, n_W); dtype kept.

    box  (left, top, right, bottom) in pixels, fractions allowed: only this part of the picture; None: all of it
    LANCZOS on each channel in float32, not through 8 bits. It overshoots at edges: the result is clipped to [0, 1].
    """
    x = expect_picture(picture)
    left, top, right, bottom = box = expect_box((0, 0, x.shape[2], x.shape[1]) if box is None else box, *x.shape[1:3])
    n_H, n_W = _sides(bottom - top, right - left, size)
    channels = [Image.fromarray(np.ascontiguousarray(x[0, :, :, k], np.float32)) for k in range(3)]
    out = [np.asarray(channel.resize((n_W, n_H), Image.Resampling.LANCZOS, box)) for channel in channels]
    return np.clip(np.stack(out, axis=-1)[None], 0, 1).astype(x.dtype)


def middle(picture, size):
    """The middle of a picture in the form of size = (n_H, n_W), resized to it: nothing is stretched, what is too much is cut away."""
    (n_H, n_W), (own_H, own_W) = size, expect_picture(picture).shape[1:3]
    tall, wide = min(own_H, own_W * n_H / n_W), min(own_W, own_H * n_W / n_H)
    left, top = (own_W - wide) / 2, (own_H - tall) / 2
    return resize(picture, size, (left, top, own_W - left, own_H - top))


def expect_box(box, n_H, n_W, name="the picture"):
    """(left, top, right, bottom) as floats, if it lies inside a picture of n_H x n_W pixels. Raises ImageError otherwise."""
    try:
        left, top, right, bottom = box = tuple(float(side) for side in box)
    except (TypeError, ValueError) as error:
        raise ImageError(f"box {box!r}: expected four numbers of pixels, (left, top, right, bottom).") from error
    if not (0 <= left < right <= n_W and 0 <= top < bottom <= n_H):
        raise ImageError(f"the box ({', '.join(f'{side:g}' for side in box)}) does not lie inside {name}, which is {n_W} wide and {n_H} "
                         "high; expected (left, top, right, bottom) in pixels from its upper left corner, left < right, top < bottom.")
    return box


def _sides(n_H, n_W, size):
    """The new sides: size = (n_H, n_W) itself, or the longer becomes size and the other is rounded, at least one pixel."""
    sides = size if isinstance(size, tuple) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, (int, np.integer)) and side >= 1 for side in sides):
        raise ShapeError(f"size={size!r}: expected a whole number of pixels, 1 or more, or (n_H, n_W).")
    return size if sides is size else tuple(max(1, round(side * size / max(n_H, n_W))) for side in (n_H, n_W))


def _as_batch(x, name):
    """Check all but the range: (n_H, n_W, 3) or (1, n_H, n_W, 3), uint8 or float -> (1, n_H, n_W, 3), float."""
    x = np.asarray(x)
    if x.ndim in (3, 4) and x.shape[-1] != 3 and x.shape[-3] == 3:
        raise ImageError(f"{name}: shape {x.shape} looks channels-first; scratchnet uses (n_H, n_W, n_C). "
                         "Use to_channels_last(x).")
    if x.ndim < 3 or x.shape[-1] != 3 or x.shape[:-3] not in ((), (1,)) or x.size == 0:
        raise ImageError(f"{name} has shape {x.shape}; expected one picture, (n_H, n_W, 3) or (1, n_H, n_W, 3). "
                         "From a batch take x[:1], from RGBA x[..., :3], from grey np.stack([x, x, x], axis=-1).")
    if x.dtype.name not in ("uint8", "float32", "float64"):
        raise ImageError(f"{name} has dtype {x.dtype}; expected uint8 (0 to 255), float32 or float64 (0 to 1).")
    if x.dtype == np.uint8:
        if x.max() == 1:
            raise ImageError(f"{name}: values reach 1 but dtype is uint8: expected [0, 255]. Keep [0, 1] in float32.")
        x = x / np.float32(255)
    for kind, bad in (("NaN", np.isnan(x)), ("Inf", np.isinf(x))):
        if bad.any():
            raise ImageError(f"{name} has {bad.sum()} {kind}, first at {np.argwhere(bad)[0].tolist()}. Expected [0, 1].")
    return np.ascontiguousarray(x.reshape(1, *x.shape[-3:]), x.dtype.newbyteorder("="))
