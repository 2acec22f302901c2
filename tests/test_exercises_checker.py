"""What the checker says to answers that nobody foresaw: their kind, their shape, what their numbers give away; and to gradients."""

import numpy as np
import pytest

from scratchnet.exercises import EXERCISES, checker, style
from scratchnet.exercises.style import _columns, _gram


def said(name, f, **options):
    verdict = checker.check(EXERCISES[name], f, **options)
    assert verdict.mistake == ""
    assert verdict.right == verdict.said.startswith(f"{name}: right")
    return verdict.said


def right(a):
    return _gram(_columns(a))


@pytest.mark.parametrize("answer, says", [
    (lambda a: None, "It returns None where G is expected. Is there a `return`"),
    (lambda a: right(a).tolist(), "G is a list; expected an array of shape (3, 3): np.array makes one of it."),
    (lambda a: "126", "G is a str; expected an array"),
    (lambda a: [[1, 2], [3]], "G is a list"),
    (lambda a: (value for value in a), "G is a generator"),
    (lambda a: np.array([None]), "G is of object"),
    (lambda a: right(a) + 0j, "G is of complex128"),
    (lambda a: right(a)[None], "G is of shape (1, 3, 3); expected an array of shape (3, 3)."),
    (lambda a: np.sum(a), "G is one number; expected an array of shape (3, 3)."),
    (lambda a: right(a) * np.nan, "There is nan or infinity in it"),
    (lambda a: right(a) * 0, "It is zero in every case"),
    (lambda a: -right(a), "with the sign turned"),
    (lambda a: 3 * right(a), "It is 3 times the right answer, in every case"),
    (lambda a: right(a) + np.eye(a.shape[3]), "none of the mistakes known here: redo the case above by hand"),
])
def test_an_unforeseen_answer(answer, says):
    words = said("gram", answer)
    assert says in words and "a = [[[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]]" in words and "section 9" in words


def test_a_transposed_answer_is_told_from_one_of_the_wrong_shape():
    assert "the right numbers, transposed" in said("l2_normalise", lambda f: EXERCISES["l2_normalise"].solution(f).T)
    assert "f is of shape" in said("l2_normalise", lambda f: EXERCISES["l2_normalise"].solution(f).T * 2)


