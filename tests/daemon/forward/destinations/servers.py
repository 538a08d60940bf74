"""The cases whose servers are programs of others: mosquitto, moto, azurite, Google's emulator."""

from __future__ import annotations

import base64
import datetime as dt
import fcntl
import getpass
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import paho.mqtt.client as paho
from aiohttp import web
from botocore.config import Config
from yarl import URL

from daemon.forward.destinations import Sealed
from tests.daemon.forward.destinations.cases import Case, Kept, copied
from tests.daemon.forward.destinations.certificates import Authority
from tests.daemon.forward.destinations.gcs_server import new_key, service_account
from tests.daemon.forward.destinations.processes import free_port, missing, served
from tests.daemon.forward.destinations.records import BOX
from tests.daemon.forward.destinations.threaded import threaded

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


class MqttCase(Case):
    """mosquitto with TLS and client certificates; another client listens to everything."""

    kind = "mqtt"
    size = 80_000
    halfway = 40_000
    answers = False
    keeps_files = False

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        program = shutil.which("mosquitto") or missing("mosquitto")
        self.authority = Authority(folder, "ca")
        self.good = self.authority.pair(BOX)
        self.bad = Authority(folder, "stranger").pair("stranger-box")
        server = self.authority.pair("server", hosts=("localhost", "127.0.0.1"))
        self.authority.pair("listener")
        self.port = free_port()
        (folder / "acl").write_text(
            f"user listener\ntopic readwrite #\nuser {BOX}\ntopic readwrite v1/#\ntopic deny v1/ecg/FORBIDDEN-1/#\n"
        )
        (folder / "m.conf").write_text(
            "per_listener_settings true\n"
            f"user {getpass.getuser()}\n"
            f"listener {self.port} 127.0.0.1\n"
            f"cafile {self.authority.file}\ncertfile {server.certificate}\nkeyfile {server.key}\n"
            "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
            f"acl_file {folder / 'acl'}\nmax_packet_size 131072\n"
        )
        stack.enter_context(served([program, "-c", folder / "m.conf"], self.port, folder))
        self.messages: dict[str, tuple[str, bytes, dict[str, str], Any]] = {}
        self.statuses: list[str] = []
        self.marks: set[str] = set()
        self._came = threading.Condition()
        self._listen(stack)

    def _listen(self, stack: ExitStack) -> None:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, "listener", protocol=paho.MQTTv5)
        client.tls_set(
            str(self.authority.file), str(self.folder / "listener.crt"), str(self.folder / "listener.key")
        )
        listening = threading.Event()
        client.on_subscribe = lambda *_: listening.set()
        client.on_connect = lambda client, *_: client.subscribe("v1/#", qos=1)
        client.on_message = self._heard
        client.connect("localhost", self.port)
        client.loop_start()
        stack.callback(client.loop_stop)
        stack.callback(client.disconnect)
        assert listening.wait(20)
        self.listener = client

    def _heard(self, _client, _data, message) -> None:
        with self._came:
            said = dict(getattr(message.properties, "UserProperty", []))
            if "key" in said:
                self.messages.setdefault(
                    said["key"], (message.topic, message.payload, said, message.properties)
                )
            elif message.topic.endswith("/status"):
                self.statuses.append(message.payload.decode())
            else:
                self.marks.add(message.topic)
            self._came.notify_all()

    def options(self, port: int) -> dict[str, Any]:
        return {
            "host": "localhost",
            "port": port,
            "ca_file": "ca.crt",
            "certificate_file": "box.crt",
            "key_file": "box.key",
        }

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        pair = self.bad if wrong else self.good
        copied(pair.certificate, folder / "box.crt")
        copied(pair.key, folder / "box.key")
        copied(self.authority.file, folder / "ca.crt")
        return [pair.key.read_text().splitlines()[1]]

    def arrived(self, sealed: Sealed) -> list[bytes]:
        self.heard_all()
        return [self.messages[sealed.key][1]] if sealed.key in self.messages else []

    def heard_all(self) -> None:
        """Wait for a message of the listener's own: what the broker had before it has come by then."""
        topic = f"v1/mark/{secrets.token_hex(8)}"
        self.listener.publish(topic, b"", qos=1)
        with self._came:
            assert self._came.wait_for(lambda: topic in self.marks, timeout=20)

    def arrived_file(self, sealed: Sealed) -> list[bytes]:
        raise NotImplementedError


class S3Case(Kept):
    """moto, with accounts checked: a user who may write to one bucket."""

    kind = "s3"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.port = free_port()
        command = [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(self.port)]
        environment = {"INITIAL_NO_AUTH_ACTION_COUNT": "5"}
        stack.enter_context(served(command, self.port, folder, environment))
        root = self._session("root", "root")
        iam = root.client("iam", endpoint_url=self.url, region_name="us-east-1")
        root.client("s3", endpoint_url=self.url, region_name="us-east-1", config=_QUICK).create_bucket(
            Bucket="records"
        )
        iam.create_user(UserName="box")
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        }
        iam.put_user_policy(UserName="box", PolicyName="p", PolicyDocument=json.dumps(policy))
        made = iam.create_access_key(UserName="box")["AccessKey"]
        self.access, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        iam.get_user(UserName="box")  # the last one that is let in unasked
        self.client = self._session(self.access, self.secret).client(
            "s3", endpoint_url=self.url, region_name="us-east-1", config=_QUICK
        )
        stack.callback(self.client.close)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def _session(access: str, secret: str) -> boto3.session.Session:
        return boto3.session.Session(aws_access_key_id=access, aws_secret_access_key=secret)

    def options(self, port: int) -> dict[str, Any]:
        return {
            "bucket": "records",
            "endpoint": f"http://127.0.0.1:{port}",
            "access_key": self.access,
            "secret_key_file": "s3-secret",
        }

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        secret = "wrong/secret/key" if wrong else self.secret
        (folder / "s3-secret").write_text(secret)
        return [secret]

    def arrived(self, sealed: Sealed) -> list[bytes]:
        try:
            return [self.client.get_object(Bucket="records", Key=sealed.path)["Body"].read()]
        except self.client.exceptions.NoSuchKey:
            return []

    def files(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket="records").get("Contents", [])
        return {
            o["Key"]: self.client.get_object(Bucket="records", Key=o["Key"])["Body"].read() for o in listed
        }


