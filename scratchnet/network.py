"""A network is a row of named layers; a["relu4_2"] is the lecture's a^[l].

Forward collects the activations one asks for, backward takes gradients at several layers at once, because the style
cost of the lecture reaches into five of them.
"""

import copy
import difflib

import numpy as np

from scratchnet import kernels, readers
from scratchnet.errors import ShapeError, WeightsError
from scratchnet.folding import folded
from scratchnet.shapes import expect_finite, expect_floats, expect_gradient
from scratchnet.summary import Summary, grow_receptive_field

KEPT = ("ReLU", "PReLU", "Sigmoid", "Tanh", "Softmax", "MaxPool2D", "AvgPool2D", "L2Pool2D", "Dense")


class Network:
    """Layers by name, in order.

    layers  {name: layer}: {"conv1_1": Conv2D(3, 64), "relu1_1": ReLU(), ...}
    name    of a network that is known by one, such as "mobilefacenet": what belongs to it, a threshold, is found by it
    params, state   flat dicts of all layers' arrays, {"conv1_1.W": ...}, as in the files
    """

    def __init__(self, layers, frozen=False, name=None):
        self.layers = dict(layers)
        self.frozen, self.name = frozen, name

    def __repr__(self):
        return f"{type(self).__name__}({self.layers!r})"

    @property
    def names(self):
        """The layers' names, first to last."""
        return list(self.layers)

    @property
    def params(self):
        """Every parameter, {"conv1_1.W": array}."""
        return {f"{name}.{key}": array for name, layer in self.layers.items() for key, array in layer.params.items()}

    @property
    def state(self):
        """What is loaded and saved with the parameters but has no gradient, {"bn1.mean": array}."""
        return {f"{name}.{key}": array for name, layer in self.layers.items() for key, array in layer.state.items()}

    # ------------------------------------------------------------------------------------------- forward, backward

    def forward(self, x, until=None, keep=None, params=True, training=False, rng=None, check=False):
        """a^[l] for the layers asked for, and the caches that backward needs.

        x       input, for most networks pictures (m, n_H, n_W, 3), RGB in [0, 1]
        until   the last layer to run (None: all)
        keep    names of a; None keeps the outputs of ReLU, pooling and dense layers. A z such as "conv4_2" only by name
        params  False: the caches hold only the way back to x (masks and winners); so it is in a frozen network
        check   True, to find where NaN comes from: every array is looked at, x, then layer by layer parameters, state and output
        -> ({name: array}, caches)        Raises ShapeError for an unknown name; with check, NumericsError naming the first bad array.
        """
        until = self.names[-1] if until is None else self.known(until)
        run = self.names[:self.names.index(until) + 1]
        if keep is not None:
            keep = set(keep)
            for name in keep:
                if self.known(name) not in run:
                    raise ShapeError(f"keep asks for {name!r}, which comes after until={until!r}.")
        a, caches, params = {}, {}, params and not self.frozen
        x, done = np.asarray(x), None
        if check:
            expect_finite(x, "the input")
        for name, following in zip(run, [*run[1:], None]):
            layer = self.layers[name]
            if name == done:                           # a ReLU or PReLU that ran with the convolution before it
                pass
            elif not check and self._relu_at_once(name, following, keep):      # a ReLU hides -inf
                x, caches[name], caches[following] = layer.forward_relu(x, params)
                done = following
            elif not check and not params and self._prelu_at_once(name, following, keep):
                x, caches[name], caches[following] = layer.forward_prelu(x, self.layers[following].params["alpha"])
                done = following
            else:
                x, caches[name] = layer.forward(x, training=training, rng=rng, params=params)
            if check:
                _expect_finite(name, layer, x)
            if name in keep if keep is not None else type(layer).__name__ in KEPT or name == until:
                a[name] = x
        return a, caches

    def _relu_at_once(self, name, following, keep):
        """A convolution whose z, or its gradient, is nobody's business but that of the ReLU behind it."""
        return (hasattr(self.layers[name], "forward_relu") and following is not None
                and type(self.layers[following]).__name__ == "ReLU" and (keep is None or name not in keep))

    def _prelu_at_once(self, name, following, keep):
        """The same with a PReLU, whose own backward needs z only where dJ/dalpha is asked for."""
        return (hasattr(self.layers[name], "forward_prelu") and following is not None
                and type(self.layers[following]).__name__ == "PReLU" and (keep is None or name not in keep))

    def backward(self, da, caches, to_x=True, release=False):
        """Gradients poured in at the layers of `da`, carried back to the input.

        da    {name: dJ/da of that layer's output}, or a function that makes it when the way back has come there, so that
              large gradients need not exist all at a time
        to_x  False, in training: dx is not worked out, and is None       -> (dx, {"conv1_1.W": dJ/dW, ...})
        release  True: each cache is taken out of `caches` when it has been used, so that its memory serves the next layer
        """
        for name in da:
            if self.known(name) not in caches:
                raise ShapeError(f"a gradient arrives at {name!r}, but forward stopped before it: use until={name!r} or later.")
        if not da:
            raise ShapeError("backward needs the gradient of at least one layer, {name: da}.")
        run, dx, grads, done = list(caches), None, {}, None
        deepest = max(run.index(name) for name in da)
        first = next((name for name in run if self.layers[name].params), run[0])
        take = caches.pop if release else caches.get
        for name, before in zip(run[deepest::-1], [*run[:deepest][::-1], None]):
            if name == done:                           # a convolution that ran with the ReLU behind it
                continue
            try:
                dx = _poured_in(dx, da.get(name), name)
                if name == first and not to_x:
                    dx, layer_grads = None, _gradients(self.layers[name], dx, take(name))
                elif before is not None and not (before == first and not to_x) and self._relu_at_once(before, name, da):
                    dx, layer_grads = self.layers[before].backward_relu(dx, take(before), take(name))
                    done = name = before
                else:
                    dx, layer_grads = self.layers[name].backward(dx, take(name))
            except ShapeError as e:
                raise ShapeError(f"{name}: {e}") from e
            grads.update({f"{name}.{key}": g for key, g in layer_grads.items()})
            if dx is None:
                break
        return dx, dict(reversed(grads.items()))

    def new_state(self, caches):
        """The state after a training batch, {"bn1.mean": ...}: what the caches of BatchNorm carry, the rest as it was."""
        state = self.state
        for name, cache in caches.items():
            new = self.layers[name].new_state(cache) if hasattr(self.layers[name], "new_state") else None
            state.update({f"{name}.{key}": array for key, array in (new or {}).items()})
        return state

    def known(self, name):
        """The name itself if there is such a layer. Raises ShapeError with the nearest one."""
        if name not in self.layers:
            near = difflib.get_close_matches(str(name), self.names, 1)
            raise ShapeError(f"unknown layer {name!r}{f'; did you mean {near[0]!r}?' if near else '.'} "
                             f"Available: {', '.join(self.names)}")
        return name

    # ------------------------------------------------------------------------------- the same network, other arrays

    def with_params(self, params, state=None, frozen=False):
        """The same layers around other arrays: {"conv1_1.W": ...} for all of params (and of state, if given).

        The new network shares nothing that could change: optimisers and checkers work through this.
        """
        layers = {}
        for name, layer in self.layers.items():
            own = {key: params[f"{name}.{key}"] for key in layer.params}
            own_state = {key: (self.state if state is None else state)[f"{name}.{key}"] for key in layer.state}
            layers[name] = with_arrays(layer, own, own_state, frozen)
        return Network(layers, frozen, self.name)

    def astype(self, dtype):
        """The same network in another precision: float32 to run, float64 to check."""
        return self.with_params({key: array.astype(dtype) for key, array in self.params.items()},
                                {key: array.astype(dtype) for key, array in self.state.items()}, self.frozen)

    def freeze(self, until=None, fold=False):
        """The same network with read-only parameters (up to layer `until`): pictures may change, weights may not. Its caches
        hold no more than the way to the pixels needs, and backward returns no gradients of parameters.

        fold  True: the convolutions take over what a BatchNorm behind them does (folding.py), which is faster. The layers of
              BatchNorm are gone then, and a convolution's name stands for what came out of its BatchNorm
        """
        last = len(self.layers) if until is None else 1 + self.names.index(self.known(until))
        layers = {name: self.layers[name] for name in self.names[:last]}
        net = Network(folded(layers) if fold else layers, name=self.name if until is None else None)
        return net.with_params({key: array.copy() for key, array in net.params.items()},
                               {key: array.copy() for key, array in net.state.items()}, frozen=True)

    # ------------------------------------------------------------------------------------------------ files, tables

    def save(self, path, notes=None):
        """Every parameter and state array into one .npz file, complete or not at all; `notes` (a dict) as JSON text beside them."""
        readers.save(path, {**self.params, **self.state}, {**(notes or {}), "layers": repr(self), **self._preprocess()})

    def load(self, path):
        """Parameters and state from a file made by save. Strict: nothing missing, nothing over, every shape right.

        Either everything is taken over or nothing. Raises WeightsError with every mismatch in one message.
        """
        if self.frozen:
            raise WeightsError("this network is frozen. Load first, then freeze().")
        notes = readers.read_notes(path)
        if notes and {"preprocess": notes.get("preprocess")} != {"preprocess": None, **self._preprocess()}:
            raise WeightsError(f"'{path}' was made for pictures prepared by {notes.get('preprocess')}; this network has "
                               f"{self._preprocess().get('preprocess')}. Build the network with the file's preparation.")
        own = {**self.params, **self.state}
        dtype = next((array.dtype for array in own.values()), None)
        arrays = readers.read(path, {name: array.shape for name, array in own.items()}, into=dtype)
        self.fill(arrays, str(path), copy=False)
        return self

    def _preprocess(self):
        """What the file must say of how pictures are prepared: the fields of the input layer."""
        return {"preprocess": layer.describe() for layer in self.layers.values() if hasattr(layer, "describe")}

    def fill(self, arrays, source="the arrays", copy=True):
        """Parameters and state from {name: array}, cast to this network's precision. Strict, as load is.

        copy  False: arrays that fit are taken as they are, by a caller who will not touch them again
        """
        expected = {**self.params, **self.state}
        _refuse_mismatches(arrays, expected, source)
        with np.errstate(over="ignore"):               # said in words below
            arrays = {name: arrays[name].astype(array.dtype, copy=copy) for name, array in expected.items()}
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise WeightsError(f"{source}: {name} has numbers that {array.dtype} cannot hold.")
        self.layers = self.with_params(arrays, arrays).layers

    def summary(self, shape, until=None):
        """A table of the layers (up to `until`) for an input of this shape, (m, n_H, n_W, 3). Print it; `.rows` has it as data."""
        last = len(self.layers) if until is None else 1 + self.names.index(self.known(until))
        return Summary({name: self.layers[name] for name in self.names[:last]}, shape)


