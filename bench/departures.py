#!/usr/bin/env python3
"""When each signal of a diagnosed run first departs from what it was.

usage: departures.py RUN_DIR ..

Reads metrics.jsonl of runs made with --diagnose and prints a table: for each signal the first of two looks in a row
(fine-tuning) at which it is beyond a factor of its median over steps 400 to 800, or the first of five iterations in a
row (synthesis, first batch) at which it is beyond a factor of the least before them.
"""
import json
import statistics
import sys
from pathlib import Path

# Signal, factor beyond which it has departed, how to read it from a line.
FINE_TUNING = [
    ("share of activations above the range, most in a layer", 10, lambda d: max(d["above_range"])),
    ("share of activations on the uppermost level, most in a layer", 3, lambda d: max(d["on_top_level"])),
    ("relative error of activation quantisation, most in a layer", 1.5, lambda d: max(d["activation_error"])),
    ("channels that are 0 on every image", 1.5, lambda d: sum(d["dead_channels"])),
    ("relative error of weight quantisation, mean", 1.2, lambda d: statistics.mean(d["weight_error"].values())),
    ("relative change of the filters in 50 steps, most in a layer", 1.5, lambda d: max(v for k, v in d["parameter_change"].items() if "conv" in k)),
    ("size of a BatchNorm scale, most beside its first", 1.5, None),
]
SYNTHESIS = [
    ("loss", 1.02, lambda line: line["loss"]),
    ("root mean square of the step", 1.5, lambda line: line["diagnosis"]["step"]),
    ("mean of the root of the second moment", 1.02, lambda line: line["diagnosis"]["root_second_moment"]),
    ]


def first_run(flags, length):
    """Position of the first of so many departures in a row, each (position, departed)."""
    run = []
    for at, beyond in flags:
        run = run + [at] if beyond else []
        if len(run) == length:
            return run[0]
    return None


def departure(points, factor, calm):
    """First of two positions in a row at which the signal is above factor times its median over the calm stretch."""
    reference = statistics.median(value for at, value in points if calm[0] <= at <= calm[1])
    beyond = [(at, not value <= factor * max(reference, 1e-12)) for at, value in points if at > calm[1]]
    return reference, first_run(beyond, 2)


def rising(points, factor, window=100):
    """First of five positions in a row at which the signal is above factor times the least before them."""
    least, beyond = float("inf"), []
    for at, value in points:
        beyond.append((at, at > window and not value <= factor * least))
        least = min(least, value)
    first = first_run(beyond, 5)
    return min(value for at, value in points if first is None or at < first), first


def numbers(text):
    return float(text) if isinstance(text, str) else text


def main(folders):
    for folder in folders:
        lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
        tuned = [line for line in lines if "diagnosis" in line and line["stage"] == "FINE_TUNING"]
        made = [line for line in lines if "diagnosis" in line and line["stage"] == "SYNTHESIS" and line["batch"] == 0]
        print(f"\n{Path(folder).name}")
        if tuned:
            print("| signal | at steps 400 to 800 | departs at step |\n|---|---|---|")
            sizes = tuned[0]["diagnosis"]["parameter_size"]
            scales = [name for name in sizes if "bn" in name and name.endswith(".weight")]
            for name, factor, read in FINE_TUNING:
                if read is None:
                    read = lambda d: max(numbers(d["parameter_size"][s]) / sizes[s] for s in scales)
                points = [(line["step"], numbers(read(line["diagnosis"]))) for line in tuned]
                reference, first = departure(points, factor, (400, 800))
                print(f"| {name} (beyond {factor} times) | {reference:.3g} | {first or 'never'} |")
        if made:
            print("| signal | least before | departs at iteration |\n|---|---|---|")
            for name, factor, read in SYNTHESIS:
                points = [(line["iteration"], numbers(read(line))) for line in made]
                least, first = rising(points, factor)
                print(f"| {name} (beyond {factor} times the least so far) | {least:.3g} | {first or 'never'} |")


if __name__ == "__main__":
    main(sys.argv[1:])
