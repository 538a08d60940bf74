"""New firmware on its way to a device: handed from the main thread to that of the ports, which counts how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True, eq=False)
class Transfer:
    """`verb` "send" sends `image`, the others are said to a device that has it. `done` bytes are there; one thread writes it."""

    verb: Literal["send", "start", "keep", "back"]
    image: bytes = field(default=b"", repr=False)
    version: str = ""
    done: int = 0