def _expect_finite(name, layer, a):
    """Raises NumericsError that names the first array of a layer, or its output, with NaN or infinity."""
    for key, array in [*layer.params.items(), *layer.state.items()]:
        expect_finite(array, f"{name}.{key}")
    expect_finite(a, f"the output of {name}")


def _poured_in(dx, da, name):
    """The gradient at a layer: what came from behind, and what is poured in there."""
    if da is None:
        return dx
    da = np.asarray(da() if callable(da) else da)
    return da if dx is None else kernels.plus(dx, expect_gradient(da, dx.shape, f"the gradient at {name!r}"))


def _gradients(layer, dz, cache):
    """A layer's gradients alone, if it can tell them apart from da_prev."""
    return layer.gradients(dz, cache) if hasattr(layer, "gradients") else layer.backward(dz, cache)[1]


def with_arrays(layer, params, state, frozen=False):
    """A copy of one layer around other arrays; frozen, they are read-only, and the layer may keep what it makes of them."""
    layer = copy.copy(layer)
    if frozen:
        params, state = ({key: _read_only(array) for key, array in arrays.items()} for arrays in (params, state))
    if params:
        layer.params = params
    if state:
        layer.state = state
    if hasattr(layer, "kept"):
        layer.kept = {} if frozen else None
    if hasattr(layer, "networks"):
        layer.networks = {name: network.with_params(network.params, network.state, frozen) for name, network in layer.networks.items()}
    return layer


