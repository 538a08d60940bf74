"""Lines of the log carry their priority where the journal reads it, and nowhere else."""

import io
import logging
import os

import pytest

from daemon import journal


def record(level: int, message: str, trouble: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("daemon.store", level, "", 0, message, (), None)
    if trouble:
        made.exc_text = "Traceback\n  in some file\nOSError: full"
    return made


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_a_line_begins_with_its_priority(level: int, priority: int) -> None:
    assert journal.Prefixed().format(record(level, "full")) == f"<{priority}>daemon.store: full"


def test_each_line_of_a_traceback_has_it() -> None:
    lines = journal.Prefixed().format(record(logging.ERROR, "failed", trouble=True)).splitlines()

    assert len(lines) == 4
    assert all(line.startswith("<3>") for line in lines)


def test_an_empty_message_is_a_line() -> None:
    assert journal.Prefixed().format(record(logging.INFO, "")) == "<6>daemon.store: "


def test_the_journal_is_known_by_the_file_that_systemd_named() -> None:
    read, write = os.pipe()
    try:
        about = os.fstat(write)
        named = {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}

        assert journal.is_journal(write, named)
        assert not journal.is_journal(write, {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino + 1}"})
        assert not journal.is_journal(write, {})
    finally:
        os.close(read)
        os.close(write)
    assert not journal.is_journal(write, named), "a descriptor that is closed"


def test_a_terminal_reads_the_level_as_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter(journal.FORMAT))
    handler.emit(record(logging.WARNING, "low"))

    assert text.getvalue() == "WARNING daemon.store: low\n"
