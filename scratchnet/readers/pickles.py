"""A pickle is a program, and who unpickles a file runs what a stranger wrote; here PyTorch's are read, and nothing is run.

pickletools tells the opcodes apart and executes none. Those of them that torch.save writes (protocol 2, Python 2 or 3) are carried
out below, on plain lists, dicts and tuples; nothing is imported, called or given attributes. A name that a pickle asks for must be in
CALLS or STORAGES and becomes an inert _Name; calling one makes a record of what the file said of a tensor, for pytorch.py to judge.
All else is refused by its name, before it has any effect.

It is no pickle.Unpickler with a strict find_class, because such a one still makes what it is told to: of 1 MB that nests tuples
in each other and uses the last as a key, Python dies (hash() of it overflows the stack, measured with 3.11); keys made to collide cost
the square of their number; one memo index of 2^24 takes 256 MB. Here keys are texts or whole numbers, the memo is a dict, and
bytes and steps are counted.
"""

import pickletools
from collections import OrderedDict, namedtuple

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers.arrays import BFLOAT16, MAX_AXES, damage_in

MAX_BYTES = 2 ** 21           # a tensor takes some 200 bytes and 40 steps
MAX_STEPS = 2 ** 18

STORAGES = {**{f"torch.{name}Storage": np.dtype(kind) for name, kind in {
    "Double": "<f8", "Float": "<f4", "Half": "<f2", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "i1", "Byte": "u1",
    "Bool": "?", "ComplexFloat": "<c8", "ComplexDouble": "<c16"}.items()}, "torch.BFloat16Storage": BFLOAT16}

# Numbers in a row, kept outside the pickle under a key: `count` of them, of which tensors may use `length` from `first` on
Storage = namedtuple("Storage", "dtype key count first length")
# A tensor over a storage, as the file says; nobody has checked yet that it stays inside
Tensor = namedtuple("Tensor", "storage offset shape strides")