def _read_only(array):
    array = array.view()
    array.flags.writeable = False
    return array


def _refuse_mismatches(arrays, expected, source):
    """One WeightsError that lists all that is missing, unexpected, or of another shape."""
    problems = [f"missing: {', '.join(missing)}" for missing in [[n for n in expected if n not in arrays]] if missing]
    problems += [f"unexpected: {', '.join(extra)}" for extra in [[n for n in arrays if n not in expected]] if extra]
    problems += [f"{name} has shape {arrays[name].shape}, expected {expected[name].shape}" for name in expected
                 if name in arrays and arrays[name].shape != expected[name].shape]
    if problems:
        raise WeightsError(f"{source} does not fit this network. " + "; ".join(problems))


class _Nested:
    """What Branches and Residual share: networks inside a layer, their arrays under the networks' names."""

    def __init__(self, networks):
        self.networks = {name: network if isinstance(network, Network) else Network(network) for name, network in networks.items()}

    @property
    def params(self):
        return {f"{name}.{key}": array for name, network in self.networks.items() for key, array in network.params.items()}

    @params.setter
    def params(self, arrays):
        self.networks = {name: network.with_params(_under(name, arrays)) for name, network in self.networks.items()}

    @property
    def state(self):
        return {f"{name}.{key}": array for name, network in self.networks.items() for key, array in network.state.items()}

    @state.setter
    def state(self, arrays):
        self.networks = {name: network.with_params(network.params, _under(name, arrays))
                         for name, network in self.networks.items()}

    def new_state(self, cache):
        return {f"{name}.{key}": array for name, network in self.networks.items()
                for key, array in network.new_state(cache[name]).items()}

    def multiply_adds(self, shape):
        return sum(row.multiply_adds for network in self.networks.values() for row in Summary(network.layers, shape).rows)

    def receptive_field(self, size, jump):
        return max(grow_receptive_field(network.layers, size, jump) for network in self.networks.values())

    def _forward(self, a_prev, training, rng, params):
        """The last activation of each network, and its caches, {name: caches}."""
        out, cache = {}, {}
        for name, network in self.networks.items():
            last = network.names[-1]
            a, cache[name] = network.forward(a_prev, keep=[last], training=training, rng=rng, params=params)
            out[name] = a[last]
        return out, cache

    def _backward(self, da, cache):
        """The sum of the gradients that arrive through each network, and all parameters' gradients."""
        da_prev, grads = 0, {}
        for name, network in self.networks.items():
            dx, own = network.backward({network.names[-1]: da[name]}, cache[name])
            da_prev = da_prev + dx
            grads.update({f"{name}.{key}": g for key, g in own.items()})
        return da_prev, grads


