"""Readers that are not ours, and what is read by the letter of a standard's description."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess

import numpy as np
import pytest
from lxml import etree

V3 = "{urn:hl7-org:v3}"


def tool(name: str) -> str:
    """A Debian tool; where it is missing the test is skipped, but not where everything must be there."""
    found = shutil.which(name)
    if found is None:
        assert os.environ.get("CI") != "true", f"{name} is not installed"
        pytest.skip(f"{name} is not installed")
    return found


def dciodvfy(path) -> None:
    """Without errors; and without warnings, but that attributes of other objects are unusual."""
    done = subprocess.run([tool("dciodvfy"), "-new", str(path)], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if line.startswith("Error")], done.stderr


def aecg_rows(path):
    """Counts of the sequence sets, and when each begins, by the letter of the guide."""
    sets = []
    for one in etree.parse(path).iter(f"{V3}sequenceSet"):
        sequences = one.findall(f"{V3}component/{V3}sequence")
        head = sequences[0].find(f"{V3}value/{V3}head").get("value")
        rows = {
            s.find(f"{V3}code").get("code"): np.array(s.find(f"{V3}value/{V3}digits").text.split(), np.int64)
            for s in sequences[1:]
        }
        sets.append((head, rows))
    return sets


def biosig(path, folder, n):
    """Samples of all channels in physical units, by biosig."""
    to = folder / "biosig"
    subprocess.run(
        [tool("save2gdf"), "-f=ASCII", str(path), str(to)], capture_output=True, check=False, timeout=60
    )
    return np.stack([np.loadtxt(f"{to}.a{k:02d}", ndmin=1)[:n] for k in range(1, 9)])


def table(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def messages(path):
    text = path.read_bytes().decode()
    return ["MSH" + part.split("BTS")[0] for part in text.split("MSH")[1:]]
