"""Every formula of the lecture with the function that computes it, the lesson that runs it, and what checks it.

    python -m lessons.equations            prints the short table as the READMEs have it, in English and in Chinese

The whole table is out/equations.html, which `python -m lessons` writes; there each gradient is checked when the page is made, by the
cases of `python -m scratchnet check`. Formulas are in the notation of the docstrings; `pages/typeset.py` sets them.
"""

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import scratchnet
from lessons.pages import typeset
from scratchnet.cli.check import CASES

ROOT = Path(scratchnet.__file__).parent


@dataclass(frozen=True)
class Equation:
    """One row. functions: dotted names under scratchnet, several in one string; checked: what else than a gradient check speaks for it."""

    lesson: int                 # which is the lecture's section too
    formula: str                # then, behind a gap of three spaces, words
    functions: str
    checked: str                # in words, for the short table
    short: bool = False         # is it in the README?


NUMBERS, TORCH, LOOP, SCIPY = "numbers by hand", "PyTorch's numbers", "a loop", "SciPy's numbers"
GRADIENT = "gradient check"


def _row(lesson, formula, functions, *checked, short=False):
    return Equation(lesson, formula, functions, ", ".join(checked), short)


EQUATIONS = (
    _row(0, "z^[l] = W^[l] ** a^[l-1] + b^[l]", "kernels.loops.conv2d layers.Conv2D", NUMBERS, TORCH, GRADIENT, short=True),
    _row(0, "n_H = floor((n_H_prev + 2 p - f) / s) + 1", "shapes.output_size", NUMBERS, LOOP),
    _row(0, "z_k = W_k ** a_k + b_k", "layers.DepthwiseConv2D", NUMBERS, TORCH, LOOP, GRADIENT),
    _row(0, "a_k = max_ij a_{prev,ijk}   over the window", "layers.MaxPool2D", NUMBERS, TORCH, LOOP, GRADIENT),
    _row(0, "a_k = 1/f^2 sum_ij a_{prev,ijk}   over the window", "layers.AvgPool2D", NUMBERS, TORCH, LOOP, GRADIENT),
    _row(0, "a_k = sqrt(sum_ij a_{prev,ijk}^2)   over the window", "layers.L2Pool2D", NUMBERS, TORCH, LOOP, GRADIENT),
    _row(0, "z = a_prev W + b", "layers.Dense", NUMBERS, TORCH, GRADIENT),
    _row(0, "a_n = a_{prev,ijk}, n = (i n_W + j) n_C + k", "layers.Flatten", NUMBERS, GRADIENT),
    _row(0, "a = a_prev   with zeros around it", "layers.ZeroPad2D", NUMBERS, GRADIENT),
    _row(0, "a = a_prev / (1 - rate)   with probability 1 − rate, else 0; only in training", "layers.Dropout", NUMBERS, GRADIENT),
    _row(0, "var(W) = 2 / n_in", "layers.he_normal", NUMBERS),
    _row(0, "a = max(z, 0)", "activations.ReLU", NUMBERS, GRADIENT),
    _row(0, "a = z where z > 0, else alpha_k z", "activations.PReLU", NUMBERS, TORCH, GRADIENT),
    _row(0, "a = sigmoid(z) = 1 / (1 + e^{-z})", "activations.Sigmoid activations.sigmoid", NUMBERS, GRADIENT),
    _row(0, "a = tanh(z)", "activations.Tanh", NUMBERS, GRADIENT),
    _row(0, "a_k = e^{z_k} / sum_j e^{z_j}", "activations.Softmax activations.softmax", NUMBERS, GRADIENT),
    _row(0, "J = -1/m sum_i ln a_{i,y_i}, a = softmax(z)", "activations.softmax_cross_entropy", NUMBERS, TORCH, GRADIENT),
    _row(0, "a_k = (scale x_k - mean_k) / std_k", "normalisation.Preprocess", NUMBERS, GRADIENT),
    _row(0, "a = 0.299 R + 0.587 G + 0.114 B", "normalisation.Grey", NUMBERS, GRADIENT),
    _row(0, "a = (x - mean(x)) / max(std(x), eps)", "normalisation.Standardise", NUMBERS, GRADIENT),
    _row(0, "z_k = gamma_k (a_k - mean_k) / sqrt(var_k + eps) + beta_k", "normalisation.BatchNorm", NUMBERS, TORCH, GRADIENT),
    _row(0, "a_k = x_k / (k + alpha/n sum_j x_j^2)^beta", "normalisation.LRN", NUMBERS, TORCH, GRADIENT),
    _row(0, "a = a_prev + F(a_prev)", "network.Residual", NUMBERS, GRADIENT),
    _row(0, "a = (F_1(a_prev), F_2(a_prev), ...)   channels side by side", "network.Branches", NUMBERS, GRADIENT),
    _row(0, "da^[l-1] = (dz^[l]/da^[l-1])^T dz^[l]   layer by layer, down to the pixels", "network.Network", "VGG-19 in PyTorch", GRADIENT),
    _row(0, "dJ/dx_i = (J(x + h e_i) - J(x - h e_i)) / (2 h)", "gradcheck.check", "planted mistakes"),

    _row(1, "d(img1, img2) <= tau   the same person; of K people, the one with the smallest d", "faces.verify faces.Gallery.identify", LOOP,
         "MobileFaceNet in PyTorch", short=True),
    _row(1, "d = sqrt(sum_k (f_k - f'_k)^2)", "similarity.euclidean", NUMBERS, SCIPY),
    _row(1, "cos = f * f' / (||f|| ||f'||)", "similarity.cosine_similarity", NUMBERS, SCIPY),
    _row(1, "d = 1 - cos", "similarity.cosine_distance", NUMBERS, SCIPY),
    _row(1, "sum_k min(f_k, f'_k) / sum_k max(f_k, f'_k)", "similarity.jaccard", NUMBERS, SCIPY),
    _row(1, "d_ij = d(f_i, f'_j)   every picture with every picture", "similarity.all_pairs", LOOP),

    _row(2, "d(x1, x2) = ||f(x1) - f(x2)||^2", "similarity.squared_euclidean", NUMBERS, SCIPY, short=True),
    _row(2, "f = x / ||x||", "normalisation.L2Normalise", NUMBERS, TORCH, GRADIENT),
    _row(2, "1/2 d^2 for one person, 1/2 max(margin - d, 0)^2 for two", "face_losses.contrastive_loss", NUMBERS, LOOP, GRADIENT,
         short=True),
    _row(2, "d_i, L_i, L_i > 0   of each pair", "face_losses.contrastive_terms", NUMBERS, LOOP),

    _row(3, "yhat = sigmoid(sum_k w_k |f_k - f'_k| + b)   and its χ² form", "face_losses.pair_loss face_losses.pair_probability",
         NUMBERS, LOOP, GRADIENT, short=True),
    _row(3, "yhat_i, L_i   of each pair", "face_losses.pair_terms", NUMBERS, LOOP),
    _row(3, "chi^2 = sum_k (f_k - f'_k)^2 / (f_k + f'_k)", "similarity.chi2", NUMBERS),
    _row(3, "tau   with the fewest mistakes; both kinds of mistakes at every τ", "threshold.best_tau threshold.far_frr threshold.roc",
         NUMBERS, LOOP),
    _row(3, "1 - p^K   how often a stranger is taken for one of K people", "threshold.false_alarm", NUMBERS),

    _row(4, "L(A, P, N) = max(||f(A) - f(P)||^2 - ||f(A) - f(N)||^2 + alpha, 0), J = sum L",
         "face_losses.triplet_loss", NUMBERS, LOOP, GRADIENT, short=True),
    _row(4, "d(A, P), d(A, N), L, L > 0   of each triplet", "face_losses.triplet_terms", NUMBERS, LOOP),
    _row(4, "d(A, P) < d(A, N) < d(A, P) + alpha   the semi-hard triplets, and other rules",
         "mining.mine_triplets mining.semi_hard mining.kinds_of", NUMBERS, LOOP),

    _row(5, "G := step(G, dJ/dG)   the pixels change, the weights do not", "style.transfer", "weights compared bit by bit"),

    _row(6, "r^[l] = r^[l-1] + (f^[l] - 1) s^[1] s^[2] ... s^[l-1]   pixels that a unit sees", "receptive_field.table receptive_field.box",
         NUMBERS, "pixels changed one by one"),
    _row(6, "max_ij a_ijk^[l]   of every picture; the nine largest, each with its patch", "strongest.strongest", LOOP),
    _row(6, "dz = da where z > 0 (gradient), where da > 0 (deconvnet), or both (guided)", "attribution.back_to_pixels", "5×5 by hand",
         "PyTorch's hooks on VGG-19", short=True),
    _row(6, "x := x + learning_rate da_k/dx   with x in [0, 1]", "maximise.maximise", GRADIENT),

    _row(7, "J(G) = alpha J_content + beta J_style", "total_cost.TotalCost", "gradient check down to the pixels", "VGG-19 in PyTorch",
         short=True),
    _row(7, "G := G - learning_rate dJ/dG", "optimizers.GradientDescent optimizers.Momentum optimizers.Adam", "steps by hand", short=True),
    _row(7, "G := G - t H dJ/dG   H from the last steps and slopes, t by trial", "lbfgs.LBFGS", NUMBERS, SCIPY),
    _row(7, "J_tv = sum_ijk (G_{i+1,j,k} - G_ijk)^2 + (G_{i,j+1,k} - G_ijk)^2", "style_costs.total_variation", NUMBERS, GRADIENT),

    _row(8, "J_content = 1/2 ||a^[l](C) - a^[l](G)||^2", "style_costs.content_cost", NUMBERS, TORCH, GRADIENT, short=True),
    _row(8, "1/2, 1/(4 n_H n_W n_C), ...   the constant in front, by name", "style_costs.content_constant", NUMBERS),

    _row(9, "G^[l]_kk' = sum_ij a_ijk a_ijk'", "style_costs.gram", NUMBERS, TORCH, GRADIENT, short=True),
    _row(9, "dJ/dA = A (dJ/dG + (dJ/dG)^T), G = A^T A   the way back through the style matrix", "style_costs.through_gram", NUMBERS,
         GRADIENT),
    _row(9, "J_style^[l] = ||G^[l](S) - G^[l](G)||^2 / (2 n_H n_W n_C)^2", "style_costs.layer_style_cost", NUMBERS, TORCH, GRADIENT,
         short=True),
    _row(9, "4 (G^[l](G) - G^[l](S)) / (2 n_H n_W n_C)^2   twice the slope of that cost", "style_costs.style_slope", GRADIENT),
    _row(9, "J_style = sum_l lam^[l] J_style^[l]", "style_costs.style_cost", NUMBERS, TORCH, GRADIENT, short=True),
)
IN_CHINESE = {                                        # the words of the short table: in formulas, then in the other cells
    ", the same person; of K people, the one with the smallest d": "，则为同一个人；K 个人中，取 d 最小的那一个",
    " for one person, ": "（同一个人），", " for two": "（两个人）", ", and its χ² form": "，以及它的 χ² 形式",
    " where z > 0 (gradient), where da > 0 (deconvnet), or both (guided)": "，仅在 z > 0 处（梯度）、da > 0 处（deconvnet）或两者皆满足处（guided）",
    "lecture": "课程", "function": "函数", "checked by": "如何检验", "the same": "同上",
    NUMBERS: "手算的数值", TORCH: "PyTorch 的数值", SCIPY: "SciPy 的数值", LOOP: "按定义写的循环", GRADIENT: "梯度检验",
    "MobileFaceNet in PyTorch": "PyTorch 的 MobileFaceNet", "VGG-19 in PyTorch": "PyTorch 的 VGG-19",
    "5×5 by hand": "手算 5×5", "PyTorch's hooks on VGG-19": "PyTorch 在 VGG-19 上的 hook", "steps by hand": "手算的每一步",
    "gradient check down to the pixels": "一直到像素的梯度检验",
}
UNDER_ANOTHER_NAME = {                                # what `scratchnet check` calls a check, where that is not the function's own name
    "network.Network": "a small VGG", "style_costs.through_gram": "gram", "style_costs.style_slope": "layer_style_cost"}


