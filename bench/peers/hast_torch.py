"""The two loops of HAST (CVPR 2023) in PyTorch: synthesis of hard samples, and fine-tuning on them.

Neither loop ever waits for the device: losses, learning rates and random numbers stay on it. That lets eager
execution run ahead and a whole iteration be captured as a CUDA graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from networks import Network, Pass, Weights, is_trained
from quantisers import ActivationQuantiser, quantise_weights

# Replaces a function by a faster one, or leaves it: what the variants of the benchmark differ in.
Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]


def uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiler that leaves functions as they are."""
    return function


@dataclass(frozen=True)
class Recipe:
    """The method's settings for a data set."""

    beta: float  # weight of the hard-sample loss
    gamma: float  # exponent of the difficulty in it
    alignment: float  # lambda: weight of the feature alignment
    epsilon: float  # size of the perturbation
    learning_rate: float  # of fine-tuning
    synthesis_learning_rate: float = 0.5
    temperature: float = 20.0
    alpha: float = 20.0  # weight of the distillation
    momentum: float = 0.9
    weight_decay: float = 1e-4
    synthesis_crop: float = 0.4  # smallest area share of a crop
    tuning_crop: float = 0.5


CIFAR10 = Recipe(beta=10, gamma=2, alignment=1000, epsilon=0.01, learning_rate=1e-5)
IMAGENET = Recipe(beta=0.1, gamma=0.5, alignment=4000, epsilon=0.01, learning_rate=1e-6)


# ---- crops ----


class Boxes(NamedTuple):
    """Crop boxes in pixels, one per image."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor  # bool


def random_boxes(count: int, size: int, smallest_area: float, like: Tensor) -> Boxes:
    """Boxes of RandomResizedCrop(scale (smallest_area, 1), ratio (3/4, 4/3)), flipped with probability 1/2.

    Draws all ten attempts of every image at once and takes the first that fits. None is smaller than a
    pixel: images here have 32 pixels or more.
    """
    draws = torch.rand((4, count, 10), device=like.device, dtype=like.dtype)
    area = (smallest_area + (1 - smallest_area) * draws[0]) * (size * size)
    aspect = torch.exp((2 * draws[1] - 1) * math.log(4 / 3))
    heights = (area / aspect).sqrt().round()
    widths = (area * aspect).sqrt().round()
    fits = (heights <= size) & (widths <= size)
    first = fits.int().argmax(dim=1, keepdim=True)
    # The whole square image has an allowed aspect: what stays when no attempt fits.
    height = heights.gather(1, first).squeeze(1).clamp_max(size)
    width = widths.gather(1, first).squeeze(1).clamp_max(size)
    found = fits.any(dim=1)
    height = torch.where(found, height, size)
    width = torch.where(found, width, size)
    # Rounding may carry the product to the end of its range.
    top = (draws[2, :, 0] * (size - height + 1)).floor().minimum(size - height)
    left = (draws[3, :, 0] * (size - width + 1)).floor().minimum(size - width)
    # The second column of the same draws is unused, hence independent of the first.
    return Boxes(top, left, height, width, draws[2, :, 1] < 0.5)


def crop_flip(images: Tensor, boxes: Boxes) -> Tensor:
    """The boxes of square images, resized to the images' size (bilinear, no antialias) and flipped."""
    size = images.shape[2]
    steps = (torch.arange(size, device=images.device, dtype=images.dtype) + 0.5) / size

    def coordinates(start: Tensor, length: Tensor) -> Tensor:
        # Clamped to the box, not to the image: pixels around the box do not bleed in.
        inside = (steps * length[:, None] - 0.5).clamp_min(0).minimum(length[:, None] - 1)
        return (2 * (start[:, None] + inside) + 1) / size - 1

    rows = coordinates(boxes.top, boxes.height)
    columns = coordinates(boxes.left, boxes.width)
    columns = torch.where(boxes.flip[:, None], columns.flip(1), columns)
    grid = torch.stack(
        (columns[:, None, :].expand(-1, size, -1), rows[:, :, None].expand(-1, -1, size)), dim=3
    )
    crops = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return crops.contiguous(memory_format=torch.channels_last)


