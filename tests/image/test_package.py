"""What the Debian package is made of, without building one (`./dev image-test package` builds, installs, upgrades and purges)."""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.image.builder import build, sbom, wheels

DEBIAN = build.HERE / "debian"


def wheel(folder: Path, files: dict[str, str], name: str = "thing-1.0-py3-none-any.whl") -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_a_wheel_is_unpacked_without_what_no_process_reads(tmp_path: Path) -> None:
    kept = {"thing/__init__.py", "thing/core.so", "thing-1.0.dist-info/METADATA", "more.py"}
    wheel(
        tmp_path / "wheels",
        dict.fromkeys(kept - {"more.py"}, "")
        | dict.fromkeys(
            ["thing/tests/test_x.py", "thing/core.pyi", "thing-1.0.dist-info/RECORD", "thing/include/x.h"], ""
        )
        | {
            "thing-1.0.data/purelib/more.py": "",
            "thing-1.0.data/scripts/thing": "",
            "thing-1.0.data/data/share/x": "",
        },
    )

    wheels.unpack(tmp_path / "wheels", tmp_path / "site")

    assert {
        str(f.relative_to(tmp_path / "site")) for f in (tmp_path / "site").rglob("*") if f.is_file()
    } == kept


def test_a_wheel_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", {"thing/../../out.py": ""})

    with pytest.raises(ValueError, match="leaves the environment"):
        wheels.unpack(tmp_path / "wheels", tmp_path / "site")
    assert not (tmp_path / "out.py").exists()


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("plotly/package_data/plotly.min.js", True),
        ("plotly/graph_objs/_figure.py", False),
        ("botocore/data/s3/2006-03-01/service-2.json.gz", True),
        ("botocore/data/ec2/2016-11-15/service-2.json.gz", False),
        ("botocore/data/endpoints.json", True),
        ("numpy/testing/__init__.py", True),
        ("tests/own.py", True),
    ],
)
def test_what_a_library_brings_is_kept_where_it_is_read(path: str, needed: bool) -> None:
    assert wheels.needed(PurePosixPath(path)) is needed


def test_the_requirements_of_every_release_are_there_with_their_hashes() -> None:
    for release in build.RELEASES.values():
        text = (build.ROOT / f"requirements/run-{release.python}.txt").read_text()
        assert "--hash=sha256:" in text
        assert ";" not in text, "a marker would be judged for the machine that builds"


def test_the_list_of_parts_names_each_library_once(tmp_path: Path) -> None:
    said = {
        "alpha": "License: Apache License 2.0\n",
        "beta": "License:     Apache License\n        Version 2.0, January 2004\n",
        "gamma": "License: of our own\n",
    }
    for name, licence in said.items():
        (tmp_path / f"{name}-1.2.dist-info").mkdir()
        (tmp_path / f"{name}-1.2.dist-info/METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{licence}"
        )

    text = sbom.sbom(tmp_path, "3.0")

    document = json.loads(text)
    assert document["bomFormat"] == "CycloneDX"
    assert [(one["name"], one["version"]) for one in document["components"]] == [
        ("alpha", "1.2"),
        ("beta", "1.2"),
        ("gamma", "1.2"),
    ]
    licences = [json.dumps(one.get("licenses", "")) for one in document["components"]]
    assert ["Apache-2.0" in one for one in licences] == [True, True, False]
    assert document["metadata"]["component"]["version"] == "3.0"
    assert text == sbom.sbom(tmp_path, "3.0"), "the same twice"


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_scripts_of_the_package_are_well_formed(script: str) -> None:
    subprocess.run(["sh", "-n", str(DEBIAN / script)], check=True)

    assert os.access(DEBIAN / script, os.X_OK)
    assert "set -e" in (DEBIAN / script).read_text()


def test_only_a_purge_takes_data_away() -> None:
    for script in ("postinst", "prerm"):
        assert "/var/lib" not in (DEBIAN / script).read_text()
    before, after = (DEBIAN / "postrm").read_text().split('"$1" = purge')
    assert "/var/lib" not in before
    assert {"/var/lib/vitald", "/var/lib/vitald-forward", "/var/lib/vitald-web", "/etc/vitald"} <= set(
        after.split()
    )


def test_the_configuration_that_is_shipped_can_be_used() -> None:
    from daemon.config import load

    config = load(DEBIAN / "vitald.toml")

    assert config.web.host == "127.0.0.1", "nobody reaches the pages before a person has said who may"
    assert list(config.beds) == ["1"]


def test_no_file_names_where_packages_come_from() -> None:
    for file in (build.ROOT / "image").rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            assert not re.search(
                r"https?://(?!www\.debian\.org/doc/|127\.0\.0\.1[:/])", file.read_text(encoding="utf-8")
            ), file
