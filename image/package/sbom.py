# ruff: noqa: INP001, S603
"""What is in the package, as a CycloneDX document: every library with version, licence and what it needs.

It is read out of the environment that was built, not out of a list, by cyclonedx-py; Debian's own packages stand in the
image's list (`dpkg-query`), since which versions a box has is known there alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path


def sbom(site: Path, version: str) -> str:
    """The document. The same environment gives the same text."""
    with tempfile.TemporaryDirectory() as folder:
        python = _interpreter_of(site, Path(folder))
        told = subprocess.run(
            [
                sys.executable,
                "-m",
                "cyclonedx_py",
                "environment",
                "--output-reproducible",
                "--no-validate",
                "--of",
                "JSON",
                "--sv",
                "1.6",
                str(python),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    document = json.loads(told)
    own = {"vitald", "pip", "setuptools"}
    document["components"] = [one for one in document.get("components", []) if one["name"] not in own]
    texts = {one.name: one.metadata.get("License", "") for one in distributions(path=[str(site)])}
    for one in document["components"]:
        if not one.get("licenses") and (known := _licence(texts.get(one["name"], ""))):
            one["licenses"] = [{"license": {"id": known}}]
    document["dependencies"] = [
        one for one in document.get("dependencies", []) if one["ref"].split("==")[0] not in own
    ]
    document["metadata"]["component"] = {
        "type": "application",
        "bom-ref": f"vitald=={version}",
        "name": "vitald",
        "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "purl": f"pkg:deb/vitald@{version}",
    }
    document["dependencies"].append(
        {
            "ref": f"vitald=={version}",
            "dependsOn": sorted(one["bom-ref"] for one in document["components"]),
        }
    )
    document["dependencies"].sort(key=lambda one: one["ref"])
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _licence(text: str) -> str:
    """The name of a licence whose whole text, or whose plain name, stands in the library's head; "" for another."""
    words = " ".join(text.split())
    return "Apache-2.0" if words.startswith("Apache License") and "2.0" in words[:60] else ""


def _interpreter_of(site: Path, folder: Path) -> Path:
    """A Python that sees `site` alone: the environment's own may be for another processor."""
    place = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    place.parent.mkdir(parents=True)
    place.symlink_to(site.resolve())
    (folder / "bin").mkdir()
    base = Path(sys._base_executable)  # type: ignore[attr-defined]  # noqa: SLF001 - the one that a venv is made of
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    return folder / "bin" / "python"
