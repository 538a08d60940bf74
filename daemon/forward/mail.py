"""Reports of errors by mail, where that is set: one mail an hour at most, of all that is new. Encrypted, or not at all.

A mail that cannot be sent is not sent again and again: what it told of goes with the next one.
"""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from daemon.config import Mail
from daemon.control.client import NotAnswering
from daemon.control.crashes import CrashClient, CrashesTold, CrashTold
from daemon.words import say

log = logging.getLogger(__name__)

SENT_WITHIN_S = 30.0
LISTED = 50
FIRST_LOOK_S = 60.0


class NotSent(Exception):
    """The mail did not go; the text says why, without what the server said."""


def digest(mail: Mail, crashes: tuple[CrashTold, ...], box: str) -> EmailMessage:
    """A mail that tells of these errors; every one in three lines, nothing of it a patient's."""
    message = _message(mail, say("crash.mail.subject", count=str(len(crashes))), box)
    lines = [say("crash.mail.intro"), ""]
    for one in crashes[:LISTED]:
        said = f"{one.error_type}: {one.error_message}".rstrip(": ")
        lines += [f"{one.last_at}  {one.process}  {one.count} x", f"  {said}", f"  {one.where}", ""]
    if len(crashes) > LISTED:
        lines.append(say("crash.mail.more", count=str(len(crashes) - LISTED)))
    message.set_content("\n".join(lines))
    return message


def trial(mail: Mail, box: str) -> EmailMessage:
    """A mail that shows that mail works."""
    message = _message(mail, say("crash.mail.test_subject"), box)
    message.set_content(say("crash.mail.test"))
    return message


def send(mail: Mail, message: EmailMessage, credentials: Path) -> None:
    """Hand it to the server. Waits for the network: on a thread. Raises `NotSent`."""
    try:
        context = ssl.create_default_context()
        if mail.ca_file is not None:
            context.load_verify_locations(mail.ca_file)
        if mail.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                mail.host, mail.port, timeout=SENT_WITHIN_S, context=context
            )
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=SENT_WITHIN_S)
        with server:
            if mail.tls == "starttls":
                _encrypt(server, context)
            if mail.user:
                secret = (credentials / mail.password_file).read_text(encoding="utf-8").strip()
                server.login(mail.user, secret)
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent("the server refuses the recipients") from error
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent("the server refuses the name or its password") from error
    except smtplib.SMTPNotSupportedError as error:
        raise NotSent("the server does not encrypt, or knows no log-in") from error
    except ssl.SSLCertVerificationError as error:
        raise NotSent("the server's certificate cannot be trusted") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(type(error).__name__) from error


def _encrypt(server: smtplib.SMTP, context: ssl.SSLContext) -> None:
    """STARTTLS. Where it fails the connection is let go of at once: the server waits for another language."""
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise


class Mailing:
    """`told` asks for all that is kept; what was there at the start, and what was mailed, is not mailed again."""

    def __init__(
        self,
        mail: Mail,
        told: Callable[[], Awaitable[CrashesTold]],
        send: Callable[[tuple[CrashTold, ...]], None],
    ) -> None:
        self._mail = mail
        self._told = told
        self._send = send
        self._known: dict[str, str] | None = None

    async def run(self) -> None:
        """Until cancelled; ends at once where no mail is set."""
        if not self._mail.is_set:
            return
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            await self.step()
            await asyncio.sleep(self._mail.every_s)

    async def step(self) -> int:
        """Mail what is new; how many that were. Never raises for a network or a daemon."""
        try:
            crashes = (await self._told()).crashes
        except NotAnswering:
            return 0
        if self._known is None:  # a start tells of the last day, as a crash may have been what it was for
            self._known = {one.fingerprint: one.last_at for one in crashes if not _is_recent(one, crashes)}
        new = tuple(one for one in crashes if self._known.get(one.fingerprint) != one.last_at)
        if not new:
            return 0
        try:
            await asyncio.to_thread(self._send, new)
        except NotSent as error:
            log.warning("mail: not sent: %s", error)
            return 0
        self._known |= {one.fingerprint: one.last_at for one in new}
        return len(new)


def mailing(mail: Mail, socket: Path, credentials: Path, box: str) -> Mailing:
    """Mailing of what the daemon at `socket` keeps."""

    async def told() -> CrashesTold:
        async with CrashClient(socket) as client:
            return await client.told()

    return Mailing(mail, told, lambda new: send(mail, digest(mail, new, box), credentials))


def _is_recent(one: CrashTold, all_: tuple[CrashTold, ...]) -> bool:
    """Whether it came on the day of the newest."""
    return one.last_at[:10] == max(other.last_at for other in all_)[:10]


def _message(mail: Mail, subject: str, box: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"{subject} ({box})" if mail.name_box else subject
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="vitald.invalid")
    message["Auto-Submitted"] = "auto-generated"
    return message
