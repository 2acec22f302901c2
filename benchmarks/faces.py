"""Real people whom the networks never saw: how many are known from one picture, and how fast.

    python -m benchmarks.faces [--data FOLDER] [--json FILE] [--pairs N]

orl_unseen   s31 ... s40 of the ORL faces (AT&T Laboratories Cambridge), ten pictures each, none used in training, by the encoder that
             ships. Identified: one picture of each person is in the gallery, the nearest one answers for the other nine; the mean over
             the ten choices of that picture (chance: 0.1). AUC over all 4950 pairs. The floor is printed beside it: raw pixels at
             46 x 56, and PCA of them whitened within the 30 people that one may train on.
lfw_fold1    the 600 pairs of the first fold of Labeled Faces in the Wild, by MobileFaceNet with its authors' parameters, the mirrored
             picture's encoding added: accuracy with the threshold chosen on nine tenths of the pairs and judged on the last, AUC. The
             box that is cut was chosen among some thirty on these very pairs, so other folds may come out a little worse;
             (67, 49, 183, 184.5), 1 and 3 pixels away, gives 0.973. An accuracy on 600 pairs is uncertain by 0.01 either way.
             Time is that of 96 pictures, 16 in a batch or one by one, beside PyTorch's own layers, in turn.
FOLDER, by default the environment variable SCRATCHNET_DATA, holds faces/orl, faces/lfw_fold1 and weights/mobilefacenet_casia.npz.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np

from benchmarks.data_folder import add_data
from benchmarks.pairs import compare, show
from scratchnet import faces, models, people, threshold
from scratchnet.similarity import all_pairs, squared_euclidean

TRAINED_ON, UNSEEN = range(1, 31), range(31, 41)
LFW_BOX = (68, 52, 184, 187.5)                        # left, top, right, bottom in its aligned pictures; how it was found: above
AT_A_TIME, TIMED = 16, 96                             # pictures in a batch, and in a timed step: an idle machine takes a while to wake


def orl_unseen(encode, folder):
    """How well an encoder knows the ten people of ORL that nothing was trained on -> {"identified", "auc"}

    encode  a function from pictures (100, 112, 92, 3), float32 in [0, 1], to encodings (100, n_f)
    folder  that of the ORL faces, with s01 ... s40
    """
    asked = people.orl(folder, UNSEEN)
    return score(encode(people.load(asked.paths)), asked.labels)


def score(f, labels):
    """Encodings (m, n_f), each person's pictures in a row and as many of everybody -> {"identified", "auc"}, by squared distances."""
    d = all_pairs(squared_euclidean, np.asarray(f, np.float64))
    each = len(f) // (labels.max() + 1)
    identified = []
    for known in range(each):
        gallery = np.arange(known, len(f), each)
        others = np.setdiff1d(np.arange(len(f)), gallery)
        identified.append(np.mean(labels[gallery][d[np.ix_(others, gallery)].argmin(axis=1)] == labels[others]))
    i, j = np.triu_indices(len(f), 1)
    return {"identified": float(np.mean(identified)), "auc": threshold.auc(d[i, j], labels[i] == labels[j])}


