"""The cache of weights: where it is, what a name means, and that nothing of a download stays in it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scratchnet import readers, weights_cache
from scratchnet.errors import WeightsError


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache, and a working folder beside it."""
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def keep(home, name):
    readers.save(home / f"{name}.npz", {"W": np.ones(2)})


# ---- the table -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("source", weights_cache.SOURCES, ids=lambda source: f"{source.name} {source.by}")
def test_every_row_of_the_table_has_an_address_a_size_a_checksum_and_a_licence(source):
    assert re.fullmatch(r"https://[a-z.]+/[\w./-]+\.(pth|h5|mat)", source.url) and source.url.endswith("/" + source.file)
    assert re.fullmatch(r"sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32}", source.checksum) and source.size > 2 ** 20 and source.licence
    assert source.needs == {"pth": "", "h5": "h5py", "mat": "scipy"}[source.file.rpartition(".")[2]]


def test_torchvisions_files_carry_the_beginning_of_their_checksum():
    files = [source for source in weights_cache.SOURCES if source.by == "torchvision"]
    assert {source.file for source in files} == {"vgg19-dcbb9e9d.pth", "vgg16-397923af.pth", "alexnet-owt-7be5be79.pth"}
    assert all(re.search(r"-([0-9a-f]{8})\.pth$", source.file)[1] == source.checksum[7:15] for source in files)


def test_a_network_and_its_maker_stand_for_one_file():
    pairs = [(source.name, source.by) for source in weights_cache.SOURCES]
    assert len(set(pairs)) == len(pairs)
    assert weights_cache.names() == ["vgg19", "vgg16", "alexnet", "mobilefacenet", "nn4_small2"]
    assert [source.by for source in weights_cache.sources("vgg19")] == ["keras", "torchvision", "matconvnet"]
    assert weights_cache.sources("nothing") == []


