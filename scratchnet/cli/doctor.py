"""Look at this machine and this installation, and try the kernels here.

  python -m scratchnet doctor                  versions, threads, BLAS, where
                                               compiled kernels are kept, and
                                               a test of the kernels
  python -m scratchnet doctor --compile        compiles every kernel, and says
                                               how long that took
  python -m scratchnet doctor --clear-cache    removes the compiled kernels of
                                               scratchnet, and nothing else

What --compile makes is kept, so that no later run waits: do it before a
lecture. What is kept already is not compiled again; for the time that a fresh
machine takes: doctor --clear-cache --compile

The exit code is 1 when there is something to put right.
"""

import contextlib
import importlib
import os
import platform
import subprocess
import sys
import sysconfig
import textwrap
import time
import warnings
from importlib import metadata
from pathlib import Path

import scratchnet

# What scratchnet needs, and the module whose import shows that it works: of ours the one file that imports it. In this order,
# because the later ones need the earlier.
REQUIRED = {"numpy": "numpy", "threadpoolctl": "threadpoolctl", "tqdm": "tqdm", "numba": "scratchnet.kernels",
            "pillow": "scratchnet.images", "matplotlib": "scratchnet.plots"}
OPTIONAL = {"pooch": "downloads", "h5py": ".h5 files", "scipy": ".mat files", "safetensors": ".safetensors files"}
WIDTH, INDENT = 80, 18
SIDE, SECONDS = 1024, 0.3      # of the matrix product that is timed, and for how long


def add_arguments(parser):
    """Two things that it can do, beside looking."""
    parser.add_argument("--compile", action="store_true", help="compile every kernel now, for float32 and float64, and keep them")
    parser.add_argument("--clear-cache", action="store_true", help="remove the compiled kernels of scratchnet first")


