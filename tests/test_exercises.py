"""The exercises themselves: every solution passes, every known mistake is named by its numbers, and the numbers are those done by hand."""

import ast
import itertools

import numpy as np
import pytest

from scratchnet import faces, gradcheck, similarity
from scratchnet.exercises import EXERCISES, SECTIONS, checker, layers, report, stubs
from scratchnet.layers import Conv2D, Flatten, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess
from scratchnet.receptive_field import box

EVERY = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
MISTAKES = [(exercise, mistake) for exercise in EXERCISES.values() for mistake in exercise.mistakes]


def test_there_are_enough_of_them_in_every_section():
    assert len(EXERCISES) >= 20 and len(MISTAKES) >= 60
    assert {exercise.section for exercise in EXERCISES.values()} == set(SECTIONS)
    assert [exercise.section for exercise in EXERCISES.values()] == sorted(exercise.section for exercise in EXERCISES.values())
    assert not {"list", "check"} & set(EXERCISES)


@EVERY
def test_every_solution_passes(exercise):
    verdict = checker.check(exercise, exercise.solution)
    assert verdict.right and verdict.said.startswith(f"{exercise.name}: right, in ") and "remark" not in verdict.said, verdict.said
    if exercise.gradients:
        assert "agrees with differences" in verdict.said


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("exercise, mistake", MISTAKES, ids=[f"{exercise.name}: {mistake.did}" for exercise, mistake in MISTAKES])
def test_every_mistake_is_named(exercise, mistake):
    verdict = checker.check(exercise, mistake.answer)
    assert not verdict.right and verdict.mistake == mistake.did
    assert mistake.did[1:] in verdict.said and mistake.but in verdict.said and "expected" in verdict.said
    assert f"section {exercise.section} of the lecture" in verdict.said


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@EVERY
def test_no_two_mistakes_look_alike(exercise):
    answers = {mistake.did: [checker.wrong_parts(exercise, mistake, case) for case in exercise.cases.values()]
               for mistake in exercise.mistakes}
    answers["the right answer"] = [exercise.parts(exercise.solution(*case)) for case in exercise.cases.values()]
    for (one, a), (other, b) in itertools.combinations(answers.items(), 2):
        alike = [all(checker.same(x, y) for x, y in zip(case_a, case_b)) for case_a, case_b in zip(a, b)]
        assert not all(alike), f"{one} = {other}"
    assert len(answers) >= 6


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@EVERY
def test_a_mistake_with_a_gradient_is_told_from_one_without(exercise):
    """A wrong J is named whether gradients come with it or not."""
    for mistake in exercise.mistakes:
        parts = [checker.wrong_parts(exercise, mistake, case) for case in exercise.cases.values()]
        if exercise.gradients and len(parts[0]) == 1:
            right = [exercise.parts(exercise.solution(*case))[1:] for case in exercise.cases.values()]
            assert checker.recognised(exercise, [[*wrong, *more] for wrong, more in zip(parts, right)]) is mistake


@EVERY
def test_a_stub_is_python_that_the_checker_knows_again(exercise):
    text = stubs.stub(exercise, "my_file.py")
    tree = ast.parse(text)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert (function.name, tuple(argument.arg for argument in function.args.args)) == (exercise.name, exercise.arguments)
    assert "check my_file.py --hint" in text and text.count("TODO") == len(exercise.steps) and text.isascii()
    assert max(map(len, text.splitlines())) <= 140 and ast.get_docstring(function)
    assert stubs.exercises_in(text.encode(), "renamed.py", EXERCISES) == [exercise.name]
    assert stubs.exercises_in(text.split("\n", 1)[1].encode(), "renamed.py", EXERCISES) == [exercise.name]       # by its function
    names = {}
    exec(compile(text, "my_file.py", "exec"), names)
    assert "still the line" in checker.check(exercise, names[exercise.name]).said


@EVERY
def test_what_is_said_is_short_enough_for_paper_and_for_every_terminal(exercise):
    for words, case in exercise.cases.items():
        said = report.case(exercise, words, case)
        assert max(map(len, said)) <= report.WIDTH and "an array of shape" not in "".join(said) and len(said) <= 16
    said = [*exercise.hints, *exercise.steps, exercise.title, *exercise.cases, *(m.did + m.but for m in exercise.mistakes)]
    assert len(exercise.hints) == 3 and all(text.isascii() for text in said)
    assert all(m.did.startswith(("you ", "your ")) and not m.but.endswith(".") for m in exercise.mistakes)


@EVERY
def test_solutions_and_mistakes_leave_their_cases_alone(exercise):
    before = [report.shown(list(case), 17) for case in exercise.cases.values()]
    checker.check(exercise, exercise.solution)
    for answer in (exercise.solution, *(mistake.answer for mistake in exercise.mistakes)):
        with np.errstate(all="ignore"):
            for case in exercise.cases.values():
                answer(*case)
    assert [report.shown(list(case), 17) for case in exercise.cases.values()] == before


# ---- the numbers, by hand --------------------------------------------------------------------------------------------------

