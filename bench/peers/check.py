#!/usr/bin/env python3
"""Checks the PyTorch peer against the golden vectors, so that what is timed is HAST. See README.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import networks
import stored_tensors
from hast_torch import CIFAR10, Boxes, Compiler, FineTuning, Synthesis, crop_flip, hard_sample_loss
from quantisers import ActivationQuantiser, quantise_weights
from variants import VARIANTS, WITHOUT_GRAPHS, Unavailable, Variant, prepare

GOLDEN = Path(__file__).resolve().parents[2] / "tests/src/test/resources/golden"

Tensors = dict[str, np.ndarray]


class Check:
    """Compares in one precision on one device, and counts."""

    def __init__(self, device: str, precision: str, mode: str, verbose: bool) -> None:
        self.device = torch.device(device)
        self.double = precision == "float64"
        self.dtype = torch.float64 if self.double else torch.float32
        self.prefix = "f64." if self.double else "f32."
        self.mode = mode
        self.verbose = verbose
        self.compared = 0
        self.failed = 0

    def read(self, name: str) -> Tensors:
        return stored_tensors.read(GOLDEN / f"{name}.safetensors")

    def tensor(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values.copy()).to(self.device)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def compare(self, name: str, actual: Tensor | float, expected: np.ndarray, tolerance: float) -> None:
        """Fails where |a - e| <= tolerance max|e| does not hold, so for NaN too."""
        if self.double:
            tolerance = 1e-9
        actual = torch.as_tensor(actual).detach().cpu().double().numpy().reshape(-1)
        expected = np.asarray(expected, np.float64).reshape(-1)
        self.compared += 1
        if actual.shape != expected.shape:
            self._fail(f"{name}: {actual.size} values, expected {expected.size}")
            return
        error = np.abs(actual - expected).max()
        bound = tolerance * np.abs(expected).max()
        if not error <= bound:
            self._fail(f"{name}: off by {error:.3g}, allowed {bound:.3g}")
        elif self.verbose:
            print(f"  ok   {name}: {error:.3g} of {bound:.3g}")

    def _fail(self, message: str) -> None:
        self.failed += 1
        print(f"  FAIL {message}")

    # ---- pieces ----

    def weight_quantiser(self) -> None:
        golden = self.read("weight_quant")
        for bits in (2, 3, 4, 5, 8):
            weights = [self.tensor(golden["conv_w"]), self.tensor(golden["lin_w"])]
            for name, quantised in zip(("conv", "lin"), quantise_weights(weights, bits)):
                self.compare(f"weight_quant {name} k{bits}", quantised,
                             golden[f"{self.prefix}{name}.k{bits}.dq"], 1e-6)  # fmt: skip

    def hard_samples(self) -> None:
        golden = self.read("hard_ce")
        labels = self.tensor(golden["labels"])
        for beta, gamma in ((10, 2), (0.1, 0.5)):
            logits = self.tensor(golden["logits"]).requires_grad_()
            loss = hard_sample_loss(logits, labels, beta, gamma)
            (gradient,) = torch.autograd.grad(loss, [logits])
            name = f"{self.prefix}b{beta}_g{gamma}.glogits"
            # The first sample's probability is 1: the released code divides by 0 there.
            self.compare(f"hard_ce {name}", gradient[1:], golden[name][1:], 1e-5)
            self.compare(f"hard_ce {name}, finite", float(gradient.isfinite().all()), np.ones(1), 0)

    def crops(self) -> None:
        golden = self.read("augment")
        image = self.tensor(golden["img"])
        boxes = golden["boxes_i_j_h_w"]
        corners = [self.tensor(boxes[:, i].astype(np.float64)) for i in range(4)]
        images = image.expand(len(boxes), -1, -1, -1)
        keep = torch.zeros(len(boxes), dtype=torch.bool, device=self.device)
        plain = crop_flip(images, Boxes(*corners, keep))
        flipped = crop_flip(images, Boxes(*corners, ~keep))
        for n in range(len(boxes)):
            expected = golden[f"{self.prefix}y{n}"]
            self.compare(f"augment y{n}", plain[n], expected, 1e-5)
            self.compare(f"augment y{n} flipped", flipped[n], expected[..., ::-1], 1e-5)

    # ---- loops ----

    def teacher(self) -> tuple[networks.Network, dict[str, Tensor]]:
        network = networks.resnet20(width=4)
        weights = networks.load_weights(network, GOLDEN / "small_resnet20.safetensors")
        return network, networks.place(weights, self.device, self.dtype)

    def synthesis(self, variant: Variant) -> None:
        golden = self.read("synth_steps")
        network, teacher = self.teacher()
        x0, labels = self.tensor(golden["x0"]), self.tensor(golden["labels"])

        def make(compiler: Compiler) -> Synthesis:
            synthesis = Synthesis(network, teacher, len(x0), CIFAR10, compiler)
            synthesis.begin(x0, labels)
            return synthesis

        prepared = prepare(make, variant, self.mode, self.device)
        synthesis = prepared.loop
        synthesis.begin(x0, labels)
        for i in range(3):
            name = f"{variant.name} synth_steps {i}"
            row = golden[f"{self.prefix}lr_dacc_mean_var_target"][i]
            self.compare(f"{name} rate", synthesis.plateau.rate, row[:1], 1e-6)
            prepared.step()
            self.compare(f"{name} hard-sample loss", synthesis.hard, row[4:], 1e-5)
            self.compare(f"{name} loss", synthesis.loss, row[2:].sum(keepdims=True), 1e-5)
            self.compare(f"{name} gradient", synthesis.pixels.grad, golden[f"{self.prefix}grad{i}"], 1e-4)
            # Adam's first steps divide a gradient by its own size: rounding decides where it is all but zero.
            self.compare(f"{name} pixels", synthesis.pixels, golden[f"{self.prefix}x{i + 1}"], 1e-3)

    def fine_tuning(self, bits: int, variant: Variant) -> None:
        golden = self.read(f"finetune_steps_w{bits}a{bits}")
        network, teacher = self.teacher()
        images = self.tensor(golden["images"])
        batch = images[0].clone()
        ranges = zip(network.activations(), golden["act_x_min"], golden["act_x_max"])
        quantisers = {
            name: ActivationQuantiser.of(low, high, bits, self.dtype) for name, low, high in ranges
        }

        def batches() -> Tensor:
            return batch.clone()

        def make(compiler: Compiler) -> FineTuning:
            return FineTuning(network, teacher, quantisers, bits, CIFAR10, batches, compiler)

        prepared = prepare(make, variant, self.mode, self.device)
        tuning = prepared.loop
        tuning.restart()
        for i in range(2):
            batch.copy_(images[i])
            prepared.step()
            self.fine_tuning_step(f"{variant.name} w{bits}a{bits} it{i}", golden, f"it{i}.", teacher, tuning)

    def fine_tuning_step(
        self, name: str, golden: Tensors, it: str, teacher: dict[str, Tensor], tuning: FineTuning
    ) -> None:
        key = self.prefix + it
        for part, comparison in (("", tuning.clean), ("pert.", tuning.harder)):
            assert comparison is not None
            # In single precision the distillation cancels to a few digits, and the perturbation may differ
            # by the sign of a gradient that is all but zero.
            loose = 1e-3 if part else 1e-5
            for what, actual, tolerance in (
                ("out_teacher", comparison.teacher, loose),
                ("out_student", comparison.student, loose),
                ("loss_KL", comparison.distillation, 5e-4),
                ("loss_FA", comparison.alignment, loose),
            ):
                self.compare(f"{name} {part}{what}", actual, golden[f"{key}{part}{what}"], tolerance)
        assert tuning.image_gradient is not None
        self.compare(f"{name} image gradient", tuning.image_gradient, golden[f"{key}grad_images"], 1e-3)
        if self.double:
            signs = golden[f"{key}sgn_u8_plus1"]
            self.compare(f"{name} signs", tuning.image_gradient.sign() + 1, signs, 0)
        self.parameters(name, golden, key, teacher, tuning)

    def parameters(
        self, name: str, golden: Tensors, key: str, teacher: dict[str, Tensor], tuning: FineTuning
    ) -> None:
        gradients, ends = by_parameter(golden, f"{key}grad."), by_parameter(golden, f"{key}param.")
        for parameter, values in tuning.student.items():
            if parameter in gradients:
                self.compare(f"{name} gradient of {parameter}", values.grad, gradients[parameter], 1e-3)
            # How far it has come: as such the parameters would agree even if they had not moved. In single
            # precision they hold a step this small to a digit or none.
            if self.double:
                start = teacher[parameter].cpu()
                moved = values.detach().cpu() - start
                self.compare(f"{name} step of {parameter}", moved, ends[parameter] - start.numpy(), 1e-3)


def by_parameter(golden: Tensors, prefix: str) -> Tensors:
    """The tensors of a prefix by the engine's names of the parameters."""
    return {
        networks.canonical(name.removeprefix(prefix)): values
        for name, values in golden.items()
        if name.startswith(prefix)
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="float64", choices=("float64", "float32"))
    parser.add_argument("--variants", default="eager", help="comma-separated")
    parser.add_argument("--compile-mode", default="reduce-overhead", choices=tuple(WITHOUT_GRAPHS))
    parser.add_argument("--verbose", action="store_true", help="print what agrees too")
    options = parser.parse_args()
    unknown = [name for name in options.variants.split(",") if name not in VARIANTS]
    if unknown:
        parser.error(f"unknown variants {', '.join(unknown)}: known are {', '.join(VARIANTS)}")
    return options


def main() -> int:
    options = arguments()
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    check = Check(options.device, options.precision, options.compile_mode, options.verbose)
    check.weight_quantiser()
    check.hard_samples()
    check.crops()
    for name in options.variants.split(","):
        try:
            check.synthesis(VARIANTS[name])
            for bits in (4, 3):
                check.fine_tuning(bits, VARIANTS[name])
        except Unavailable as unavailable:
            check.failed += 1
            print(f"  FAIL {name}: {unavailable}")
    print(f"{check.compared} comparisons, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