# ---- losses ----


def hard_sample_loss(logits: Tensor, labels: Tensor, beta: float, gamma: float) -> Tensor:
    """beta mean_n((1 - p_n)^gamma CE_n), p the probability of the label."""
    classes = torch.arange(logits.shape[1], device=logits.device)
    others = logits.softmax(dim=1).masked_fill(labels[:, None] == classes, 0)
    # 1 - p as a sum, above 0: for gamma < 1 the slope at p = 1 is infinite.
    difficulty = others.sum(dim=1).clamp_min(torch.finfo(logits.dtype).tiny)
    return beta * (difficulty.pow(gamma) * F.cross_entropy(logits, labels, reduction="none")).mean()


class StatisticsLoss:
    """(1/L) sum_l [mean_c (m_l - mu_l)^2 + mean_c (v_l - sigma2_l)^2] over the inputs of the BatchNorms."""

    def __init__(self, network: Network, teacher: Weights) -> None:
        names = network.norms()
        targets = [teacher[f"{name}.running_mean"] for name in names]
        self.mean = torch.cat(targets)
        self.variance = torch.cat([teacher[f"{name}.running_var"] for name in names])
        self.share = torch.cat([torch.full_like(t, 1 / (len(names) * t.numel())) for t in targets])

    def fixed(self) -> list[Tensor]:
        return [self.mean, self.variance, self.share]

    def __call__(self, observed: Pass) -> Tensor:
        # All layers in one vector: a handful of launches and not as many per layer.
        mean = (torch.cat(observed.means) - self.mean).square()
        variance = (torch.cat(observed.variances) - self.variance).square()
        return ((mean + variance) * self.share).sum()


def distillation(student: Tensor, teacher: Tensor, temperature: float, alpha: float) -> Tensor:
    """alpha T^2 KL(teacher || student) of the logits at temperature T, mean over the samples."""
    kl = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return kl * (alpha * temperature * temperature)


def _attention(features: Tensor) -> Tensor:
    return F.normalize(features.square().mean(dim=(2, 3)), dim=1, eps=1e-12)


def feature_alignment(student: Sequence[Tensor], teacher: Sequence[Tensor], weight: float) -> Tensor:
    """weight sum_l mean (n_S - n_T)^2, n the normalised mean energies of a tap's channels."""
    distances = [(_attention(s) - _attention(t)).square().mean() for s, t in zip(student, teacher)]
    return weight * torch.stack(distances).sum()


# ---- loops ----


def laid_out_like(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The gradient in the parameter's layout: fused optimisers walk both through memory side by side."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _rate(value: float, device: torch.device) -> Tensor:
    # Fused optimisers read a single-precision rate; the others would lower double precision to it.
    dtype = torch.float32 if device.type == "cuda" else torch.float64
    return torch.tensor(value, dtype=dtype, device=device)


def _clear(optimizer: torch.optim.Optimizer) -> None:
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, Tensor):
                value.zero_()


class Plateau:
    """ReduceLROnPlateau without the wait for the loss: its state is on the device, beside the rate."""

    FACTOR = 0.1
    PATIENCE = 50
    THRESHOLD = 1e-4
    SMALLEST_RATE = 1e-4
    SMALLEST_CUT = 1e-8

    def __init__(self, rate: Tensor) -> None:
        self.rate = rate
        self.first = float(rate)
        self.best = torch.full_like(rate, math.inf)
        self.bad = torch.zeros_like(rate)

    def restart(self) -> None:
        self.rate.fill_(self.first)
        self.best.fill_(math.inf)
        self.bad.zero_()

    def step(self, loss: Tensor) -> None:
        better = loss < self.best * (1 - self.THRESHOLD)
        self.best.copy_(torch.where(better, loss, self.best))
        self.bad.add_(1).masked_fill_(better, 0)
        spent = self.bad > self.PATIENCE
        lower = (self.rate * self.FACTOR).clamp_min(self.SMALLEST_RATE)
        cut = spent & (self.rate - lower > self.SMALLEST_CUT)
        self.rate.copy_(torch.where(cut, lower, self.rate))
        self.bad.masked_fill_(spent, 0)


