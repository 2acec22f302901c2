"""The line search: the cubic by its formula, one search by hand, and the strong Wolfe conditions on curves with many valleys."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from scratchnet.line_search import Trial, strong_wolfe, valley


def along(J, slope, asked=None):
    """phi of a curve and of its slope; `asked` notes the lengths."""
    def phi(a):
        if asked is not None:
            asked.append(a)
        return Trial(a, J(a), slope(a), f"at {a}")
    return phi


def numbers(low, high):
    return some.floats(low, high, allow_nan=False)


# ---- the cubic -----------------------------------------------------------------------------------------------------------

@settings(deadline=None)
@given(numbers(-3, 3), numbers(0.1, 4), numbers(0.1, 5), numbers(-2, 2), numbers(-4, 4), numbers(-4, 4))
def test_the_lowest_place_of_a_cubic_is_found_at_once(place, apart, steep, height, p, q):
    """J' = steep (a - place)(a - place + apart): the minimum is at `place`, wherever the two trials are."""
    assume(abs(p - q) > 0.1)
    J     = lambda a: height + steep * ((a - place) ** 3 / 3 + apart * (a - place) ** 2 / 2)
    slope = lambda a: steep * (a - place) * (a - place + apart)
    phi = along(J, slope)
    assume(abs(J(p) - J(q)) > 1e-3 and abs(slope(p)) + abs(slope(q)) > 1e-2)
    assert valley(phi(p), phi(q)) == pytest.approx(place, abs=1e-6)


def test_a_cubic_without_a_minimum_says_so():
    cube = along(lambda a: -a ** 3 - a, lambda a: -3 * a ** 2 - 1)
    assert math.isnan(valley(cube(0.0), cube(1.0)))
    line = along(lambda a: -a, lambda a: -1.0)
    assert math.isnan(valley(line(0.0), line(1.0)))


def test_where_both_J_are_one_to_rounding_the_slopes_decide():
    assert valley(Trial(0.0, 5.0, -3.0), Trial(2.0, 5.0, 1.0), noise=1e-9) == 1.5                        # of the straight line from -3 to 1
    assert valley(Trial(0.0, 5.0, -3.0), Trial(2.0, 5.0 + 1e-12, 1.0), noise=1e-9) == 1.5


# ---- a search by hand ----------------------------------------------------------------------------------------------------

def test_a_parabola_by_hand():
    """phi = (a - 1)^2 from a = 0.01: ten times as far, for the cubic, which is the parabola itself, wants more; again; then 1."""
    asked = []
    phi = along(lambda a: (a - 1) ** 2, lambda a: 2 * (a - 1), asked)
    found = strong_wolfe(phi, Trial(0.0, 1.0, -2.0), 0.01, c2=0.5)
    assert asked == pytest.approx([0.01, 0.1, 1.0]) and found.a == pytest.approx(1) and found.at == f"at {found.a}"


def test_where_J_still_falls_the_cubic_looks_ahead():
    asked = []
    strong_wolfe(along(lambda a: (a - 1) ** 2, lambda a: 2 * (a - 1), asked), Trial(0.0, 1.0, -2.0), 0.3, c2=0.5)
    assert asked == pytest.approx([0.3, 1])


def test_beyond_a_hill_it_turns_back():
    """The second trial is lower than the start and J falls there, but it is higher than the first: the minimum lies between the two."""
    values, asked = iter([(-1.0, -0.9), (-0.5, -0.9), (-1.5, 0.0)]), []

    def phi(a):
        asked.append(a)
        return Trial(a, *next(values))

    strong_wolfe(phi, Trial(0.0, 0.0, -1.0), 1.0, c2=0.5)
    assert asked[0] == 1 < asked[2] < asked[1]


def test_from_too_far_the_cubic_comes_back():
    asked = []
    phi = along(lambda a: (a - 1) ** 2, lambda a: 2 * (a - 1), asked)
    strong_wolfe(phi, Trial(0.0, 1.0, -2.0), 3.0, c2=0.1)
    assert asked == pytest.approx([3, 1])
    asked.clear()
    strong_wolfe(phi, Trial(0.0, 1.0, -2.0), 50.0, c2=0.1)
    assert asked == pytest.approx([50, 5, 1])                           # never nearer than a tenth of the interval to its end


