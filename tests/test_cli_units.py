"""`python -m scratchnet units`: what its folder holds, its parts in real processes, and what it does about bad photographs."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from scratchnet import images, layer_views, models, plots, strongest, unit_views
from scratchnet.__main__ import main
from scratchnet.strongest import ARRAYS

OPTIONS = ["--layer", "relu1_1,relu2_1", "--network", "random_filters"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Eleven small pictures of different sizes, two of them in a folder inside."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for n in range(11):
        name = f"inside/{n}.png" if n in (4, 5) else f"{n}.png"
        images.save(folder / name, rng.random((*rng.integers(12, 30, 2), 3)))
    (folder / "licence.txt").write_text("not a picture, and nobody minds")
    return folder


@pytest.fixture(autouse=True)
def sheets(monkeypatch):
    """What would be drawn: [(path, rows, title), ...]; how it is drawn is tests/test_plots_*'s business."""
    drawn = []
    monkeypatch.setattr(plots, "patch_sheet", lambda path, rows, title: drawn.append((path, rows, title)), raising=False)
    return drawn


@pytest.fixture(autouse=True)
def views(monkeypatch):
    """The pages of layers and of units that would be drawn, (path, what was given); what is on them is tests/test_unit_views's business."""
    drawn = []
    for name in ("layer_page", "unit_sheet"):
        monkeypatch.setattr(unit_views, name, lambda path, *given: drawn.append((path, *given)) or path)
    return drawn


def search(photos, *words):
    return main(["units", str(photos), *OPTIONS, *map(str, words)])


def names(photos):
    """The pictures in their order: those inside, then 0 to 3 and 6 to 10."""
    return sorted((str(path.relative_to(photos)) for path in photos.rglob("*.png")),
                  key=lambda name: (not name.startswith("inside"), int(name.split("/")[-1][:-4])))


def same(one, other):
    """Two folders have found the same, to the bit."""
    a, b = strongest.load(one / "found.npz"), strongest.load(other / "found.npz")
    assert list(a) == list(b)
    for layer in a:
        assert (a[layer].names, a[layer].seen) == (b[layer].names, b[layer].seen)
        assert all(np.array_equal(getattr(a[layer], name), getattr(b[layer], name)) for name in ARRAYS)


# ------------------------------------------------------------------------------------------------------------ one search


def test_the_folder_holds_what_strongest_finds(photos, tmp_path, sheets, capsys):
    assert search(photos, "--out", tmp_path / "run") == 0
    card = json.loads((tmp_path / "run" / "units.json").read_text())
    assert card["searched"] == 11 and card["skipped"] == 0 and card["layers"] == ["relu1_1", "relu2_1"]
    found = strongest.strongest(models.random_filters(), [photos / name for name in names(photos)], ["relu1_1", "relu2_1"])
    assert card["patches"] == [dict(layer=layer, **patch) for layer, best in found.items()
                               for unit in range(len(best.value)) for patch in best.patches(unit)]
    assert all(os.path.exists(patch["picture"]) for patch in card["patches"])
    assert "units.json" in capsys.readouterr().out
    assert [path.name for path, _, _ in sheets] == ["relu1_1-0-15.png", "relu2_1-0-15.png"]


def test_sheets_show_the_boxes_of_the_pictures_strongest_first_and_nothing_of_silent_units(photos, tmp_path, sheets):
    assert search(photos, "--out", tmp_path / "run", "--units", "3-5") == 0
    card = json.loads((tmp_path / "run" / "units.json").read_text())
    assert {patch["unit"] for patch in card["patches"]} == {3, 4, 5}
    for (path, rows, title), layer in zip(sheets, ("relu1_1", "relu2_1")):
        assert [unit for unit, _ in rows] == [3, 4, 5] and layer in title and path.name == f"{layer}-3-5.png"
        for unit, patches in rows:
            told = [patch for patch in card["patches"] if (patch["layer"], patch["unit"]) == (layer, unit) and patch["value"] > 0]
            assert [value for _, value in patches] == [patch["value"] for patch in told]
            for (patch, _), one in zip(patches, told):
                top, left, bottom, right = one["box"]
                assert np.array_equal(patch, images.load(one["picture"])[0, top:bottom, left:right])


