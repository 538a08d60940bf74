"""An output of the box that is on or off: a lamp's colour, a relay."""

from __future__ import annotations

from typing import Protocol


class Output(Protocol):
    """One output. Setting it to what it is costs nothing; raises OSError when the hardware does not answer."""

    def set(self, *, on: bool) -> None:
        """On or off."""

    def close(self) -> None:
        """Off, and given back. Never raises."""
