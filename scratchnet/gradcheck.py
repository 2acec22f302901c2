"""Is this gradient right?  Move every entry of x by a hair, watch J, and compare.

    print(check(f, x))                      f(x) returns J and its gradient, as every cost of this package does
    print(check_layer(layer, a_prev))       da_prev and all parameters of a layer
    print(check_network(net, x))            from the pixels through all layers

Every gradient in this package was derived by hand, and a hand-derived gradient is wrong until it has been checked. How
the slope is measured, and how kinks are found without a look at the gradient, stands in `slopes`; what an error is
worth and what mistake it looks like, in `gradient_report`.  Here the two gradients meet.

A check moves J by about 1e-5 of itself and looks at the sixth digit of that: it needs float64. In float32 the best error
is near 1e-4, and at the wrong step 1, so that no mistake could be seen: float32 is refused (`error_curve` shows it).

Sources: CS231n notes, "Gradient checks" (relative error, kinks, words); and those of `slopes`.
"""

import copy
import inspect
import time

import numpy as np

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.gradient_report import Report, doubt_zeros, explain, judge, relative_error
from scratchnet.slopes import H, Line, Walk, complex_slopes, direction, entry, moved, number

SAMPLE = 60                 # entries of a large array that are checked one by one

WHY_FLOAT64 = """{name} is {dtype}; a gradient check needs float64, because the round-off of J is divided by h. For J = 1/2 sum x^2,
1000 entries, the relative error of the central difference is
    h        1e-2   1e-4   1e-6
    float32  4e-4   6e-2   1
    float64  1e-12  1e-10  1e-8
Pass {name}.astype(np.float64); `error_curve` shows the rest of the table."""


def check(f, *arrays, names=None, h=None, tolerance=None, rng=0, max_entries=400, directions=5, cost=None, say=None):
    """Compare the gradient that f returns with central differences of its J.

    f            f(*arrays) -> (J, gradient) for one array, (J, (gradient, ...)) in the order of several arguments.
                 The only argument may also be a flat dict of arrays; the gradient is then a dict with the same keys.
    arrays       float64; never changed, f is given copies
    names        of the arrays in the report; by default the names of f's own arguments, or the keys of the dict
    h            step relative to max(1, |x_i|); by default eps^(1/3) = 6.1e-6
    tolerance    of the relative error; by default 1e-6
    max_entries  up to this size every entry is checked. A larger array is checked along a few random directions, which
                 see every entry at once, and at 60 entries; an error that only the directions see is tracked down by halving.
    cost         cost(*arrays) -> J alone, where that is cheaper than f
    say          called with one line before the work: how many evaluations of J, and about how long
    Returns a `Report`: print it, or ask `.passed`, `.error`, `.worst`.  Costs about four evaluations of J per entry.
    Raises ShapeError (dtype, shape, names) and NumericsError (nan; f random; f changes its arguments).
    """
    x, call = _arguments(f, arrays, names)
    J, a = _two_calls(call, x)
    alone = (lambda x: call(x)[0]) if cost is None else _caller(cost, arrays)
    rng = np.random.default_rng(rng)
    walk = Walk(alone, x, J, h or H, tolerance or 1e-6)
    start = time.perf_counter()
    walk.measure_noise(rng)
    if say:
        each = (time.perf_counter() - start) / walk.evaluations
        calls = 4 * sum(array.size if array.size <= max_entries else SAMPLE + directions for array in x.values())
        say(f"gradient check: {calls} evaluations of J or a few more, {1e3 * each:.2g} ms each: about {calls * each:.2g} s")
    report = _compare(x, a, J, walk.slopes, walk.tolerance, rng, max_entries, directions)
    if walk.trembles:
        doubt_zeros(report)
    if walk.moves and walk.float32:
        raise NumericsError(f"J = {J:.9g} never has more digits than float32 holds; expected float64 all the way: look inside f for "
                            "astype, dtype= and constants or parameters in float32.")
    report.evaluations = walk.evaluations
    return report


def check_layer(layer, a_prev, rng=0, training=False, **options):
    """Check da_prev and every parameter of a layer, with J = sum(z * R) for a fixed random R.

    A plain sum of z would let errors of two outputs cancel (and a softmax or a normalisation would have gradient zero);
    R gives every output a weight of its own. Dropout draws the same mask at every call. The layer itself is not
    changed: copies of it get the moved parameters, in float64.  a_prev: float64, the shape the layer takes.
    The options are those of `check`; the rows are called "a_prev" and as in layer.params.
    """
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2 ** 32))
    start = {"a_prev": _float64("a_prev", a_prev)} | {k: np.asarray(p, np.float64) for k, p in layer.params.items()}

    def forward(x):
        twin = copy.copy(layer)
        twin.params = {k: p for k, p in x.items() if k != "a_prev"}
        if getattr(layer, "state", None):
            twin.state = {k: np.array(s) for k, s in layer.state.items()}
        z, cache = twin.forward(x["a_prev"], training=training, rng=np.random.default_rng(seed))
        return twin, z, cache

    R = rng.standard_normal(_float64("z", forward(start)[1]).shape)

    def cost(x):
        return np.sum(forward(x)[1] * R)

    def f(x):
        twin, z, cache = forward(x)
        dz = R.copy()
        da_prev, grads = twin.backward(dz, cache)
        if not np.array_equal(dz, R):
            raise NumericsError("backward changed its argument dz in place; expected dz as it was, for others may read it. Use a copy.")
        return np.sum(z * R), {"a_prev": da_prev, **grads}

    return check(f, start, cost=cost, rng=rng, **options)


