"""Conjugate gradients: sums in a fixed order, so the answer doesn't depend on how many cores a BLAS library uses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retailops.retail.leanings.lines import Floats


def conjugate_gradients(apply: Callable[[Floats], Floats], target: Floats, *, steps: int, precision: float) -> Floats:
    """x with apply(x) ≈ target for a symmetric positive definite `apply`, until the residual is `precision` · target.

    Arrays of any shape; needs no matrix, so memory stays that of a few vectors.
    """
    found = np.zeros_like(target)
    residual = target.copy()
    direction, norm = residual.copy(), float(np.sum(residual * residual))
    enough = norm * precision * precision
    for _ in range(steps):
        if norm <= enough:
            break
        image = apply(direction)
        step = norm / float(np.sum(direction * image))
        found += step * direction
        residual -= step * image
        before, norm = norm, float(np.sum(residual * residual))
        direction = residual + (norm / before) * direction
    return found
