"""The doctor: what it says of this machine, what it finds wrong, and that it clears away nothing but its own files."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from scratchnet import kernels
from scratchnet.__main__ import main
from scratchnet.cli import doctor
from scratchnet.kernels import cache, selftest
from scratchnet.kernels.jit import KERNELS

ROOT = Path(__file__).parents[1]
OURS = ("NUMBA_CACHE_DIR", "SCRATCHNET_NO_CACHE", "SCRATCHNET_THREADS", "NUMBA_DISABLE_JIT")

pytestmark = pytest.mark.skipif(cache.folder() is None, reason="kernels are not compiled here, or not kept")


def child(*words, code=None, **environment):
    """python -m scratchnet ... in a process of its own, in an environment without settings of ours but these."""
    start = ["-m", "scratchnet"] if code is None else ["-c", code]
    env = {key: value for key, value in os.environ.items() if key not in OURS}
    return subprocess.run([sys.executable, *start, *words], capture_output=True, text=True, timeout=600, cwd=ROOT,
                          env={**env, **{key: str(value) for key, value in environment.items()}})


@pytest.fixture(scope="module")
def everything_compiled():
    """The folder of this very process, with every kernel in it."""
    for dtype in selftest.TOLERANCE:
        for case in selftest.CASES:
            selftest.largest_error(case, dtype)
    assert set(cache.kept()) == set(KERNELS)
    return cache.folder()


@pytest.fixture
def own_cache(everything_compiled, tmp_path):
    """A folder for NUMBA_CACHE_DIR with everything compiled, and the folder inside it that numba takes for our kernels."""
    asked = child(code="from scratchnet.kernels import cache; print(cache.folder())", NUMBA_CACHE_DIR=tmp_path)
    folder = Path(asked.stdout.strip())
    assert folder.parent == tmp_path
    for path in cache.files():
        shutil.copy2(path, folder / path.name)
    return tmp_path, folder


def narrow(text):
    """No line is wider than 80 columns, unless a path makes it so."""
    return [line for line in text.splitlines() if len(line) > 80 and os.sep not in line] == []


# ---- what it says ----------------------------------------------------------------------------------------------------------

def test_a_healthy_machine(everything_compiled, capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert narrow(text) and text.isascii() and text.rstrip().endswith("All is well.")
    for name in doctor.REQUIRED:
        assert re.search(rf"^  {name} +{re.escape(metadata.version(name))}$", text, re.M)
    assert re.search(r"matrix product +[1-9]\d* GFLOP/s", text) and re.search(r"BLAS +\w+ \d", text)
    assert f"{len(KERNELS)} of {len(KERNELS)} kernels" in text and str(everything_compiled) in text
    assert text.count("  right  ") == len(selftest.CASES) and "WRONG" not in text


def test_its_help_fits_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    text = capsys.readouterr().out
    assert narrow(text) and "--clear-cache --compile" in text


def test_threads_come_from_the_environment_or_the_cores():
    result = child("doctor", SCRATCHNET_THREADS=3)
    assert re.search(r"threads +3: from SCRATCHNET_THREADS", result.stdout) and result.returncode == 0
    result = child("doctor", SCRATCHNET_THREADS="two")
    assert re.search(r"threads +\d+: one for each core", result.stdout)
    assert result.returncode == 1 and "SCRATCHNET_THREADS is 'two'; expected a whole number from 1 up." in " ".join(result.stdout.split())


def without(missing):
    """importlib.metadata.version on a machine where one package is not there."""
    def version(name):
        if name == missing:
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"
    return version


def test_e4_a_missing_package_is_named_with_its_command(monkeypatch, capsys):
    monkeypatch.setattr(doctor.metadata, "version", without("h5py"))
    assert main(["doctor"]) == 0                       # an extra: all else works
    text = " ".join(capsys.readouterr().out.split())
    assert "h5py not here; for .h5 files: pip install 'scratchnet[weights]'" in text
    monkeypatch.setattr(doctor.metadata, "version", without("tqdm"))
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "tqdm is missing: pip install tqdm" in text and "GFLOP" not in text


def test_a_package_that_is_there_but_broken_is_named(monkeypatch, capsys):
    imported = importlib.import_module

    def broken(name, *rest):
        if name == "scratchnet.kernels":
            raise ImportError("Numba needs NumPy 1.0 or less")
        return imported(name, *rest)

    monkeypatch.setattr(importlib, "import_module", broken)
    assert main(["doctor"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "does not work (ImportError: Numba needs NumPy 1.0 or less): pip install" in text and "To put right (1)" in text


def test_it_imports_nothing_before_it_has_looked_whether_it_is_there():
    code = ("import sys, scratchnet.cli.doctor; "
            "print(sorted({'numpy', 'numba', 'PIL', 'matplotlib', 'tqdm', 'threadpoolctl'} & set(sys.modules)))")
    assert child(code=code).stdout.strip() == "[]"


def test_a_kernel_that_is_wrong_here_is_named(monkeypatch, capsys):
    right = kernels.avg_pool
    monkeypatch.setattr(kernels, "avg_pool", lambda *args: right(*args) * 1.001)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "WRONG  average pooling" in text and "avg_pool (average pooling, float32) is 1.0e-03 away" in " ".join(text.split())


def test_plain_python_is_not_mistaken_for_compiled_kernels():
    result = child("doctor", NUMBA_DISABLE_JIT=1)
    assert result.returncode == 1 and "NUMBA_DISABLE_JIT is set" in result.stdout and "not tried" in result.stdout


# ---- where nothing can be written ------------------------------------------------------------------------------------------

NOTHING_IS_WRITABLE = """
import sys, numba
njit = numba.njit
def refuse(*args, cache=False, **options):
    if cache:
        raise RuntimeError("cannot cache function: no locator available")
    return njit(*args, **options)