def check_network(net, x, until=None, layers=None, rng=0, training=False, **options):
    """Check dx and the gradient of every parameter, with gradients poured in at several layers at once.

    J = sum over `layers` of sum(a[name] * R[name]); by default only `until`, or the last layer.  x: float64 pictures.
    A parameter that net.backward leaves out counts as having gradient zero: right behind `until`, caught before it.
    In training, dropout draws the same mask at every call. The rows are called "x" and as in net.params; the options are
    those of `check`.
    """
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2 ** 32))
    names = list(layers or [until or net.names[-1]])
    start = {"x": _float64("x", x)} | {k: np.asarray(p, np.float64) for k, p in net.params.items()}

    def forward(x):
        twin = net.with_params({k: p for k, p in x.items() if k != "x"})
        how = {"training": True, "rng": np.random.default_rng(seed)} if training else {}
        a, caches = twin.forward(x["x"], until=until, keep=names, **how)
        return twin, a, caches

    a = forward(start)[1]
    R = {name: rng.standard_normal(_float64(f"a[{name!r}]", a[name]).shape) for name in names}

    def J(a):
        return sum(np.sum(a[name] * R[name]) for name in names)

    def f(x):
        twin, a, caches = forward(x)
        dx, grads = twin.backward({name: R[name].copy() for name in names}, caches)
        return J(a), {k: np.zeros_like(p) for k, p in x.items()} | {"x": dx} | grads

    report = check(f, start, cost=lambda x: J(forward(x)[1]), rng=rng, **options)
    wrong = [row.name for row in report.rows if row.name != "x" and not row.passed]
    if wrong:       # a wrong backward spoils all gradients before it, so the last wrong one is nearest to the mistake
        report.notes.append(f"gradients flow from the last layer to the first: begin with {wrong[-1]}")
    return report


def complex_step(f, *arrays, names=None, tolerance=None, rng=0, max_entries=400, directions=5):
    """Compare the gradient of f with the complex step, dJ/dx_i = Im J(x + i h e_i) / h, h = 1e-20.

    Nothing is subtracted, so nothing cancels, and h may be as small as one likes: errors near 1e-15. It asks that f be
    analytic and plain NumPy (no abs, conj, norm or astype; x * x in place of abs(x) ** 2); at a kink it follows one branch
    without a word. f takes real and complex arrays and returns (J, gradient); the gradient is read at the real ones.
    The default tolerance is 1e-12.  Returns a Report, as `check`.  Squire and Trapp, SIAM Review 40(1), 1998.
    """
    x, call = _arguments(f, arrays, names)
    J, a = _two_calls(call, x)
    slopes = lambda lines: complex_slopes(lambda z: call(z)[0], x, lines)
    return _compare(x, a, J, slopes, tolerance or 1e-12, np.random.default_rng(rng), max_entries, directions)


def error_curve(f, *arrays, steps=None, dtype=np.float64, max_entries=1000, rng=0):
    """The error of the central difference for many steps h: down with h^2, then up again with round-off / h.

    Returns a list of (h, ||a - n|| / (||a|| + ||n||)), over all entries of arrays up to max_entries, a sample of larger
    ones.  h is absolute here; by default 1e-1, 1e-2, ... 1e-12.  dtype float32 is allowed: to see why `check` refuses it.
    The measure is that of the courses; 1 means that nothing of the gradient is left.
    """
    arrays = [_cast(array, dtype) for array in arrays]
    x, call = _arguments(f, arrays, None, dtype)
    rng = np.random.default_rng(rng)
    gradients = _gradients(call(x)[1], x)
    lines = [Line(key, np.array([i]), 1, 1) for key, array in x.items() for i in rng.permutation(array.size)[:max_entries]]
    a = np.array([gradients[line.name].flat[line.where[0]] for line in lines], dtype=np.float64)
    J_at = lambda line, t: number(moved(lambda x: call(x)[0], x, line, t))
    curve = []
    for h in ([10.0 ** -k for k in range(1, 13)] if steps is None else steps):       # NumPy's powers differ with the processor
        n = np.array([(J_at(line, h) - J_at(line, -h)) / (2 * h) for line in lines])
        size = np.linalg.norm(a) + np.linalg.norm(n)
        curve.append((float(h), float(np.linalg.norm(a - n) / size) if size else 0.0))
    return curve


