#!/usr/bin/env python3
"""Times one iteration of each of HAST's loops in PyTorch. See README.md."""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

import hast_torch
import networks
from hast_torch import CIFAR10, IMAGENET, Compiler, FineTuning, Recipe, Synthesis
from networks import Network
from quantisers import ActivationQuantiser
from variants import VARIANTS, WITHOUT_GRAPHS, Prepared, Unavailable, Variant, prepare, reason

BITS = 4
# Every activation's range: networks of random weights have no trained ones.
RANGE = (0.0, 4.0)
POOL_BATCHES = 4
REPEATS = 15
SYNTHESIS = "synthesis"
AUGMENTED = "synthesis-augmented"
FINE_TUNING = "fine-tuning"

# The paper's CIFAR-10 run: 20 batches of images, and 147 epochs of fine-tuning.
WHOLE_BATCHES = 20
WHOLE_SYNTHESIS = 1000
WHOLE_FINE_TUNING = 147 * 200


@dataclass(frozen=True)
class Case:
    """What is timed."""

    stage: str
    network: str
    batch: int

    @property
    def label(self) -> str:
        return f"{self.stage}-{self.network}-{self.batch}"


CASES = [
    *(Case(stage, "resnet20", batch) for batch in (64, 256) for stage in (SYNTHESIS, FINE_TUNING)),
    *(Case(stage, "resnet18", batch) for batch in (16, 256) for stage in (SYNTHESIS, AUGMENTED, FINE_TUNING)),
]
WHOLE_CASES = {
    "whole-paper": (Case(SYNTHESIS, "resnet20", 256), Case(FINE_TUNING, "resnet20", 256)),
    "whole-released": (Case(SYNTHESIS, "resnet20", 256), Case(FINE_TUNING, "resnet20", 64)),
}


@dataclass
class Row:
    """A measurement as the JSON file holds it; the reason says why there is none, or what is odd about it."""

    case: str
    network: str
    batch: int
    variant: str
    milliseconds: float | None
    iterations: int
    torch: str
    device: str
    precision: str
    detail: str = ""
    setup_seconds: float | None = None
    peak_mebibytes: float | None = None
    reason: str = ""


