"""Everything a camera, a browser or a student calls a picture comes in here, and leaves as numbers in [0, 1].

    file --load--> C, S, G: (1, n_H, n_W, 3), RGB, float32 in [0, 1] --save--> file
    array --expect_picture--> the same, or one sentence that says what it was instead

Pillow decodes; what it does silently wrong (16-bit grey, hidden colours behind alpha, palette indices, turned
photographs) is put right here, and what it refuses is said again with the file's name. It is imported in no other file.
"""
import contextlib
import difflib
import glob
import importlib.util
import io
import os
import secrets
import shutil
import time
import warnings

import numpy as np
from PIL import ExifTags, Image
from PIL import (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin,       # noqa: F401 (each enters
                 PpmImagePlugin, TiffImagePlugin, WebPImagePlugin)                      # itself in Image.OPEN)

from .errors import ImageError, ShapeError

# No other decoder of Pillow ever sees a file: the fewer parsers, the fewer surprises. An MPO opens as the JPEG it begins as.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
READABLE = tuple(end for end, name in Image.EXTENSION.items() if name in FORMATS) + (".mpo",)

SAVE_AS = {".png":  ("PNG", {}),
           ".jpg":  ("JPEG", {"quality": 95, "subsampling": 0}),      # 4:4:4: colour keeps its resolution
           ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
           ".bmp":  ("BMP", {}),
           ".webp": ("WEBP", {"lossless": True}),
           ".tif":  ("TIFF", {}),
           ".tiff": ("TIFF", {}),
           ".ppm":  ("PPM", {})}

# What "white" is where a pixel is more than 8 bits. 16-bit PPM files come as "I", float TIFF and PFM as "F".
WHITE = {"I;16": 65535, "I;16L": 65535, "I;16B": 65535, "I;16N": 65535, "I": 65535, "F": 1}

UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
           5: Image.Transpose.TRANSPOSE,       6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
           8: Image.Transpose.ROTATE_90}       # EXIF orientation -> what undoes it

TOLERANCE = 1e-3                               # a quarter of an 8-bit step: rounding may leave [0, 1] by so much


# From a file to a picture

def load(path, size=None, max_pixels=40_000_000, background=(255, 255, 255)):
    """path -> (1, n_H, n_W, 3), RGB, float32 in [0, 1]; turned upright by its EXIF orientation.

    size        the longer side in pixels (None: as stored); LANCZOS on the 8-bit picture, aspect ratio kept
    max_pixels  a file whose header claims more is refused before it is decoded
    background  what shows through transparent pixels: (R, G, B), 0..255

    Grey becomes three equal channels, 16-bit grey v becomes v / 257 rounded to 8 bit, and colour profiles are not applied.
    Warns where the picture is not quite the file: alpha filled, CMYK converted, first of several frames taken.
    Raises FileNotFoundError, IsADirectoryError, and ImageError for a file that is no whole picture of an allowed format.
    """
    path = _existing_file(path)
    notes = []
    with open(path, "rb") as file, _naming(path):
        image = _decode(file, path, max_pixels)
        rgb = _rgb(_upright(image), _colour(background), notes)
        frames = _count_frames(image)          # last: counting rewinds a GIF
    if frames > 1:
        notes.append(f"holds {frames} frames; only the first is used")
    for note in notes:
        warnings.warn(f"'{path}' {note}", stacklevel=2)
    if size is not None:
        n_H, n_W = _scaled(rgb.height, rgb.width, size)
        _check_size(n_H, n_W, max_pixels, f"'{path}' at size={size}")
        rgb = rgb.resize((n_W, n_H), Image.Resampling.LANCZOS)
    return np.asarray(rgb, np.float32)[None] / np.float32(255)


def sample_photograph(size=None):
    """The portrait of Grace Hopper that comes with matplotlib -> (1, n_H, n_W, 3).  600x512 pixels; size as in `load`.

    A work of the United States Navy (1984), in the public domain. matplotlib is located, not imported.
    """
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is None:
        raise FileNotFoundError("the sample photograph comes with matplotlib, which is not installed: pip install matplotlib")
    return load(os.path.join(os.path.dirname(matplotlib.origin), "mpl-data", "sample_data", "grace_hopper.jpg"), size)


