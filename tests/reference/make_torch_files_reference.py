"""Small files of parameters as PyTorch and safetensors write them, so that our readers are tested on the real thing without either.

    python tests/reference/make_torch_files_reference.py        (torch, safetensors, NumPy, a second; writes the files below)

torch_files.npz          what is in all of them, as PyTorch itself sees it: name -> array, halves as float32, counters left out
torch_zip.pth            today's form: the state_dict (an OrderedDict with _metadata) of a small net, and odd tensors beside it: half,
                         bfloat16, double, transposed, every second number, a row of another, tied, expanded, a scalar, an empty one
torch_stream.pth         the same in the form before 1.6, by torch's own switch
torch_2017.pth           the same stream with the calls of 2017 inside, as torchvision's VGG files have them: _rebuild_tensor, one
                         Parameter with its three flags, one storage that is a view of another
torch_parameters.pth     Parameters instead of tensors (keep_vars)
torch_wrapped.pth        a checkpoint: {'epoch', 'arch', 'state_dict', 'best_acc1', 'optimizer'}, with DataParallel's names
torch_model.pth          a whole model, pickled; to be refused
torch_script.pt          a TorchScript archive, without its records for debugging; to be refused
torch.safetensors        by safetensors.torch
"""

import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent


def small_net():
    """A convolution, a BatchNorm (it counts its batches in whole numbers) and a dense layer, after one step of training."""
    torch.manual_seed(4)
    net = nn.Sequential(OrderedDict(features=nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
                                    pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), classifier=nn.Linear(4, 2)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 3, 6, 6)).square().sum().backward()
    optimizer.step()
    return net, optimizer


def with_odd_ones(state):
    """The state_dict with tensors beside it that lie in their storages in every way that torch knows."""
    tied = torch.randn(3, 4)
    state.update({"odd.half": torch.randn(2, 3).half(), "odd.bfloat16": torch.randn(5).bfloat16(), "odd.double": torch.randn(3).double(),
                  "odd.transposed": torch.randn(3, 2).t(), "odd.second": torch.randn(9)[1::2], "odd.bits": torch.randn(8).bfloat16()[::3],
                  "odd.tied": tied, "odd.tied_too": tied, "odd.row": tied[1], "odd.expanded": torch.randn(3).expand(2, 3),
                  "odd.scalar": torch.tensor(0.5), "odd.empty": torch.zeros(0, 3)})
    return state


# ---- 2017 ----

class OldStorage:
    """Stands where a tensor's storage stands. view: (first, length), the part of it that the tensor was made over."""

    def __init__(self, tensor, view):
        self.numbers, self.key, self.view = tensor.storage(), str(tensor.untyped_storage()._cdata), view


class OldTensor:
    """Pickles as a tensor did before 0.4: the call that rebuilds it, with four arguments."""

    def __init__(self, tensor, view=None):
        self.tensor, self.view = tensor, view

    def __reduce__(self):
        offset = self.tensor.storage_offset() - (self.view[0] if self.view else 0)
        return torch._utils._rebuild_tensor, (OldStorage(self.tensor, self.view), offset, tuple(self.tensor.size()), self.tensor.stride())


class OldParameter(OldTensor):
    """Pickles as a Parameter did: its tensor, and (requires_grad, volatile, backward_hooks) as state."""

    def __reduce__(self):
        return nn.Parameter, (OldTensor(self.tensor),), (True, False, OrderedDict())


class OldPickler(pickle.Pickler):
    """Puts in place of a storage what torch.save put there in 2017, and keeps the numbers for the file's end."""

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def persistent_id(self, value):
        if not isinstance(value, OldStorage):
            return None
        self.storages[value.key] = value.numbers
        view = (f"{value.key} view", *value.view) if value.view else None
        return "storage", getattr(torch, value.numbers._pickle_storage_type()), value.key, "cpu", len(value.numbers), view


def save_as_2017(state, path):
    """torch.save of March 2017, with today's torch."""
    old = OrderedDict((name, OldTensor(tensor)) for name, tensor in state.items())
    old["odd.row"] = OldTensor(state["odd.row"], view=(4, 8))               # the second row, of a view that begins at number 4
    old["classifier.weight"] = OldParameter(state["classifier.weight"])
    with open(path, "wb") as file:
        for value in (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION,
                      dict(protocol_version=1001, little_endian=True, type_sizes=dict(short=2, int=4, long=8))):
            pickle.dump(value, file, protocol=2)
        pickler = OldPickler(file)
        pickler.dump(old)
        keys = sorted(pickler.storages)
        pickle.dump(keys, file, protocol=2)
        for key in keys:
            numbers = pickler.storages[key]
            file.write(len(numbers).to_bytes(8, "little") + bytes(numbers.untyped()))


def script(net, path):
    """A TorchScript archive without its records for debugging, which name folders of the machine that made it."""
    with zipfile.ZipFile(io.BytesIO(torch.jit.script(net).save_to_buffer())) as archive, zipfile.ZipFile(path, "w") as kept:
        for info in archive.infolist():
            if not info.filename.endswith(".debug_pkl"):
                kept.writestr(info, archive.read(info))


def main():
    warnings.simplefilter("ignore")                                         # of torch, about its own older ways
    net, optimizer = small_net()
    state = with_odd_ones(net.state_dict())
    np.savez(HERE / "torch_files.npz", **{name: tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32)).numpy()
                                          for name, tensor in state.items() if tensor.is_floating_point()})
    torch.save(state, HERE / "torch_zip.pth")
    torch.save(state, HERE / "torch_stream.pth", _use_new_zipfile_serialization=False)
    save_as_2017(state, HERE / "torch_2017.pth")
    torch.save(net.state_dict(keep_vars=True), HERE / "torch_parameters.pth")
    torch.save({"epoch": 7, "arch": "small", "state_dict": nn.DataParallel(net).state_dict(), "best_acc1": torch.tensor(71.5),
                "optimizer": optimizer.state_dict()}, HERE / "torch_wrapped.pth")
    torch.save(net.features[0], HERE / "torch_model.pth")
    script(net.pool, HERE / "torch_script.pt")
    save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, HERE / "torch.safetensors", {"format": "pt"})

    for name in ("torch_zip.pth", "torch_stream.pth", "torch_2017.pth"):    # torch reads what was written for it
        again = torch.load(HERE / name, weights_only=True)
        assert again.keys() == state.keys() and all(torch.equal(again[key], state[key]) for key in state), name
    for path in sorted(HERE.glob("torch*")):
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
