"""A MATLAB file is walked before SciPy builds anything: SciPy makes room for whatever a cell or an array claims to be.

The walk unpacks as it goes, keeps nothing, and checks that every claim is paid for in bytes.
Source: MathWorks, "MAT-File Format", level 5: a header of 128 bytes, then elements, each a tag (kind, bytes) and its data.
"""

import math
import struct
import zlib

from scratchnet.errors import WeightsError

MATRIX, COMPRESSED = 14, 15                            # kinds of elements; the rest are numbers, so many bytes each
BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
LETTERS = (1, 2, 4, 16, 17, 18)                        # in which texts are stored; SciPy crashes at kinds that there are not
CELL, STRUCT, CHAR = 1, 2, 4                           # classes of matrices; of the numbers, the bytes of one in memory
CLASSES = {6: 8, 7: 4, 8: 1, 9: 1, 10: 2, 11: 2, 12: 4, 13: 4, 14: 8, 15: 8}
COMPLEX = 0x800
DEEPEST, MOST = 8, 100_000                             # MatConvNet nests four deep and holds some thousand matrices
AN_ARRAY = 256                                         # bytes that one takes beside its numbers
LONGEST = 2 ** 14                                      # dimensions, names: whatever is looked at and not passed over


def walk(path, file, wanted):
    """The variables that `wanted(name, is_number)` takes, and the bytes that they come to in memory.

    Raises WeightsError for what is cut off, claims more than it has, or holds objects or functions.
    """
    size = file.seek(0, 2)
    file.seek(0)
    header = file.read(128)
    if len(header) < 128 or header[124:] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise WeightsError(f"'{path.name}' is not a MATLAB 5 file (it starts with {header[:15]!r}). "
                           "A download may have saved a web page; get the file again.")
    order, names, total = "<" if header[126:] == b"IM" else ">", [], 0
    while file.tell() < size:
        stream, end, length = _element(path, file, order, size)
        name, *head = _head(stream)
        if name in names:
            raise WeightsError(f"'{path.name}' holds {name!r} twice. Refused: which one is meant?")
        if wanted(name, head[0] in CLASSES):
            names.append(name)
            total += _body(stream, *head, length, 0)
        file.seek(end)
    return names, total


# ---- bytes ---------------------------------------------------------------------------------------------------------------

class _Stream:
    """One variable's bytes, unpacked where they are packed, once from front to back."""

    def __init__(self, path, file, order, length, packed):
        self.path, self.file, self.order, self.left = path, file, order, length
        self.inflate = zlib.decompressobj() if packed else None
        self.at = self.matrices = 0

    def refuse(self, what):
        raise WeightsError(f"'{self.path.name}' {what}. The file is damaged, or of a kind that is not read; get it again.")

    def skip(self, n):
        while n:
            n -= len(self._some(min(n, 2 ** 16)))

    def take(self, n):
        """The next n bytes, which are few."""
        if n > LONGEST:
            self.refuse(f"has a name, or a shape, of {n} bytes")
        data = b""
        while len(data) < n:
            data += self._some(n - len(data))
        return data

    def words(self, n, letter="I"):
        """The next n numbers of four bytes."""
        return struct.unpack(f"{self.order}{n}{letter}", self.take(4 * n))

    def tag(self):
        """(kind, bytes, data): short data stand in the tag itself, of others data is None."""
        word, = self.words(1)
        if word >> 16:
            return word & 0xffff, word >> 16, self.take(4)[:word >> 16]
        return word, *self.words(1), None

    def short(self):
        """The data of the next element, of which there are few."""
        _, n, data = self.tag()
        return self.take(n + -n % 8)[:n] if data is None else data

    def _some(self, n):
        """From one to n bytes."""
        if self.inflate is None:
            data = self._read(n)
        else:
            data, packed = b"", b"-"
            while packed and not data:
                packed = self.inflate.unconsumed_tail or self._read(2 ** 16)
                data = self.inflate.decompress(packed, n)
        if not data:
            self.refuse("is cut off: a variable ends too early")
        self.at += len(data)
        return data

    def _read(self, n):
        data = self.file.read(min(n, self.left))
        self.left -= len(data)
        return data