def _existing_file(path):
    """A path as one may write it (~, bytes, Path) -> the name of a file that is there, or an error that helps to find it."""
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
    """Pillow complains in a dozen types and without a file name; the disk's own errors keep their type."""
    try:
        yield
    except (ImageError, ShapeError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"'{path}' claims more pixels than Pillow decodes ({error}) Refused; use a smaller picture.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise
        if isinstance(error, EOFError) or "truncated" in str(error).lower():
            raise ImageError(f"'{path}' is cut off: the picture ends before its last pixel. Re-download it.") from error
        detail = str(error).removesuffix(" when reading image file")
        raise ImageError(f"'{path}' is damaged ({detail}). Re-download it or save it again as PNG.") from error


def _decode(file, path, max_pixels):
    """The first frame, decoded; its size has been believed only after the check, its checksums only after `verify`."""
    image = _open(file, path)
    _check_size(image.height, image.width, max_pixels, f"'{path}'")
    image.verify()                             # the CRC of every PNG chunk, which decoding alone does not look at
    image = _open(file, path)                  # verify uses an image up
    image.load()                               # Image.open is content with a header; load is not
    return image


def _open(file, path):
    """Read the header. Not Image.open: its bomb check is a process-wide setting, ours is an argument."""
    file.seek(0)
    head = file.read(32)
    if not head:
        raise ImageError(f"'{path}' is empty (0 bytes): an interrupted save or download. Get it again.")
    for name in FORMATS:
        opener, accepts = Image.OPEN[name]
        if accepts(head.ljust(32, b"\0")) is True:
            file.seek(0)
            return opener(file, path)
    raise _no_image(path, head)


def _no_image(path, head):
    """Say what a file is that none of our formats begins like: another format, or the text a server sent instead."""
    suffix = os.path.splitext(path)[1].lower()
    start = head.lstrip()[:14].decode("utf-8", "replace").splitlines() or [""]
    is_text = all(byte >= 32 or byte in b"\t\r\n" for byte in head)
    if suffix and suffix not in READABLE and "html" not in start[0].lower():
        return ImageError(f"'{path}': '{suffix}' is not supported; convert to PNG or JPEG.")
    advice = "A download probably saved a web page." if is_text else "Convert it to PNG or JPEG."
    return ImageError(f"'{path}' is not an image that scratchnet reads (it starts with {start[0]!r}). {advice}")


def _check_size(n_H, n_W, max_pixels, what):
    if n_H < 1 or n_W < 1:
        raise ImageError(f"{what} has no pixels ({n_H}x{n_W}).")
    if n_H * n_W > max_pixels:
        raise ImageError(f"{what} claims {n_H}x{n_W} pixels ({_mega(n_H * n_W)}); limit is {_mega(max_pixels)}. "
                         "Refused before decoding; max_pixels= moves the limit.")


def _mega(pixels):
    return f"{pixels / 1e9:.3g} gigapixels" if pixels >= 1e9 else f"{pixels / 1e6:.3g} megapixels"


def _upright(image):
    """Undo the EXIF orientation, which a camera writes instead of turning its pixels."""
    try:
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:                          # a damaged EXIF block says nothing; the pixels are whole
        return image
    return image if turn is None else image.transpose(turn)


def _rgb(image, background, notes):
    """Any mode -> 8-bit RGB; what a reader of the file could miss goes into `notes`."""
    if image.mode in WHITE:
        image = _eight_bit(image)
    if image.mode == "CMYK":
        notes.append("is CMYK, made for print: converted to RGB, colours may shift")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa"):
        return _fill(image.convert("RGBA"), background, notes)
    return image.convert("RGB")                # palette indices become colours, grey three equal channels


def _eight_bit(image):
    """Grey of more than 8 bits -> 8 bits, v 255 / white rounded (v / 257 at 16 bits). Pillow would cut all above 255 to 255."""
    v, white = np.asarray(image), WHITE[image.mode]
    if not (v.min() >= 0 and v.max() <= white):                     # written so that NaN fails too
        raise ImageError(f"'{image.filename}' holds values from {v.min():g} to {v.max():g} (mode {image.mode}); "
                         f"expected 0 to {white}. Scale them and save as 8- or 16-bit PNG.")
    grey = Image.fromarray(np.rint(v * (255 / white)).astype(np.uint8))
    if "transparency" in image.info:           # a PNG may name one grey value as transparent, at its own depth
        grey.putalpha(Image.fromarray(np.where(v == image.info["transparency"], 0, 255).astype(np.uint8)))
    return grey


def _fill(rgba, background, notes):
    """Lay the picture on one colour: convert("RGB") would show whatever colours hide behind alpha 0."""
    if rgba.getchannel("A").getextrema()[0] < 255:
        colour = "white" if background == (255, 255, 255) else "the background"
        notes.append(f"is see-through in places: transparent pixels filled with {colour} (background={background})")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, background), rgba).convert("RGB")


