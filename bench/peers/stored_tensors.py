"""Reads safetensors files with numpy alone, so that the benchmark needs nothing beside PyTorch.

A file is the header's length (8 bytes, little endian), the header (JSON: name to dtype, shape and byte
range) and the raw values.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "U8": "|u1",
}


def read(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file by name; read-only views of its bytes."""
    data = path.read_bytes()
    if len(data) < 8:
        raise ValueError(f"{path}: too short for a safetensors file")
    (length,) = struct.unpack("<Q", data[:8])
    start = 8 + length
    if start > len(data):
        raise ValueError(f"{path}: the header ends beyond the file, is it a safetensors file?")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: _tensor(path, name, entry, data, start) for name, entry in header.items()}


def _tensor(path: Path, name: str, entry: dict, data: bytes, start: int) -> np.ndarray:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"{path}: {name} has dtype {entry['dtype']}, known are {', '.join(DTYPES)}")
    first, last = entry["data_offsets"]
    values = np.frombuffer(data[start + first : start + last], DTYPES[entry["dtype"]])
    return values.reshape(entry["shape"])