def _element(path, file, order, size):
    """The next variable: its bytes, where it ends in the file, how long it is when unpacked."""
    tag = file.read(8)
    kind, length = struct.unpack(order + "II", tag) if len(tag) == 8 else (0, size)
    end = file.tell() + length
    if end > size:
        raise WeightsError(f"'{path.name}' is cut off: it ends within its last variable. Get it again.")
    stream = _Stream(path, file, order, length, kind == COMPRESSED)
    if kind == COMPRESSED:
        kind, length = stream.words(2)
        stream.at = 0
    if kind != MATRIX:
        stream.refuse(f"has an element of kind {kind} where a matrix should be")
    return stream, end, length


# ---- matrices ------------------------------------------------------------------------------------------------------------

def _head(stream):
    """(name, class, shape, whether complex)"""
    flags = stream.words(4)[2]
    dimensions = stream.short()
    shape = struct.unpack(f"{stream.order}{len(dimensions) // 4}i", dimensions[:len(dimensions) // 4 * 4])
    if not 1 < len(shape) <= 32 or min(shape) < 0:
        stream.refuse(f"claims the shape {shape}")
    return stream.short().decode("latin1"), flags & 0xff, shape, bool(flags & COMPLEX)


def _body(stream, kind, shape, is_complex, end, depth):
    """The bytes in memory of a matrix whose head is read and which ends at `end`. All of it is passed over."""
    count, total = math.prod(shape), AN_ARRAY
    if kind in (CELL, STRUCT):
        total += _inner(stream, count * (_fields(stream) if kind == STRUCT else 1), end, depth)
    elif kind in CLASSES:
        if is_complex:
            stream.refuse("holds complex numbers; parameters are float16, float32 or float64")
        _pass_over(stream, end, lambda stored, n: stored in BYTES and n == count * BYTES[stored], shape)
        total += count * CLASSES[kind]
    elif kind == CHAR:
        total += 8 * _pass_over(stream, end, lambda stored, n: stored in LETTERS and n >= count, shape)
    else:
        stream.refuse(f"holds a matrix of class {kind} (sparse, an object or a function), which weights never need; it was not touched")
    if stream.at != end:
        stream.refuse("has a variable that is not as long as it says")
    return total


def _inner(stream, count, end, depth):
    """The bytes in memory of so many matrices, one after the other: the cells of a cell, the fields of a struct."""
    if count * 8 > end - stream.at:                    # each has a tag at least
        stream.refuse(f"claims {count} cells or fields where there is no room for them")
    total, stream.matrices = 0, stream.matrices + count
    if depth > DEEPEST or stream.matrices > MOST:
        stream.refuse("holds too many matrices, or too deep within each other")
    for _ in range(count):
        kind, n, data = stream.tag()
        if kind != MATRIX or data is not None or stream.at + n > end:
            stream.refuse("has a cell or a field that is not as long as it says")
        if n:
            end_of_it, (_, *head) = stream.at + n, _head(stream)
            total += _body(stream, *head, end_of_it, depth + 1)
        else:
            total += AN_ARRAY
    return total


def _fields(stream):
    """How many fields a struct has: their names have one length."""
    length, names = int.from_bytes(stream.short()[:4], "little" if stream.order == "<" else "big"), stream.short()
    if not 0 < length <= 64 or len(names) % length:
        stream.refuse(f"has names of fields of length {length}")
    return len(names) // length


def _pass_over(stream, end, fits, shape):
    """The length of the next element, which must fit the shape."""
    stored, n, data = stream.tag()
    if not fits(stored, n) or (data is None and stream.at + n > end):
        stream.refuse(f"claims the shape {shape}, which is not what is stored")
    if data is None:
        stream.skip(n + -n % 8)
    return n