def _colour(background):
    values = np.asarray(background)
    if values.shape != (3,) or values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
        raise ShapeError(f"background={background!r}: expected three whole numbers (R, G, B) from 0 to 255.")
    return tuple(values.tolist())


def _count_frames(image):
    try:
        return getattr(image, "n_frames", 1)
    except Exception:                          # a later frame is damaged; the first, which we use, is not
        return 1


# From a picture to a file

def save(path, picture, notes=None):
    """Write (1, n_H, n_W, 3) or (n_H, n_W, 3), float in [0, 1], as 8 bits; return the share of values that were clipped.

    notes  {"alpha": "10", ...}, kept in a PNG's text chunks (strings; no other format has a place for them)

    The folder is made when missing. The file is whole or not there: until the last moment the old one stays, and its
    permissions pass to the new. Raises ImageError for NaN, shapes and unknown extensions, before anything is written.
    """
    path = os.path.realpath(os.path.expanduser(os.fsdecode(path)))     # through a link, not over it
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SAVE_AS:
        raise ImageError(f"cannot save as '{suffix or os.path.basename(path)}'; use .png (or {', '.join(SAVE_AS)}).")
    x = _as_batch(picture, "picture")
    pixels = np.rint(np.clip(x[0], 0, 1) * 255).astype(np.uint8)       # clip first: a cast alone turns 300 into 44
    _write_whole(path, _encode(pixels, *SAVE_AS[suffix], notes or {}))
    return float(np.mean((x < 0) | (x > 1)))


def _encode(pixels, name, options, notes):
    """(n_H, n_W, 3) uint8 -> the bytes of the file, in memory: an encoder that fails has touched no disk."""
    if name == "PNG":
        options = {**options, "pnginfo": _text_chunks(notes)}
    elif notes:
        warnings.warn(f"{name} has no place for notes, so they are left out; use .png to keep them", stacklevel=3)
    if name == "JPEG":
        warnings.warn("JPEG loses a little detail (quality 95); .png keeps every pixel", stacklevel=3)
    data = io.BytesIO()
    try:
        Image.fromarray(pixels).save(data, name, **options)
    except (OSError, ValueError, KeyError) as error:                   # a side too long for JPEG, no WebP in this Pillow
        raise ImageError(f"cannot save {pixels.shape[0]}x{pixels.shape[1]} pixels as {name} ({error}); use .png.") from error
    return data.getvalue()


def _text_chunks(notes):
    chunks = PngImagePlugin.PngInfo()
    for key, text in notes.items():
        if not (isinstance(key, str) and isinstance(text, str) and key.isascii() and key.isprintable() and 0 < len(key) < 80):
            raise ImageError(f"notes: {key!r}: {text!r} cannot go into a PNG. "
                             "Expected str -> str with keys of 1 to 79 ASCII characters; use str(value).")
        chunks.add_text(key, text)
    return chunks


