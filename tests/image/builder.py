"""What builds the package, which is a program of the folder `image` and no import package."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "image"))

from package import build, sbom, wheels

__all__ = ["build", "sbom", "wheels"]
