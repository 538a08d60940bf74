"""De-identification on request: the same person is the same pseudonym in every export of this box, and nobody else's.

Ids are keyed hashes (HMAC-SHA-256; the key stays in the box's data folder), dates of one patient are all moved by the same
number of whole days, an age over 89 is "90+", names, addresses, phones and birth dates are gone, from free text and file names
too. Times of day and all intervals stay: they are what the recording is about. What this cannot do is in docs/exchange.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.store.recorded import RecordedSession

KEY_FILE = "deidentify.key"
KEY_BYTES = 32
OLDEST = 89
"""Ages above are one class (45 CFR 164.514(b)(2)(i)(C))."""

SHIFT_DAYS = 3650
GONE = "[removed]"
_SHORTEST = 3
"""Of a part of a name that is looked for in free text: "de" would take half of every word with it."""

NAMING = {
    "full_name",
    "patient_name",
    "phone",
    "address",
    "birth_date",
    "registration_date",
    "age_on",
    "actor",
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_CONTACT = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\+?\d[\d ()/-]{6,}\d")


class NoKey(Exception):
    """There is no key, and none can be made; the text says what can be done."""


def key_in(folder: Path, *, make: bool) -> bytes:
    """The box's key; made (readable by its owner and group alone) where there is none and `make`. Raises `NoKey`."""
    path = folder / KEY_FILE
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        if not make:
            raise NoKey(f"there is no key for pseudonyms yet ({path})") from None
        return _made(path)
    except OSError as error:
        raise NoKey(f"the key for pseudonyms cannot be read: {error.strerror}") from None
    if len(key) < KEY_BYTES:
        raise NoKey(f"{path} is no key: it has {len(key)} bytes, not {KEY_BYTES}")
    return key


def _made(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            os.write(handle, key)
            folder = path.parent.stat()
            with suppress(PermissionError):  # root at the command line makes it for the box's own user
                os.fchown(handle, folder.st_uid, folder.st_gid)
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(fresh, path)  # two at once: the first one's key is the box's
        except FileExistsError:
            key = path.read_bytes()
        finally:
            fresh.unlink()
    except OSError as error:
        raise NoKey(f"no key for pseudonyms can be made in {path.parent}: {error.strerror}") from None
    return key


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Made of the box's key alone."""

    key: bytes = field(repr=False)

    def id(self, kind: str, text: str) -> str:
        """Sixteen letters for an id of a kind ("patient", "device"): 80 bits of its keyed hash."""
        digest = hmac.new(self.key, f"{kind}\0{text}".encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:10]).decode()

    def shift(self, whose: str) -> timedelta:
        """How far the dates of a patient (or of a session of nobody's) are moved back: 1 to `SHIFT_DAYS` days."""
        digest = hmac.new(self.key, f"shift\0{whose}".encode(), hashlib.sha256).digest()
        return timedelta(days=-1 - int.from_bytes(digest[:8], "big") % SHIFT_DAYS)

    def told(self, session: RecordedSession, box: str = "") -> tuple[RecordedSession, Told]:
        """The session as it may be told, and how everything said within it is."""
        patient = session.patient or {}
        known = str(patient.get("patient_id") or "")
        shift = self.shift(known or session.uuid)
        name = f"session_{self.id('session', session.uuid)}"
        identity = self.id("patient", known) if known else ""
        told = Told(
            self, shift, {session.name: name, session.uuid: self.id("uuid", session.uuid)}, _names(patient)
        )
        if known:
            told.ids[known] = identity
        for serial in (session.device, box):
            if serial:
                told.ids[serial] = self.id("device", serial)
        age = patient.get("age")
        person: dict[str, Any] | None = None
        if session.patient is not None:
            old = age is not None and age > OLDEST
            person = {"patient_id": identity, "age": None if old else age, "gender": patient.get("gender")}
            person |= {"age_90": True} if old else {}
        moved_ns = session.utc_offset_ns + round(shift.total_seconds()) * 1_000_000_000
        return (
            replace(
                session,
                name=name,
                uuid=told.ids[session.uuid],
                actor="",
                patient=person,
                device=told.serial(session.device) if session.device else "",
                utc_offset_ns=moved_ns,
            ),
            told,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """How what is said within one session may be told: ids in `ids` are others, `names` are gone, dates are moved."""

    pseudonyms: Pseudonyms
    shift: timedelta
    ids: dict[str, str]
    names: tuple[str, ...]

    def serial(self, device: str) -> str:
        if device in self.ids.values():
            return device
        return self.ids.get(device) or self.pseudonyms.id("device", device)

    def text(self, text: str) -> str:
        """Free text: instants moved, ids replaced, names, mail addresses and telephone numbers gone."""
        for known in sorted(self.ids, key=len, reverse=True):
            text = text.replace(known, self.ids[known])
        for name in self.names:
            text = re.sub(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", GONE, text)
        parts, at = [], 0
        for found in _INSTANT.finditer(text):
            parts += [_CONTACT.sub(GONE, text[at : found.start()]), self._moved(found[0])]
            at = found.end()
        return "".join([*parts, _CONTACT.sub(GONE, text[at:])])

    def value(self, value: Any, key: str = "") -> Any:
        """What JSON holds, all the way down."""
        if (key in NAMING or key == "bed") and value is not None:
            return None
        if key == "age" and isinstance(value, int) and value > OLDEST:
            return None
        if isinstance(value, Mapping):
            return {name: self.value(one, name) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one, key) for one in value]
        if not isinstance(value, str):
            return value
        if key in {"device_serial", "device", "machine_serial_id"} and value:
            return self.serial(value)
        if key in {"user_id", "patient_id", "id", "key", "session_uuid", "segment"} and value:
            return self.ids.get(value) or self.pseudonyms.id(key, value)
        if key == "data":
            return value
        return self.text(value)

    def _moved(self, instant: str) -> str:
        moment = datetime.fromisoformat(instant)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moved = (moment + self.shift).isoformat(timespec="milliseconds")
        return moved.replace("+00:00", "Z") if instant.endswith("Z") else moved


def _names(patient: Mapping[str, Any]) -> tuple[str, ...]:
    """Whole values first, then the words of the name."""
    whole = [str(patient.get(key) or "").strip() for key in ("full_name", "address", "phone")]
    parts = [word for word in re.split(r"[\s,.]+", whole[0]) if len(word) >= _SHORTEST]
    return tuple(sorted({text for text in (*whole, *parts) if text}, key=lambda t: (-len(t), t)))
