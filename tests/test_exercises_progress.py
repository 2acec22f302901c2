"""What a student has done is kept, whole; and when the file is damaged that is said, and it is kept aside."""

import json
import os

import pytest

from scratchnet.errors import WeightsError
from scratchnet.exercises import progress
from scratchnet.exercises.progress import Record


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_it_begins_with_nothing_and_remembers_what_is_noted(home):
    assert progress.load() == ({}, "") and not home.exists()
    assert progress.note("gram", checked=True) == (Record(1, 0, ""), "")
    progress.note("gram", hints=2)
    progress.note("gram", hints=1)                     # the second hint was given already
    record, _ = progress.note("gram", checked=True, right=True)
    day = record.solved
    assert record == Record(2, 2, day) and len(day) == 10
    progress.note("gram", checked=True, right=False)   # what was right once stays done
    progress.note("unroll", checked=True)
    assert progress.load() == ({"gram": Record(3, 2, day), "unroll": Record(1)}, "")
    assert json.loads((home / "exercises.json").read_text())["format"] == 1
    assert os.listdir(home) == ["exercises.json"]


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b'{"format": 1}', b'{"format": "a", "exercises": {}}',
                                    b'{"format": 1, "exercises": {"gram": 3}}', b'{"format": 1, "exercises": []}',
                                    b'{"format": 1, "exercises": {"gram": {"tries": "3"}}}',
                                    b'{"format": 1, "exercises": {"gram": {"more": 3}}}', b"[" * 100_000])
def test_W24_a_damaged_file_is_said_kept_aside_and_begun_anew(damage, home):
    home.mkdir()
    (home / "exercises.json").write_bytes(damage)
    records, said = progress.load()
    assert records == {} and "is damaged" in said and "exercises.json.corrupt'" in said and "begins anew" in said
    assert (home / "exercises.json.corrupt").read_bytes() == damage and not (home / "exercises.json").exists()
    assert progress.load() == ({}, "")


def test_W24_a_second_damaged_file_does_not_replace_the_first(home):
    home.mkdir()
    for n in range(3):
        (home / "exercises.json").write_text(f"damaged {n}")
        record, said = progress.note("gram", checked=True)
        assert record == Record(1) and "is damaged" in said
    assert sorted(os.listdir(home)) == ["exercises.json", "exercises.json.corrupt", "exercises.json.corrupt2", "exercises.json.corrupt3"]
    assert (home / "exercises.json.corrupt").read_text() == "damaged 0"
    assert progress.load() == ({"gram": Record(1)}, "")


def test_W22_a_file_of_a_newer_scratchnet_is_left_alone(home):
    home.mkdir()
    text = '{"format": 2, "exercises": "in a way yet to be invented"}'
    (home / "exercises.json").write_text(text)
    for act in (progress.load, lambda: progress.note("gram", checked=True)):
        with pytest.raises(ValueError, match="format 2, made by a newer scratchnet; this one writes 1"):
            act()
    assert (home / "exercises.json").read_text() == text and os.listdir(home) == ["exercises.json"]


def test_D3_a_folder_that_cannot_be_written_is_an_error_of_the_file_system(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError):
        progress.note("gram")


def test_D8_no_home_folder_is_said(monkeypatch):
    monkeypatch.delenv("SCRATCHNET_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("scratchnet.weights_cache.Path.expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(WeightsError, match="SCRATCHNET_HOME"):
        progress.load()