class Synthesis:
    """Images optimised so that the teacher sees its own statistics in them and finds them hard."""

    def __init__(
        self,
        network: Network,
        teacher: Weights,
        batch: int,
        recipe: Recipe,
        compiler: Compiler = uncompiled,
        augment: bool = False,
    ) -> None:
        self.network = network
        self.teacher = teacher
        self.recipe = recipe
        self.augment = augment
        stem = teacher["conv1.weight"]
        shape = (batch, 3, network.size, network.size)
        pixels = torch.empty(shape, dtype=stem.dtype, device=stem.device)
        self.pixels = pixels.contiguous(memory_format=torch.channels_last).requires_grad_()
        self.labels = torch.zeros(batch, dtype=torch.int64, device=stem.device)
        self.statistics = StatisticsLoss(network, teacher)
        self.objective = compiler(self._objective)
        on_gpu = stem.device.type == "cuda"
        rate = _rate(recipe.synthesis_learning_rate, stem.device)
        self.adam = torch.optim.Adam([self.pixels], lr=rate, fused=on_gpu, capturable=on_gpu)
        self.plateau = Plateau(self.adam.param_groups[0]["lr"])
        # Of the last iteration.
        self.loss = torch.zeros_like(rate)
        self.hard = torch.zeros_like(rate)

    @torch.no_grad()
    def begin(self, pixels: Tensor | None = None, labels: Tensor | None = None) -> None:
        """Starts a batch from given images, or from noise and uniform labels."""
        noise = torch.randn_like(self.pixels) if pixels is None else pixels
        self.pixels.copy_(noise)
        if labels is None:
            self.labels.random_(self.network.classes)
        else:
            self.labels.copy_(labels)
        _clear(self.adam)
        self.plateau.restart()

    def fixed(self) -> list[Tensor]:
        """Tensors that the objective reads and that never move."""
        return [self.pixels, self.labels, *self.teacher.values(), *self.statistics.fixed()]

    def _objective(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        images = pixels
        if self.augment:
            boxes = random_boxes(len(pixels), pixels.shape[2], self.recipe.synthesis_crop, pixels)
            images = crop_flip(pixels, boxes)
        seen = self.network.forward(self.teacher, images, observed=True)
        hard = hard_sample_loss(seen.logits, labels, self.recipe.beta, self.recipe.gamma)
        return hard + self.statistics(seen), hard.detach()

    def iterate(self) -> None:
        loss, self.hard = self.objective(self.pixels, self.labels)
        (gradient,) = torch.autograd.grad(loss, [self.pixels])
        self.pixels.grad = laid_out_like(gradient, self.pixels)
        self.adam.step()
        self.loss = loss.detach()
        self.plateau.step(self.loss)


class Comparison(NamedTuple):
    """Teacher and student on the same images."""

    loss: Tensor  # the sum of the two below; alone in having a gradient
    distillation: Tensor
    alignment: Tensor
    student: Tensor  # logits
    teacher: Tensor


class FineTuning:
    """Distillation into the quantised student: on a batch, then on the batch made harder."""

    def __init__(
        self,
        network: Network,
        teacher: Weights,
        quantisers: dict[str, ActivationQuantiser],
        weight_bits: int,
        recipe: Recipe,
        batches: Callable[[], Tensor],
        compiler: Compiler = uncompiled,
    ) -> None:
        self.network = network
        self.teacher = teacher
        self.quantisers = quantisers
        self.weight_bits = weight_bits
        self.recipe = recipe
        self.statistics = {name: t for name, t in teacher.items() if not is_trained(name)}
        self.student = {name: t.clone().requires_grad_() for name, t in teacher.items() if is_trained(name)}
        self.quantised = [name for name, t in self.student.items() if t.dim() > 1]
        self.batches = compiler(batches)
        self.quantise = compiler(quantise_weights)
        self.compare_clean = compiler(self._compare_clean)
        self.compare_harder = compiler(self._compare_harder)
        device = teacher["conv1.weight"].device
        self.sgd = torch.optim.SGD(
            list(self.student.values()),
            lr=_rate(recipe.learning_rate, device),
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
            fused=device.type == "cuda",
        )
        # Of the last iteration.
        self.clean: Comparison | None = None
        self.harder: Comparison | None = None
        self.image_gradient: Tensor | None = None

    @torch.no_grad()
    def restart(self) -> None:
        """Back to the teacher's weights and no momentum, which is SGD's first step too."""
        for name, parameter in self.student.items():
            parameter.copy_(self.teacher[name])
        _clear(self.sgd)

    def fixed(self) -> list[Tensor]:
        """Tensors that the compiled functions read and that never move."""
        return [*self.teacher.values(), *self.student.values()]

    def _compare(self, student: Weights, images: Tensor, taught: Pass) -> Comparison:
        learnt = self.network.forward({**student, **self.statistics}, images, self.quantisers)
        recipe = self.recipe
        kl = distillation(learnt.logits, taught.logits, recipe.temperature, recipe.alpha)
        alignment = feature_alignment(learnt.taps, taught.taps, recipe.alignment)
        return Comparison(
            kl + alignment, kl.detach(), alignment.detach(), learnt.logits.detach(), taught.logits.detach()
        )

    def _compare_clean(self, student: Weights, images: Tensor) -> Comparison:
        return self._compare(student, images, self.network.forward(self.teacher, images))

    def _compare_harder(self, student: Weights, images: Tensor) -> Comparison:
        with torch.no_grad():
            taught = self.network.forward(self.teacher, images)
        return self._compare(student, images, taught)

    def _student_leaves(self) -> dict[str, Tensor]:
        """The student as a pass sees it. Quantised once for both passes, in between nothing changes.

        Straight through, the gradient at the quantised weights is that at the weights: making them leaves
        spares the way back through the quantisers.
        """
        with torch.no_grad():
            quantised = self.quantise([self.student[name] for name in self.quantised], self.weight_bits)
        leaves = [weight.requires_grad_() for weight in quantised]
        return self.student | dict(zip(self.quantised, leaves))

    def iterate(self) -> None:
        with torch.no_grad():
            images = self.batches()
        images.requires_grad_()
        leaves = self._student_leaves()
        wanted = list(leaves.values())

        self.clean = self.compare_clean(leaves, images)
        # The gradients at images and weights share one way back: 4F + 3D + 2W in all.
        self.image_gradient, *gradients = torch.autograd.grad(self.clean.loss, [images, *wanted])
        harder = images.detach().add(self.image_gradient.sign(), alpha=self.recipe.epsilon)
        self.harder = self.compare_harder(leaves, harder)
        sums = torch._foreach_add(gradients, torch.autograd.grad(self.harder.loss, wanted))

        for parameter, gradient in zip(self.student.values(), sums):
            parameter.grad = laid_out_like(gradient, parameter)
        self.sgd.step()


def pool_batches(pool: Tensor, batch: int, smallest_area: float) -> Callable[[], Tensor]:
    """Random images of a pool, cropped and flipped."""

    def batches() -> Tensor:
        chosen = torch.randint(len(pool), (batch,), device=pool.device)
        boxes = random_boxes(batch, pool.shape[2], smallest_area, pool)
        return crop_flip(pool.index_select(0, chosen), boxes)

    return batches
