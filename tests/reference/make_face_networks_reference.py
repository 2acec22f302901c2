"""What PyTorch makes of a few drawn pictures through MobileFaceNet and OpenFace's nn4.small2, written down: encodings only.

    python -m tests.reference.make_face_networks_reference /path/to/mobilefacenet_casia.npz     (torch, seconds; face_networks.npz)

In float64, and nothing here imports scratchnet. Both networks get the numbers of tests/drawn_weights.py, which the tests draw
again; MobileFaceNet gets those of its trained file as well. Pictures are drawn there too.

    <network>/raw        before they are brought to unit length        (3, 128)
    <network>/encoding   after                                         (3, 128)
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.pytorch_mobilefacenet import MobileFaceNet
from tests.drawn_weights import drawn, pictures


# ---- nn4.small2: functions over the arrays of the .csv files ---------------------------------------------------------------

def nn4_small2(x, p):
    """x in [0, 1], RGB, channels first, 96x96; p {name of the file: tensor} -> the 128 numbers before normalisation."""

    def conv(x, name, norm, stride=1, pad=0):
        x = F.conv2d(x, p[f"{name}_w"], p[f"{name}_b"], stride, pad)
        return F.relu(F.batch_norm(x, p[f"{norm}_m"], p[f"{norm}_v"], p[f"{norm}_w"], p[f"{norm}_b"], eps=1e-5))

    def two(x, name, f, stride):
        x = conv(x, f"{name}_conv1", f"{name}_bn1")
        return conv(x, f"{name}_conv2", f"{name}_bn2", stride, f // 2)

    def inception(x, name, stride, length):
        name = f"inception_{name}"
        parts = [two(x, f"{name}_3x3", 3, stride)]
        if f"{name}_5x5_conv1_w" in p:
            parts.append(two(x, f"{name}_5x5", 5, stride))
        pooled = F.avg_pool2d(x ** 2, 3, 3).mul(9).sqrt() if length else F.max_pool2d(x, 3, 2)
        if f"{name}_pool_conv_w" in p:
            pooled = conv(pooled, f"{name}_pool_conv", f"{name}_pool_bn")
        apart = parts[0].shape[2] - pooled.shape[2]    # in the middle, the odd zero after, as Torch's DepthConcat does
        parts.append(F.pad(pooled, 2 * (apart // 2, apart - apart // 2)))
        if f"{name}_1x1_conv_w" in p:
            parts.append(conv(x, f"{name}_1x1_conv", f"{name}_1x1_bn"))
        return torch.cat(parts, 1)

    x = F.max_pool2d(conv(x, "conv1", "bn1", 2, 3), 3, 2, 1)
    x = conv(F.local_response_norm(x, 5, 1e-4, 0.75, 1.0), "conv2", "bn2")
    x = F.local_response_norm(conv(x, "conv3", "bn3", 1, 1), 5, 1e-4, 0.75, 1.0)
    x = F.max_pool2d(x, 3, 2, 1)
    for name, stride, length in (("3a", 1, False), ("3b", 1, True), ("3c", 2, False), ("4a", 1, True), ("4e", 2, False),
                                 ("5a", 1, True), ("5b", 1, False)):
        x = inception(x, name, stride, length)
    return F.linear(F.avg_pool2d(x, 3).flatten(1), p["dense_w"], p["dense_b"])


def nn4_shapes():
    """{name of the file: shape}, from the sizes in OpenFace's nn4.small2.def.lua."""
    shapes = {"dense_w": (128, 736), "dense_b": (128,)}

    def layer(conv, norm, n_prev, n, f):
        shapes.update({f"{conv}_w": (n, n_prev, f, f), f"{conv}_b": (n,), **{f"{norm}_{part}": (n,) for part in "wbmv"}})

    for i, (n_prev, n, f) in enumerate(((3, 64, 7), (64, 64, 1), (64, 192, 3)), 1):
        layer(f"conv{i}", f"bn{i}", n_prev, n, f)
    for name, n_prev, windows, pool, one in (
            ("3a", 192, ((3, 96, 128), (5, 16, 32)), 32, 64), ("3b", 256, ((3, 96, 128), (5, 32, 64)), 64, 64),
            ("3c", 320, ((3, 128, 256), (5, 32, 64)), 0, 0), ("4a", 640, ((3, 96, 192), (5, 32, 64)), 128, 256),
            ("4e", 640, ((3, 160, 256), (5, 64, 128)), 0, 0), ("5a", 1024, ((3, 96, 384),), 96, 256),
            ("5b", 736, ((3, 96, 384),), 96, 256)):
        for f, between, n in windows:
            layer(f"inception_{name}_{f}x{f}_conv1", f"inception_{name}_{f}x{f}_bn1", n_prev, between, 1)
            layer(f"inception_{name}_{f}x{f}_conv2", f"inception_{name}_{f}x{f}_bn2", between, n, f)
        for branch, n in (("pool", pool), ("1x1", one)):
            if n:
                layer(f"inception_{name}_{branch}_conv", f"inception_{name}_{branch}_bn", n_prev, n, 1)
    return shapes


# ---- what is kept ----------------------------------------------------------------------------------------------------------

def channels_first(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def main(weights):
    net, out = MobileFaceNet().double().eval(), {}
    shapes = {name: array.shape for name, array in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    x = channels_first(pictures(3, 112, 96, seed=1))
    with np.load(weights) as file:
        trained = {name: file[name] for name in file.files}
    with torch.no_grad():
        for name, arrays in (("mobilefacenet_drawn", drawn(shapes, seed=5)), ("mobilefacenet_casia", trained)):
            missing, extra = net.load_state_dict({key: torch.from_numpy(array).double() for key, array in arrays.items()}, strict=False)
            assert not extra and all(key.endswith("num_batches_tracked") for key in missing)
            out[f"{name}/raw"] = net((255 * x - 127.5) / 128)
        p = {key: torch.from_numpy(array) for key, array in drawn(nn4_shapes(), seed=6).items()}
        out["nn4_small2_drawn/raw"] = nn4_small2(channels_first(pictures(3, 96, 96, seed=2)), p)
    out |= {key.replace("/raw", "/encoding"): F.normalize(raw) for key, raw in out.items()}
    path = Path(__file__).with_name("face_networks.npz")
    np.savez_compressed(path, **{key: tensor.numpy() for key, tensor in out.items()})
    print(f"{path.name}: {len(out)} arrays, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1])