# ---- the folder ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("platform, environment, expected", [
    ("linux", {}, "{home}/.cache/scratchnet"), ("linux", {"XDG_CACHE_HOME": "{home}/c"}, "{home}/c/scratchnet"),
    ("linux", {"XDG_CACHE_HOME": "relative"}, "{home}/.cache/scratchnet"), ("linux", {"SCRATCHNET_HOME": ""}, "{home}/.cache/scratchnet"),
    ("darwin", {"XDG_CACHE_HOME": "{home}/c"}, "{home}/Library/Caches/scratchnet"),
    ("win32", {}, "{home}/AppData/Local/scratchnet"), ("win32", {"LOCALAPPDATA": "{home}/L"}, "{home}/L/scratchnet"),
    ("win32", {"SCRATCHNET_HOME": "{home}/own"}, "{home}/own"), ("linux", {"SCRATCHNET_HOME": "~/own"}, "{home}/own"),
])
def test_the_folder_is_scratchnet_home_or_the_users_caches(monkeypatch, tmp_path, platform, environment, expected):
    for name in ("SCRATCHNET_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path)), monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert weights_cache.folder() == Path(expected.format(home=tmp_path))


def test_a_relative_scratchnet_home_is_one_folder_from_here_on(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCHNET_HOME", "cache")
    assert weights_cache.path("vgg19") == tmp_path / "cache" / "vgg19.npz"


def test_d8_a_user_without_a_home_is_told_of_the_variable(monkeypatch):
    for name in ("SCRATCHNET_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def no_home(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(WeightsError, match="set SCRATCHNET_HOME"):
        weights_cache.folder()


def test_looking_makes_no_folder(home):
    assert weights_cache.kept() == [] and not home.exists()


# ---- names ---------------------------------------------------------------------------------------------------------------

def test_a_name_is_its_file_in_the_cache_also_beside_a_file_of_that_name(home):
    keep(home, "vgg19"), keep(home, "mine")
    Path("vgg19").write_bytes(b"here")
    assert weights_cache.find("vgg19") == home / "vgg19.npz" and weights_cache.find("mine") == home / "mine.npz"
    assert weights_cache.kept() == ["mine", "vgg19"]


@pytest.mark.parametrize("weights", ["./vgg19", "vgg19.npz", "folder/vgg19", Path("vgg19"), "../vgg19"])
def test_what_is_no_bare_word_is_a_file(home, weights):
    keep(home, "vgg19")
    assert weights_cache.find(weights) is weights


def test_a_bare_word_that_is_no_name_is_a_file(home):
    Path("mine").write_bytes(b"here")
    assert weights_cache.find("mine") == "mine"


def test_a_known_name_that_is_not_in_the_cache_says_how_to_get_it(home):
    with pytest.raises(FileNotFoundError, match="weights get vgg19; .* weights import FILE --as vgg19.$"):
        weights_cache.find("vgg19")
    Path("vgg19").mkdir()
    with pytest.raises(FileNotFoundError, match="For what has that name here, write ./vgg19"):
        weights_cache.find("vgg19")


@pytest.mark.parametrize("name", ["mobilefacenet", "nn4_small2"])
def test_what_is_only_imported_is_not_said_to_be_downloaded(home, name):
    assert weights_cache.sources(name) == [] and len(weights_cache.by_hand(name)) == 1
    with pytest.raises(FileNotFoundError, match=f"Take it from a file: python -m scratchnet weights import FILE --as {name}.$") as missing:
        weights_cache.find(name)
    assert "weights get" not in str(missing.value)


def test_an_unknown_name_is_guessed(home):
    keep(home, "mine")
    with pytest.raises(FileNotFoundError, match="did you mean 'vgg19'. Names: vgg19, vgg16, alexnet, mobilefacenet, nn4_small2, mine"):
        weights_cache.find("vgg91")
    with pytest.raises(FileNotFoundError, match="and no network. Names"):
        weights_cache.find("xyz")


# ---- the workshop --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_workshop_is_gone_with_all_it_held(home, error):
    keep(home, "vgg19")
    try:
        with weights_cache.workshop() as folder:
            assert folder.parent == home
            (folder / "big.pth").write_bytes(b"big")
            if error:
                raise error
    except (ValueError, KeyboardInterrupt) as e:
        assert type(e) is error
    assert os.listdir(home) == ["vgg19.npz"]


def test_two_workshops_do_not_meet(home):
    with weights_cache.workshop() as one, weights_cache.workshop() as other:
        assert one != other
        (one / "a").touch()
        assert list(other.iterdir()) == []


def test_d6_what_a_killed_run_left_is_swept_when_nobody_wrote_there_for_an_hour(home):
    killed = ("import os; from scratchnet import weights_cache\n"
              "with weights_cache.workshop() as folder:\n"
              "    (folder / 'big.pth').touch(); print(folder.name, flush=True); os._exit(9)")
    runs = [subprocess.run([sys.executable, "-c", killed], capture_output=True, text=True) for _ in range(3)]
    left, active, empty = [home / run.stdout.strip() for run in runs]
    long_ago = time.time() - 2 * weights_cache.OLD
    (empty / "big.pth").unlink()
    for old in (left / "big.pth", left, active, empty):
        os.utime(old, (long_ago, long_ago))            # into the active one somebody writes
    with weights_cache.workshop():
        pass
    assert os.listdir(home) == [active.name]


def test_d3_a_cache_that_cannot_be_written_is_found_out_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="which cannot be written. Set SCRATCHNET_HOME"):
        with weights_cache.workshop():
            pytest.fail("there is no folder to work in")
    assert os.listdir(tmp_path) == ["file"]


def test_d1_a_full_disk_is_found_out_before_the_download(home):
    home.mkdir()
    weights_cache.expect_room(1)
    with pytest.raises(OSError, match="not enough room in .* are needed, .* are free. Set SCRATCHNET_HOME"):
        weights_cache.expect_room(2 ** 62)
