"""The manual page, the completion of bash and the technicians' page of the manual, made of the verbs' own parsers.

python -m daemon.cli.manual man > vitald.1
python -m daemon.cli.manual bash > vitald          (a file of /usr/share/bash-completion/completions)
python -m daemon.cli.manual docs > docs/technician.md
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator

from daemon import __version__
from daemon.appliance.findings import CHECKS, FINDINGS, number
from daemon.cli import VERBS
from daemon.words import say, table

EXITS = (
    (0, "All is well, or what was asked for is done."),
    (1, "Something is not well, or could not be done; what it is was said."),
    (2, "What was given cannot be used."),
    (78, "The configuration cannot be used; the key was named."),
)
FILES = (
    ("/etc/vitald/vitald.toml", "The configuration."),
    ("/etc/vitald/credentials", "Secrets, a file each."),
    ("/var/lib/vitald", "The databases: vitald.db (what was recorded), box.db (who was here, who did what)."),
    ("/var/lib/vitald-cert", "The certificate of the pages, and the box's authority that has signed it."),
    ("/run/vitald/control.sock", "The daemon's socket."),
)
EXAMPLES = (
    ("vitald status", "One screen on how the box is doing."),
    ("vitald doctor", "What is wrong, and what to do about it."),
    ("vitald capture /dev/ttyUSB0 --seconds 10 -o ecg.cap && vitald decode ecg.cap", "What a device says."),
    ("vitald support-bundle -o bundle.zip", "A file for whoever helps from afar, without patients' data."),
)


def verbs() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every verb with its parser, in their order."""
    for name, about in VERBS.items():
        parser = argparse.ArgumentParser(prog=f"vitald {name}", description=f"{about[0].upper()}{about[1:]}.")
        importlib.import_module(f"daemon.cli.{name.replace('-', '_')}").arguments(parser)
        yield name, parser


def options_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What a verb takes, but help and what is hidden."""
    for action in parser._actions:  # noqa: SLF001 - argparse shows them nowhere else
        if action.help is not argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):  # noqa: SLF001
            yield action


def man_page() -> str:
    """vitald(1), as roff."""
    lines = [
        f'.TH VITALD 1 "" "vitald {__version__}" "vitald"',
        ".SH NAME",
        "vitald \\- the small computer at a patient's bed",
        ".SH SYNOPSIS",
        ".B vitald",
        ".I VERB",
        "[OPTIONS]",
        ".SH DESCRIPTION",
        "Acquires, analyses, alarms, stores, shows and forwards a patient's signals. Not a medical device.",
        ".SH VERBS",
    ]
    for _, parser in verbs():
        lines += [
            ".SS " + _roff(parser.format_usage().removeprefix("usage: ").strip()),
            _roff(parser.description or ""),
        ]
        for action in options_of(parser):
            lines += [".TP", f".B {_roff(_names(action))}", _roff(_help(action, parser)) or "\\&"]
    lines.append(".SH EXIT STATUS")
    for code, meaning in EXITS:
        lines += [".TP", f".B {code}", _roff(meaning)]
    lines.append(".SH FILES")
    for path, what in FILES:
        lines += [".TP", f".I {_roff(path)}", _roff(what)]
    lines.append(".SH EXAMPLES")
    for command, what in EXAMPLES:
        lines += [".TP", f".B {_roff(command)}", _roff(what)]
    return "\n".join(lines) + "\n"


def completion() -> str:
    """For bash."""
    cases = []
    for name, parser in verbs():
        words = [option for action in options_of(parser) for option in action.option_strings]
        for action in options_of(parser):
            if not action.option_strings and action.choices:
                words += [str(choice) for choice in action.choices]
        cases.append(f'    {name}) words="{" ".join(words)}" ;;')
    return "\n".join(
        [
            "# Completion of vitald for bash; made by `python -m daemon.cli.manual bash`.",
            "_vitald() {",
            '  local word="${COMP_WORDS[COMP_CWORD]}" words=""',
            '  if [ "$COMP_CWORD" -eq 1 ]; then',
            f'    words="{" ".join(VERBS)}"',
            "  else",
            '    case "${COMP_WORDS[1]}" in',
            *cases,
            "    esac",
            "  fi",
            '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
            '  [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$word"))',
            "}",
            "complete -F _vitald vitald",
            "",
        ]
    )


def technicians_page() -> str:
    """docs/technician.md."""
    parts = [_HEAD]
    for check in CHECKS:
        parts += [f"### {number(check)}. {say(f'doctor.check.{check}')}", ""]
        parts += ["| finding | grade | what it means | what to do |", "|---|---|---|---|"]
        for identity, grade in FINDINGS.items():
            if identity.partition(".")[0] == check:
                meaning, remedy = (
                    _cell(table()[key]) for key in (f"doctor.{identity}", f"doctor.{identity}.do")
                )
                parts.append(f"| `{identity}` | {say(f'doctor.grade.{grade}')} | {meaning} | {remedy} |")
        parts.append("")
    return "\n".join(parts)


_HEAD = """# For technicians