def pixels(pictures):
    """(m, 112, 92, 3) -> (m, 56 * 46), float64: means of 2 x 2 grey pixels, as they are."""
    m, n_H, n_W, _ = pictures.shape
    return pictures[..., 0].reshape(m, n_H // 2, 2, n_W // 2, 2).mean(axis=(2, 4), dtype=np.float64).reshape(m, -1)


def whitened_pca(folder, n=60):
    """The encoder without a network: `n` principal components of the 30 training people, scaled so that the spread within a person
    is the same in every direction.   -> encode, as orl_unseen wants it"""
    known = people.orl(folder, TRAINED_ON)
    x = pixels(people.load(known.paths))
    mean = x.mean(axis=0)
    _, _, V = np.linalg.svd(x - mean, full_matrices=False)
    z = (x - mean) @ V[:n].T
    within = z - np.stack([z[known.labels == k].mean(axis=0) for k in range(len(known.names))])[known.labels]
    L = np.linalg.cholesky(np.linalg.inv(within.T @ within / len(within) + 1e-3 * np.eye(n)))
    return lambda pictures: (pixels(pictures) - mean) @ V[:n].T @ L


# ---- Labeled Faces in the Wild -----------------------------------------------------------------------------------------------

def lfw_fold1(encode, folder):
    """How well an encoder tells the pairs of a fold apart -> {"accuracy", "standard_error", "auc", "tau"}

    encode  a function from paths of the aligned pictures, 250 x 250, to encodings (m, n_f)        folder  with pairs.csv
    tau     the one that all 600 pairs would choose
    """
    fold = people.lfw(folder)
    f = encode(fold.people.paths)
    d = squared_euclidean(f[fold.first], f[fold.second])
    folds = threshold.ten_fold(d, fold.same)
    return {"accuracy": folds.accuracy, "standard_error": folds.standard_error, "auc": threshold.auc(d, fold.same),
            "tau": threshold.best_tau(d, fold.same)}


def ours(weights, paths, each):
    """m pictures, `each` at a time, through our layers -> step() -> encodings (m, 128)"""
    net = models.mobilefacenet(weights).freeze(fold=True)
    x = np.concatenate([faces.cut(net, path, LFW_BOX) for path in paths])
    return lambda: np.concatenate([net.forward(x[i:i + each], keep=["encoding"], params=False)[0]["encoding"]
                                   for i in range(0, len(x), each)])


def pytorch(weights, paths, each, channels_last):
    """The same through PyTorch's, from prepared pictures."""
    import torch
    from benchmarks.pytorch_mobilefacenet import load
    net = models.mobilefacenet(weights)
    x = np.concatenate([faces.cut(net, path, LFW_BOX) for path in paths])
    z = np.ascontiguousarray(net.layers["input"].forward(x)[0].transpose(0, 3, 1, 2))
    to_memory = torch.channels_last if channels_last else torch.contiguous_format
    net, z = load(weights).to(memory_format=to_memory), torch.from_numpy(z).contiguous(memory_format=to_memory)

    @torch.inference_mode()
    def step():
        return torch.cat([torch.nn.functional.normalize(net(z[i:i + each])) for i in range(0, len(z), each)]).numpy()
    return step


def same(ours, theirs):
    """Encodings to 1e-4, all of length 1."""
    assert np.abs(ours - theirs).max() < 1e-4


def speed(case, weights, paths, each, pairs):
    """A row of compare with the faster of PyTorch's two orders of memory, and encodings per second of either."""
    peers = [(pytorch, (weights, paths, each, channels_last)) for channels_last in (True, False)]
    peers = peers if importlib.util.find_spec("torch") else [None]
    row = min((compare(case, (ours, (weights, paths, each)), "pytorch", peer, same, pairs) for peer in peers),
              key=lambda row: row["peer_s"] or 0)
    show(row)
    return {**row, "per_second": len(paths) / row["ours_s"], "peer_per_second": row["peer_s"] and len(paths) / row["peer_s"]}


def main():
    """Both judgements, printed with what they are to be compared with; the rows are written if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    data = arguments.data
    orl, lfw, weights = data / "faces/orl", data / "faces/lfw_fold1", data / "weights/mobilefacenet_casia.npz"

    shipped = models.face_encoder()
    for name, encode in (("raw pixels, 46 x 56", pixels), ("PCA (60), whitened within people", whitened_pca(orl)),
                         ("face_encoder, which ships", lambda pictures: faces.encode(shipped, pictures))):
        known = orl_unseen(encode, orl)
        print(f"orl_unseen   {name:35} identified {known['identified']:.3f}   AUC {known['auc']:.3f}", flush=True)
    rows = [{"case": "orl_unseen", **known}]

    net = models.mobilefacenet(weights)
    for flip in (False, True):
        told = lfw_fold1(lambda paths: faces.encode(net, paths, flip=flip, crop=LFW_BOX), lfw)
        print(f"lfw_fold1    MobileFaceNet{', mirrored picture added' if flip else '':24} accuracy {told['accuracy']:.4f} "
              f"+- {told['standard_error']:.4f}   AUC {told['auc']:.4f}   tau {told['tau']:.3f}", flush=True)
    paths = people.lfw(lfw).people.paths[:TIMED]
    rows += [{**speed("lfw_fold1", weights, paths, AT_A_TIME, arguments.pairs), **told},
             speed("lfw_fold1 one by one", weights, paths, 1, arguments.pairs)]
    for row in rows[1:]:
        theirs = "" if row["peer"] is None else f" (PyTorch {row['peer_per_second']:.0f})"
        print(f"{row['case']:24} {row['per_second']:.0f} encodings a second{theirs}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
