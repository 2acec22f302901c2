"""What the network that ships can paint, judged by VGG-19: the same picture and the same judge as benchmarks.style_quality.

    python -m benchmarks.shipped_network [--data FOLDER] [--json FILE] [--out PNG] [--network FILE]

Tübingen in Starry Night, both at 256 px (Pillow's LANCZOS), 150 steps of Adam from the photograph with the settings that the tool
uses for this network; the saved 8-bit picture is measured by VGG-19 with max pooling. FOLDER is that of style_quality.
The file is {"style": mean over relu1_1 ... relu5_1, "content": relu4_2, "photograph": the style distance before, "seconds": ...}.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks.data_folder import add_data
from benchmarks.style_quality import SIZE, judge
from scratchnet import images, models, style
from scratchnet.cli.style import TRAINED

STEPS = 150


def main():
    """Paints, judges, prints, and writes the figures if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="PNG", help="keep the painting here")
    parser.add_argument("--network", metavar="FILE", help="another file of the same network (default: the one that ships)")
    arguments = parser.parse_args()
    C = images.load(arguments.data / "pictures/content/tubingen.jpg", SIZE)
    S = images.load(arguments.data / "pictures/style/starry_night.jpg", SIZE)
    net, begun = models.small_vgg(arguments.network).freeze(), time.perf_counter()
    run = style.transfer(net, C, S, steps=STEPS, alpha=TRAINED["alpha"], tv=TRAINED["tv"])
    for step in tqdm(run, total=STEPS + 1, desc="painting"):
        pass
    seconds = time.perf_counter() - begun
    vgg19 = models.vgg19(arguments.data / "weights/vgg19_conv.npz").freeze(until="relu5_1")
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or Path(folder) / "generated.png"
        images.save(out, step.G)
        painted, before = judge(vgg19, out, C, S), judge(vgg19, C, C, S)
    row = {"style": painted["style"], "content": painted["content"], "photograph": before["style"], "seconds": seconds}
    print(f"style {row['style']:.3f} (the photograph {row['photograph']:.3f}), content {row['content']:.3f}, "
          f"{STEPS} steps in {seconds:.0f} s\nper layer " + " ".join(f"{l} {J:.3f}" for l, J in painted["per_layer"].items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
