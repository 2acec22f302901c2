"""The folder of a painting: the picture and all numbers at any time, a checkpoint to go on from, the stages, and drawings at the end.

    generated.png      G, the best so far, with the settings in its text chunk        checkpoint.npz   to --resume from
    contact_sheet.png  C, S and stages of G            curves.png  every term          stages.npz       small pictures of G
    run.json           settings, versions, the costs of every step                     generated.gif    on request
Every file is replaced whole; a killed run leaves those of its last checkpoint.
"""

import json
import platform
import shlex
import sys
import time

import numpy as np
from tqdm import tqdm

from scratchnet import __version__, images, readers
from scratchnet.atomic import replacing
from scratchnet.errors import WeightsError
from scratchnet.style import Step

OF_A_RUN = ("checkpoint.npz", "checkpoint.previous.npz", "stages.npz", "contact_sheet.png", "curves.png", "generated.gif", "gradients.png",
            "gram_*.png", "reconstructions.png")      # what would be taken for the new run's; generated.png is replaced by its own
SHOWN = 8                                             # pictures on the contact sheet
SIDE = 512                                            # of a stage at most, in pixels
RECONSTRUCTED = 256                                   # longer side of what is painted for the reconstructions


def is_stage(i):
    """Whether step i is one of those that are shown: 0, 1, 2, 3, 4, 6, 9, 13, ...; each half as far again, without an end."""
    stage = 1
    while stage < i:
        stage = max(stage + 1, stage * 3 // 2)
    return i == 0 or i == stage


class StyleFolder:
    """What is kept of a run, in memory until `keep` writes it.

    folder, settings  where, and what run.json shall say of the settings        source  where the network's parameters come from
    pictures          C and the styles, as they were given                      show    G -> the picture to be shown, in [0, 1]
    """

    def __init__(self, folder, settings, source, pictures, show):
        self.folder, self.settings, self.source, self.pictures, self.show = folder, settings, source, pictures, show
        self.stages, self.begun, self.seconds_before = {}, time.perf_counter(), 0.0

    @property
    def checkpoint(self):
        """The file to go on from."""
        return self.folder / "checkpoint.npz"

    def begin(self):
        """What a run that is killed before its first checkpoint leaves: its settings, to begin again with. Files of an older run go."""
        for pattern in OF_A_RUN:
            for path in self.folder.glob(pattern):
                path.unlink()
        self._write_card({"settings": self.settings, "history": []})

    def leave_nothing(self):
        """Nothing was painted: there is no run here."""
        (self.folder / "run.json").unlink(missing_ok=True)

    def go_on(self, run):
        """Stages and seconds of the run so far, when it is resumed; what came after the checkpoint is forgotten."""
        card = json.loads((self.folder / "run.json").read_text())
        self.seconds_before = card.get("seconds", 0.0)
        try:
            found = readers.read(self.folder / "stages.npz", kinds="u")
        except (FileNotFoundError, WeightsError):      # pictures of the way are nice to have, and no reason to refuse the run
            found = {}
        self.stages = {int(name[1:]): G for name, G in found.items() if run.history and int(name[1:]) <= run.history[-1]["i"]}

    def add(self, step):
        """A Step that was made."""
        if is_stage(step.i):
            self.stages[step.i] = _small(self.show(step.G))

    def keep(self, run):
        """All that is needed to show the run and to go on with it, before anything that takes longer. -> the Step in generated.png"""
        best, last = run.best, run.history[-1]
        card = {"command": shlex.join(sys.argv[1:]), "network": self.source, "step": last["i"], "best": best.i, **self._numbers(best),
                "seconds": round(self.seconds_before + time.perf_counter() - self.begun, 2), "settings": self.settings,
                "sizes": {"C": self.pictures[0].shape[1:3], "S": [S.shape[1:3] for S in self.pictures[1:]]},
                "versions": dict(scratchnet=__version__, numpy=np.__version__, python=platform.python_version())}
        images.save(self.folder / "generated.png", self.show(best.G), {"scratchnet": json.dumps(card)})
        readers.save(self.folder / "stages.npz", {f"i{i:07d}": G for i, G in self.stages.items()})
        run.save(self.checkpoint)
        self._write_card({**card, "history": run.history})
        return best

    def _write_card(self, card):
        with replacing(self.folder / "run.json") as file:
            file.write(json.dumps(card, indent=1).encode())

    def draw(self, run, arguments):
        """The stages on one sheet, the curves of all terms on one axis, and what else was asked for."""
        from scratchnet import layer_views, plots, style_views        # matplotlib only once there is something to draw
        stages = {**self.stages, run.best.i: _small(self.show(run.best.G))}
        chosen = [i for i in sorted(stages) if len(stages) <= SHOWN or i not in (1, 2, 3)]      # too like step 0
        chosen = [chosen[round(k)] for k in np.linspace(0, len(chosen) - 1, min(SHOWN, len(chosen)))]
        C, *styles = self.pictures
        names = ["style, S"] if len(styles) == 1 else [f"style {k}" for k in range(1, len(styles) + 1)]
        plots.contact_sheet(self.folder / "contact_sheet.png", [C, *styles, *(stages[i] / np.float32(255) for i in chosen)],
                            ["content, C", *names, *(f"step {i}" for i in chosen)])
        cost = run.cost
        if len(run.history) > 1 and any(step["J"] > 0 for step in run.history):      # S may be C: there is nothing to draw then
            plots.cost_curves(self.folder / "curves.png", run.history, cost.alpha, cost.beta, cost.lam, cost.tv)
        if arguments.gif:
            images.save_film(self.folder / "generated.gif", [stages[i] for i in sorted(stages)])
        if arguments.gradients:
            style_views.gradient_sheet(self.folder / "gradients.png", cost, self._three(run, stages))
        if arguments.gram:
            C, styles = run.pictures()
            layer, pairs = arguments.gram
            style_views.gram_files(self.folder, run.net, layer, C, styles[0].picture, np.clip(run.best.G, 0, 1), pairs)
        if arguments.reconstruct:
            C, S = (images.resize(picture, min(RECONSTRUCTED, max(picture.shape[1:3]))) for picture in self.pictures[:2])
            found = list(tqdm(layer_views.reconstructions(run.net, C, S, list(cost.lam)), total=2 * len(cost.lam), unit="picture",
                              desc="reconstructions"))
            layer_views.reconstruction_grid(self.folder / "reconstructions.png", C, S, found)

    @staticmethod
    def _three(run, stages):
        """The first, a middle and the last Step at the finest scale, as they are kept, in bytes. The best alone where stages are no G:
        smaller than the picture, or shown in other colours than G has."""
        same = [(i, stage) for i, stage in sorted(stages.items()) if stage.shape == run.best.G.shape]
        if not np.array_equal(stages[run.best.i], _small(np.clip(run.best.G, 0, 1))):
            return [run.best]
        G = [Step(i, stage.astype(run.best.G.dtype) / 255, 0, 0, 0, {}) for i, stage in same]
        return [G[0], G[len(G) // 2], run.best] if len(G) > 2 else [run.best]

    def _numbers(self, step):
        return dict(J=step.J, J_content=step.J_content, J_style=step.J_style, per_layer=step.per_layer)


def _small(picture):
    """A stage as bytes, its longer side at most SIDE."""
    picture = picture if max(picture.shape[1:3]) <= SIDE else images.resize(picture, SIDE)
    return np.rint(255 * picture).astype(np.uint8)