class Branches(_Nested):
    """Networks side by side on the same input, their channels put one after the other: an inception block.

    networks  {name: {layer name: layer}}.   (m, n_H_prev, n_W_prev, n_C_prev) -> (m, n_H, n_W, sum of n_C)
    The gradient of the input is the sum over the branches. Source: course 4, week 2; Szegedy et al. 2015.
    """

    def __repr__(self):
        return f"Branches({ {name: network.layers for name, network in self.networks.items()} !r})"

    def forward(self, a_prev, training=False, rng=None, params=True):
        out, cache = self._forward(expect_floats(a_prev), training, rng, params)
        sizes = {name: a.shape for name, a in out.items()}
        if len({shape[:-1] for shape in sizes.values()}) != 1:
            raise ShapeError(f"Branches must end in one size to lie side by side; got {sizes}.")
        a = np.concatenate(list(out.values()), axis=-1)
        return a, (cache, a.shape, [shape[-1] for shape in sizes.values()])

    def backward(self, da, cache):
        caches, shape, channels = cache
        parts = np.split(expect_gradient(da, shape), np.cumsum(channels)[:-1], axis=-1)
        return self._backward(dict(zip(self.networks, parts)), caches)

    def new_state(self, cache):
        return super().new_state(cache[0])

    def output_shape(self, shape):
        ends = [Summary(network.layers, shape).rows[-1].shape for network in self.networks.values()]
        return (*ends[0][:-1], sum(end[-1] for end in ends))


class Residual(_Nested):
    """a = a_prev + F(a_prev): the network learns what to add.   Same shape in and out.   He et al. 2016, eq. 1.

    layers  {layer name: layer} of F
    """

    def __init__(self, layers):
        super().__init__({"residual": layers})

    def __repr__(self):
        return f"Residual({self.networks['residual'].layers!r})"

    def forward(self, a_prev, training=False, rng=None, params=True):
        out, cache = self._forward(expect_floats(a_prev), training, rng, params)
        if out["residual"].shape != np.shape(a_prev):
            raise ShapeError(f"Residual: F turns {np.shape(a_prev)} into {out['residual'].shape}; they cannot be added.")
        return a_prev + out["residual"], cache

    def backward(self, da, cache):
        da_prev, grads = self._backward({"residual": da}, cache)
        return da + da_prev, grads

    def output_shape(self, shape):
        return shape


def _under(name, arrays):
    """The arrays whose names begin with `name.`, without it."""
    return {key[len(name) + 1:]: array for key, array in arrays.items() if key.startswith(name + ".")}