@dataclass(frozen=True)
class Function:
    """A function of the package, found by its dotted name: its bare name, file ("style_costs.py"), line and source."""

    dotted: str
    name: str
    file: str
    line: int
    source: str


def functions(equation):
    """The functions of a row, looked up in the code as it is now. -> [Function]"""
    return [_function(dotted) for dotted in equation.functions.split()]


def _function(dotted):
    parts, thing = dotted.split("."), None
    for n in range(len(parts), 0, -1):                # the longest part that is a module
        if importlib.util.find_spec("scratchnet." + parts[0]) and (ROOT / "/".join(parts[:n])).with_suffix(".py").is_file():
            thing = importlib.import_module("scratchnet." + ".".join(parts[:n]))
            break
    for name in parts[n:]:
        thing = getattr(thing, name)
    thing = getattr(thing, "py_func", thing)          # of a compiled kernel
    lines, line = inspect.getsourcelines(thing)
    file = Path(inspect.getsourcefile(thing)).relative_to(ROOT).as_posix()
    return Function(dotted, ".".join(parts[n:]), file, line, "".join(lines))


def cases(equation):
    """The names of the gradient checks that belong to a row, as `python -m scratchnet check` has them."""
    names = [UNDER_ANOTHER_NAME.get(dotted, dotted.split(".")[-1]) for dotted in equation.functions.split()]
    return [case for case in CASES if any(case == name or case.startswith((name + ",", name + " ")) for name in names)]