def _write_whole(path, data):
    """Beside the target, then into its place: a full disk, a Ctrl-C or a power cut leaves the old file or the new one."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    _sweep(folder)
    staged = os.path.join(folder, f".scratchnet-{secrets.token_hex(8)}.tmp")
    try:
        with open(staged, "xb") as file:       # a plain open gives 0666 & ~umask; tempfile would give 0600
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            shutil.copymode(path, staged)
        os.replace(staged, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(staged)
        if isinstance(error, OSError):
            raise OSError(error.errno, f"{error.strerror} writing '{path}' (needs {len(data) / 1e6:.1f} MB); "
                                       "what was there is untouched") from error
        raise


def _sweep(folder, age=3600):
    """Remove what a killed run left; a file younger than `age` seconds may belong to a run at work."""
    for staged in glob.glob(os.path.join(glob.escape(folder), ".scratchnet-*.tmp")):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(staged) > age:
                os.remove(staged)


# From an array to a picture

def expect_picture(x, name="picture"):
    """(n_H, n_W, 3) or (1, n_H, n_W, 3), uint8 or float in [0, 1] -> (1, n_H, n_W, 3), float32; float64 stays float64.

    The door through which arrays enter a driver. May share memory with x, and never changes it. Raises ImageError for
    another dtype, shape or range, for channels first, for more than one picture, and for NaN; `name` is the argument's name.
    """
    batch = _as_batch(x, name)
    lo, hi = batch.min(), batch.max()
    if lo < -TOLERANCE or hi > 1 + TOLERANCE:
        reach = f"values reach {hi:g}" if lo >= -TOLERANCE else f"values run from {lo:g} to {hi:g}"
        remedy = "Divide by 255." if lo >= -TOLERANCE and hi > 2 else "Undo its scaling, or np.clip(x, 0, 1)."
        raise ImageError(f"{name}: {reach} but dtype is float: expected [0, 1]. {remedy}")
    return batch


def to_channels_last(x):
    """(3, n_H, n_W) -> (n_H, n_W, 3), or (m, 3, n_H, n_W) -> (m, n_H, n_W, 3); contiguous, dtype kept."""
    x = np.asarray(x)
    if x.ndim not in (3, 4) or x.shape[-3] != 3:
        raise ImageError(f"got shape {x.shape}; expected channels first, (3, n_H, n_W) or (m, 3, n_H, n_W).")
    return np.ascontiguousarray(np.moveaxis(x, -3, -1))


def resize(picture, size):
    """(1, n_H, n_W, 3) -> the same with longer side `size`, or with exactly size = (n_H, n_W); clipped to [0, 1].

    LANCZOS, each channel in float32 without a step through 8 bits; the dtype stays. LANCZOS overshoots at edges: hence the clip.
    """
    x = expect_picture(picture)
    n_H, n_W = map(_side, size) if np.iterable(size) and len(size) == 2 else _scaled(*x.shape[1:3], size)
    out = np.empty((1, n_H, n_W, 3), x.dtype)
    for k in range(3):
        channel = Image.fromarray(np.ascontiguousarray(x[0, :, :, k], np.float32))      # a picture of mode "F"
        out[0, :, :, k] = np.asarray(channel.resize((n_W, n_H), Image.Resampling.LANCZOS))
    return np.clip(out, 0, 1, out=out)


def _scaled(n_H, n_W, size):
    """The sides of a picture whose longer side becomes `size`: rounded, and at least one pixel."""
    size, longer = _side(size), max(n_H, n_W)
    return max(1, round(n_H * size / longer)), max(1, round(n_W * size / longer))


def _side(size):
    if isinstance(size, (bool, np.bool_)) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ShapeError(f"size={size!r}: expected a whole number of pixels, 1 or more.")
    return int(size)


def _as_batch(x, name):
    """Shape, dtype and finiteness, but not yet the range: (n_H, n_W, 3) or (1, n_H, n_W, 3) -> (1, n_H, n_W, 3), float."""
    x = np.asarray(x)
    if x.dtype.name not in ("uint8", "float32", "float64"):
        raise ImageError(f"{name} has dtype {x.dtype}; expected uint8 (0 to 255), float32 or float64 (0 to 1).")
    _check_shape(x.shape, name)
    if x.dtype == np.uint8:
        if x.max() == 1:
            raise ImageError(f"{name}: values reach 1 but dtype is uint8: expected [0, 255]. Keep a [0, 1] picture in float32.")
        x = x / np.float32(255)
    bad = ~np.isfinite(x)
    if bad.any():
        kind = "NaN" if np.isnan(x).any() else "infinite values"
        raise ImageError(f"{name} has {bad.sum()} {kind}, first at {np.argwhere(bad)[0].tolist()}; expected numbers in [0, 1].")
    return np.ascontiguousarray(x.reshape(1, *x.shape[-3:]), x.dtype.newbyteorder("="))


def _check_shape(shape, name):
    expected = "expected (n_H, n_W, 3) or (1, n_H, n_W, 3)"
    if len(shape) not in (3, 4):
        raise ImageError(f"{name} has shape {shape}; {expected}. For grey use np.stack([x, x, x], axis=-1).")
    if shape[-1] != 3 and shape[-3] == 3:
        raise ImageError(f"{name}: shape {shape} looks channels-first; scratchnet uses (n_H, n_W, n_C). Use to_channels_last(x).")
    if shape[-1] != 3:
        raise ImageError(f"{name} has shape {shape}, so {shape[-1]} channels; {expected}. Drop alpha, or repeat a grey channel.")
    if len(shape) == 4 and shape[0] != 1:
        raise ImageError(f"{name} has shape {shape}, a batch of {shape[0]}; {expected}. Give one picture at a time.")
    if 0 in shape:
        raise ImageError(f"{name} has shape {shape} and no pixels; {expected}.")