BY_HAND = {                                            # of the first case
    "output_size": 3, "conv_forward": [[[[0.5], [3.5], [-0.5]], [[1.5], [3.5], [6.5]]]], "relu_backward": [1, -2, 0, 0, 0],
    "max_pool_backward": [[[[0], [0], [0]], [[0], [10], [0]], [[0], [0], [0]]]], "jaccard": 0.5, "cosine_similarity": [0.96, 0, -1],
    "cosine_threshold": 0.65, "verify": [True, True, True, True, False, False], "identify": "Sofja",
    "l2_normalise": [[0.6, 0.8], [0, 1], [0.5 ** 0.5, -0.5 ** 0.5]], "contrastive_loss": (12.5 + 0.125) / 2, "triplet_loss": 5.0,
    "pair_head": [1 / (1 + np.exp(-2)), 0.5, 1 / (1 + np.exp(-0.5))], "siamese_gradient": [[-2, 0], [-2, 0], [2, 0]],
    "semi_hard": [[False, False, True, False, False], [False, False, False, True, False]], "total_variation": 1 + 16 + 4 + 16 + 4,
    "to_vgg": [[[[-100, 43, 135], [155, -59, -120]]]], "receptive_field": 8, "top_patches": [[0, 0, 0], [3, 0, 0]],
    "back_through_relu": [[4, -2, 0], [0, 0, 0]], "content_cost": 193.0, "gram": [[126, 144, 162], [144, 166, 188], [162, 188, 214]],
    "layer_style_cost": 242068 / 576, "style_cost": 4.0, "unroll": [[111, 112], [121, 122], [131, 132], [211, 212], [221, 222], [231, 232]],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_first_case_by_hand(name):
    exercise = EXERCISES[name]
    first = exercise.parts(exercise.solution(*list(exercise.cases.values())[0]))[0]
    assert checker.same(first, BY_HAND[name]), first


def test_several_results_by_hand():
    first = lambda name: EXERCISES[name].solution(*list(EXERCISES[name].cases.values())[0])
    da_prev, dW, db = first("conv_backward")
    assert da_prev[0, ..., 0].tolist() == [[1, 2, 0, 0], [0, -1, 7, 0], [-1, 3, -5, 6]] and db == [6]
    assert dW[..., 0, 0].tolist() == [[1 + 4 + 0 + 3 - 1 + 3, 2 + 0 + 0 + 1 - 1 + 0], [3 + 2 + 0 + 2 - 0 + 3, 1 + 2 + 0 + 0 - 1 + 9]]
    assert checker.same(first("far_frr")[0], 1 / 3) and checker.same(first("far_frr")[1], 2 / 5)
    assert [indices.tolist() for indices in first("batch_hard")] == [[2, 2, 1, 5, 5, 4], [5, 3, 5, 1, 1, 0]]
    J, dG = first("total_cost")
    assert J == 160 and dG.ravel().tolist() == [10, -40, 60]
    G, J = first("descent_step")
    assert G.ravel().tolist() == [0.5, 0.75, 1.5, 1, 0.625, 0] and J == 1 + 0.25 + 1 + 0 + 0.5625 + 4


@pytest.mark.parametrize("name, numbers", {
    "triplet_loss": (1.6667, 4.5, 3.5, 4.0, 3.0858, 1.5, 3.0), "layer_style_cost": (422.3403, 425.5486, 1681.0278),
    "content_cost": (386, 8.0417)}.items())
def test_well_known_wrong_numbers_are_among_those_of_the_mistakes(name, numbers):
    exercise = EXERCISES[name]
    case = list(exercise.cases.values())[0]
    wrong = [checker.wrong_parts(exercise, mistake, case)[0] for mistake in exercise.mistakes]
    for number in numbers:
        assert any(np.ndim(J) == 0 and abs(J - number) < 6e-5 for J in wrong), number


# ---- solutions that are not a function of the package, against it; and what mistakes are made of -----------------------------

def test_a_cosine_threshold_judges_as_the_distance_does():
    rng = np.random.default_rng(0)
    f_1, f_2 = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in rng.standard_normal((2, 200, 3)))
    cos, d = similarity.cosine_similarity(f_1, f_2), similarity.squared_euclidean(f_1, f_2)
    for tau in (0.3, 0.7, 1.9, 3.5):
        assert np.array_equal(cos >= EXERCISES["cosine_threshold"].solution(tau), d <= tau)


def test_identify_is_the_gallery():
    net = Network({"input": Preprocess(), "flat": Flatten()})            # a network whose encoding is the picture itself
    rng = np.random.default_rng(0)
    pictures = {name: rng.random((1, 1, 1, 3)) for name in ("Ada", "Emmy", "Sofja")}
    gallery = faces.Gallery(net, tau=0.2)
    for name, picture in pictures.items():
        gallery.add(name, picture)
    found = set()
    for _ in range(30):
        new = rng.random((1, 1, 1, 3))
        name = EXERCISES["identify"].solution(new.ravel(), {who: x.ravel() for who, x in pictures.items()}, 0.2)
        assert name == gallery.identify(new).name
        found.add(name)
    assert found == {"Ada", "Emmy", "Sofja", None}


def test_the_two_calls_of_a_siamese_network_pass_the_gradient_check():
    solution, (x_1, x_2, W) = EXERCISES["siamese_gradient"].solution, EXERCISES["siamese_gradient"].cases["three pairs"]
    assert gradcheck.check(lambda W: (np.sum((x_1 @ W - x_2 @ W) ** 2), solution(x_1, x_2, W)), W).passed


def test_the_receptive_field_is_that_of_a_network():
    net = Network({"conv1": Conv2D(3, 1, f=5, stride=2), "pool": MaxPool2D(2), "conv2": Conv2D(1, 1)})
    top, _, bottom, _ = box(net, "conv2", 5, 5, (64, 64))
    assert EXERCISES["receptive_field"].solution([(5, 2), (2, 2), (3, 1)]) == bottom - top == 15


def test_mistakes_are_made_from_right_answers():
    for case in EXERCISES["conv_forward"].cases.values():
        assert checker.same(layers._conv(*case), layers.conv_forward(*case))
    for case in EXERCISES["conv_backward"].cases.values():
        assert all(checker.same(*pair) for pair in zip(layers._back(*case), layers.conv_backward(*case)))
    for case in EXERCISES["max_pool_backward"].cases.values():
        assert checker.same(layers._unpool(layers._first, *case), layers.max_pool_backward(*case))