# ---- what it promises ----------------------------------------------------------------------------------------------------

def holds(trial, start, c1, c2):
    return trial.J <= start.J + c1 * trial.a * start.slope and abs(trial.slope) <= c2 * abs(start.slope)


@settings(deadline=None)
@given(numbers(1e-4, 1e4), numbers(0, 3), numbers(0.3, 5), numbers(0, 2 * math.pi), numbers(1e-3, 1e3),
       some.sampled_from([(1e-4, 0.9), (1e-4, 0.1), (0.1, 0.5)]))
def test_both_conditions_hold_on_curves_with_many_valleys(first, wave, often, phase, scale, c):
    """A bowl with a wave in it, in units of any size."""
    J     = lambda a: (0.1 * a - 1) ** 2 + wave * math.sin(often * a + phase)
    slope = lambda a: 0.2 * (0.1 * a - 1) + wave * often * math.cos(often * a + phase)
    phi = along(lambda a: J(a / scale), lambda a: slope(a / scale) / scale)
    start = phi(0.0)
    assume(start.slope * scale < -1e-2)
    assert holds(strong_wolfe(phi, start, first * scale, *c, evaluations=60), start, *c)


@settings(deadline=None)
@given(numbers(1e-3, 1e3))
def test_a_bowl_takes_few_trials(first):
    asked = []
    phi = along(lambda a: (a - 1) ** 2, lambda a: 2 * (a - 1), asked)
    strong_wolfe(phi, Trial(0.0, 1.0, -2.0), first)
    assert len(asked) <= 5


def test_what_is_no_number_is_too_far():
    """A bowl whose minimum is at 1, and a wall at 1.2 beyond which J is infinite."""
    asked = []

    def phi(x):
        asked.append(x)
        return Trial(x, (x - 1) ** 2, 2 * (x - 1)) if x < 1.2 else Trial(x, math.inf, math.nan)

    start = Trial(0.0, 1.0, -2.0)
    assert holds(strong_wolfe(phi, start, 100.0), start, 1e-4, 0.9)
    assert asked == pytest.approx([100, 10, 1])                         # a tenth each time


def test_when_its_trials_are_used_up_the_lowest_that_fell_is_taken():
    steep = along(lambda a: -a, lambda a: -1.0)                         # never any flatter
    found = strong_wolfe(steep, Trial(0.0, 0.0, -1.0), 1.0, evaluations=3)
    assert found.a == 100 and found.at == "at 100.0"


def test_where_nothing_falls_it_stays():
    start = Trial(0.0, 0.0, -1.0, "here")
    lie = along(lambda a: a, lambda a: 1.0)                             # a slope that promises what J does not keep
    assert strong_wolfe(lie, start, 1.0) is start


def test_a_length_that_changes_nothing_ends_it():
    start, asked = Trial(0.0, 0.0, -1.0, "here"), []

    def phi(a):
        asked.append(a)
        return Trial(a, 1.0, 1.0) if a > 0.01 else None

    assert strong_wolfe(phi, start, 1.0) is start and len(asked) < 10


# ---- J that is rounded ---------------------------------------------------------------------------------------------------

def rounded():
    """1000 + 1e-6 (a - 1)^2, of which only the slope is exact: J at the start came out 1e-5 too low."""
    return along(lambda a: 1000 + 1e-6 * (a - 1) ** 2 - (1e-5 if a == 0 else 0), lambda a: 2e-6 * (a - 1))


@pytest.mark.parametrize("first", [0.01, 1.5, 30.0])
def test_where_J_is_rounded_the_slopes_lead_to_the_minimum(first):
    phi = rounded()
    found = strong_wolfe(phi, phi(0.0), first, c2=0.5, noise=1e-4)
    assert abs(found.a - 1) <= 0.5


def test_without_noise_the_same_search_finds_nothing():
    phi = rounded()
    start = phi(0.0)
    assert strong_wolfe(phi, start, 1.5, c2=0.5) is start


def test_noise_is_no_licence_to_climb():
    """Where J rises by more than its noise nothing is taken, however flat it is there."""
    start = Trial(0.0, 0.0, -1.0)
    assert strong_wolfe(along(lambda a: 1e-3, lambda a: 0.0), start, 1.0, noise=1e-4) is start
