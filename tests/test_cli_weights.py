"""`python -m scratchnet weights`: a network gets into the cache whole or not at all, and is then known by its name everywhere.

VGG-19 has two channels a layer here, so that its file is small; the table has one row, whose file a server on this machine gives.
"""

import argparse
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from scratchnet import models, readers, weights_cache
from scratchnet.__main__ import main
from scratchnet.cli import style as style_command
from scratchnet.cli import weights as weights_command
from scratchnet.models import vgg
from tests.file_server import serving, without_proxy

BLOCKS = {"vgg19": ((1, 2), (1, 2), (1, 2), (2, 2), (1, 2)), "vgg16": ((1, 3), (1, 3), (1, 3), (2, 3), (1, 3))}
FILE = "vgg19-tiny.npz"

# the command in a process of its own, in the same small world
PROGRAM = f"""
import json, sys
from scratchnet import weights_cache
from scratchnet.__main__ import main
from scratchnet.models import vgg
vgg.BLOCKS.update({BLOCKS})
weights_cache.SOURCES = (weights_cache.Source(*json.loads(sys.argv[1])),)
sys.exit(main(sys.argv[2:]))
"""


def published(net):
    """The bytes of a file as others publish it: channels first, and no word of how pictures are prepared."""
    file = io.BytesIO()
    np.savez(file, **{key: array.transpose(3, 2, 0, 1) if array.ndim == 4 else array for key, array in net.params.items()})
    return file.getvalue()


@pytest.fixture
def small(monkeypatch):
    for name, blocks in BLOCKS.items():
        monkeypatch.setitem(vgg.BLOCKS, name, blocks)
    return models.vgg19(seed=1)


@pytest.fixture
def home(tmp_path, monkeypatch, small):
    """An empty cache, and a working folder beside it."""
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def server(home, small, monkeypatch):
    """A server of the small network's file. `server.known(behaviour, **changes)` makes its address the table's only row."""
    without_proxy(monkeypatch)
    data = published(small)
    with serving(data) as server:
        def known(behaviour="good", **changes):
            source = weights_cache.Source("vgg19", "us", server.url(behaviour, FILE), len(data),
                                          "sha256:" + hashlib.sha256(data).hexdigest(), "free for all")
            monkeypatch.setattr(weights_cache, "SOURCES", (replace(source, **changes),))
            return weights_cache.SOURCES[0]
        server.known = known
        known()
        yield server


