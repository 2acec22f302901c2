"""One file from the network: complete and the right one, or not there at all.

pooch does the talking (the package `[weights]` brings it); what arrives is counted, hashed and refused here while it arrives.
"""

import hashlib
from urllib.parse import urlsplit

from tqdm import tqdm

from scratchnet.atomic import replacing
from scratchnet.errors import WeightsError

TIMEOUT = 30                                          # seconds without a byte
PIECE = 2 ** 16


def fetch(url, path, size, checksum, instead=""):
    """Puts the file at `url` into `path`, under a bar on stderr, and returns what is known of its checksum, in words.

    size      bytes that are expected: for the bar, and so that a server cannot fill the disk
    checksum  "algorithm:digits", see `fits`
    instead   what to do when it cannot be had, for the message
    Raises WeightsError when pooch is missing, the server is out of reach, sends something else or too little; OSError for the disk.
    Nothing is left behind, also after a Ctrl-C; what was at `path` before stays.
    """
    pooch, RequestException = _downloader()
    get = pooch.HTTPDownloader(chunk_size=PIECE, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"})
    arriving = None
    try:
        with replacing(path) as file, tqdm(total=size, unit="B", unit_scale=True, unit_divisor=1024, desc=path.name) as bar:
            arriving = _Arriving(file, path.name, size, checksum, bar)
            get(url, arriving, None)
            return arriving.end()
    except RequestException as e:
        raise WeightsError(f"could not download '{path.name}' ({_reason(e, url, arriving)}). {instead}".rstrip()) from e
    except _Refused as e:
        raise WeightsError(f"{e} {instead}".rstrip()) from e


def digest(path, algorithm):
    """The hexadecimal checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: _hash(algorithm)).hexdigest()


def fits(found, checksum):
    """Whether the digits found are those of `checksum`, "algorithm:digits"; fewer digits than there are stand for the first ones."""
    return found.startswith(checksum.partition(":")[2].lower())


def in_words(checksum):
    """The checksum for people: its algorithm, the digits that are known, and a word when these are not all there are."""
    algorithm, _, digits = checksum.partition(":")
    length = 2 * _hash(algorithm).digest_size
    return f"{algorithm} {digits}" if len(digits) == length else f"{algorithm} {digits}... (its first {len(digits)} of {length} digits)"


def _hash(algorithm):
    return hashlib.new(algorithm, usedforsecurity=False)   # some systems forbid md5 otherwise; what is read is never trusted


def _downloader():
    """pooch, and the root of what its requests raise."""
    try:
        import pooch
        from requests import RequestException
    except ImportError as e:
        raise WeightsError("downloading needs pooch: pip install 'scratchnet[weights]'") from e
    return pooch, RequestException


class _Refused(Exception):
    """What arrived is not what was asked for."""


class _Arriving:
    """What pooch writes into instead of the file: it counts, hashes, and stops at what cannot be right."""

    def __init__(self, file, name, size, checksum, bar):
        self.file, self.name, self.size, self.checksum, self.bar = file, name, size, checksum, bar
        self.count, self.hash = 0, _hash(checksum.partition(":")[0])

    def write(self, piece):
        if self.count == 0 and piece.lstrip()[:1] == b"<":
            raise _Refused(f"instead of '{self.name}' came a web page (it starts with {piece.lstrip()[:15]!r}): a login page of the "
                           "network, or of a proxy. Nothing was kept.")
        self.count += len(piece)
        if self.count > 1.1 * self.size + 2 ** 20:
            raise _Refused(f"'{self.name}' is {_MB(self.size)} long, but more than {_MB(self.count)} came. Nothing was kept.")
        self.hash.update(piece)
        self.file.write(piece)
        self.bar.update(len(piece))

    def flush(self):
        """pooch asks for it after every piece; the file does it once, at its end."""

    def end(self):
        """What is known of the checksum, in words. Raises _Refused when it does not fit."""
        found = self.hash.hexdigest()
        if fits(found, self.checksum):
            return f"the checksum is right: {in_words(self.checksum)}"
        if self.count < self.size:
            raise _Refused(f"'{self.name}' is cut off: {_MB(self.count)} of {_MB(self.size)} came. Nothing was kept; try again.")
        raise _Refused(f"'{self.name}' is not the file that is known under this name: expected {in_words(self.checksum)}, got {found}. "
                       "Deleted the download for safety; try again.")


def _reason(error, url, arriving):
    """What went wrong on the way, in words short enough to read."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server at {urlsplit(url).netloc} answered {response.status_code} {response.reason} for {url}"
    kind = type(error).__name__                        # requests' classes, whose module is imported only where it is needed
    if arriving is not None and arriving.count:
        return f"the connection broke after {_MB(arriving.count)} of {_MB(arriving.size)}"
    if kind == "ChunkedEncodingError":
        return "the connection broke soon after it began"
    whom = "the proxy on the way to " if kind == "ProxyError" else ""
    while error.__cause__ or error.__context__:        # the system's own words lie at the bottom: "Connection refused"
        error = error.__cause__ or error.__context__
    return f"no answer from {whom}{urlsplit(url).netloc}: {getattr(error, 'strerror', None) or error}"


def _MB(count):
    return f"{count / 2 ** 20:.0f} MB" if count >= 10 * 2 ** 20 else f"{count / 2 ** 20:.2f} MB" if count >= 2 ** 20 else f"{count} bytes"
