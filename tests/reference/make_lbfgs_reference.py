"""How SciPy's L-BFGS-B comes down Rosenbrock's valley, written down so that our tests need no SciPy.

    python tests/reference/make_lbfgs_reference.py        (SciPy and NumPy, a second; writes lbfgs.npz)

Nothing here imports scratchnet. J(x) = sum_k 100 (x_{k+1} - x_k^2)^2 + (1 - x_k)^2 in n = 2, 10 and 40 numbers, from (-1.2, 1, -1.2,
1, ...), by scipy.optimize.minimize(method="L-BFGS-B") without bounds, 10 pairs, tolerances at zero, and for each n

    J_n             the J after each iteration, the start first
    evaluations_n   of J, up to and with that iteration
    x_n             where it ends
"""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize, rosen, rosen_der

out = {}
for n in (2, 10, 40):
    start, calls = np.tile([-1.2, 1.0], n // 2), []

    def f(x):
        calls.append(x)
        return rosen(x), rosen_der(x)

    J, evaluations = [rosen(start)], [1]

    def note(x):
        J.append(rosen(x))
        evaluations.append(len(calls))

    end = minimize(f, start, jac=True, method="L-BFGS-B", callback=note,
                   options=dict(maxcor=10, ftol=0, gtol=1e-10, maxiter=10_000, maxfun=10_000))
    out |= {f"J_{n}": np.array(J), f"evaluations_{n}": np.array(evaluations), f"x_{n}": end.x}
    print(n, len(J) - 1, "iterations,", len(calls), "evaluations,", end.message)

np.savez(Path(__file__).with_name("lbfgs.npz"), **out)
