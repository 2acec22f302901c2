"""Tiny networks in the files that people have, and what PyTorch says that they answer, so that our tests need no PyTorch.

    python tests/reference/make_formats_reference.py     (torch, h5py, SciPy, safetensors, NumPy, a second; writes formats)

Nothing here imports scratchnet. Two networks with torchvision's modules in torchvision's order, a handful of channels each:

    vgg        two blocks of 1 and 2 convolutions, 4 and 6 channels; 12x16 pixels, so a map of 3x4 meets the first dense layer
    alexnet    4, 6, 5, 7, 3 channels; 95x127 pixels, a map of 2x3, so that the adaptive average has nothing to do there either

Maps are not square and no two numbers of channels are equal: whatever is turned round shows. The files:

    vgg_torch.npz, alexnet_torch.npz    torch's own state dict, array by array
    vgg_torch.pth, alexnet_torch.pth    the same as torch.save writes it today, a zip
    vgg_torch_stream.pth, alexnet_...   and in the form of torchvision's files, of before torch 1.6
    vgg_torch.safetensors               and by safetensors.torch
    vgg_caffe.npz                       Caffe's layout: as torch's, but pictures are BGR, 0-255 minus a mean
    vgg_keras.h5                        names and groups of Keras's notop files of 2016, here with the dense layers
    vgg_matconvnet.mat                  the older kind: `normalization` beside `layers`, the average a picture
    vgg_matconvnet_meta.mat             the newer: `meta.normalization`, the average three numbers, fields in another order
    nn4/*.csv                           a folder of arrays as OpenFace's nn4.small2 comes: flat, channels first
    answers.npz                         vgg_x, alexnet_x (pictures, uint8, RGB) and, in float64, channels last:
                                        vgg_torch/relu2_2, vgg_torch/fc8, vgg_caffe/..., alexnet_torch/relu5, alexnet_torch/fc8

All vgg_torch files hold one network, and the other vgg files another: their answers are vgg_caffe's.
"""

from pathlib import Path

import h5py
import numpy as np
import scipy.io
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER   = Path(__file__).with_name("formats")
RGB_MEAN = (123.68, 116.779, 103.939)                             # Caffe's and MatConvNet's, of pictures from 0 to 255
LAYERS   = {"conv1_1": "features.0", "conv2_1": "features.3", "conv2_2": "features.5",
            "fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


class Net(nn.Module):
    """torchvision's way: features, an adaptive average, classifier."""

    def __init__(self, features, map, classifier):
        super().__init__()
        self.features, self.avgpool, self.classifier = nn.Sequential(*features), nn.AdaptiveAvgPool2d(map), nn.Sequential(*classifier)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter)                # large enough for every weight to be seen in the answer

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def vgg():
    return Net([nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2),
                nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)], (3, 4),
               [nn.Linear(6 * 3 * 4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 7)])


def alexnet():
    return Net([nn.Conv2d(3, 4, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(4, 6, 5, padding=2), nn.ReLU(),
                nn.MaxPool2d(3, 2), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 7, 3, padding=1), nn.ReLU(),
                nn.Conv2d(7, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)], (2, 3),
               [nn.Dropout(), nn.Linear(3 * 2 * 3, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 5)])


def answers(net, x, last_relu):
    """The last ReLU before the final pooling, channels last, and the classes' z, both in float64."""
    net = net.double().eval()
    with torch.no_grad():
        a = net.features[:last_relu + 1](x)
        return a.permute(0, 2, 3, 1).contiguous().numpy(), net(x).numpy()


def torchvision_pictures(x):
    x = (x / 255.0 - np.array((0.485, 0.456, 0.406))) / np.array((0.229, 0.224, 0.225))
    return torch.from_numpy(x).permute(2, 0, 1)[None]


def caffe_pictures(x):
    return torch.from_numpy((x - np.array(RGB_MEAN))[:, :, ::-1].copy()).permute(2, 0, 1)[None]


def arrays_of(net):
    return {name: tensor.detach().float().numpy() for name, tensor in net.state_dict().items()}


def write_torch(name, net):
    """In every form that torch writes, and in safetensors'."""
    state = net.state_dict()
    torch.save(state, FOLDER / f"{name}.pth")
    torch.save(state, FOLDER / f"{name}_stream.pth", _use_new_zipfile_serialization=False)
    if name.startswith("vgg"):
        save_file(state, FOLDER / f"{name}.safetensors")


# ---- the same arrays, as others keep them ----

def last(W, map=None):
    """torch's (n_C, n_C_prev, f_H, f_W), or (n, n_C n_H n_W) over a map, to (f_H, f_W, n_C_prev, n_C)."""
    return (W.reshape(len(W), -1, *map) if W.ndim == 2 else W).transpose(2, 3, 1, 0)


def maps(name):
    return (3, 4) if name == "fc6" else (1, 1)