numba.njit = refuse
from scratchnet.__main__ import main
from scratchnet.kernels import selftest
selftest.CASES = {"average pooling": selftest.CASES["average pooling"]}      # else the test takes as long as the compiler
sys.exit(main(["doctor"]))
"""


def test_d7_no_folder_that_can_be_written():
    result = child(code=NOTHING_IS_WRITABLE)
    text = " ".join(result.stdout.split())
    assert result.returncode == 1 and "Set NUMBA_CACHE_DIR to a folder that can be written." in text
    assert "right average pooling" in text and "Traceback" not in result.stderr


def test_d7_the_folder_that_was_asked_for_cannot_be_written(everything_compiled, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = child("doctor", NUMBA_CACHE_DIR=tmp_path / "file" / "cache")
    text = " ".join(result.stdout.split())
    assert result.returncode == 1 and f"NUMBA_CACHE_DIR is '{tmp_path / 'file' / 'cache'}', but nothing can be written there." in text
    assert (tmp_path / "file").read_text() == "in the way"


def test_d7_a_folder_that_lost_its_permission(monkeypatch, everything_compiled, capsys):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(cache.tempfile, "TemporaryFile", refuse)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"writable +NO", text) and "cannot be written" in text


def test_a_cache_that_is_switched_off_is_no_fault():
    code = NOTHING_IS_WRITABLE.replace("numba.njit = refuse\n", "")
    result = child(code=code, SCRATCHNET_NO_CACHE=1)
    assert result.returncode == 0 and "SCRATCHNET_NO_CACHE is set" in result.stdout


@pytest.mark.skipif(os.name != "posix", reason="the limit is POSIX")
def test_d7_a_full_disk_ends_no_run(tmp_path):
    code = ("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
            "import numpy as np; from scratchnet.kernels import cache, loops\n"
            "a = loops.avg_pool(np.ones((1, 2, 2, 1), np.float32), 2, 2, 2, (0, 0, 0, 0))\n"
            "print(a.item(), cache.folder().parent, cache.kept())")
    result = child(code=code, NUMBA_CACHE_DIR=tmp_path)
    assert result.stdout.split() == ["1.0", str(tmp_path), "{}"], result.stderr
    assert result.stderr.count("UserWarning") == 1 and "File too large" in result.stderr


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_damaged_files_end_no_run_and_the_doctor_names_the_way_out(own_cache, kind):
    asked, folder = own_cache
    for path in folder.glob(f"loops.avg_pool-*.{kind}"):
        path.write_bytes(path.read_bytes()[:20])
    result = child("doctor", NUMBA_CACHE_DIR=asked)
    text = " ".join(result.stdout.split())
    assert result.returncode == 1 and "right average pooling" in text and "Traceback" not in result.stderr
    assert "python -m scratchnet doctor --clear-cache" in text and str(folder) in text


# ---- compiling, clearing ---------------------------------------------------------------------------------------------------

FOREIGN = ["notes.txt", "winograd.cpython-311.pyc", "mine.conv2d-20.py311.nbi", "mine.conv2d-20.py311.1.nbc", "my.gemm.im2col-1.py311.nbi",
           "gemm.im2col-47.py311.nbi.bak", "gemm.im2col.nbi", "gemm-47.py311.nbi", "gemm.im2col-47.py311.nbc.tmp.0123456789abcdef"]


def test_clear_cache_removes_our_kernels_and_nothing_else(own_cache, everything_compiled):
    asked, folder = own_cache
    before = sorted(path.name for path in everything_compiled.iterdir())
    for name in FOREIGN:
        (folder / name).write_bytes(b"not yours")
    (folder / "loops.conv2d-1.py311.nbi").mkdir()
    (asked / "gemm.im2col-47.py311.nbi").write_bytes(b"in the folder above")
    (folder / "loops.conv2d-9999.py310.1.nbc").write_bytes(b"of an older source, by another Python")
    ours = len(cache.files()) + 1
    result = child("doctor", "--clear-cache", NUMBA_CACHE_DIR=asked)
    assert result.returncode == 0 and f"removed {ours} files" in result.stdout and str(folder) in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FOREIGN, "loops.conv2d-1.py311.nbi"])
    assert all((folder / name).read_bytes() == b"not yours" for name in FOREIGN) and (asked / "gemm.im2col-47.py311.nbi").exists()
    assert sorted(path.name for path in everything_compiled.iterdir()) == before
    assert "removed 0 files" in child("doctor", "--clear-cache", NUMBA_CACHE_DIR=asked).stdout


def test_compile_makes_what_is_missing_and_keeps_it(own_cache):
    asked, folder = own_cache
    gone = [path for name in ("loops.avg_pool", "loops.l2_pool_da_prev") for path in folder.glob(f"{name}-*")]
    for path in gone:
        path.unlink()
    text = child("doctor", NUMBA_CACHE_DIR=asked).stdout
    assert f"{len(KERNELS) - 2} of {len(KERNELS)} kernels" in text and "now with --compile" in " ".join(text.split())
    for path in folder.glob("loops.avg_pool-*"):       # the self-test has compiled it, for float32
        path.unlink()
    result = child("doctor", "--compile", NUMBA_CACHE_DIR=asked)
    text = " ".join(result.stdout.split())
    assert result.returncode == 0 and narrow(result.stdout), result.stdout
    made, kept = map(int, re.search(r"compiled (\d+) in [\d.]+ s; (\d+) were kept already", text).groups())
    assert made == 3 and made + kept == 2 * len(KERNELS)
    assert text.count(" float64 error") == len(selftest.CASES) and "compiling" in result.stderr
    assert {path.name.partition("-")[0] for path in folder.glob("*.nbc")} == set(KERNELS)
    again = " ".join(child("doctor", "--compile", NUMBA_CACHE_DIR=asked).stdout.split())
    assert "compiled 0 in" in again and f"{2 * len(KERNELS)} were kept already" in again
