"""Alarms to a topic of Amazon SNS, through boto3: on threads, because it blocks; imported only when such a destination sends.

On a FIFO topic the record's key is the deduplication id: what comes twice within five minutes is published once. Everywhere
it stands in the attribute `key`, by which a subscriber knows an alarm that came again.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import Field

from daemon.forward.destinations import Outcome, Sealed, Verdict
from daemon.forward.destinations.amazon import Connection, on_the_way
from daemon.forward.destinations.announcing import Announcing, AnnouncingOptions, record_key
from daemon.forward.destinations.aside import Aside
from daemon.forward.destinations.place import Credential, Ended, Place
from daemon.forward.destinations.trouble import of_status, patience, tried

ARN: Final = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$"

SUBJECT: Final = 99
"""Most characters of the subject of a mail (SNS: below 100, ASCII, one line)."""

_PARKED: Final = {
    "AuthorizationError": "the server does not allow this",
    "AccessDenied": "the server does not allow this",
    "ExpiredToken": "the credentials have expired",
    "InvalidClientTokenId": "the server does not know the access key",
    "SignatureDoesNotMatch": "the secret key is wrong, or the box's clock is",
    "RequestExpired": "the box's clock is wrong: the server does not accept its signature",
    "NotFound": "the server has no such topic",
    "NotFoundException": "the server has no such topic",
    "EndpointDisabled": "the topic is switched off",
    "KMSDisabled": "the topic's key is switched off",
    "KMSAccessDenied": "the server does not allow the topic's key",
    "OptInRequired": "the account has no such service",
}
_WAIT: Final = {"Throttled", "Throttling", "ThrottlingException", "KMSThrottling", "RequestLimitExceeded"}
_REFUSED: Final = {"InvalidParameter", "ParameterValueInvalid", "InvalidParameterValue", "ValidationError"}


class SnsOptions(AnnouncingOptions):
    """Which topic, and as whom."""

    topic: Annotated[str, Field(pattern=ARN, description="ARN of the topic")]
    endpoint: Annotated[str, Field(description="Address of a server that is not Amazon's")] = ""
    access_key: Annotated[str, Field(min_length=1, description="Id of the access key")]
    secret_key_file: Credential
    ca_file: Annotated[
        str, Field(description="Certificates of the authorities to believe; empty = those of the library")
    ] = ""


class Sns(Announcing):
    def __init__(self, options: SnsOptions, place: Place) -> None:
        super().__init__(options, place)
        self.options = options
        self._aside = Aside(options.at_once, f"forward {place.name}")
        region = options.topic.split(":")[3]
        self._connection = Connection("sns", region, options, place, {})

    async def open(self) -> Outcome:
        """The credentials are read again: a person may have renewed them."""
        await self.close()
        return await tried(self._prepare(), self.options.timeout_s, _known)

    async def send(self, sealed: Sealed) -> Outcome:
        return await tried(self._publish(sealed), self.options.timeout_s, _known)

    async def close(self) -> None:
        self._connection.close()

    async def _prepare(self) -> None:
        self.place.secret(self.options.secret_key_file)

    async def _publish(self, sealed: Sealed) -> None:
        reply = await self._aside.run(
            lambda: self._connection.client().publish(**message(self.options.topic, sealed))
        )
        if not reply.get("MessageId"):
            raise Ended(Verdict.AGAIN, "an answer that says nothing")


def message(topic: str, sealed: Sealed) -> dict[str, Any]:
    """The parameters of `Publish`. Attributes are what subscriptions filter by; the group keeps a device's alarms in order."""
    told = json.loads(sealed.data)
    body, key = told["body"], record_key(sealed)
    said = {
        "key": key,
        "schema": told["schema"],
        "device": told["device_serial"],
        **{name: str(body.get(name) or "") for name in ("alarm", "change", "priority", "bed")},
    }
    asked: dict[str, Any] = {
        "TopicArn": topic,
        "Message": sealed.data.decode(),
        "Subject": _subject(body),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in said.items() if value
        },
    }
    if topic.endswith(".fifo"):
        asked |= {"MessageGroupId": body.get("bed") or "box", "MessageDeduplicationId": key}
    return asked


def _subject(body: dict[str, Any]) -> str:
    words = " ".join(str(body.get(name) or "") for name in ("priority", "text", "change")).split()
    text = "".join(c if " " <= c <= "~" else "?" for c in "Alarm: " + " ".join(words))
    return text[:SUBJECT].strip()


def _known(error: Exception) -> Outcome | None:
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    if isinstance(error, exceptions.ClientError):
        return _refused(error.response)
    if isinstance(error, ResponseParserError):
        return Outcome(Verdict.AGAIN, "an answer that says nothing")
    return on_the_way(error)


def _refused(response: Any) -> Outcome:
    code = str(response.get("Error", {}).get("Code", ""))
    reply = response.get("ResponseMetadata", {})
    status, after = int(reply.get("HTTPStatusCode", 0)), reply.get("HTTPHeaders", {}).get("retry-after")
    if code in _PARKED:
        return Outcome(Verdict.PARKED, _PARKED[code])
    if code in _WAIT:
        return Outcome(Verdict.WAIT, "the server asks for patience", patience(after))
    if code in _REFUSED:
        return Outcome(Verdict.REFUSED, "the server finds a fault in the data")
    if status < 100:
        return Outcome(Verdict.AGAIN, "an answer that says nothing")
    return of_status(status, after) or Outcome(Verdict.AGAIN, "an answer that says nothing")
