"""Where a secret is: a file in a folder, or what systemd made of that folder."""

from pathlib import Path

from daemon.forward.destinations.place import secret_file


def test_a_secret_is_a_file_of_its_name(tmp_path: Path) -> None:
    assert secret_file(tmp_path, "token") == tmp_path / "token"


def test_a_folder_that_systemd_filled_has_its_prefix(tmp_path: Path) -> None:
    (tmp_path / "secret_token").write_text("1")

    assert secret_file(tmp_path, "token") == tmp_path / "secret_token"


def test_a_path_of_its_own_is_taken_as_it_stands(tmp_path: Path) -> None:
    assert secret_file(Path("/nowhere"), str(tmp_path / "own")) == tmp_path / "own"
