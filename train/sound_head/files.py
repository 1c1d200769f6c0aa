"""
Files that are the same bytes for the same content, written whole or not at all.

The library of safetensors writes metadata in any order; here it is in the order of the alphabet.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from audio_interaction_ros.whole_file import write_whole

__all__ = ['write_json', 'write_tensors']


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray],
                  metadata: Mapping[str, str]) -> None:
    """Write tensors with metadata to a path."""
    content = save({name: np.ascontiguousarray(value) for name, value in tensors.items()},
                   metadata=dict(metadata))
    size, = struct.unpack('<Q', content[:8])
    header = json.dumps(json.loads(content[8:8 + size]), sort_keys=True, separators=(',', ':'))
    text = header.encode() + b' ' * (-len(header.encode()) % 8)  # data begin at a multiple of 8
    write_whole(path, struct.pack('<Q', len(text)) + text + content[8 + size:])


def write_json(path: Path, table: dict[str, Any]) -> None:
    """Write a table to a path, on one line."""
    write_whole(path, (json.dumps(table, separators=(',', ':')) + '\n').encode())