class Bench:
    """Measures cases on one device."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device(options.device)
        self.on_gpu = self.device.type == "cuda"
        self.device_name = torch.cuda.get_device_name(self.device) if self.on_gpu else "cpu"
        self.rows: list[Row] = []

    # ---- loops ----

    def network(self, name: str) -> tuple[Network, dict[str, Tensor], Recipe]:
        if name == "resnet20":
            network, recipe, path = networks.resnet20(self.options.shortcut), CIFAR10, self.options.resnet20
        else:
            network, recipe, path = networks.resnet18(), IMAGENET, self.options.resnet18
        loaded = networks.load_weights(network, path) if path else networks.random_weights(network)
        return network, networks.place(loaded, self.device, torch.float32), recipe

    def loop(self, case: Case, compiler: Compiler) -> Synthesis | FineTuning:
        network, teacher, recipe = self.network(case.network)
        if case.stage == FINE_TUNING:
            shape = (POOL_BATCHES * case.batch, 3, network.size, network.size)
            pool = torch.randn(shape, device=self.device)
            quantiser = ActivationQuantiser.of(*RANGE, BITS, torch.float32)
            quantisers = {name: quantiser for name in network.activations()}
            batches = hast_torch.pool_batches(pool, case.batch, recipe.tuning_crop)
            return FineTuning(network, teacher, quantisers, BITS, recipe, batches, compiler)
        synthesis = Synthesis(network, teacher, case.batch, recipe, compiler, case.stage == AUGMENTED)
        synthesis.begin()
        return synthesis

    # ---- time ----

    def timed(self, step: Callable[[], None], count: int) -> float:
        """Milliseconds that `count` steps take together, on the device."""
        if not self.on_gpu:
            start = time.perf_counter()
            for _ in range(count):
                step()
            return 1000 * (time.perf_counter() - start)
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        for _ in range(count):
            step()
        last.record()
        last.synchronize()
        return first.elapsed_time(last)

    def milliseconds(self, step: Callable[[], None]) -> tuple[float, int]:
        """Median over blocks of iterations, and how many iterations that took."""
        budget = 1000 * self.options.seconds
        self.timed(step, 1)
        guess = max(self.timed(step, 3) / 3, 1e-3)
        # A third of the time warms the clocks up, the rest is measured.
        self.timed(step, max(1, math.floor(budget / 3 / guess)))
        affordable = max(3, math.floor(budget * 2 / 3 / guess))
        repeats = min(REPEATS, affordable)
        block = affordable // repeats
        blocks = [self.timed(step, block) / block for _ in range(repeats)]
        return statistics.median(blocks), repeats * block

    def row(self, case: Case, variant: Variant) -> Row:
        return Row(
            case.stage, case.network, case.batch, variant.name, None, 0, torch.__version__, self.device_name,
            self.options.precision,
        )  # fmt: skip

    def measure(self, case: Case, variant: Variant) -> Row:
        row = self.row(case, variant)
        try:
            self._measure(case, variant, row)
        except Unavailable as unavailable:
            row.reason = str(unavailable)
        except torch.OutOfMemoryError:
            row.reason = "out of memory"
        except Exception as failure:
            row.reason = reason(failure)
        # After the handlers: while they run, the failure keeps its frames and all their tensors.
        self._free()
        return row

    def prepared(self, case: Case, variant: Variant) -> Prepared[Synthesis | FineTuning]:
        return prepare(
            lambda compiler: self.loop(case, compiler), variant, self.options.compile_mode, self.device
        )

    def _measure(self, case: Case, variant: Variant, row: Row) -> None:
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
        start = time.perf_counter()
        prepared = self.prepared(case, variant)
        row.setup_seconds = time.perf_counter() - start
        row.detail = prepared.detail
        row.milliseconds, row.iterations = self.milliseconds(prepared.step)
        if not math.isfinite(last_loss(prepared.loop)):
            # The time stands, the work is the same; but the reader should know.
            row.reason = "the loss is not finite any more"
        if self.on_gpu:
            row.peak_mebibytes = torch.cuda.max_memory_reserved(self.device) / 2**20

    def _free(self) -> None:
        torch._dynamo.reset()
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()

    # ---- reports ----

    def add(self, row: Row) -> None:
        """Prints a row, and writes all so far: what is measured survives whatever stops the next case."""
        self.rows.append(row)
        print(line(row), flush=True)
        if self.options.json:
            self.options.json.write_text(json.dumps([asdict(r) for r in self.rows], indent=1) + "\n")

    def found(self, case: Case, variant: Variant) -> Row:
        """A case's row, measured now if it has not been."""
        for row in self.rows:
            if (row.case, row.network, row.batch) == (case.stage, case.network, case.batch):
                if row.variant == variant.name:
                    return row
        row = self.measure(case, variant)
        self.add(row)
        return row

    # ---- whole runs ----

    def estimate(self, name: str, variant: Variant) -> Row:
        """The time of a whole run from that of its iterations."""
        synthesis_case, tuning_case = WHOLE_CASES[name]
        synthesis, tuning = self.found(synthesis_case, variant), self.found(tuning_case, variant)
        row = self.row(tuning_case, variant)
        row.case = name
        row.detail = "estimated from iterations"
        if synthesis.milliseconds is None or tuning.milliseconds is None:
            row.reason = synthesis.reason or tuning.reason
            return row
        row.iterations = WHOLE_BATCHES * WHOLE_SYNTHESIS + WHOLE_FINE_TUNING
        row.milliseconds = (
            WHOLE_BATCHES * WHOLE_SYNTHESIS * synthesis.milliseconds + WHOLE_FINE_TUNING * tuning.milliseconds
        )
        return row

    def timed_whole(self, name: str, variant: Variant, count: int) -> Row:
        """The first iterations of both stages by the clock, batches begun as in a run, scaled to all."""
        row = self.row(WHOLE_CASES[name][1], variant)
        row.case = name
        row.detail = f"scaled from {count} consecutive iterations of each stage"
        row.iterations = 2 * count
        total = 0.0
        try:
            for case, all_iterations in zip(
                WHOLE_CASES[name], (WHOLE_BATCHES * WHOLE_SYNTHESIS, WHOLE_FINE_TUNING)
            ):
                total += self.consecutive(case, variant, count) / count * all_iterations
                self._free()
            row.milliseconds = total
        except Unavailable as unavailable:
            row.reason = str(unavailable)
        except Exception as failure:
            row.reason = reason(failure)
        self._free()
        return row

    def consecutive(self, case: Case, variant: Variant, count: int) -> float:
        """Milliseconds by the host's clock for `count` iterations in a row."""
        prepared = self.prepared(case, variant)
        start = time.perf_counter()
        for index in range(count):
            if index % WHOLE_SYNTHESIS == 0 and isinstance(prepared.loop, Synthesis):
                prepared.loop.begin()
            prepared.step()
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
        return 1000 * (time.perf_counter() - start)


