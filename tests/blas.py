"""How many threads NumPy's BLAS has, for the tests that watch over it."""

from threadpoolctl import threadpool_info


def blas_threads():
    """One number for each BLAS in the process, but for the copy that SciPy brings along: no product of ours goes there."""
    return [library["num_threads"] for library in threadpool_info()
            if library["user_api"] == "blas" and "scipy.libs" not in library["filepath"]]