Made by `python -m daemon.cli.manual docs` from the tables that the commands use; do not edit it by hand.

All of it works over SSH, without a browser and without the sources. `--json` gives every answer to a machine; exit codes are 0 well,
1 not well, 2 bad input, 78 bad configuration. `man vitald` has every option.

| to know | say |
|---|---|
| whether the box is well, and since when it is not | `vitald status` |
| whether an alarm is heard and seen, from a board's bytes on ([sound.md](sound.md)) | `vitald test-alarm --chain` |
| what is wrong, and what to do about it | `vitald doctor` (`--quick` leaves out what takes seconds) |
| what is attached; every port, its adapter, who holds it, whose bytes come in | `vitald devices`, `vitald devices --probe` |
| what a device really says | `vitald capture PORT --seconds 10 -o FILE`, then `vitald decode FILE` |
| what was logged | `vitald logs -f`, `--since -1h`, `--unit vitald` |
| whether an update was kept, and which slot runs ([image.md](image.md)) | `vitald update` |
| an update that must wait for the patient to go home | `sudo vitald update install FILE --when-discharged`; `vitald update withdraw` |
| whether the configuration is right; what is not the default | `vitald config check`, `vitald config diff` |
| with which certificate other machines see the pages, and until when | `vitald cert show`; `renew`, `csr`, `install` ([security.md](security.md)) |
| how network and clock stand; setting them | `vitald net --reach`, `vitald time`; `vitald net set eth0 dhcp`, `vitald time zone Europe/Berlin`, `vitald time servers NAME` (`--show` first) |
| the first settings of a box, or of a hundred ([first-start.md](first-start.md)) | `vitald setup`, `vitald setup --from FILE` |
| new firmware for a device ([fleet.md](fleet.md)) | `vitald devices firmware`, `vitald devices firmware accept DEVICE` |
| what waits for a cloud | `vitald queue` |

`vitald capture` asks the daemon for what it hears where the daemon holds the port (it is never opened twice), and is refused while a
patient is admitted at that bed unless `--force` is given. The file: the line `VITALD CAPTURE 1`, one line of JSON, then for each arrival
the nanoseconds since the beginning (u64), the number of bytes (u32, both little-endian) and the bytes. `vitald decode` reads such a
file, or raw bytes from anywhere (`--board NAME`, else the board is recognised).

`vitald config set web.port 9000` checks what it writes, keeps comments and order, replaces the file whole, and leaves the file of
before beside it (`vitald.toml.before`). Secrets are never shown.

`vitald support-bundle` makes a zip file by an allow-list: doctor, versions and hashes, states, counts, configuration without any text
that a person has typed, log lines of the program's own words. No database, no waveform, no name; its manifest lists every file and what
was left out. `--incident ALARM` packs the minutes around an alarm instead: a page (`incident.html`) that any browser shows offline, raw
samples, filtered waves, alarms, actions, numbers, configuration, versions. In it people, devices and beds are numbers and times are seconds
from the alarm; **waves and numbers of the patient are in it**, so it needs the same care as a record.

`vitald factory-reset` asks for the box's name, refuses while a patient is admitted or the daemon runs. Erased: both databases, damaged
copies, reports, what waits for clouds, uploads. Kept: configuration, credentials and certificates (unless `--everything`), the journal. A flash
card keeps what was on it until it is overwritten: where that matters, the data partition must be encrypted and its key destroyed.

## The box's own supply

`[hardware]` in the configuration names two inputs, each a file (one of `/sys/class/power_supply`) or a GPIO line. `mains_file` or `mains_line`
makes POWER LOST an alarm. When `ending_file` begins with `1`, or `ending_line` is high, the daemon writes so into the log, stores what it
has, closes its ports and databases, and waits, without opening anything, until the supply is back; the loudspeaker sounds its failure tone
meanwhile, because nobody watches over the beds. Heat, undervoltage (Raspberry Pi firmware) and shortage of memory are alarms of their own.

## What systemd hears

`vitald` says READY when every configured port was tried, the store answers (or has not for 10 s, which is an alarm of its own) and a Tick
has gone through every bed. It says WATCHDOG only when since the last time a Tick has come out of every bed and the read loop of
every open port has gone round: a device that is silent does not matter, a loop that stands still ends the daemon, and systemd starts
it anew. The other processes say both from their own loops.

## What `vitald doctor` finds

It changes nothing (one file of 4 kB is written to the data folder, timed, and taken away again). Words in braces are filled in.
"""


def _names(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if isinstance(value, tuple):
        value = " ".join(value)
    if not action.option_strings:
        return str(value)
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {value}"


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    values = {**vars(action), "prog": parser.prog}
    said = (action.help or "") % values
    return f"{said} ({', '.join(map(str, action.choices))})".strip() if action.choices else said


def _roff(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Print one of them."""
    made = {"man": man_page, "bash": completion, "docs": technicians_page}
    if len(arguments) != 1 or arguments[0] not in made:
        sys.stderr.write(f"one of {', '.join(made)}\n")
        return 2
    sys.stdout.write(made[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
