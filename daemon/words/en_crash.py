"""English: the technician's page of errors, and mail about them."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "crash.title": "Errors of the box",
    "crash.about": "What the programs of this box did not expect. No names, no values, nothing of a patient is kept or sent.",
    "crash.summary": "Kinds of errors kept: {count}.",
    "crash.none": "No errors are kept.",
    "crash.limited": "Twenty were sent today. Further ones wait.",
    "crash.unavailable": "The box does not answer.",
    "crash.column.last": "Last",
    "crash.column.process": "Program",
    "crash.column.error": "Error",
    "crash.column.count": "Times",
    "crash.column.sent": "Sent",
    "crash.column.show": "Report",
    "crash.show": "Show what is sent",
    "crash.shown": "Exactly this is sent",
    "crash.process.daemon": "daemon",
    "crash.process.web": "pages",
    "crash.process.worker": "worker",
    "crash.process.forwarder": "forwarder",
    "crash.process.sound": "sound",
    "crash.mail.subject": "vitald: {count} errors",
    "crash.mail.intro": "This box has met errors in its own programs. Details are on its page of errors.",
    "crash.mail.more": "and {count} more",
    "crash.mail.test_subject": "vitald: test of mail",
    "crash.mail.test": "Mail from this box arrives. Nothing has happened.",
    "key.crashes": "Errors",
}