_QUICK = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})


class AzureCase(Kept):
    """azurite, from npm: package-lock.json beside this file says which."""

    kind = "azure"
    account = "ward"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.port = free_port()
        self.key = base64.b64encode(secrets.token_bytes(32)).decode()
        command = [
            *(
                shutil.which("node") or missing("node"),
                _azurite() / "node_modules/.bin/azurite-blob",
                "--silent",
            ),
            *("--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", folder / "blobs"),
            *("--skipApiVersionCheck", "--disableTelemetry"),
        ]
        stack.enter_context(
            served(command, self.port, folder, {"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"})
        )
        self._ask("PUT", "/records", {"restype": "container"})

    def options(self, port: int) -> dict[str, Any]:
        return {
            "account": self.account,
            "container": "records",
            "endpoint": f"http://127.0.0.1:{port}/{self.account}",
            "key_file": "azure-key",
        }

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        key = base64.b64encode(b"some other key of 32 bytes......").decode() if wrong else self.key
        (folder / "azure-key").write_text(key)
        return [key]

    def arrived(self, sealed: Sealed) -> list[bytes]:
        try:
            return [self._ask("GET", f"/records/{sealed.path}", {})]
        except urllib.error.HTTPError as error:
            error.close()
            return []

    def files(self) -> dict[str, bytes]:
        text = self._ask("GET", "/records", {"comp": "list", "restype": "container"}).decode()
        names = [part.partition("</Name>")[0] for part in text.split("<Name>")[1:]]
        return {name: self._ask("GET", f"/records/{name}", {}) for name in names}

    def _ask(self, method: str, path: str, query: dict[str, str]) -> bytes:
        """A request signed by hand (Shared Key, as documented), so that what is read is not read by the library under test."""
        date = dt.datetime.now(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
        resource = f"/{self.account}/{self.account}{path}" + "".join(
            f"\n{k}:{query[k]}" for k in sorted(query)
        )
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        told = method + "\n" * 12 + canonical + resource
        mac = hmac.digest(base64.b64decode(self.key), told.encode(), hashlib.sha256)
        headers["Authorization"] = f"SharedKey {self.account}:{base64.b64encode(mac).decode()}"
        url = f"http://127.0.0.1:{self.port}/{self.account}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read()


def _azurite() -> Path:
    """The folder it is installed in: one for each lock file, outside the tree, made once."""
    lock = HERE / "azurite" / "package-lock.json"
    npm = shutil.which("npm") or missing("npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitald-tests"
    folder = cache / f"azurite-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "azurite.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.copytree(lock.parent, folder, dirs_exist_ok=True)
            command = [npm, "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, capture_output=True, check=False, text=True)
            if done.returncode != 0:
                missing("azurite (npm ci)")
            (folder / "installed").touch()
    return folder


class EmulatorCase(Kept):
    """Google's storage, the packaged emulator: it asks for no credentials and ignores preconditions.

    It also forgets the ETag that the real one answers an upload with; a relay before it puts one there.
    """

    kind = "gcs"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.emulator = free_port()
        command = [BIN / "gcp-storage-emulator", "start", "--host", "127.0.0.1", "--port", str(self.emulator)]
        stack.enter_context(
            served([*command, "--in-memory", "--default-bucket", "records"], self.emulator, folder)
        )
        relay = web.Application(client_max_size=64 << 20)
        relay.router.add_put("/{path:.*}", self._relay)
        self.port = stack.enter_context(threaded(relay))
        self._key = new_key()

    async def _relay(self, request: web.Request) -> web.Response:
        url = f"http://127.0.0.1:{self.emulator}{request.raw_path}"
        data = await request.read()
        async with (
            aiohttp.ClientSession() as session,
            session.put(URL(url, encoded=True), data=data) as reply,
        ):
            return web.Response(status=reply.status, body=await reply.read(), headers={"ETag": '"relayed"'})

    def options(self, port: int) -> dict[str, Any]:
        return {"bucket": "records", "service_account_file": "gcs.json"}

    def credentials(self, folder: Path, *, wrong: bool = False) -> list[str]:
        text = service_account(f"http://127.0.0.1:{self.port}", self._key, oauth=False)
        (folder / "gcs.json").write_text(text)
        return [text[40:140]]

    def files(self) -> dict[str, bytes]:
        base = f"http://127.0.0.1:{self.emulator}/storage/v1/b/records/o"
        with urllib.request.urlopen(base, timeout=20) as reply:
            names = [item["name"] for item in json.load(reply).get("items", [])]
        found = {}
        for name in names:
            with urllib.request.urlopen(
                f"{base}/{urllib.parse.quote(name, safe='')}?alt=media", timeout=20
            ) as reply:
                found[name] = reply.read()
        return found