def run(arguments):
    """-> 0 when all is well, else 1."""
    wrong = _versions()
    if not wrong:                                     # else there are no kernels to look at
        if arguments.clear_cache:
            _clear()
            if not arguments.compile:
                return 0
        wrong += _machine()
        wrong += _cache()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if arguments.compile:
                _compile()
            wrong += _selftest(("float32", "float64") if arguments.compile else ("float32",))
        wrong += sorted({str(warning.message) for warning in said if warning.category is UserWarning})
    print("\nAll is well." if not wrong else f"\nTo put right ({len(wrong)}):")
    for line in wrong:
        print(textwrap.fill(line, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    return 1 if wrong else 0


def _say(label, text):
    """`  label    text`, wrapped to a narrow terminal; a path stays whole."""
    print(textwrap.fill(f"  {label}".ljust(INDENT) + text, WIDTH, subsequent_indent=INDENT * " ",
                        break_long_words=False, break_on_hyphens=False))


# ------------------------------------------------------------------------------------------------------------- versions


def _versions():
    """Prints them. -> what is missing or broken."""
    wrong = []
    print(f"scratchnet {scratchnet.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    _say("folder", str(Path(scratchnet.__file__).parent))
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        _say("note", "this is a free-threaded Python, on which scratchnet is not tested")
    for name in REQUIRED:
        _say(name, _version(name) or "MISSING")
        if _version(name) is None:
            wrong.append(f"{name} is missing: pip install {name}")
    for name, what in OPTIONAL.items():
        _say(name, _version(name) or f"not here; for {what}: pip install 'scratchnet[weights]'")
    for name, module in REQUIRED.items():
        error = _import_error(module) if not wrong else ""            # one that is broken takes others with it
        if error:
            wrong.append(f"{name} {_version(name)} does not work ({error}): pip install --upgrade --force-reinstall {name}")
    return wrong


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _import_error(module):
    """Why it cannot be imported, or "". Whatever it raises: this is the place to say so in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")           # a cache that cannot be written is looked at below
            importlib.import_module(module)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return ""


# -------------------------------------------------------------------------------------------------------------- machine


def _machine():
    """Prints processor, threads, BLAS and its speed. -> what is wrong."""
    from scratchnet.kernels import threads
    wrong, asked, cores = [], os.environ.get("SCRATCHNET_THREADS"), threads.cores()
    print("\nmachine")
    _say("processor", _processor())
    _say("cores", f"{cores} for this process" + (f" of {os.cpu_count()}" if os.cpu_count() != cores else ""))
    n = scratchnet.threads()
    if asked is None:
        why = "one for each core; SCRATCHNET_THREADS or scratchnet.threads(n) changes it"
    elif threads.asked_for():
        why = "from SCRATCHNET_THREADS" + ("; more than there are cores, which is slower" if n > cores else "")
    else:
        why = "one for each core"
        wrong.append(f"SCRATCHNET_THREADS is {asked!r}; expected a whole number from 1 up. It is not obeyed: set a number, or unset it.")
    _say("threads", f"{n}: {why}")
    _say("numba threads", "none: its kernels are serial, our threads share them out" +
         ("; NUMBA_NUM_THREADS changes nothing" if "NUMBA_NUM_THREADS" in os.environ else ""))
    _say("BLAS", _blas())
    _say("matrix product", f"{_gflops():.0f} GFLOP/s: {SIDE} x {SIDE}, float32, threads: {n}")
    return wrong


def _processor():
    """Its name as the system knows it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        asked = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True)
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()


def _blas():
    """The library behind NumPy's matrix product. SciPy may have loaded a copy of its own, which nobody here uses."""
    from threadpoolctl import threadpool_info
    found = [info for info in threadpool_info() if info["user_api"] == "blas" and "scipy.libs" not in info["filepath"]]
    if not found:
        import numpy as np
        name = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {}).get("name", "unknown")
        return f"{name}, which threadpoolctl does not know: it cannot be held to one thread"
    info = found[0]
    return (f"{info['internal_api']} {info['version']}, {info.get('architecture') or 'architecture unknown'}; "
            f"threads: {info['num_threads']} of its own, 1 inside our kernels")


def _gflops():
    """Of a matrix product, cut over our threads: the best of a few, after one that does not count."""
    import numpy as np
    from scratchnet import kernels
    A, times = np.random.default_rng(0).random((SIDE, SIDE), np.float32), []
    kernels.matmul(A, A)
    while sum(times) < SECONDS:
        begun = time.perf_counter()
        kernels.matmul(A, A)
        times.append(time.perf_counter() - begun)
    return 2 * SIDE ** 3 / min(times) / 1e9


# ----------------------------------------------------------------------------------------------------- compiled kernels


def _cache():
    """Prints where compiled kernels are and how many. -> what is wrong."""
    from scratchnet.kernels import cache
    from scratchnet.kernels.jit import KERNELS
    folder, wanted = cache.folder(), os.environ.get("NUMBA_CACHE_DIR")
    print("\ncompiled kernels")
    if not any(hasattr(kernel, "stats") for kernel in KERNELS.values()):
        _say("folder", "none: nothing is compiled")
        return ["NUMBA_DISABLE_JIT is set, so kernels run as plain Python, some hundred times slower. Unset it."]
    if folder is None and os.environ.get("SCRATCHNET_NO_CACHE"):
        _say("folder", "none: SCRATCHNET_NO_CACHE is set, so every start compiles them again")
        return []
    if folder is None:
        _say("folder", "none")
        return ["No folder for compiled kernels can be written, so every start compiles them again. "
                "Set NUMBA_CACHE_DIR to a folder that can be written."]
    kept, files = cache.kept(), cache.files()
    current = [path for paths in kept.values() for path in paths]
    _say("folder", str(folder))
    _say("writable", "yes" if cache.writable() else "NO")
    _say("kept", f"{len(kept)} of {len(KERNELS)} kernels, {cache.size_of(current) / 1e6:.1f} MB" +
         ("" if len(kept) == len(KERNELS) else "; the others compile when first used, or now with --compile"))
    if len(files) > len(current):
        old = [path for path in files if path not in set(current)]
        _say("old", f"{len(old)} files, {cache.size_of(old) / 1e6:.1f} MB, of another version of the source or of Python")
    if not cache.writable():
        return [f"'{folder}' cannot be written, so compiled kernels are not kept. Set NUMBA_CACHE_DIR to a folder that can be."]
    if wanted and Path(wanted).resolve() not in folder.resolve().parents:
        return [f"NUMBA_CACHE_DIR is '{wanted}', but nothing can be written there. Kernels are kept in '{folder}' instead."]
    return []


def _clear():
    from scratchnet.kernels import cache
    count, size = cache.clear()
    print(f"\nremoved {count} files of compiled kernels, {size / 1e6:.1f} MB" + (", from" if cache.folder() else ": none are kept"))
    if cache.folder():
        print(f"  {cache.folder()}")


def _compile():
    """Every kernel for both types, under a bar. What is kept already is only loaded."""
    from tqdm import tqdm
    from scratchnet.kernels import selftest
    from scratchnet.kernels.jit import KERNELS
    begun = time.perf_counter()
    with tqdm(total=len(selftest.TOLERANCE) * len(KERNELS), unit="kernel", desc="compiling", dynamic_ncols=True) as bar:
        for dtype in selftest.TOLERANCE:
            for case in selftest.CASES:
                for name, args in selftest.arguments(case, dtype, selftest.SMALL).items():
                    bar.set_postfix_str(f"{name}, {dtype}")
                    selftest.error(name, args)
                    bar.update(min(bar.total, _compiled()) - bar.n)
    fresh = sum(sum(kernel.stats.cache_misses.values()) for kernel in KERNELS.values() if hasattr(kernel, "stats"))
    _say("compiled", f"{fresh} in {time.perf_counter() - begun:.1f} s; {_compiled() - fresh} were kept already. "
         f"{len(KERNELS)} kernels, each for float32 and float64")


def _compiled():
    """How many forms of kernels are ready in this process."""
    from scratchnet.kernels.jit import KERNELS
    return sum(len(kernel.signatures) for kernel in KERNELS.values() if hasattr(kernel, "signatures"))


# ------------------------------------------------------------------------------------------------------------ self-test


def _selftest(dtypes):
    """Prints a line for each case. -> what is wrong."""
    from scratchnet.kernels import selftest
    from scratchnet.kernels.jit import KERNELS
    print("\nkernels against their definition, and one thread against two")
    if not any(hasattr(kernel, "stats") for kernel in KERNELS.values()):
        _say("not tried", "plain Python would take minutes")
        return []
    wrong, width = [], max(map(len, selftest.CASES))
    for dtype in dtypes:
        for case in selftest.CASES:
            error, worst = selftest.largest_error(case, dtype)
            differing = selftest.differing_bits(case, dtype)
            right = error <= selftest.TOLERANCE[dtype] and not differing
            print(f"  {'right' if right else 'WRONG'}  {case.ljust(width)}  {dtype}  error {error:7.1e}"
                  f"{', same bits' if not differing else ''}", flush=True)
            if not error <= selftest.TOLERANCE[dtype]:
                wrong.append(f"{worst} ({case}, {dtype}) is {error:.1e} away from the loops, relative to the largest output; "
                             f"expected at most {selftest.TOLERANCE[dtype]:g}.")
            if differing:
                wrong.append(f"{', '.join(differing)} ({case}, {dtype}): other bits at two threads than at one.")
    return wrong
