"""Mail about errors, against a real SMTP server on the loopback with TLS: encrypted or not at all, a digest, never a storm."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any, Self

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from daemon.config import Mail
from daemon.control.client import NotAnswering
from daemon.control.crashes import CrashesTold, CrashTold
from daemon.forward.mail import LISTED, Mailing, NotSent, digest, send, trial
from tests.daemon.forward.destinations.certificates import Authority


class Inbox:
    """Takes what comes; `refuse` recipients at will."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.encrypted: list[bool] = []
        self.refuse = False

    async def handle_RCPT(
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:  # noqa: N802 - aiosmtpd names it
        if self.refuse:
            return "550 no such John Doe"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd names it
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        transport = server.transport
        self.encrypted.append(transport is not None and transport.get_extra_info("ssl_object") is not None)
        return "250 OK"


def knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    fits = (data.login, data.password) == (b"box", b"secret")
    return AuthResult(success=fits, handled=fits)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Served:
    """A server; `implicit`: TLS from the first byte."""

    def __init__(
        self, folder: Path, *, implicit: bool = False, encrypts: bool = True, name: str = "localhost"
    ) -> None:
        authority = Authority(folder, "ca")
        pair = authority.pair(name, hosts=(name,))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.ca = authority.file
        self.inbox = Inbox()
        more: dict[str, Any] = {"ssl_context": context} if implicit else {}
        if encrypts and not implicit:
            more = {
                "tls_context": context,
                "require_starttls": True,
                "authenticator": knows,
                "auth_required": False,
            }
        self.controller = Controller(self.inbox, hostname="127.0.0.1", port=free_port(), **more)

    def __enter__(self) -> Self:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    def mail(self, **more: Any) -> Mail:
        own = {
            "host": "localhost",
            "port": self.controller.port,
            "ca_file": self.ca,
            "sender": "box@x.test",
            "recipients": ("t@x.test",),
        }
        return Mail(**{**own, **more})


def crash(number: int, day: int = 1) -> CrashTold:
    at = f"2026-01-{day:02}T00:00:00Z"
    said = {"fingerprint": f"f{number}", "process": "daemon", "kind": "exception", "error_type": "ValueError"}
    return CrashTold(**said, error_message="<str 8>", where="daemon.x:1 f", count=2, first_at=at, last_at=at)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_digest_arrives_encrypted(tls, tmp_path):
    with Served(tmp_path, implicit=tls == "implicit") as server:
        send(mail := server.mail(tls=tls), digest(mail, (crash(1), crash(2)), "Ward box 7"), tmp_path)
    ((sender, to, text),) = server.inbox.mails
    assert (sender, to, server.inbox.encrypted) == ("box@x.test", ["t@x.test"], [True])
    assert "Subject: vitald: 2 errors" in text
    assert "Ward box 7" not in text
    assert "ValueError: <str 8>" in text


def test_it_is_encrypted_and_trusted_or_not_sent(tmp_path):
    with Served(tmp_path, encrypts=False) as server, pytest.raises(NotSent, match="does not encrypt"):
        send(mail := server.mail(), trial(mail, "box"), tmp_path)
    assert server.inbox.mails == []
    (other := tmp_path / "other").mkdir()
    for more in ({"ca_file": None}, {"host": "127.0.0.1"}):
        with Served(other) as server, pytest.raises(NotSent, match="cannot be trusted"):
            send(mail := server.mail(**more), trial(mail, "box"), tmp_path)
        assert server.inbox.mails == []


def test_a_name_and_its_password_from_credentials(tmp_path):
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "wrong").write_text("other\n")
    with Served(tmp_path) as server:
        send(mail := server.mail(user="box", password_file="secret"), trial(mail, "box"), tmp_path)
        with pytest.raises(NotSent, match="refuses the name"):
            send(mail := server.mail(user="box", password_file="wrong"), trial(mail, "box"), tmp_path)
        with pytest.raises(NotSent):
            send(mail := server.mail(user="box", password_file="none"), trial(mail, "box"), tmp_path)
        server.inbox.refuse = True
        with pytest.raises(NotSent, match="recipients") as refused:
            send(mail := server.mail(name_box=True), trial(mail, "box"), tmp_path)
        assert "John Doe" not in str(refused.value)
    assert len(server.inbox.mails) == 1
    with pytest.raises(NotSent):
        send(
            Mail(host="localhost", port=9, sender="a@b", recipients=("c@d",)), trial(Mail(), "box"), tmp_path
        )


async def test_only_what_is_new_and_what_failed_goes_with_the_next():
    sent: list[tuple[str, ...]] = []
    state: dict[str, Any] = {"crashes": (crash(1, day=1), crash(2, day=3)), "fails": False}

    async def told() -> CrashesTold:
        if state["crashes"] is None:
            raise NotAnswering
        return CrashesTold(crashes=state["crashes"])

    def send_(new: tuple[CrashTold, ...]) -> None:
        if state["fails"]:
            raise NotSent("no")
        sent.append(tuple(one.fingerprint for one in new))

    mailing = Mailing(Mail(), told, send_)
    await mailing.step()
    await mailing.step()
    assert sent == [("f2",)]  # of the newest day only, at a start
    state["fails"] = True
    state["crashes"] = (crash(1, day=4), crash(2, day=3))
    assert await mailing.step() == 0
    state["crashes"] = None
    assert await mailing.step() == 0
    state |= {"fails": False, "crashes": (crash(1, day=4), crash(2, day=3), crash(3, day=5))}
    assert await mailing.step() == 2
    assert sent == [("f2",), ("f1", "f3")]


async def test_off_by_default_and_a_digest_is_bounded():
    assert not Mail().is_set
    await Mailing(Mail(), None, None).run()  # type: ignore[arg-type]
    mail = Mail(host="h", sender="a@b", recipients=("c@d",))
    text = digest(mail, tuple(crash(number) for number in range(LISTED + 7)), "box").get_content()
    assert text.count("ValueError") == LISTED
    assert "and 7 more" in text