def test_all_units_are_sixteen_a_sheet_and_one_unit_is_one(photos, tmp_path, sheets):
    assert search(photos, "--out", tmp_path / "all", "--units", "all") == 0
    assert [len(rows) for _, rows, _ in sheets] == [16, 16] + [16] * 4
    sheets.clear()
    assert search(photos, "--out", tmp_path / "one", "--unit", 17) == 0
    assert [(path.name, len(rows)) for path, rows, _ in sheets] == [("relu1_1-17.png", 1), ("relu2_1-17.png", 1)]


def test_larger_photographs_are_made_smaller_and_boxes_are_of_these(photos, tmp_path):
    assert search(photos, "--out", tmp_path / "run", "--size", 16, "--unit", 2) == 0
    patches = json.loads((tmp_path / "run" / "units.json").read_text())["patches"]
    assert all(max(patch["size"]) <= 16 for patch in patches) and any(max(patch["size"]) == 16 for patch in patches)


def test_several_layers_make_the_page_from_shallow_to_deep_and_one_unit_its_sheet(photos, tmp_path, views):
    search(photos, "--layer", "relu2_1,relu1_1", "--out", tmp_path / "a")
    (path, net, found, open), = views
    assert path.name == "layers.png" and list(found) == ["relu1_1", "relu2_1"] and open("3.png").shape[3] == 3
    views.clear()
    search(photos, "--unit", 17, "--out", tmp_path / "b")
    assert [(path.name, best.layer, unit) for path, _, best, unit, _ in views] == [("relu1_1-unit17.png", "relu1_1", 17),
                                                                                  ("relu2_1-unit17.png", "relu2_1", 17)]
    views.clear()
    search(photos, "--layer", "relu1_1", "--out", tmp_path / "c")
    assert views == []


def test_views_of_a_photograph_are_a_file_for_each_layer_and_only_when_asked_for(photos, tmp_path, monkeypatch, capsys):
    shown, draw = [], layer_views.layer_sheet
    monkeypatch.setattr(layer_views, "layer_sheet", lambda *what: shown.append(what) or draw(*what, steps=1))
    assert search(photos, "--unit", 2, "--out", tmp_path / "without") == 0 and shown == []
    images.save(tmp_path / "wide.png", np.random.default_rng(1).random((40, 200, 3)))
    assert search(photos, "--unit", 2, "--views", tmp_path / "wide.png", "--out", tmp_path / "run") == 0
    assert [(path.name, layer, picture.shape) for path, _, layer, picture in shown] == [
        (f"{layer}-views.png", layer, (1, 26, 128, 3)) for layer in ("relu1_1", "relu2_1")]
    assert all(images.load(path).std() > .01 for path, *_ in shown)
    assert "painting what relu1_1, relu2_1 keep of" in capsys.readouterr().out


def test_without_a_folder_there_are_textures_of_eight_angles_and_colours(tmp_path, sheets):
    assert main(["units", "--network", "random_filters", "--layer", "relu1_1", "--units", "0-1", "--out", str(tmp_path / "run")]) == 0
    card = json.loads((tmp_path / "run" / "units.json").read_text())
    assert card["searched"] > 400 and {"edge", "portrait"} & {patch["picture"].split()[0] for patch in card["patches"]}
    assert [unit for unit, _ in sheets[0][1]] == [0, 1]


# ---------------------------------------------------------------------------------------------------------- in parts