# ---- where the two gradients meet ----------------------------------------------------------------------------------------

def _compare(x, a, J, slopes, tolerance, rng, max_entries, directions):
    """The Report on all arrays. slopes(lines) -> numerical slopes, uncertainties: central differences or complex steps."""
    rows, n = [], {}
    largest = max(np.abs(gradient).max() for gradient in a.values())
    for key in x:
        judged = lambda *measured: judge(key, a[key], *measured, tolerance, largest)
        if x[key].size <= max_entries:
            row, n[key] = _every_entry(key, x[key], slopes, judged)
        else:
            row, n[key] = _sample(key, x[key], a[key], slopes, judged, rng, min(SAMPLE, max_entries), directions)
        rows.append(row)
    for row in rows:
        if row.checked and not row.passed:
            row.hint = explain(row.name, a, n, row.errors, tolerance)
    return Report(rows, tolerance, J)


def _every_entry(name, x, slopes, judged):
    """A small array, entry by entry. Returns its Row and its numerical gradient."""
    n, unsure = slopes([entry(name, x, i) for i in range(x.size)])
    return judged(np.arange(x.size), n, unsure), n.reshape(x.shape)


def _sample(name, x, a, slopes, judged, rng, sample, directions):
    """A large array: some entries, and a few directions that every entry takes part in."""
    # Both ends belong to the sample, because borders are where mistakes live; and the largest gradient, where most is at stake.
    entries = np.append(rng.choice(x.size, sample, replace=False), [0, x.size - 1, np.argmax(np.abs(a))])
    entries = np.unique(entries)                        # drawn twice, looked at once
    n, unsure = slopes([entry(name, x, i) for i in entries])
    row = judged(entries, n, unsure)

    turns = [rng.choice([-1.0, 1.0], x.size) * np.maximum(1, np.abs(x.ravel())) for _ in range(directions)]
    errors, expected, along = _along(name, a, turns, slopes, row.tolerance)
    count = int(np.isfinite(errors).sum())
    if count and np.nanmax(errors) > row.tolerance and not row.error > row.tolerance:
        worst = int(np.nanargmax(errors))
        found = _halve(name, a, turns[worst], slopes)
        n_found, unsure_found = slopes([entry(name, x, found)])
        entries, n, unsure = np.append(entries, found), np.append(n, n_found), np.append(unsure, unsure_found)
        row = judged(entries, n, unsure)
        if not row.error > row.tolerance:                 # many small errors: no single entry to show
            row.index = None
            row.error, row.analytic, row.numerical = float(errors[worst]), float(expected[worst]), float(along[worst])
    row.directions = count
    if turns and not count and not row.note:
        row.note = "every direction meets a kink: only the sampled entries were seen"
    numerical = np.full(a.shape, np.nan)
    numerical.flat[entries] = n
    return row, numerical


def _along(name, a, turns, slopes, tolerance):
    """Relative errors along directions, nan where kinks are in the way; and the two slopes compared.   d turns -> (d,), (d,), (d,)"""
    if not turns:
        return np.empty(0), np.empty(0), np.empty(0)
    lines = [direction(name, np.arange(a.size), turn) for turn in turns]
    along, unsure = slopes(lines)
    expected = np.array([a.ravel() @ line.v for line in lines])
    scale = max(np.abs(expected).max(), np.nanmax(np.abs(along), initial=0))
    errors = relative_error(expected, along, unsure, scale, tolerance)
    errors[unsure > 1e-2 * scale] = np.nan
    return errors, expected, along


def _halve(name, a, turn, slopes):
    """Track down a wrong entry that a direction has shown: of two halves, follow the one that is further off."""
    where = np.arange(a.size)
    while where.size > 1:
        halves = [direction(name, half, turn[half]) for half in np.array_split(where, 2)]
        off = [abs(a.flat[half.where] @ half.v - slopes([half])[0][0]) for half in halves]
        where = halves[int(np.argmax(np.nan_to_num(off)))].where
    return where[0]


# ---- what f is given, and what it gives back -----------------------------------------------------------------------------

def _arguments(f, arrays, names, dtype=np.float64):
    """Our own copies of the arguments, as a dict; and a function that calls f with such a dict."""
    if len(arrays) == 1 and isinstance(arrays[0], dict):
        x = {key: _float64(key, array, dtype) for key, array in arrays[0].items()}
    else:
        names = _names(f, len(arrays)) if names is None else [names] if isinstance(names, str) else list(names)
        if len(names) != len(arrays) or len(set(names)) != len(names):
            raise ShapeError(f"names are {names} for {len(arrays)} arrays; expected a different name for each.")
        x = {key: _float64(key, array, dtype) for key, array in zip(names, arrays)}
    if not x:
        raise ShapeError("no array to check; expected those that f takes, as in check(f, x) or check(f, f_A, f_P, f_N).")
    return x, _caller(f, arrays)


