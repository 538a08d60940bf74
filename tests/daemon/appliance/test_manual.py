"""The manual page and the completion are made of the parsers: every verb and option is in them."""

from __future__ import annotations

import shutil
import subprocess

from daemon.cli import VERBS
from daemon.cli.manual import completion, man_page, options_of, verbs


def test_every_verb_and_option_is_in_the_manual_page():
    page = man_page()
    for name, parser in verbs():
        assert f"vitald {name}".replace("-", "\\-") in page
        for action in options_of(parser):
            assert action.help or action.choices, f"vitald {name}: {action.dest} says nothing of itself"
            for option in action.option_strings:
                assert option.replace("-", "\\-") in page
    assert ".SH EXIT STATUS" in page


def test_roff_and_bash_can_read_what_was_made(tmp_path):
    (tmp_path / "vitald.1").write_text(man_page())
    if shutil.which("man"):
        done = subprocess.run(
            ["man", "-l", "--warnings", str(tmp_path / "vitald.1")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "warning" not in done.stderr
        assert "NAME" in done.stdout
    script = completion() + "COMP_WORDS=(vitald do) COMP_CWORD=1; _vitald; echo ${COMPREPLY[@]}\n"
    script += "COMP_WORDS=(vitald doctor --q) COMP_CWORD=2; _vitald; echo ${COMPREPLY[@]}\n"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["doctor", "--quick"]
    assert all(name in completion() for name in VERBS)