def test_parts_in_real_processes_put_together_are_one_search(photos, tmp_path):
    begun = [subprocess.Popen([sys.executable, "-m", "scratchnet", "units", str(photos), *OPTIONS, "--shard", f"{part}/3",
                               "--out", str(tmp_path / f"part{part}")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "SCRATCHNET_THREADS": "1"}) for part in (1, 2, 3)]
    for process in begun:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert "--merge" in out
    assert search(photos, "--out", tmp_path / "one") == 0
    assert main(["units", "--merge", *(str(tmp_path / f"part{part}") for part in (3, 1, 2)), "--out", str(tmp_path / "all")]) == 0
    same(tmp_path / "one", tmp_path / "all")
    one, merged = (json.loads((tmp_path / name / "units.json").read_text()) for name in ("one", "all"))
    assert one["patches"] == merged["patches"] and one["searched"] == merged["searched"] == 11


def test_a_part_that_is_missing_is_said_and_one_that_is_given_twice_refused(photos, tmp_path, capsys):
    for part in (1, 3):
        assert search(photos, "--shard", f"{part}/3", "--out", tmp_path / f"part{part}") == 0
    parts = [str(tmp_path / f"part{part}") for part in (1, 3)]
    assert main(["units", "--merge", *parts, "--out", str(tmp_path / "both")]) == 0
    assert "pictures 4 to 7 of 11 are in none" in capsys.readouterr().err
    assert main(["units", "--merge", *parts, parts[0], "--out", str(tmp_path / "twice")]) == 1
    assert "both parts have searched picture" in capsys.readouterr().err


def test_parts_of_different_searches_are_refused_with_what_differs(photos, tmp_path, capsys):
    assert search(photos, "--shard", "1/2", "--out", tmp_path / "a") == 0
    assert search(photos, "--shard", "2/2", "--size", 20, "--out", tmp_path / "b") == 0
    assert main(["units", "--merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")]) == 1
    assert "size 20" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------- stopped, gone on


def stop_after(monkeypatch, n):
    """Ctrl-C comes when n pictures are done."""
    whole = strongest.search

    def cut(*args, **options):
        for k, found in enumerate(whole(*args, **options), 1):
            yield found
            if k == n:
                raise KeyboardInterrupt

    monkeypatch.setattr(strongest, "search", cut)


@pytest.mark.parametrize("shard", [[], ["--shard", "2/2"]])
def test_K1_K8_a_stopped_search_goes_on_and_finds_the_same(photos, tmp_path, monkeypatch, capsys, shard):
    with monkeypatch.context() as patch:
        stop_after(patch, 4)
        assert search(photos, *shard, "--out", tmp_path / "cut") == 130
    err = capsys.readouterr().err
    assert "stopped at 4 of" in err and "--resume" in err and not (tmp_path / "cut" / "units.json").exists()
    assert search(photos, *shard, "--out", tmp_path / "cut", "--resume") == 0
    assert search(photos, *shard, "--out", tmp_path / "whole") == 0
    same(tmp_path / "cut", tmp_path / "whole")


def test_K6_going_on_with_other_settings_is_refused(photos, tmp_path, capsys):
    assert search(photos, "--out", tmp_path / "run") == 0
    more = tmp_path / "more"
    shutil.copytree(photos, more)
    shutil.copy(more / "1.png", more / "11.png")
    for words, says in (((photos, "--size", 20), "size 512"), ((more,), "pictures 11"), ((photos, "--layer", "relu1_1"), "layers"),
                        ((photos, "--shard", "2/2"), "another part")):
        assert search(*words, "--out", tmp_path / "run", "--resume") == 1
        assert says in capsys.readouterr().err


