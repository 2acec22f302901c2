"""How good is a painting? Tübingen in Starry Night, painted and then judged by VGG-19 itself.

    python -m benchmarks.style_quality [--data FOLDER] [--json FILE] [--out PNG]

The judge looks at the saved 8-bit picture and measures, with VGG-19 and max pooling,
    style    mean over relu1_1 ... relu5_1 of ||G_S - G_G||^2 / ||G_S||^2, Gram matrices divided by positions
    content  ||a_C - a_G||^2 / ||a_C||^2 at relu4_2
The photograph itself has style 0.438 and content 0. The protocol, so that others can repeat it: longer side 256 by
Pillow's LANCZOS, 100 steps of Adam from the photograph, learning rate 0.03, pixels kept in [0, 1], J = 0.3 content + style.
FOLDER holds pictures/content/tubingen.jpg, pictures/style/starry_night.jpg and weights/vgg19_conv.npz.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks.data_folder import add_data
from scratchnet import images, models, style

SIZE, STEPS = 256, 100


def judge(net, picture, C, S):
    """{"style", "content", "per_layer"} of a picture, a file or an array, by a network with VGG's layer names."""
    G = images.load(picture) if isinstance(picture, (str, Path)) else picture
    step = style.TotalCost(net, C, S, normalise="relative").step(G, 0)
    return {"style": step.J_style, "content": step.J_content, "per_layer": step.per_layer}


def main():
    """Paints, judges, prints, and writes the figures if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="PNG", help="keep the painting here")
    arguments = parser.parse_args()
    C = images.load(arguments.data / "pictures/content/tubingen.jpg", SIZE)
    S = images.load(arguments.data / "pictures/style/starry_night.jpg", SIZE)
    net = models.vgg19(arguments.data / "weights/vgg19_conv.npz").freeze()
    begun = time.perf_counter()
    for step in tqdm(style.transfer(net, C, S, steps=STEPS), total=STEPS + 1, desc="painting"):
        pass
    seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or Path(folder) / "generated.png"
        images.save(out, step.G)
        rows = {"photograph": judge(net, C, C, S), "painted": {**judge(net, out, C, S), "seconds": seconds}}
    print(f"{'':12}{'style':>8}{'content':>9}   " + "".join(f"{l:>9}" for l in style.LAM))
    for name, row in rows.items():
        print(f"{name:12}{row['style']:8.3f}{row['content']:9.3f}   " + "".join(f"{J_l:9.3f}" for J_l in row["per_layer"].values()))
    print(f"{STEPS} steps in {seconds:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
