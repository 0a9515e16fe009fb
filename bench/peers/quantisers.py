"""Fake quantisers: s = (2^k - 1) / max(b - a, 1e-8), z = rint(s a) + 2^(k-1),
q = clamp(rint(s x - z)), x' = (q + z) / s, the gradient straight through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

SMALLEST_RANGE = 1e-8


class _FakeQuantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, zero: float, half: int) -> Tensor:
        # One temporary, the result itself: x must survive, ReLU's gradient needs it.
        y = (x * scale).sub_(zero).round_()
        return y.clamp_(-half, half - 1).add_(zero).div_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


@dataclass(frozen=True)
class ActivationQuantiser:
    """A tensor's quantiser. Frozen ranges make scale and zero host constants: no kernel computes them."""

    scale: float
    zero: float
    half: int

    @classmethod
    def of(cls, low: float, high: float, bits: int, dtype: torch.dtype) -> ActivationQuantiser:
        """The quantiser of a range, its constants rounded as arithmetic in `dtype` would."""
        number = np.float64 if dtype == torch.float64 else np.float32
        span = max(number(high) - number(low), number(SMALLEST_RANGE))
        scale = number(2**bits - 1) / span
        zero = np.rint(scale * number(low)) + number(2 ** (bits - 1))
        return cls(float(scale), float(zero), 2 ** (bits - 1))

    def __call__(self, x: Tensor) -> Tensor:
        return _FakeQuantise.apply(x, self.scale, self.zero, self.half)


def quantise_weights(weights: Sequence[Tensor], bits: int) -> list[Tensor]:
    """Weights fake-quantised per output channel, outermost dimension first.

    Has no gradient of its own: straight through, the gradient at the result is that at the weights.
    """
    half = 2 ** (bits - 1)
    # Scales of all layers at once: per layer they would be eight launches for a handful of numbers.
    rows = [weight.movedim(1, -1).flatten(1) for weight in weights]
    low = torch.cat([row.amin(dim=1) for row in rows])
    high = torch.cat([row.amax(dim=1) for row in rows])
    span = (high - low).clamp_min(SMALLEST_RANGE)
    # Not a number over a tensor, which would multiply by a rounded reciprocal.
    scale = torch.full_like(span, 2**bits - 1) / span
    zero = (scale * low).round() + half
    channels = [weight.shape[0] for weight in weights]
    quantised = []
    for weight, s, z in zip(weights, scale.split(channels), zero.split(channels)):
        shape = (-1,) + (1,) * (weight.dim() - 1)
        s, z = s.view(shape), z.view(shape)
        y = (weight * s).sub_(z).round_().clamp_(-half, half - 1)
        quantised.append(y.add_(z).div_(s))
    return quantised
