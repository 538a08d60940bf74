# ruff: noqa: S603
"""Updates as RAUC's bundles, and the keys of whoever builds: a root of trust, and a leaf that signs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from disk.description import Machine

HERE = Path(__file__).resolve().parent

LEAF = """[leaf]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,emailProtection,codeSigning
"""


def development_keys(folder: Path, name: str = "development") -> tuple[Path, Path, Path]:
    """Root's certificate, signer's certificate and signer's key; made where they are not there. Never for boxes at beds."""
    folder.mkdir(parents=True, exist_ok=True)
    root, root_key = folder / f"{name}-root.pem", folder / f"{name}-root.key"
    leaf, leaf_key = folder / f"{name}.pem", folder / f"{name}.key"
    if not leaf.exists():
        extensions, asked = folder / f"{name}.cnf", folder / f"{name}.csr"
        extensions.write_text(LEAF)
        new = ["openssl", "req", "-newkey", "rsa:3072", "-nodes", "-sha256"]
        ca = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        subject = f"/O=vitald {name}/CN"
        _run(
            *new, "-x509", "-days", "7300", "-subj", f"{subject}=root", *ca, "-keyout", root_key, "-out", root
        )
        _run(*new, "-subj", f"{subject}=signer", "-keyout", leaf_key, "-out", asked)
        signed = ["-CA", root, "-CAkey", root_key, "-CAcreateserial", "-days", "3650", "-sha256"]
        _run(
            "openssl",
            "x509",
            "-req",
            "-in",
            asked,
            *signed,
            "-extfile",
            extensions,
            "-extensions",
            "leaf",
            "-out",
            leaf,
        )
    return root, leaf, leaf_key


def bundled(
    machine: Machine,
    root: Path,
    version: str,
    to: Path,
    *,
    certificate: Path,
    key: Path,
    boot: Path | None = None,
) -> Path:
    """A signed bundle with the read-only root, and a slot's boot partition where it has one. Raises CalledProcessError."""
    content = to.with_name(f"{to.name}.content")
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir(parents=True)
    os.link(root, content / "root.img")
    manifest = f"[update]\ncompatible={machine.compatible}\nversion={version}\n\n[bundle]\nformat=verity\n"
    manifest += "\n[image.rootfs]\nfilename=root.img\n"
    if boot is not None:
        os.link(boot, content / "boot.img")
        shutil.copy(HERE / machine.architecture / "hook", content / "hook")
        manifest += "\n[hooks]\nfilename=hook\n\n[image.boot]\nfilename=boot.img\nhooks=post-install\n"
    (content / "manifest.raucm").write_text(manifest)
    to.unlink(missing_ok=True)
    # The root is compressed already: compressing it again takes minutes for nothing.
    plain = "--mksquashfs-args=-comp gzip -Xcompression-level 1 -noD -noF"
    _run("rauc", f"--cert={certificate}", f"--key={key}", "bundle", plain, content, to)
    shutil.rmtree(content)
    return to


def _run(*words: str | Path) -> None:
    subprocess.run(
        [str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
