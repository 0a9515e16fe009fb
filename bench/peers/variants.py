"""How an iteration is executed: eagerly, compiled, as one CUDA graph, or both."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from hast_torch import Compiler, uncompiled

# Enough for lazy compilation, cuDNN's choice of algorithms and the optimisers' state; graphs kept by the
# compiler want one run to warm up and one to record.
WARM_UPS = 4


class Loop(Protocol):
    """One of HAST's loops."""

    def iterate(self) -> None: ...

    def fixed(self) -> list[Tensor]: ...


L = TypeVar("L", bound=Loop)


@dataclass(frozen=True)
class Variant:
    """compiled: by torch.compile; captured: the whole iteration is one CUDA graph."""

    name: str
    compiled: bool
    captured: bool


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("eager", compiled=False, captured=False),
        Variant("graphed", compiled=False, captured=True),
        Variant("compiled", compiled=True, captured=False),
        Variant("compiled-graphed", compiled=True, captured=True),
    )
}

# What an outer capture needs instead: the compiler's own graphs would be captured in a graph.
WITHOUT_GRAPHS = {"reduce-overhead": "default", "max-autotune": "max-autotune-no-cudagraphs"}


class Unavailable(Exception):
    """A variant that cannot run, and why."""


@dataclass(frozen=True)
class Prepared(Generic[L]):
    """A loop ready to be timed."""

    loop: L
    step: Callable[[], None]
    detail: str


def prepare(make: Callable[[Compiler], L], variant: Variant, mode: str, device: torch.device) -> Prepared[L]:
    """Builds a loop for a variant and runs it warm. Says so if only a lesser form of the variant works."""
    if variant.captured and device.type != "cuda":
        raise Unavailable("CUDA graphs need a GPU")
    if not variant.compiled:
        return _prepare(make, variant, uncompiled, "", device)
    mode = WITHOUT_GRAPHS[mode] if variant.captured else mode
    try:
        return _compile(make, variant, mode, True, device)
    except torch.OutOfMemoryError:
        raise
    except Exception as failure:
        print(f"  {variant.name}: not in one piece ({reason(failure)}), trying with graph breaks")
    return _compile(make, variant, mode, False, device)


def reason(failure: BaseException) -> str:
    """A failure in one line."""
    lines = str(failure).strip().splitlines() or [""]
    return f"{type(failure).__name__}: {lines[0]}"[:200]


def _compile(
    make: Callable[[Compiler], L], variant: Variant, mode: str, whole: bool, device: torch.device
) -> Prepared[L]:
    # After other sizes the compiler would take these, and even the quantisers' scales, for dynamic ones.
    torch._dynamo.reset()
    compiler = functools.partial(torch.compile, mode=mode, fullgraph=whole, dynamic=False)
    detail = mode if whole else f"{mode}, graph breaks"
    return _prepare(make, variant, compiler, detail, device)


def _prepare(
    make: Callable[[Compiler], L], variant: Variant, compiler: Compiler, detail: str, device: torch.device
) -> Prepared[L]:
    loop = make(compiler)
    step = loop.iterate
    if variant.compiled:
        for tensor in loop.fixed():
            # The compiler's graphs copy every other input at each replay.
            torch._dynamo.mark_static_address(tensor)
        if not variant.captured:
            step = _marked(step)
    if variant.captured:
        step = _capture(step)
    else:
        for _ in range(WARM_UPS):
            step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return Prepared(loop, step, detail)


def _marked(iterate: Callable[[], None]) -> Callable[[], None]:
    def step() -> None:
        # The outputs of the last iteration are done with, their memory may be written again.
        torch.compiler.cudagraph_mark_step_begin()
        iterate()

    return step


def _capture(iterate: Callable[[], None]) -> Callable[[], Any]:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            iterate()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        iterate()
    return graph.replay
