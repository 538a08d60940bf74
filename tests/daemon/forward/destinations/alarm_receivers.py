"""Receivers of alarms: a webhook's, which checks what it gets with the example of the manual, and a queue behind a topic of moto."""

from __future__ import annotations

import json
import secrets
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
from aiohttp import web
from botocore.config import Config

from daemon.forward.destinations import Sealed
from daemon.forward.destinations.announcing import record_key
from tests.daemon.forward.destinations.cases import Case
from tests.daemon.forward.destinations.processes import free_port, served
from tests.daemon.forward.destinations.threaded import threaded

MANUAL = Path(__file__).parents[4] / "docs" / "destinations.md"
LARGEST = 200_000


def documented() -> Callable[..., bool]:
    """The receiver's part as the manual has it."""
    section = MANUAL.read_text(encoding="utf-8").partition("\n## webhook")[2]
    code = section.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, str(MANUAL), "exec"), names)  # noqa: S102 - it is our own manual
    return names["verified"]


class Pager:
    """What stands at the address: it acts once on what is signed and new, and says 401 to the rest."""

    def __init__(self, secret: str, now_s: Callable[[], float] = time.time) -> None:
        self.secret = secret
        self.now_s = now_s
        self.known: set[str] = set()
        self.acted: list[tuple[str, bytes]] = []
        self.heard: list[dict[str, str]] = []
        self._verified = documented()

    def post(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer."""
        lower = {name.lower(): value for name, value in headers.items()}
        self.heard.append(lower)
        if len(body) > LARGEST:
            return 413
        try:
            is_new = self._verified(self.secret, lower, body, self.now_s(), self.known)
        except (ValueError, KeyError):
            return 401
        if is_new:
            self.acted.append((lower["webhook-id"], body))
        return 204

    def app(self) -> web.Application:
        async def posted(request: web.Request) -> web.Response:
            return web.Response(status=self.post(request.headers, await request.read()))

        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/alarms", posted)
        return app


def new_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


class WebhookCase(Case):
    kind = "webhook"
    keeps_files = False

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.pager = Pager(new_secret())
        self.other = new_secret()
        self.port = stack.enter_context(threaded(self.pager.app()))

    def options(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}/alarms", "secret_file": "pager"}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        secret = self.other if wrong else self.pager.secret
        (folder / "pager").write_text(secret + "\n")
        return [secret, secret.removeprefix("whsec_")]

    def arrived(self, sealed: Sealed) -> list[bytes]:
        return [body for key, body in self.pager.acted if key == record_key(sealed)]

    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        raise NotImplementedError


class SnsCase(Case):
    """moto, with accounts checked: a user who may publish; a queue is subscribed to the topic."""

    kind = "sns"
    keeps_files = False

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.port = free_port()
        command = [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(self.port)]
        stack.enter_context(served(command, self.port, folder, {"INITIAL_NO_AUTH_ACTION_COUNT": "7"}))
        root = boto3.session.Session(aws_access_key_id="root", aws_secret_access_key="root")
        sns, sqs, iam = (self._client(root, name) for name in ("sns", "sqs", "iam"))
        fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
        self.topic = sns.create_topic(Name="alarms.fifo", Attributes=fifo)["TopicArn"]
        self.queue = sqs.create_queue(QueueName="pager.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{self.topic.split(':')[4]}:pager.fifo"
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
        iam.create_user(UserName="box")
        allowed = {"Effect": "Allow", "Action": ["sns:*", "sqs:*"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="box", PolicyName="p", PolicyDocument=policy)
        made = iam.create_access_key(UserName="box")["AccessKey"]
        self.access, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        iam.get_user(UserName="box")  # the last one that is let in unasked
        for client in (sns, sqs, iam):
            client.close()
        box = boto3.session.Session(aws_access_key_id=self.access, aws_secret_access_key=self.secret)
        self.reading = self._client(box, "sqs")
        stack.callback(self.reading.close)
        self.received: list[dict[str, Any]] = []

    def _client(self, session: boto3.session.Session, service: str) -> Any:
        url = f"http://127.0.0.1:{self.port}"
        return session.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def options(self, port: int) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "endpoint": f"http://127.0.0.1:{port}",
            "access_key": self.access,
            "secret_key_file": "sns-secret",
        }

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        secret = "wrong/secret/key" if wrong else self.secret
        (folder / "sns-secret").write_text(secret)
        return [secret]

    def messages(self) -> list[dict[str, Any]]:
        """All that ever came out of the queue."""
        while got := self.reading.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages"):
            self.received += got
            for one in got:
                self.reading.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        return self.received

    def arrived(self, sealed: Sealed) -> list[bytes]:
        key = record_key(sealed)
        return [
            m["Body"].encode() for m in self.messages() if m["MessageAttributes"]["key"]["StringValue"] == key
        ]

    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        raise NotImplementedError
