"""The networks of the benchmark: functions of their weights, named as in the engine.

Written as functions and not as modules because HAST runs one architecture over three sets of weights (the
teacher's, the student's, the student's quantised ones) and wants more than logits from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import stored_tensors
from quantisers import ActivationQuantiser

EPSILON = 1e-5

Weights = Mapping[str, Tensor]


class Pass(NamedTuple):
    """What a forward pass gives."""

    logits: Tensor
    taps: list[Tensor]  # output of each unit's body, before the add
    means: list[Tensor]  # of the input of every BatchNorm, per channel, if observed
    variances: list[Tensor]  # biased, likewise


@dataclass(frozen=True)
class Unit:
    """A residual unit of two 3x3 convolutions."""

    name: str
    inputs: int
    outputs: int
    stride: int

    @property
    def reshapes(self) -> bool:
        return self.stride != 1 or self.inputs != self.outputs


@dataclass(frozen=True)
class Network:
    """A ResNet of basic units."""

    name: str
    size: int
    classes: int
    width: int
    stem_kernel: int
    stem_stride: int
    stem_pool: bool
    shortcut: str  # "a": subsampling and zero channels, "b": 1x1 convolution and BatchNorm
    units: tuple[Unit, ...]

    def forward(
        self,
        weights: Weights,
        images: Tensor,
        quantisers: Mapping[str, ActivationQuantiser] | None = None,
        observed: bool = False,
    ) -> Pass:
        """Evaluation mode; quantisers by the name of the ReLU they follow, none for a float pass."""
        taps: list[Tensor] = []
        means: list[Tensor] = []
        variances: list[Tensor] = []

        def convolution(x: Tensor, name: str, stride: int, pad: int) -> Tensor:
            return F.conv2d(x, weights[f"{name}.weight"], None, stride, pad)

        def norm(x: Tensor, name: str) -> Tensor:
            if observed:
                variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
                means.append(mean)
                variances.append(variance)
            return F.batch_norm(
                x,
                weights[f"{name}.running_mean"],
                weights[f"{name}.running_var"],
                weights[f"{name}.weight"],
                weights[f"{name}.bias"],
                training=False,
                eps=EPSILON,
            )

        def activation(x: Tensor, name: str) -> Tensor:
            y = F.relu(x, inplace=True)
            return y if quantisers is None else quantisers[name](y)

        def carried(x: Tensor, unit: Unit) -> Tensor:
            if not unit.reshapes:
                return x
            if self.shortcut == "a":
                front = (unit.outputs - unit.inputs) // 2
                back = unit.outputs - unit.inputs - front
                return F.pad(x[:, :, :: unit.stride, :: unit.stride], (0, 0, 0, 0, front, back))
            y = convolution(x, f"{unit.name}.downsample.0", unit.stride, 0)
            return norm(y, f"{unit.name}.downsample.1")

        x = convolution(images, "conv1", self.stem_stride, self.stem_kernel // 2)
        x = activation(norm(x, "bn1"), "relu")
        if self.stem_pool:
            x = F.max_pool2d(x, 3, 2, 1)
        for unit in self.units:
            y = convolution(x, f"{unit.name}.conv1", unit.stride, 1)
            y = activation(norm(y, f"{unit.name}.bn1"), f"{unit.name}.relu1")
            y = norm(convolution(y, f"{unit.name}.conv2", 1, 1), f"{unit.name}.bn2")
            taps.append(y)
            x = activation(y + carried(x, unit), f"{unit.name}.relu2")
        logits = F.linear(x.mean(dim=(2, 3)), weights["fc.weight"], weights["fc.bias"])
        return Pass(logits, taps, means, variances)

    def activations(self) -> list[str]:
        """Names of the ReLUs in their order: the quantisation points."""
        return ["relu"] + [f"{unit.name}.relu{i}" for unit in self.units for i in (1, 2)]

    def norms(self) -> list[str]:
        """Names of the BatchNorms in the order a forward pass observes them."""
        names = ["bn1"]
        for unit in self.units:
            names += [f"{unit.name}.bn1", f"{unit.name}.bn2"]
            if unit.reshapes and self.shortcut == "b":
                names.append(f"{unit.name}.downsample.1")
        return names

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the network: filters, the classifier, BatchNorm's affine and statistics."""
        shapes = dict(self._filters())
        for name in list(shapes):
            norm = re.sub(r"conv(\d)\.weight$", r"bn\1", re.sub(r"\.0\.weight$", ".1", name))
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{norm}.{part}"] = shapes[name][:1]
        shapes["fc.weight"] = (self.classes, self.units[-1].outputs)
        shapes["fc.bias"] = (self.classes,)
        return shapes

    def _filters(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "conv1.weight", (self.width, 3, self.stem_kernel, self.stem_kernel)
        for unit in self.units:
            yield f"{unit.name}.conv1.weight", (unit.outputs, unit.inputs, 3, 3)
            yield f"{unit.name}.conv2.weight", (unit.outputs, unit.outputs, 3, 3)
            if unit.reshapes and self.shortcut == "b":
                yield f"{unit.name}.downsample.0.weight", (unit.outputs, unit.inputs, 1, 1)


def _units(stages: int, depth: int, width: int) -> tuple[Unit, ...]:
    units = []
    inputs = width
    for stage in range(stages):
        outputs = width << stage
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            units.append(Unit(f"layer{stage + 1}.{index}", inputs, outputs, stride))
            inputs = outputs
    return tuple(units)


def resnet20(shortcut: str = "b", width: int = 16, classes: int = 10) -> Network:
    """The ResNet of 20 layers for 32x32 images (He et al. 2016, section 4.2)."""
    units = _units(stages=3, depth=3, width=width)
    return Network("resnet20", 32, classes, width, 3, 1, False, shortcut, units)


def resnet18(classes: int = 1000) -> Network:
    """The ResNet of 18 layers for 224x224 images (He et al. 2016, table 1), shortcut B."""
    units = _units(stages=4, depth=2, width=64)
    return Network("resnet18", 224, classes, 64, 7, 2, True, "b", units)


def is_trained(name: str) -> bool:
    """Whether fine-tuning changes a tensor: all but BatchNorm's statistics."""
    return not name.endswith((".running_mean", ".running_var"))


@torch.no_grad()
def random_weights(network: Network, seed: int = 1) -> dict[str, Tensor]:
    """Random filters (He et al. 2015) with the statistics that these filters have on noise.

    With any other statistics the layers would amplify one another, and fine-tuning would diverge.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in network.shapes().items():
        if len(shape) > 1:
            deviation = math.sqrt(2 / math.prod(shape[1:]))
            weights[name] = torch.randn(shape, generator=generator) * deviation
        else:
            weights[name] = torch.full(shape, float(name.endswith((".weight", ".running_var"))))
    noise = torch.randn((8, 3, network.size, network.size), generator=generator)
    # Front to back: the statistics of a layer hold once those of all before it do.
    for index, name in enumerate(network.norms()):
        seen = network.forward(weights, noise, observed=True)
        weights[f"{name}.running_mean"] = seen.means[index]
        weights[f"{name}.running_var"] = seen.variances[index]
    return weights


def load_weights(network: Network, path: Path) -> dict[str, Tensor]:
    """Weights from a safetensors file with the engine's names, PyTorch's or pytorchcv's."""
    stored = {canonical(name): values for name, values in stored_tensors.read(path).items()}
    weights = {}
    for name, shape in network.shapes().items():
        if name not in stored:
            raise ValueError(f"{path}: {name} is missing; is this a {network.name}?")
        if stored[name].shape != shape:
            raise ValueError(f"{path}: {name} is {stored[name].shape}, {network.name} needs {shape}")
        weights[name] = torch.from_numpy(stored[name].copy())
    return weights


def canonical(name: str) -> str:
    """The engine's name of a tensor that PyTorch or pytorchcv calls `name`."""
    name = re.sub(r"^module\.", "", name)
    name = re.sub(r"^(linear|output)\.", "fc.", name)
    name = re.sub(r"^features\.init_block\.conv\.", "conv1.", name)
    name = re.sub(r"^features\.init_block\.bn\.", "bn1.", name)
    unit = re.fullmatch(r"features\.stage(\d+)\.unit(\d+)\.(.*)", name)
    if unit is None:
        return name
    rest = re.sub(r"^body\.conv(\d+)\.conv\.", r"conv\1.", unit[3])
    rest = re.sub(r"^body\.conv(\d+)\.bn\.", r"bn\1.", rest)
    rest = re.sub(r"^identity_conv\.conv\.", "downsample.0.", rest)
    rest = re.sub(r"^identity_conv\.bn\.", "downsample.1.", rest)
    return f"layer{unit[1]}.{int(unit[2]) - 1}.{rest}"


def place(weights: Weights, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights on a device, filters channels-last."""
    placed = {}
    for name, tensor in weights.items():
        layout = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
        placed[name] = tensor.to(device=device, dtype=dtype, memory_format=layout)
    return placed