def last_loss(loop: Synthesis | FineTuning) -> float:
    """The loss of the last iteration, read back."""
    if isinstance(loop, Synthesis):
        return float(loop.loss)
    return float(loop.harder.loss) if loop.harder is not None else math.nan


HEADINGS = ("case", "network", "batch", "variant", "ms", "iterations", "MiB", "setup s", "")


def line(row: Row | None = None) -> str:
    """A row of the table, or its heading."""
    cells = HEADINGS
    if row is not None:
        time_cell = "-" if row.milliseconds is None else f"{row.milliseconds:.3f}"
        cells = (
            row.case, row.network, str(row.batch), row.variant, time_cell, str(row.iterations),
            "" if row.peak_mebibytes is None else f"{row.peak_mebibytes:.0f}",
            "" if row.setup_seconds is None else f"{row.setup_seconds:.1f}",
            "; ".join(filter(None, (row.detail, row.reason))),
        )  # fmt: skip
    case, network, batch, variant, milliseconds, iterations, memory, setup, note = cells
    return (
        f"{case:<20}{network:<10}{batch:>5}  {variant:<17}{milliseconds:>13}{iterations:>11}"
        f"{memory:>8}{setup:>9}  {note}"
    ).rstrip()


def set_precision(precision: str) -> None:
    """tf32: convolutions and matrix products on tensor cores; fp32: single precision throughout."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    # Sizes never change: the fastest algorithm is worth looking for.
    torch.backends.cudnn.benchmark = True


def chosen(names: str) -> list[Case]:
    """The cases whose labels hold one of the comma-separated words."""
    words = [word for word in names.split(",") if word]
    cases = [case for case in CASES if not words or any(word in case.label for word in words)]
    if not cases:
        raise SystemExit(f"no case matches '{names}': known are {', '.join(c.label for c in CASES)}")
    return cases


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="comma-separated; all by default")
    parser.add_argument("--cases", default="", help="words; a case whose label holds one of them is measured")
    parser.add_argument("--seconds", type=float, default=6, help="of measuring per case and variant")
    parser.add_argument("--precision", default="tf32", choices=("tf32", "fp32"))
    parser.add_argument("--compile-mode", default="reduce-overhead", choices=tuple(WITHOUT_GRAPHS))
    parser.add_argument("--shortcut", default="b", choices=("a", "b"), help="of the ResNet-20")
    parser.add_argument("--resnet20", type=Path, help="safetensors file; random weights without")
    parser.add_argument("--resnet18", type=Path, help="safetensors file; random weights without")
    parser.add_argument(
        "--whole",
        nargs="?",
        type=int,
        const=0,
        metavar="N",
        help="estimate whole CIFAR-10 runs; with N, also time N consecutive iterations of each stage",
    )
    options = parser.parse_args()
    unknown = [name for name in options.variants.split(",") if name not in VARIANTS]
    if unknown:
        parser.error(f"unknown variants {', '.join(unknown)}: known are {', '.join(VARIANTS)}")
    if options.seconds <= 0:
        parser.error("--seconds must be above 0")
    if options.whole is not None and options.whole < 0:
        parser.error("--whole must be 0 or more")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch sees no GPU; --device cpu measures on the CPU")
    return options


def main() -> None:
    options = arguments()
    set_precision(options.precision)
    torch.manual_seed(1)
    bench = Bench(options)
    variants = [VARIANTS[name] for name in options.variants.split(",")]
    print(f"PyTorch {torch.__version__}, {bench.device_name}, {options.precision}")
    print(line())
    for case in chosen(options.cases):
        for variant in variants:
            bench.found(case, variant)
    if options.whole is None:
        return
    for name in WHOLE_CASES:
        for variant in variants:
            bench.add(bench.estimate(name, variant))
            if options.whole > 0:
                bench.add(bench.timed_whole(name, variant, options.whole))


if __name__ == "__main__":
    main()
