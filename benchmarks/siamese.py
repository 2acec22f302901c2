"""What the Siamese network of a lesson learns in less than a minute: drawn people, and how well it knows others that it never saw.

    python -m benchmarks.siamese [--channels 32 64 128] [--epochs 20] [--json FILE]

Training: 150 drawn people with 8 pictures each, semi-hard triplets, batches of 8 people with 4, Adam at 0.001; an epoch is 18 batches.
Judged on 20 others with 10 pictures each: identified (one picture of each known, 19 wrong ones; chance 0.05) and AUC, as in
benchmarks.drawn_faces, whose raw pixels and whitened PCA it may be compared with.
"""

import argparse
import json
import time
from pathlib import Path

from benchmarks.drawn_faces import score
from scratchnet import drawn_faces, faces
from scratchnet.models import siamese_encoder
from scratchnet.models.siamese import CHANNELS
from scratchnet.optimizers import Adam
from scratchnet.train import Training, Triplet


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    others, labels = drawn_faces.faces(20, 10, seed=1)
    net = siamese_encoder(channels=arguments.channels)
    run = Training(net, *drawn_faces.faces(150, 8, seed=2), Triplet(), Adam(1e-3))
    print(f"{net.summary((1, 64, 64, 3)).parameters:,} parameters, {net.summary((1, 64, 64, 3)).multiply_adds / 1e6:.1f} M multiply-adds")
    begun = time.perf_counter()
    for epoch in run.epochs(arguments.epochs):
        print(f"epoch {epoch.i}: J {epoch.J:.4f}, {epoch.scores['active']} active triplets", *epoch.said, flush=True)
    seconds = time.perf_counter() - begun
    identified, auc = score(faces.encode(run.net, others, batch=64), labels, 10)
    print(f"{seconds:.0f} s; identified {identified:.3f}, AUC {auc:.3f}")
    if arguments.json:
        row = dict(case="siamese_lesson", channels=list(arguments.channels), seconds=seconds, identified=identified, auc=auc)
        arguments.json.write_text(json.dumps([row], indent=1))


if __name__ == "__main__":
    main()