def _caller(f, arrays):
    return (lambda x: f(dict(x))) if isinstance(arrays[0], dict) else (lambda x: f(*x.values()))


def _names(f, count):
    """The names of f's arguments, where it tells them."""
    try:
        names = [key for key, p in inspect.signature(f).parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):                     # some built-in functions have no signature
        names = []
    return names[:count] if len(names) >= count else ["x"] if count == 1 else [f"x{i + 1}" for i in range(count)]


def _float64(name, array, dtype=np.float64):
    """A contiguous copy, after a look at dtype and numbers."""
    array = np.array(array, order="C")
    if array.dtype.kind == "c":
        raise ShapeError(f"{name} is {array.dtype}; expected float64: a gradient check moves real numbers (complex_step makes its own "
                         "complex copies).")
    if array.dtype != dtype:
        raise ShapeError(WHY_FLOAT64.format(name=name, dtype=array.dtype))
    if array.size == 0:
        raise ShapeError(f"{name} has shape {array.shape}: no entry to check; expected a small array that is not empty.")
    _finite(name, array)
    return array


def _cast(array, dtype):
    return {key: np.asarray(v, dtype) for key, v in array.items()} if isinstance(array, dict) else np.asarray(array, dtype)


def _finite(name, array):
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise NumericsError(f"{name} has {len(bad)} nan or inf, first at {[int(i) for i in bad[0]]}; expected finite numbers: look where "
                            "it was computed.")


def _gradients(given, x):
    """{name: gradient}, in whatever form f gave them, after a look at names and shapes."""
    if not isinstance(given, dict):
        given = list(given) if isinstance(given, (tuple, list)) else [given]
        if len(given) != len(x):
            raise ShapeError(f"f gave {len(given)} gradients; expected {len(x)}, one for each of {', '.join(x)}, as (J, (gradient, ...)). "
                             "To check fewer, hold the others fixed: check(lambda a_G: f(a_C, a_G), a_G).")
        given = dict(zip(x, given))
    if set(given) != set(x):
        raise ShapeError(f"f gave gradients for {', '.join(given)}; expected {', '.join(x)}.")
    gradients = {key: np.array(given[key]) for key in x}    # copies: f may return its own argument, which is about to move
    for key, gradient in gradients.items():
        if gradient.shape != x[key].shape:
            raise ShapeError(f"the gradient of {key} has shape {gradient.shape}; expected {x[key].shape}, the shape of {key}.")
    return gradients


def _one_call(call, x):
    """J and its gradients, after a look at everything that may be wrong with one call."""
    before = {key: array.copy() for key, array in x.items()}
    result = call(x)
    for key in x:
        changed = np.argwhere(x[key] != before[key])
        if len(changed):
            raise NumericsError(f"f changed its argument {key} in place, first at {[int(i) for i in changed[0]]}; expected it as it was. "
                                "Work on a copy.")
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        many = f" of {len(result)}" if isinstance(result, (tuple, list)) else ""
        raise ShapeError(f"f returned {type(result).__name__}{many}; expected (J, gradient), or (J, (gradient, ...)) for several arrays.")
    gradients = _gradients(result[1], x)
    for what, value in [("J", result[0])] + [(f"the gradient of {key}", g) for key, g in gradients.items()]:
        if np.asarray(value).dtype in (np.float16, np.float32):
            raise ShapeError(WHY_FLOAT64.format(name=what, dtype=np.asarray(value).dtype))
        if np.asarray(value).dtype.kind not in "fiub":
            raise ShapeError(f"{what} is {np.asarray(value).dtype}; expected float64 numbers.")
    J = number(result[0])
    if not np.isfinite(J):
        raise NumericsError(f"J is {J}; expected a finite number: look for log(0), 0/0 or an overflow.")
    for key in gradients:
        gradients[key] = gradients[key].astype(np.float64)
        _finite(f"the gradient of {key}", gradients[key])
    return J, gradients


def _two_calls(call, x):
    """J and its gradients, after two calls that must agree."""
    (J, a), (again, b) = _one_call(call, x), _one_call(call, x)
    largest = max(abs(J), max(np.abs(g).max() for g in a.values()))
    if abs(J - again) > 1e-10 * largest or any(np.abs(a[key] - b[key]).max() > 1e-10 * largest for key in a):
        raise NumericsError(f"f(x) differs between two calls (J = {J:.9g}, then {again:.9g}); expected the same. Give random parts such as "
                            "dropout the same seed at every call: np.random.default_rng(0) inside f.")
    return J, a
