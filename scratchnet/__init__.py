"""scratchnet: face recognition and neural style transfer, from the loops of a convolution upwards.

The names below are the lecture's; the package uses these and no others.

    lecture                     code                    shape, units
    --------------------------  ----------------------  ---------------------------------------------------
    a^[l], z^[l]                a["relu4_2"],           (m, n_H, n_W, n_C): channels last, as a^[l]_{ijk}
                                a["conv4_2"]            (conv4_2 is z, before the ReLU; papers that say
                                                        "conv4_2" often mean our relu4_2)
    W^[l], b^[l]                params["W"], ["b"]      (f, f, n_C_prev, n_C), (n_C,)
    dJ/da, dJ/dW                da, dW                  the shape of a, of W
    f, s, p                     f, stride, pad          filter side, stride, padding
    C, S, G                     C, S, G                 pictures: (1, n_H, n_W, 3), RGB, float32 in [0, 1]
    G^[l](S), G^[l](G)          G_S[l], G_G[l]          style (Gram) matrices, (n_C, n_C)
    lambda^[l]                  lam[l]                  weight of layer l in J_style
    alpha, beta                 alpha, beta             weights of J_content and J_style
    f(x), f(A), f(P), f(N)      f_A, f_P, f_N           encodings, (m, n_f)
    alpha of the triplet loss   margin                  the lecture uses alpha twice; the code does not
    d(x1, x2), tau              d, tau                  the same person when d <= tau

The lecture uses G twice too: `G` is always a picture, `G_S` always a matrix.
Importing this package imports neither numba nor Pillow nor matplotlib: each is paid for where it is used.
"""

__version__ = "0.1.0"


def threads(n=None):
    """How many threads the kernels use; threads(n) sets it. By default one per core. Results do not depend on it, to the bit."""
    from scratchnet.kernels.threads import threads     # here, because it imports numba
    return threads(n)