def verdicts():
    """Runs all gradient checks. -> {case: gradient_report.Report}"""
    return {name: case(np.random.default_rng(0)) for name, case in CASES.items()}


def short_table(words=None):
    """The README's table, in Markdown.   words: {English: in the reader's language}, such as IN_CHINESE; None: English"""
    words, last = words or {}, ""
    lines = ["| " + " | ".join(words.get(head, head) for head in ("lecture", "function", "checked by")) + " |", "|---|---|---|"]
    for equation in sorted((e for e in EQUATIONS if e.short), key=lambda e: e.lesson):
        formula, checked = in_unicode(equation.formula), "the same" if equation.checked == last else equation.checked
        for english, said in words.items():
            formula = formula.replace(english, said)
        checked = ("、" if words else ", ").join(words.get(one, one) for one in checked.split(", "))
        lines.append(f"| {formula} | {_in_files(equation)} | {checked} |")
        last = equation.checked
    return "\n".join(lines)


def in_unicode(formula):
    """A formula and its words as a cell of Markdown, where a^[l](C) would be a link."""
    formula, _, words = formula.partition("   ")
    return f"{typeset.as_text(formula)}{', ' * bool(words)}{words}".replace("|", r"\|").replace("](", r"]\(")


def _in_files(equation):
    """`face_losses.py: pair_loss`, `pair_probability`: the file once, then what is in it."""
    said, last = [], None
    for function in functions(equation):
        said.append(f"`{function.name}`" if function.file == last else f"`{function.file}: {function.name}`")
        last = function.file
    return ", ".join(said)


if __name__ == "__main__":
    print(short_table(), short_table(IN_CHINESE), sep="\n\n")
