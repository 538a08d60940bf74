"""Google Cloud Storage as far as creating an object goes: the precondition is honoured, and tokens are checked.

The emulator of the packages ignores `x-goog-if-generation-match` and every credential, so neither could be tried with it.
A service account signs its own tokens (JWT, RS256); here as there, the signature must be that of the account's key.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

BUCKET = "records"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def service_account(url: str, key: rsa.RSAPrivateKey, *, oauth: bool = True) -> str:
    """The JSON file of a service account at `url`."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return json.dumps(
        {
            "private_key": pem,
            "private_key_id": "1",
            "client_email": "box@example.iam.gserviceaccount.com",
            "gcs_base_url": url,
            "disable_oauth": not oauth,
        }
    )


@dataclass
class Bucket:
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    replies: list[int] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_put("/{bucket}/{name:.*}", self._put)
        return app

    async def _put(self, request: web.Request) -> web.Response:
        self.puts += 1
        if not self._signed(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return web.Response(status=401)
        if request.match_info["bucket"] != BUCKET:
            return web.Response(status=404)
        data = await request.read()
        if self.replies:
            return web.Response(status=self.replies.pop(0))
        name = request.match_info["name"]
        if request.headers.get("x-goog-if-generation-match") == "0" and name in self.objects:
            return web.Response(status=412)
        self.objects[name] = data
        return web.Response(headers={"ETag": '"1"', "x-goog-generation": "1"})

    def _signed(self, token: str) -> bool:
        head, _, signature = token.rpartition(".")
        try:
            self.key.public_key().verify(
                base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)),
                head.encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except (InvalidSignature, ValueError):
            return False
        return bool(head)
