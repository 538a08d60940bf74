"""The one command, `vitald`. One file a verb; a verb's module is imported only when it is asked for.

Exit codes: 0 well, 1 not well, 2 bad input, 78 bad configuration.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

# One numeric thread a process, said before numpy is loaded: results then agree to the last bit however a stream is cut,
# and a bed does not take every core for small arrays.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

VERBS = {
    "run": "the daemon: ports, analysis, store, control socket",
    "sound": "the loudspeaker: alarm sounds, and the failure tone when the daemon is silent",
    "web": "the nurse's pages",
    "work": "what computes over history: strips, statistics, rehearsals of limits",
    "forward": "the way to the clouds",
    "demo": "everything at once, with simulators at the bed",
    "status": "how the box is doing, what is wrong and since when",
    "doctor": "numbered checks of the box, and what to do about what is found",
    "queue": "what waits for each cloud, and why",
    "cloud": "the box's account at a cloud",
    "devices": "what is attached, and how it is doing",
    "capture": "the raw bytes of a port, with their times, into a file",
    "decode": "what the raw bytes in a file mean",
    "logs": "what the processes have logged",
    "config": "check, show, set or compare the configuration",
    "cert": "the certificate that other machines see the pages with: show, renew, or the house's own",
    "net": "how the network stands, and setting it",
    "time": "how the clock stands, and setting it",
    "update": "the box's own updates: how the slots stand, look at a bundle, install it, go back",
    "factory-reset": "erase what was recorded and who was here",
    "support-bundle": "one file for whoever helps from afar, without patients' data",
    "setup": "the first settings of a box: asked for, or from a file; the code for the first account",
    "user": "people who may sign in: list, add, role, reset, unlock, remove, import",
    "audit": "who did what: list it, verify that nothing was changed",
    "session": "admit and discharge a patient, start and end a recording, list what was recorded",
    "report": "a report of a session as a PDF file: ECG, session, night, oxygen",
    "import": "the nights on a device's card (ResMed), into the history of a bed",
    "export": "a session as a file: EDF+, WFDB, CSV, DICOM, FHIR, HL7 and others",
    "gaps": "what is missing of a bed's recording, and why: a certificate to print and sign",
    "crash": "errors of the box's own programs, and mail about them",
    "token": "what machines show to be let in at the box API: create, list, revoke",
    "limits": "the alarm limits of a bed, as they are or set anew",
    "test-alarm": "a marked test of an alarm to screens and loudspeaker, or of its whole way (--chain)",
    "backup": "both databases in one file, while the daemon runs or not",
    "restore": "the databases of a backup in place of those that are there",
    "replay": "play a recording, or a simulated patient, as a board on a pseudo-terminal",
    "analyse": "the live analysis over a recording, as JSON lines",
}

WELL, NOT_WELL, BAD_INPUT, BAD_CONFIGURATION = 0, 1, 2, 78


class BadInput(Exception):
    """What a person gave cannot be used; the text is the one line they read."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    verb = given[0] if given and given[0] in VERBS else None
    parser = argparse.ArgumentParser(prog="vitald", description="The small computer at a patient's bed.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, about in VERBS.items():
        sub = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        if name == verb:
            module = importlib.import_module(f"daemon.cli.{name.replace('-', '_')}")
            module.arguments(sub)
            sub.set_defaults(run=module.run)
    options = parser.parse_args(given)
    try:
        code: int = options.run(options)
    except BadInput as error:
        print(f"vitald {options.verb}: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return WELL
    except _bad_config() as error:
        print(f"vitald {options.verb}: {error}", file=sys.stderr)
        return BAD_CONFIGURATION
    return code


def _bad_config() -> type[Exception]:
    """Asked for when something was raised: verbs without a configuration start in half the time without its reader."""
    from daemon.config import BadConfig

    return BadConfig