def test_D9_a_folder_that_holds_a_search_is_not_replaced_unless_asked(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert search(photos) == 0 and search(photos) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["units-1", "units-2"]
    assert search(photos, "--out", "out/units-1") == 1
    err = capsys.readouterr().err
    assert "--overwrite" in err and "--resume" in err and "search of 20" in err
    assert search(photos, "--out", "out/units-1", "--overwrite") == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert search(photos, "--out", "out/units-1", "--overwrite") == 130
    assert not (tmp_path / "out" / "units-1" / "units.json").exists()
    capsys.readouterr()
    assert search(photos, "--resume") == 1 and "--resume needs --out" in capsys.readouterr().err
    assert search(photos, "--resume", "--out", "nowhere") == 1 and "holds no search" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ bad pictures, bad words


def test_I_pictures_that_cannot_be_read_are_said_counted_and_passed_over(photos, tmp_path, capsys):
    mixed = tmp_path / "mixed"
    shutil.copytree(photos, mixed)
    (mixed / "0.png").write_text("<!DOCTYPE html> not found")
    (mixed / "3.jpg").write_bytes(b"")
    images.save(mixed / "7.png", np.zeros((1, 1, 3)))                   # too small for the second block
    assert search(mixed, "--out", tmp_path / "run") == 0
    err = capsys.readouterr().err
    for name, says in (("0.png", "web page"), ("3.jpg", "empty"), ("7.png", "does not fit")):
        assert f"passed over '{name}'" in err and says in err
    assert "3 pictures were passed over" in err
    card = json.loads((tmp_path / "run" / "units.json").read_text())
    assert card["skipped"] == 3 and card["skipped_names"] == ["0.png", "3.jpg", "7.png"] and card["searched"] == 12
    assert not {"0.png", "3.jpg", "7.png"} & {os.path.basename(patch["picture"]) for patch in card["patches"]}


def test_I_a_folder_in_which_nothing_can_be_read_is_refused(tmp_path, capsys):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_bytes(b"")
    assert search(tmp_path / "bad", "--out", tmp_path / "run") == 1
    assert "none of the 1 pictures" in capsys.readouterr().err


@pytest.mark.parametrize("folder, says", [("nothing", "is not there"), ("licence.txt", "is no folder"), ("empty", "holds no pictures")])
def test_I_what_is_no_folder_of_pictures_is_refused(photos, tmp_path, capsys, folder, says):
    (tmp_path / "empty").mkdir()
    shutil.copy(photos / "licence.txt", tmp_path)
    assert search(tmp_path / folder, "--out", tmp_path / "run") == 1
    assert says in capsys.readouterr().err and not (tmp_path / "run").exists()


@pytest.mark.parametrize("words, says", [
    (["--unit", "x"], "whole number from 0"), (["--units", "5-3"], "0-15"), (["--shard", "3/2"], "1 <= S <= N"),
    (["--size", "0"], "from 16"), (["--layer", "relu1_1,relu1_1"], "a layer twice"),
    (["--unit", "1", "--units", "2-3"], "not allowed with")])
def test_E3_bad_values_are_refused_with_their_range(words, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["units", *words])
    assert stop.value.code == 2 and says in capsys.readouterr().err


def test_views_that_cannot_be_drawn_are_refused_before_any_work(photos, tmp_path, capsys):
    images.save(tmp_path / "tiny.png", np.zeros((3, 3, 3)))
    for words, says in ((["--views", tmp_path / "none.jpg"], "No image at"), (["--shard", "1/2", "--views", photos / "0.png"], "without"),
                        (["--layer", "relu4_1", "--views", tmp_path / "tiny.png"], "needs at least 8x8; the picture is 3x3")):
        assert search(photos, *words, "--out", tmp_path / "run") == 1
        err = capsys.readouterr().err
        assert says in err and err.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize("words, says", [
    (["--layer", "relu1_2"], "did you mean 'relu1_1'"), (["--unit", "40"], "relu1_1 has 32 units; expected 0 to 31"),
    (["--network", "vgg19"], "needs --weights"), (["--shard", "1/99"], "is empty")])
def test_what_there_is_not_is_refused_before_any_work(photos, tmp_path, capsys, words, says):
    assert search(photos, *words, "--out", tmp_path / "run") == 1
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1 and not (tmp_path / "run").exists()