@pytest.mark.parametrize("name, answer, says", [
    ("triplet_loss", lambda *case: (5.0,), "J is a tuple of 1; expected one number. Is there a comma too many"),
    ("output_size", lambda n, f, s, p: ((n + 2 * p - f) // s + 1,), "n is a tuple of 1; expected one number. Is there a comma too many"),
    ("output_size", lambda n, f, s, p: np.array([(n + 2 * p - f) // s + 1]), "n is of shape (1,); expected one number."),
    ("conv_backward", lambda dz, a, W, s, p: np.zeros_like(a), "It returns 1 thing; expected da_prev, dW, db."),
    ("verify", lambda f, g, tau: (np.sum((f - g) ** 2, axis=1) <= tau) * 1., "same holds float64; expected True and False"),
    ("content_cost", lambda C, G: (np.sum((C - G) ** 2) / 2, G - C, C - G),
     "It returns 3 things; expected J, or with all gradients, J, da_G."),
    ("l2_normalise", lambda f: np.trunc(EXERCISES["l2_normalise"].solution(f)), "The fractions are cut off"),
    ("identify", lambda f, gallery, tau: "Nobody", "none of the mistakes known here"),
])
def test_other_kinds_of_answers(name, answer, says):
    assert says in said(name, answer)


def test_arguments_by_other_names_are_the_students_affair_and_their_number_is_not():
    assert "right" in said("gram", lambda picture, more=1: right(picture))
    assert "It is defined as gram(a, b); expected 1 argument, in this order: gram(a)." in said("gram", lambda a, b: a)
    assert "right" in said("total_cost", lambda *case: EXERCISES["total_cost"].solution(*case))


def test_an_argument_that_was_changed_is_named_with_what_became_of_it():
    def descent(f, G, rate):
        J, dG = f(G)
        G -= rate * dG
        return G, J
    words = said("descent_step", descent)
    assert "It changes its argument G" in words and "G afterwards = [[[[0.5, 0.75, 1.5], [1, 0.625, 0]]]]" in words
    assert "It changes its argument layers" in said("receptive_field", lambda layers: layers.pop() if layers else 1)
    assert "It changes its argument gallery" in said("identify", lambda f, gallery, tau: gallery.clear())


def test_an_error_is_told_with_the_case():
    words = said("gram", lambda a: a[7])
    assert "It raises an error:" in words and "IndexError" in words and "a = [[[[0, 1, 2]" in words
    assert "checker.py" not in words and "checker.py" in said("gram", lambda a: a[7], debug=True)


def test_float64_out_of_float32_is_a_remark_and_no_mistake():
    words = said("conv_forward", lambda a, *rest: EXERCISES["conv_forward"].solution(a.astype(float), *rest))
    assert "right" in words and "for float32 it gives z in float64" in words


# ---- gradients ---------------------------------------------------------------------------------------------------------------

def cost(C, G):
    return np.sum((C - G) ** 2) / 2


def test_J_alone_is_right_and_its_gradient_is_invited():
    assert "It may return its gradient too, `return J, da_G`" in said("content_cost", cost)
    assert "`return J, (df_A, df_P, df_N)`" in said("triplet_loss", lambda *case: EXERCISES["triplet_loss"].solution(*case)[0])


def test_a_right_gradient_says_how_right():
    words = said("content_cost", lambda C, G: (cost(C, G), G - C))
    assert "agrees with differences of J at a random point: relative error" in words


def test_gradients_may_come_in_a_tuple_or_one_by_one():
    J, gradients = EXERCISES["triplet_loss"].solution, []
    assert "agrees with differences" in said("triplet_loss", lambda *case: (J(*case)[0], *J(*case)[1]))
    assert "agrees with differences" in said("triplet_loss", lambda *case: [J(*case)[0], list(J(*case)[1])]) and not gradients


def test_an_unforeseen_gradient_is_measured():
    words = said("content_cost", lambda C, G: (cost(C, G), 7 * (G - C)))
    assert "expected da_G" in words and "7 times the right answer" in words
    assert "gradient check FAILED for a_G" in words and "analytic = 7 x numerical" in words


def test_a_gradient_that_is_right_in_the_cases_only_is_found_at_a_random_point():
    exercise = EXERCISES["content_cost"]

    def by_heart(C, G):
        known = any(np.array_equal(C, c) and np.array_equal(G, g) for c, g in exercise.cases.values())
        return cost(C, G), (G - C) * (1 if known else 2)
    assert "J is right in every case, but its gradient is not, at a random point" in said("content_cost", by_heart)


def test_what_gradcheck_refuses_is_said():
    def restless(C, G):
        restless.calls += 1
        return cost(C, G) + (0 if restless.calls <= len(EXERCISES["content_cost"].cases) else 1e-3 * restless.calls), G - C
    restless.calls = 0
    assert "differs between two calls" in said("content_cost", restless)


# ---- comparing -----------------------------------------------------------------------------------------------------------------

def test_same():
    assert checker.same(5, np.float64(5)) and checker.same(5.000001, 5.0) and not checker.same(5.0001, 5.0)
    assert checker.same(np.array([np.nan, 1]), np.array([np.nan, 1])) and not checker.same(np.nan, 1.0)
    assert not checker.same(np.zeros(3), np.zeros((3, 1))) and not checker.same([[1], [1, 2]], np.zeros(2))
    assert checker.same(None, None) and not checker.same(0, None) and not checker.same("Ada", 1.0) and checker.same("Ada", "Ada")
    assert checker.same(np.array([1e-20]), np.array([0.])) is checker.same(np.array([0.]), np.array([1e-20])) is False
    assert checker.same(np.array([1., 1e-9]), np.array([1., 0]))


def test_a_mistake_made_in_some_cases_only_is_not_named():
    """The wrong number of one case may be luck: here it is 4.5, but the other case is right."""
    exercise = EXERCISES["triplet_loss"]
    first = list(exercise.cases.values())[0]

    def lucky(f_A, f_P, f_N, margin):
        return 4.5 if np.array_equal(f_P, first[1]) else exercise.solution(f_A, f_P, f_N, margin)[0]
    assert "you have J = 4.5" in said("triplet_loss", lucky)


def test_digits_grow_until_a_difference_shows():
    words = said("layer_style_cost", lambda S, G: style.layer_style_cost(S, G)[0] * (1 + 1e-5) + 1e-4)
    line = next(line for line in words.splitlines() if "expected J" in line)
    assert line.split("=")[1] != next(line for line in words.splitlines() if "you have J" in line).split("=")[1]


def test_answers_that_differ_in_kind_from_case_to_case():
    back = EXERCISES["conv_backward"].solution
    assert "It returns 1 thing" in said("conv_backward", lambda dz, a, W, s, p: back(dz, a, W, s, p) if s == 1 else np.zeros_like(a))
    wrong = lambda dz, a, W, s, p: (1 + back(dz, a, W, s, p)[0], W, W) if p == 0 else np.zeros_like(a)
    assert "expected da_prev" in said("conv_backward", wrong)
    assert "none of the mistakes" in said("gram", lambda a: right(a) + 1 if a.shape[3] == 3 else {"G": a})
    unsettled = lambda a: right(a).tolist() if a.shape[3] == 3 else right(a) + 1
    assert "1 x 3 positions" in said("gram", unsettled)                  # wrong numbers first, then the wrong kind