def write_keras(path, state):
    names = {"conv1_1": "block1_conv1", "conv2_1": "block2_conv1", "conv2_2": "block2_conv2", "fc6": "fc1", "fc7": "fc2",
             "fc8": "predictions"}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in ("input_1", *names.values(), "block1_pool")]
        file.create_group("input_1").attrs["weight_names"] = []
        file.create_group("block1_pool").attrs["weight_names"] = []
        for ours, theirs in names.items():
            W, b = state[f"{LAYERS[ours]}.weight"], state[f"{LAYERS[ours]}.bias"]
            W = last(W, maps(ours)).reshape(-1, len(W)) if W.ndim == 2 else last(W)
            group = file.create_group(theirs)
            group.attrs["weight_names"] = [f"{theirs}_{part}_1:0".encode() for part in "Wb"]
            group[f"{theirs}_W_1:0"], group[f"{theirs}_b_1:0"] = W, b


def write_matconvnet(path, state, newer):
    layers = []
    for name, theirs in LAYERS.items():
        cell = np.empty((1, 2), object)
        cell[0, 0] = np.asfortranarray(last(state[f"{theirs}.weight"], maps(name)))
        cell[0, 1] = state[f"{theirs}.bias"][:, None] if newer else state[f"{theirs}.bias"][None]
        if name == "conv1_1":
            cell[0, 0] = np.asfortranarray(cell[0, 0][:, :, ::-1])                  # red first
        fields = {"pad": np.ones((1, 4)), "type": "conv", "name": name, "stride": np.ones((1, 2))}
        layers.append({**fields, "weights": cell, "dilate": 1.0} if newer else {"weights": cell, **fields})
        if name != "fc8":
            layers.append({"type": "relu", "name": f"relu{name[4:]}"})
        if name in ("conv1_1", "conv2_2"):
            layers.append({"name": f"pool{name[4]}", "type": "pool", "method": "max", "pool": np.full((1, 2), 2.0)})
    classes = {"name": np.array(["n01440764", "n01443537"], object), "description": np.array(["tench", "goldfish"], object)}
    if newer:
        image = np.array(RGB_MEAN, np.float32).reshape(1, 1, 3)
        rest = {"meta": {"normalization": {"averageImage": image, "interpolation": "bilinear"}, "classes": classes}}
    else:
        image = np.broadcast_to(RGB_MEAN, (12, 16, 3))
        rest = {"normalization": {"averageImage": image, "imageSize": np.array([[12.0, 16, 3]])}, "classes": classes}
    scipy.io.savemat(path, {"layers": np.array(layers).reshape(1, -1), **rest}, do_compression=newer, oned_as="row")


def write_csv(folder, rng):
    folder.mkdir(exist_ok=True)
    shapes = {"conv1_w": (4, 3, 7, 7), "conv1_b": (4,), "bn1_w": (4,), "bn1_b": (4,), "bn1_m": (4,), "bn1_v": (4,), "dense_w": (5, 12)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    for name, array in arrays.items():
        np.savetxt(folder / f"{name}.csv", array.reshape(1, -1), delimiter=",", fmt="%.9g")
    return arrays


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(19)
    rng, out = np.random.default_rng(19), {"torch": np.array(torch.__version__)}
    out["vgg_x"] = rng.integers(0, 256, (12, 16, 3), np.uint8)
    out["alexnet_x"] = rng.integers(0, 256, (95, 127, 3), np.uint8)
    tiny = {"vgg_torch": vgg(), "vgg_caffe": vgg(), "alexnet_torch": alexnet()}
    for name, net in tiny.items():
        np.savez(FOLDER / f"{name}.npz", **arrays_of(net))
        if name.endswith("torch"):
            write_torch(name, net)
    state = arrays_of(tiny["vgg_caffe"])
    np.savez(FOLDER / "vgg_caffe.npz", **{f"{ours}.{part}": state[f"{theirs}.{word}"]
                                          for ours, theirs in LAYERS.items() for part, word in (("W", "weight"), ("b", "bias"))})
    write_keras(FOLDER / "vgg_keras.h5", state)
    write_matconvnet(FOLDER / "vgg_matconvnet.mat", state, newer=False)
    write_matconvnet(FOLDER / "vgg_matconvnet_meta.mat", state, newer=True)
    out |= {f"nn4/{name}": array for name, array in write_csv(FOLDER / "nn4", rng).items()}
    out["vgg_torch/relu2_2"], out["vgg_torch/fc8"] = answers(tiny["vgg_torch"], torchvision_pictures(out["vgg_x"]), 6)
    out["vgg_caffe/relu2_2"], out["vgg_caffe/fc8"] = answers(tiny["vgg_caffe"], caffe_pictures(out["vgg_x"]), 6)
    out["alexnet_torch/relu5"], out["alexnet_torch/fc8"] = answers(tiny["alexnet_torch"], torchvision_pictures(out["alexnet_x"]), 11)
    np.savez_compressed(FOLDER / "answers.npz", **out)
    print(f"{FOLDER.name}: {sum(file.stat().st_size for file in FOLDER.rglob('*.*') if file.is_file()) / 1000:.0f} kB")
    for name in ("vgg_torch/fc8", "vgg_caffe/fc8", "alexnet_torch/fc8"):
        print(f"{name:18} {np.array2string(out[name][0], precision=4)}")


if __name__ == "__main__":
    main()
