"""Downloading, against a server on this machine: the whole file, or none and a sentence that says why and what to do."""

import contextlib
import errno
import hashlib
import os
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet import download
from scratchnet.errors import WeightsError
from tests.file_server import DATA, serving, without_proxy

SHA256, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()
INSTEAD = "Take another road."


@pytest.fixture
def server(monkeypatch):
    without_proxy(monkeypatch)
    with serving() as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


def fetch(url, path, checksum="sha256:" + SHA256):
    return download.fetch(url, path, len(DATA), checksum, INSTEAD)


def refused(url, path, *options):
    """The sentence of a refusal, after looking that nothing is left: an old file stays as it was, and no other appears."""
    for before in (None, b"old"):
        if before:
            path.write_bytes(before)
        with pytest.raises(WeightsError) as refusal:
            fetch(url, path, *options)
        assert os.listdir(path.parent) == (["net.npz"] if before else [])
        assert not before or path.read_bytes() == before
    return str(refusal.value)


# ---- what is good --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("behaviour", ["good", "moved"])
def test_a_good_file_arrives_whole_under_a_bar(server, path, capsys, behaviour):
    assert fetch(server.url(behaviour), path) == f"the checksum is right: sha256 {SHA256}"
    assert path.read_bytes() == DATA and os.listdir(path.parent) == ["net.npz"]
    bar = capsys.readouterr().err
    assert "net.npz: " in bar and "100%" in bar and "500k/500k" in bar


def test_a_good_file_replaces_the_old_one(server, path):
    path.write_bytes(b"old")
    fetch(server.url("good"), path)
    assert path.read_bytes() == DATA


def test_a_checksum_of_which_only_the_beginning_is_known_is_enough_and_says_so(server, path):
    words = fetch(server.url("good"), path, "sha256:" + SHA256[:8])
    assert words == f"the checksum is right: sha256 {SHA256[:8]}... (its first 8 of 64 digits)" and path.exists()


def test_md5_where_nothing_better_is_published(server, path):
    assert fetch(server.url("good"), path, "md5:" + MD5) == f"the checksum is right: md5 {MD5}"


@given(st.binary(max_size=40), st.integers(1, 64))
def test_digits_fit_when_they_are_the_first_ones(data, n):
    found = hashlib.sha256(data).hexdigest()
    assert download.fits(found, f"sha256:{found[:n]}") and download.fits(found, f"sha256:{found[:n].upper()}")
    other = f"{(int(found[n - 1], 16) + 1) % 16:x}"
    assert not download.fits(found, f"sha256:{found[:n - 1]}{other}")


def test_the_checksum_of_a_file(path):
    path.write_bytes(DATA)
    assert download.digest(path, "sha256") == SHA256 and download.digest(path, "md5") == MD5


# ---- W17, W18: what is not -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("checksum", ["sha256:" + SHA256, "sha256:" + SHA256[:8], "md5:" + MD5])
def test_w17_a_wrong_checksum_says_what_was_expected_and_what_came(server, path, checksum):
    words = refused(server.url("wrong"), path, checksum)
    came = hashlib.new(checksum.split(":")[0], DATA[:-1] + bytes([DATA[-1] ^ 1])).hexdigest()
    assert f"expected {checksum.replace(':', ' ')}" in words and f"got {came}" in words
    assert "Deleted the download for safety" in words and words.endswith(INSTEAD)


@pytest.mark.parametrize("behaviour, says", [
    ("cut", "the connection broke after "), ("cut_unannounced", "'net.npz' is cut off: 256000 bytes of 512000 bytes came"),
    ("missing", "answered 404 Not Found for http://127.0.0.1"), ("broken", "answered 503 Service Unavailable"),
    ("page", "instead of 'net.npz' came a web page (it starts with b'<!DOCTYPE html>')"),
    ("endless", "'net.npz' is 512000 bytes long, but more than ")])
def test_w18_what_a_server_does_wrong_is_named_and_nothing_is_kept(server, path, behaviour, says):
    words = refused(server.url(behaviour), path)
    assert says in words and words.endswith(INSTEAD) and "\n" not in words and "object at 0x" not in words


def test_w18_a_server_that_stalls_is_given_up(server, path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    assert "the connection broke after 196608 bytes of 512000 bytes" in refused(server.url("stalls"), path)


def test_w18_a_server_that_never_answers_is_given_up(server, path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    assert "no answer from 127.0.0.1" in refused(server.url("silent"), path)


def test_w18_no_network(path, monkeypatch):
    without_proxy(monkeypatch)
    with socket.socket() as taken:                     # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        words = refused(f"http://127.0.0.1:{taken.getsockname()[1]}/net.npz", path)
    assert f"no answer from 127.0.0.1:{words.split('127.0.0.1:')[1].split(':')[0]}: " in words and "refused" in words
    assert words.endswith(INSTEAD) and "object at 0x" not in words


def test_w18_a_proxy_that_is_not_there_is_called_one(path, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False), monkeypatch.delenv("no_proxy", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert "no answer from the proxy on the way to somewhere.invalid" in refused("http://somewhere.invalid/net.npz", path)


def test_w23_without_pooch_the_extra_is_named(server, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert refused(server.url("good"), path) == "downloading needs pooch: pip install 'scratchnet[weights]'"
    assert server.asked == []


# ---- the disk, and Ctrl-C ------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def files_of_at_most(size):
    """A disk that is full after so many bytes, as far as this process can tell."""
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_d1_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(server, path):
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="writing .*net.npz.*what was there is intact"), files_of_at_most(100_000):
        fetch(server.url("good"), path)
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == ["net.npz"]


def test_d3_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(OSError) as refusal:
        fetch(server.url("good"), tmp_path / "file" / "net.npz")
    assert refusal.value.errno in (errno.ENOTDIR, errno.EEXIST) and server.asked == [] and os.listdir(tmp_path) == ["file"]


def test_ctrl_c_leaves_the_old_file_and_nothing_else(server, path, monkeypatch):
    path.write_bytes(b"old")
    pieces = []

    def interrupted(self, n):
        pieces.append(n)
        if len(pieces) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(download.tqdm, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(server.url("good"), path)
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == ["net.npz"]