class _Name:
    """What stands for a global that a pickle asked for: a name and nothing else."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name


class _Run:
    """One pickle on its way: the stack, where its marks are, what was put aside (memo), the storages met, the steps taken."""

    def __init__(self, where):
        self.where, self.stack, self.marks, self.memo, self.storages, self.steps = where, [], [], {}, {}, 0

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        return self.stack.pop()

    def pop_marked(self):
        """Everything since the last mark."""
        mark = self.marks.pop()
        values, self.stack[mark:] = self.stack[mark:], []
        return values

    def count(self, steps):
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise WeightsError(f"{self.where}: its pickle takes more than {MAX_STEPS} steps, which no network's does. Refused.")

    def refuse(self, what):
        raise WeightsError(f"{self.where} {what}, which a file of weights never needs. Refused; nothing was run.")


def load(where, file):
    """What the pickle at the file's position describes, and the storages it speaks of -> (object, {key: Storage}).

    The file is one in memory, and is left at the pickle's end. Raises WeightsError for a pickle that wants more than plain containers
    and tensors, that is damaged, or cut off.
    """
    run = _Run(where)
    with damage_in(f"{where}: its pickle"):
        try:
            for opcode, argument, _ in pickletools.genops(file):
                run.count(1)
                if opcode.name not in STEPS:
                    run.refuse(f"uses the pickle opcode {opcode.name}")
                STEPS[opcode.name](run, argument)
        except ValueError as e:
            if isinstance(e, WeightsError) or file.read(1):
                raise
            raise WeightsError(f"{where} is cut off inside its pickle (or has one of more than {MAX_BYTES} bytes). Get it again.") from e
        return run.pop(), run.storages


# ---- the steps: (run, argument of the opcode) ----------------------------------------------------------------------------

def _protocol(run, protocol):
    if protocol != 2:
        raise WeightsError(f"{run.where} is pickled by protocol {protocol}; PyTorch's own is 2. Save it again without pickle_protocol.")


def _value(run, value):
    run.push(value)


def _text(run, text):
    run.push(text.encode("latin-1").decode())          # Python 2 wrote bytes


def _constant(value):
    return lambda run, _: run.push(value)


def _new(container):
    return lambda run, _: run.push(container())


def _tuple(length):
    return lambda run, _: run.push(tuple(reversed([run.pop() for _ in range(length)])))


def _append(values_of):
    def step(run, _):
        values = values_of(run)
        if type(run.stack[-1]) is not list:
            run.refuse("appends to what is no list")
        run.stack[-1].extend(values)
    return step


def _set(values_of):
    def step(run, _):
        values = values_of(run)
        if not isinstance(run.stack[-1], dict):
            run.refuse("sets items of what is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            _put(run, run.stack[-1], key, value)
    return step


def _put(run, target, key, value):
    """An entry of a dict. Texts and whole numbers of 64 bits are hashed at once; others nest, and can be made to collide."""
    if not (type(key) is str or type(key) is int and abs(key) < 2 ** 63):
        run.refuse(f"has a key ({type(key).__name__}) that is neither text nor a whole number of 64 bits")
    if key in target:
        raise WeightsError(f"{run.where} holds {key!r} twice. Refused: which one is meant?")
    target[key] = value


def _name(run, names):
    name = names.replace(" ", ".")
    if name not in CALLS and name not in STORAGES:
        raise WeightsError(f"{run.where} asks for '{name}', which a file of weights never needs. Refused; nothing was run. "
                           "If this is a whole model, save `model.state_dict()` instead.")
    run.push(_Name(name))


def _reduce(run, _):
    arguments, name = run.pop(), run.pop()
    if not isinstance(name, _Name) or name.name not in CALLS or type(arguments) is not tuple:
        run.refuse("calls what cannot be called")
    run.push(CALLS[name.name](run, *arguments))


def _build(run, _):
    """State for an object: PyTorch hangs _metadata on its OrderedDict, and before 0.4 three flags on a Parameter. Dropped."""
    state, target = run.pop(), run.stack[-1]
    if not (type(target) is OrderedDict or type(target) is Tensor and type(state) is tuple and len(state) == 3):
        run.refuse(f"gives state to an object of type {type(target).__name__}")


def _persistent(run, _):
    """A storage, by the tuple that torch.save puts in its place: its numbers are elsewhere in the file."""
    kind, dtype, key, _, count, *view = run.pop()
    _, first, length = (view and view[0]) or (None, 0, count)
    if kind != "storage" or not isinstance(dtype, _Name) or dtype.name not in STORAGES or type(key) is not str:
        run.refuse("asks for what is no storage")
    if not all(type(n) is int and 0 <= n for n in (count, first, length)) or first + length > count:
        raise WeightsError(f"{run.where}: storage {key!r} claims {count} numbers, and {length} from {first}. The file is damaged.")
    storage = Storage(STORAGES[dtype.name], key, count, first, length)
    known = run.storages.setdefault(key, storage)
    if known[:3] != storage[:3]:
        raise WeightsError(f"{run.where}: storage {key!r} is of two kinds or lengths. The file is damaged.")
    run.push(storage)


def _mark(run, _):
    run.marks.append(len(run.stack))


def _keep(run, index):
    run.memo[index] = run.stack[-1]


def _kept(run, index):
    run.push(run.memo[index])


STEPS = {
    "PROTO": _protocol, "STOP": lambda run, _: None, "MARK": _mark,
    "NONE": _constant(None), "NEWTRUE": _constant(True), "NEWFALSE": _constant(False),
    "BININT": _value, "BININT1": _value, "BININT2": _value, "LONG1": _value, "BINFLOAT": _value,
    "BINUNICODE": _value, "BINSTRING": _text, "SHORT_BINSTRING": _text,
    "EMPTY_TUPLE": _tuple(0), "TUPLE1": _tuple(1), "TUPLE2": _tuple(2), "TUPLE3": _tuple(3),
    "TUPLE": lambda run, _: run.push(tuple(run.pop_marked())),
    "EMPTY_LIST": _new(list), "APPEND": _append(lambda run: [run.pop()]), "APPENDS": _append(_Run.pop_marked),
    "EMPTY_DICT": _new(dict), "SETITEM": _set(lambda run: [run.pop(), run.pop()][::-1]), "SETITEMS": _set(_Run.pop_marked),
    "BINPUT": _keep, "LONG_BINPUT": _keep, "BINGET": _kept, "LONG_BINGET": _kept,
    "GLOBAL": _name, "REDUCE": _reduce, "BUILD": _build, "BINPERSID": _persistent,
}


# ---- the names that may be called: (run, arguments) ----------------------------------------------------------------------

def _ordered_dict(run, pairs=()):
    """An OrderedDict; Python 2 gives its items here, Python 3 sets them afterwards."""
    target = OrderedDict()
    run.count(len(pairs))
    for key, value in pairs:
        _put(run, target, key, value)
    return target


def _tensor(run, storage, offset, shape, strides, requires_grad=False, hooks=None, metadata=None):
    """A tensor over a storage. metadata: torch's marks of a view that is negated or conjugated when read."""
    if not isinstance(storage, Storage) or metadata or not type(shape) is type(strides) is tuple or len(shape) > MAX_AXES:
        raise WeightsError(f"{run.where} holds a tensor of an unknown kind. Save ordinary tensors of at most {MAX_AXES} axes.")
    if len(strides) != len(shape) or not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
        raise WeightsError(f"{run.where} holds a tensor of an offset, a shape or strides that are none. The file is damaged.")
    return Tensor(storage, offset, shape, strides)


def _parameter(run, data, *rest):
    """A Parameter is its tensor; whether it wants a gradient is of no interest here."""
    if not isinstance(data, Tensor):
        raise WeightsError(f"{run.where}: a parameter that is no tensor. The file is damaged.")
    return data


CALLS = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _tensor,                        # until 2018, so the VGG files of torchvision
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,                     # until 2018
}