def words(capsys, *command, code=0):
    """What the command says, on stdout and stderr together."""
    assert main(["weights", *command]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.out + said.err


def same(net, other):
    return net.params.keys() == other.params.keys() and all(np.array_equal(array, other.params[key]) for key, array in net.params.items())


# ---- the list ------------------------------------------------------------------------------------------------------------

def test_the_list_shows_every_network_with_its_files_checksums_and_licences(home, capsys):
    text = words(capsys)
    assert str(home) in text and text.count("not in the cache") == len(weights_cache.names()) and not home.exists()
    for source in weights_cache.SOURCES:
        assert all(part in text for part in (f"{source.by}: {source.file}", source.url, source.checksum.replace(":", " "), source.licence))
    for files in weights_cache.BY_HAND:
        assert all(part in text for part in (f"{files.by}: {files.file}, by `weights import`", files.place, files.licence))
    assert "548 MB" in text and "CC BY 4.0" in text and "BSD-3-Clause" in text
    assert text.replace(str(home), "").isascii() and "builds no such network" not in text


def test_the_list_says_what_is_in_the_cache_and_what_is_damaged(server, home, capsys):
    words(capsys, "get", "vgg19")
    (home / "vgg16.npz").write_bytes(b"no zip")
    text = words(capsys)
    assert f"vgg19: in the cache, 0.0 MB, from us's {FILE}" in text and "vgg16: in the cache, but damaged" in text


def test_a_network_that_this_version_does_not_build_is_said_so(server, capsys):
    server.known(name="bignet")
    assert "bignet: not in the cache, and this version builds no such network" in words(capsys)
    with pytest.raises(SystemExit) as stop:
        main(["weights", "get", "bignet"])
    assert stop.value.code == 2 and "It builds vgg19, vgg16" in capsys.readouterr().err and server.asked == []


@pytest.mark.parametrize("name", ["mobilefacenet", "nn4_small2"])
def test_get_of_what_is_only_imported_says_where_it_is_had(home, capsys, name):
    with pytest.raises(SystemExit) as stop:
        main(["weights", "get", name])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and f"weights import FILE --as {name}" in error and weights_cache.by_hand(name)[0].place in error


# ---- get: what is good ---------------------------------------------------------------------------------------------------

def test_get_keeps_the_layers_with_their_preparation_and_removes_the_rest(server, home, small, capsys):
    text = words(capsys, "get", "vgg19")
    assert os.listdir(home) == ["vgg19.npz"] and same(models.vgg19("vgg19"), small)
    notes = readers.read_notes(home / "vgg19.npz")
    assert notes["preprocess"] == {"order": "BGR", "scale": 255.0, "mean": [103.939, 116.779, 123.68], "std": [1.0, 1.0, 1.0]}
    assert notes["source"] == f"us's {FILE}" and notes["licence"] == "free for all"
    for part in ("the checksum is right: sha256 ", "kept 6 layers, conv1_1 to conv5_1: 246 parameters", "prepared as BGR, times 255",
                 str(home / "vgg19.npz"), "free for all", "--weights vgg19", "100%", FILE):
        assert part in text


def test_get_keeps_what_keras_publishes(home, small, monkeypatch, capsys):
    import h5py
    without_proxy(monkeypatch)
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        for key, array in small.params.items():
            layer = f"block{key[4]}_conv{key[6]}"
            file[f"{layer}/{layer}_{key[-1]}_1:0"] = array
    data = data.getvalue()
    with serving(data) as server:
        monkeypatch.setattr(weights_cache, "SOURCES", (weights_cache.Source(
            "vgg19", "keras", server.url("good", "tiny.h5"), len(data), "md5:" + hashlib.md5(data).hexdigest(), "CC BY 4.0", "h5py"),))
        text = words(capsys, "get", "vgg19")
    assert os.listdir(home) == ["vgg19.npz"] and same(models.vgg19("vgg19"), small)
    assert "the checksum is right: md5 " in text and "prepared as BGR, times 255, minus (103.939, 116.779, 123.68), over (1, 1, 1)" in text


def test_a_prefix_of_the_checksum_is_enough_and_is_called_one(server, home, capsys):
    whole = weights_cache.SOURCES[0].checksum
    server.known(checksum=whole[:7 + 8])
    assert "(its first 8 of 64 digits)" in words(capsys) and "(its first 8 of 64 digits)" in words(capsys, "get", "vgg19")
    assert os.listdir(home) == ["vgg19.npz"]


def test_what_is_in_the_cache_is_not_fetched_again_unless_it_is_damaged(server, home, small, capsys):
    words(capsys, "get", "vgg19")
    assert "weights remove vgg19" in words(capsys, "get", "vgg19") and len(server.asked) == 1
    (home / "vgg19.npz").write_bytes(b"damaged")
    words(capsys, "get", "vgg19")
    assert len(server.asked) == 2 and same(models.vgg19("vgg19"), small)


def test_of_several_files_the_first_is_taken_or_the_one_that_is_named(server, home, monkeypatch, capsys):
    first = server.known()
    monkeypatch.setattr(weights_cache, "SOURCES", (first, replace(first, by="others", url=server.url("good", "other.npz"))))
    words(capsys, "get", "vgg19", "--from", "others")
    assert server.asked == ["/good/other.npz"]
    words(capsys, "remove", "vgg19"), words(capsys, "get", "vgg19")
    assert server.asked[1:] == [f"/good/{FILE}"]
    assert "no file of vgg19 from 'nobody'; there are those from us, others" in (
        words(capsys, "remove", "vgg19") + words(capsys, "get", "vgg19", "--from", "nobody", code=1))


def test_two_processes_that_get_the_same_file_do_not_meet(server, home, small):
    source = json.dumps(astuple(server.known("together")))
    runs = [subprocess.Popen([sys.executable, "-c", PROGRAM, source, "weights", "get", "vgg19"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for run in runs:
        _, error = run.communicate(timeout=120)
        assert run.returncode == 0, error
    assert len(server.asked) == 2 and os.listdir(home) == ["vgg19.npz"] and same(models.vgg19("vgg19"), small)


# ---- get: what is not ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("behaviour, says", [
    ("wrong", "expected sha256 "), ("cut", "the connection broke soon after it began"), ("cut_unannounced", "is cut off"),
    ("missing", "404"), ("page", "a web page"), ("endless", "more than")])
def test_w17_w18_a_bad_download_leaves_the_cache_as_it_was(server, home, capsys, behaviour, says):
    server.known(behaviour)
    text = words(capsys, "get", "vgg19", code=1)
    assert says in text and os.listdir(home) == []
    assert "Everything that runs with the default network needs no download." in text
    assert f"weights import {FILE} --as vgg19" in text and weights_cache.SOURCES[0].checksum[7:] in text
    (home / "other.npz").write_bytes(b"other")
    words(capsys, "get", "vgg19", code=1)
    assert os.listdir(home) == ["other.npz"] and (home / "other.npz").read_bytes() == b"other"


def test_w18_no_network(server, home, capsys):
    with socket.socket() as taken:                     # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        server.known(url=f"http://{host}/{FILE}")
        text = words(capsys, "get", "vgg19", code=1)
    assert f"no answer from {host}: " in text and "default network needs no download" in text and os.listdir(home) == []


def test_a_file_with_the_right_checksum_that_is_no_network_is_refused_and_removed(home, monkeypatch, capsys):
    without_proxy(monkeypatch)
    data = b"PK\x03\x04 and no more"
    with serving(data) as server:
        monkeypatch.setattr(weights_cache, "SOURCES", (weights_cache.Source(
            "vgg19", "us", server.url("good", FILE), len(data), "sha256:" + hashlib.sha256(data).hexdigest(), ""),))
        assert f"'{FILE}' is cut off" in words(capsys, "get", "vgg19", code=1)
    assert os.listdir(home) == []


@pytest.mark.parametrize("missing, sentence", [
    ("pooch", "downloading needs pooch: pip install 'scratchnet[weights]'"),
    ("h5py", f"reading '{FILE}' needs h5py: pip install 'scratchnet[weights]'")])
def test_w23_what_is_missing_is_said_before_anything_is_fetched(server, home, monkeypatch, capsys, missing, sentence):
    server.known(needs="h5py")
    monkeypatch.setitem(sys.modules, missing, None)
    assert sentence in words(capsys, "get", "vgg19", code=1)
    assert server.asked == [] and (not home.exists() or os.listdir(home) == [])


def test_d3_a_cache_that_cannot_be_written_is_said_before_anything_is_fetched(server, home, monkeypatch, capsys):
    Path("file").touch()
    monkeypatch.setenv("SCRATCHNET_HOME", "file/cache")
    Path("tiny.npz").write_bytes(server.data)
    for command in (["get", "vgg19"], ["import", "tiny.npz", "--as", "vgg19"]):
        assert "which cannot be written. Set SCRATCHNET_HOME" in words(capsys, *command, code=1)
    assert server.asked == [] and sorted(os.listdir()) == ["file", "tiny.npz"]


def test_d1_a_full_disk_is_said_before_anything_is_fetched(server, home, capsys):
    server.known(size=2 ** 62)
    assert "not enough room in" in words(capsys, "get", "vgg19", code=1) and server.asked == [] and os.listdir(home) == []


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_ctrl_c_during_a_download_leaves_nothing(server, home):
    source = json.dumps(astuple(server.known("stalls")))
    run = subprocess.Popen([sys.executable, "-c", PROGRAM, source, "weights", "get", "vgg19"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    assert server.half_sent.wait(120)
    assert [name for name in os.listdir(home) if name.startswith(weights_cache.WORKSHOP)]       # it is at work
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=60)
    assert run.returncode == 130 and "stopped." in error and "Traceback" not in error and os.listdir(home) == []


# ---- import --------------------------------------------------------------------------------------------------------------

def test_import_takes_a_file_and_leaves_it_where_it_is(server, home, small, capsys):
    Path("mine.npz").write_bytes(server.data)
    text = words(capsys, "import", "mine.npz", "--as", "vgg19")
    assert os.listdir(home) == ["vgg19.npz"] and same(models.vgg19("vgg19"), small) and Path("mine.npz").exists() and server.asked == []
    for part in ("'mine.npz' is the vgg19 of us: sha256 ", "free for all", "kept 6 layers, conv1_1 to conv5_1", str(home / "vgg19.npz"),
                 "python -m scratchnet style --weights vgg19"):
        assert part in text


def test_import_says_when_a_file_is_none_of_those_it_knows(server, home, small, capsys):
    net = models.vgg19(seed=2)
    net.save("mine.npz")
    assert "'mine.npz' is none of the files in the list" in words(capsys, "import", "mine.npz", "--as", "vgg19")
    assert same(models.vgg19("vgg19"), net) and readers.read_notes(home / "vgg19.npz")["source"] == "mine.npz"


def test_import_warns_when_only_the_name_is_right(server, home, capsys):
    Path(FILE).write_bytes(published(models.vgg19(seed=2)))
    text = words(capsys, "import", FILE, "--as", "vgg19")
    found = hashlib.sha256(Path(FILE).read_bytes()).hexdigest()
    assert "has the name of us's file, but not its checksum" in text and found in text and os.listdir(home) == ["vgg19.npz"]


@pytest.mark.parametrize("content, says", [
    (None, "No weights at"), (b"", "is empty"), (b"<!DOCTYPE html>", "is not an .npz archive"),
    ("cut", "is cut off"), ("nan", "non-finite"), ("another network", "does not fit this vgg19")])
def test_what_the_readers_refuse_is_refused_and_the_old_file_stays(server, home, small, capsys, content, says):
    words(capsys, "get", "vgg19")
    before = (home / "vgg19.npz").read_bytes()
    if content == "nan":
        small.params["conv1_1.b"][0] = np.nan
    content = {"cut": server.data[:-100], "nan": published(small), "another network": published(models.vgg16())}.get(content, content)
    if content is not None:
        Path("bad.npz").write_bytes(content)
    assert says in words(capsys, "import", "bad.npz", "--as", "vgg19", code=1)
    assert os.listdir(home) == ["vgg19.npz"] and (home / "vgg19.npz").read_bytes() == before


@pytest.mark.parametrize("command, says", [
    (["get", "vgg91"], "did you mean 'vgg19'?"), (["import", "x.npz", "--as", "vgg-16"], "did you mean 'vgg16'?"),
    (["import", "x.npz"], "--as"), (["fetch", "vgg19"], "invalid choice"), (["import", "x.npz", "--as", "../vgg19"], "builds no network")])
def test_E3_words_that_are_misspelt_are_refused(home, capsys, command, says):
    with pytest.raises(SystemExit) as stop:
        main(["weights", *command])
    assert stop.value.code == 2 and says in capsys.readouterr().err and not home.exists()


# ---- remove, and use -----------------------------------------------------------------------------------------------------

def test_remove_takes_out_of_the_cache_what_is_there_and_nothing_else(server, home, capsys):
    words(capsys, "get", "vgg19")
    (home.parent / "outside.npz").write_bytes(b"not ours")
    assert "no '../outside' in the cache" in words(capsys, "remove", "../outside", code=1)
    assert "no 'vgg16' in the cache" in words(capsys, "remove", "vgg16", code=1)
    assert f"removed {home / 'vgg19.npz'}" in words(capsys, "remove", "vgg19")
    assert os.listdir(home) == [] and (home.parent / "outside.npz").exists()


def paint(*options):
    return main(["style", *options, "--size", "48", "--steps", "1", "--out", "run", "--overwrite"])


def test_style_takes_a_name_and_the_name_says_which_network(server, home, capsys):
    words(capsys, "get", "vgg19")
    models.vgg16(seed=3).save("mine.npz")
    words(capsys, "import", "mine.npz", "--as", "vgg16")
    for name in ("vgg19", "vgg16"):
        assert paint("--weights", name) == 0
        assert json.loads(Path("run/run.json").read_text())["network"] == f"{name} of {home / name}.npz"


@pytest.mark.parametrize("name", models.MODELS)
def test_what_is_said_of_its_use_names_layers_that_it_has(home, capsys, name):
    weights_command._say_how(name)
    command = capsys.readouterr().out.splitlines()[0].partition("-m scratchnet style ")[2].split()
    parser = argparse.ArgumentParser()
    style_command.add_arguments(parser)
    arguments = parser.parse_args(command)
    layers = {arguments.content_layer or style_command.TRAINED["content_layer"],
              *(arguments.style_layers or style_command.TRAINED["style_layers"])}
    assert arguments.weights == name and layers <= set(models.MODELS[name]().names)


def test_a_file_of_that_name_is_meant_only_with_its_folder(server, home, capsys):
    words(capsys, "get", "vgg19")
    other = models.vgg19(seed=2)
    other.save("vgg19")
    assert same(models.vgg19("./vgg19"), other) and not same(models.vgg19("vgg19"), other)


def test_a_name_that_is_not_in_the_cache_says_how_to_get_it(home, capsys):
    assert paint("--weights", "vgg19") == 1
    error = capsys.readouterr().err
    assert "python -m scratchnet weights get vgg19" in error and error.count("\n") == 1 and not Path("run").exists()
