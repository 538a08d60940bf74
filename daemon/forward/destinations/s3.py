"""S3 and what speaks like it, through boto3: on threads, because it blocks; imported only when such a destination sends.

An object is created, never replaced (`If-None-Match: *`), and its SHA-256 travels with it. Reports above 5 MiB go in parts.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import unhexlify
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import Field

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.amazon import Connection, on_the_way
from daemon.forward.destinations.files import Content, Filed, FileOptions
from daemon.forward.destinations.place import Credential, Ended, Place
from daemon.forward.destinations.trouble import of_status, patience

PART: Final = 5 << 20
"""Bytes a part: the least that S3 takes for any but the last."""

_SPLIT: Final = {"EntityTooLarge", "MaxMessageLengthExceeded"}
_PARKED: Final = {
    "AccessDenied": "the server does not allow this",
    "AllAccessDisabled": "the server does not allow this",
    "ExpiredToken": "the credentials have expired",
    "InvalidAccessKeyId": "the server does not know the access key",
    "InvalidToken": "the server does not accept the credentials",
    "NoSuchBucket": "the server has no such bucket",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
    "RequestTimeTooSkewed": "the box's clock is wrong: the server does not accept its signature",
    "SignatureDoesNotMatch": "the secret key is wrong",
}
_WAIT: Final = {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded"}
_DAMAGED: Final = {
    "BadDigest",
    "InvalidDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
    "RequestTimeout",
}


class S3Options(FileOptions):
    """Which bucket, and as whom."""

    bucket: Annotated[str, Field(min_length=3, max_length=63, description="Name of the bucket")]
    region: Annotated[str, Field(description="Region of the bucket")] = "us-east-1"
    endpoint: Annotated[str, Field(description="Address of a server that is not Amazon's")] = ""
    prefix: Annotated[str, Field(description="Put before every name, with its slash")] = ""
    access_key: Annotated[str, Field(min_length=1, description="Id of the access key")]
    secret_key_file: Credential
    ca_file: Annotated[
        str, Field(description="Certificates of the authorities to believe; empty = those of the library")
    ] = ""


class S3(Filed):
    options: S3Options

    def __init__(self, options: S3Options, place: Place) -> None:
        super().__init__(options, place)
        style = {"addressing_style": "path"} if options.endpoint else {}
        self._connection = Connection("s3", options.region, options, place, {"s3": style})

    async def open(self) -> Outcome:
        """The credentials are read again: a person may have renewed them."""
        await self.close()
        return await super().open()

    async def close(self) -> None:
        self._connection.close()

    async def put(self, name: str, content: Content) -> None:
        await self.aside.run(lambda: self._put(self.options.prefix + name, content))

    def known(self, error: Exception) -> Outcome | None:
        from boto3.exceptions import Boto3Error
        from botocore import exceptions

        if isinstance(error, exceptions.ClientError):
            return _refused(error.response)
        if isinstance(error, Boto3Error):
            return Outcome(Verdict.PARKED, "the address or the credentials cannot be used as they are")
        return on_the_way(error)

    def _put(self, name: str, content: Content) -> None:
        client = self._connection.client()
        if content.file is not None and content.size > PART:
            self._in_parts(client, name, content)
            return
        with _already():
            reply = client.put_object(
                Bucket=self.options.bucket,
                Key=name,
                Body=content.whole(),
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=b64encode(unhexlify(content.sha256)).decode("ascii"),
                IfNoneMatch="*",
            )
            if not reply.get("ETag"):
                raise Ended(Verdict.AGAIN, "an answer that says nothing")

    def _in_parts(self, client: Any, name: str, content: Content) -> None:
        where = {"Bucket": self.options.bucket, "Key": name}
        upload = client.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"]
        try:
            parts = [
                _part(client, where | {"UploadId": upload}, number, piece)
                for number, piece in enumerate(content.pieces(PART), 1)
            ]
            with _already():
                client.complete_multipart_upload(
                    **where, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
                )
        except Exception:
            # Parts that nobody completes cost money for ever where no lifecycle rule clears them away.
            with suppress(Exception):
                client.abort_multipart_upload(**where, UploadId=upload)
            raise


def _part(client: Any, where: dict[str, str], number: int, piece: bytes) -> dict[str, Any]:
    digest = b64encode(sha256(piece).digest()).decode("ascii")
    reply = client.upload_part(**where, PartNumber=number, Body=piece, ChecksumSHA256=digest)
    return {"PartNumber": number, "ETag": reply["ETag"], "ChecksumSHA256": digest}


@contextmanager
def _already() -> Iterator[None]:
    """412: an object of that name, and so of that digest, is there. That is what was wanted."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 412:
            raise


def _refused(response: Any) -> Outcome:
    code = str(response.get("Error", {}).get("Code", ""))
    reply = response.get("ResponseMetadata", {})
    status, headers = int(reply.get("HTTPStatusCode", 0)), reply.get("HTTPHeaders", {})
    if code in _SPLIT:
        return Outcome(Verdict.SPLIT, "too large for the server")
    if code in _PARKED:
        return Outcome(Verdict.PARKED, _PARKED[code])
    if code in _WAIT:
        return Outcome(Verdict.WAIT, "the server asks for patience", patience(headers.get("retry-after")))
    if code in _DAMAGED or status in {0, 409}:  # 409: somebody writes the same name at this moment
        return Outcome(Verdict.AGAIN, "it did not arrive whole")
    return of_status(status, headers.get("retry-after")) or Outcome(
        Verdict.AGAIN, "an answer that says nothing"
    )
