"""A box's first settings as one file, `vitald-setup.toml`: for one box, or for a hundred alike (docs/first-start.md).

Its tables are those of vitald.toml, and beside them `time`, `network`, `certificates`, `credentials` and `people`; `boxes` holds what
is another box's own, by serial number. All of it is checked before any of it is done; a fault names its line and its key.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import Type
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from daemon.appliance.config_file import Fault, line_of
from daemon.appliance.network_setting import Network
from daemon.appliance.time_setting import Time
from daemon.config import Config
from daemon.config_devices import wrong_devices
from daemon.model.permissions import PEOPLE, Role

FILE_NAME = "vitald-setup.toml"
LARGEST = 256_000
"""Bytes of a file of first settings."""

LARGEST_SECRET = 64_000
"""Bytes of a certificate or a secret beside it."""

MOST_MEMORY_KIB, MOST_PASSES, MOST_LANES = 65536, 10, 4
"""What a hash may ask of the box each time its person signs in."""

SHORTEST_CODE = 12
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_PLACE = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,3}")


class FirstPerson(BaseModel):
    """Somebody who may sign in from the beginning: with a password that is kept as a hash here, or once with a code.

    `password_hash` is what `vitald setup hash` prints (argon2id). `code` signs in once: then the person chooses a password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    full_name: Annotated[str, Field(min_length=1, max_length=200)]
    machine_serial_id: Annotated[str, Field(max_length=200)] = ""
    role: str
    password_hash: str = Field("", repr=False)
    code: str = Field("", repr=False)

    @field_validator("role")
    @classmethod
    def _role_is_known(cls, role: str) -> str:
        if role not in PEOPLE:
            raise ValueError(f"a role is one of {', '.join(PEOPLE)}")
        return role

    @field_validator("password_hash")
    @classmethod
    def _hash_is_ours(cls, known: str) -> str:
        if not known:
            return known
        try:
            asked = extract_parameters(known)
        except (InvalidHashError, ValueError):
            raise ValueError(
                "no hash of argon2id: `vitald setup hash` makes one; never write a password here"
            ) from None
        if asked.type is not Type.ID:
            raise ValueError("another kind of argon2: `vitald setup hash` makes argon2id")
        dear = (asked.memory_cost, asked.time_cost, asked.parallelism)
        if any(a > b for a, b in zip(dear, (MOST_MEMORY_KIB, MOST_PASSES, MOST_LANES), strict=True)):
            raise ValueError("too dear for a small box: `vitald setup hash` makes one that fits")
        return known

    @model_validator(mode="after")
    def _one_of_both(self) -> FirstPerson:
        if bool(self.password_hash) == bool(self.code):
            raise ValueError("either password_hash (`vitald setup hash`) or code (`vitald setup code`)")
        if self.code and len(self.code) < SHORTEST_CODE:
            raise ValueError(f"a code has at least {SHORTEST_CODE} signs: `vitald setup code` makes one")
        return self


Place = Annotated[str, Field(max_length=200)]


class OwnTables(BaseModel):
    """What the file has beside the tables of vitald.toml. Certificates and credentials: name -> file beside this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: Time = Time()
    network: Network | None = None
    certificates: dict[Annotated[str, Field(pattern=_NAME)], Place] = Field(default_factory=dict)
    credentials: dict[Annotated[str, Field(pattern=_NAME)], Place] = Field(default_factory=dict)
    people: tuple[FirstPerson, ...] = Field((), max_length=100)

    @field_validator("certificates", "credentials")
    @classmethod
    def _places_are_beside(cls, places: dict[str, str]) -> dict[str, str]:
        for place in places.values():
            if not _PLACE.fullmatch(place) or ".." in PurePosixPath(place).parts:
                raise ValueError(f"{place!r}: a file beside this one, as in credentials/cloud.key")
        return places

    @field_validator("people")
    @classmethod
    def _somebody_administers(cls, people: tuple[FirstPerson, ...]) -> tuple[FirstPerson, ...]:
        if people and not any(person.role == Role.ADMIN for person in people):
            raise ValueError("the first people need an administrator among them")
        return people


OWN = tuple(OwnTables.model_fields)


@dataclass(frozen=True, slots=True)
class FirstSettings:
    """What a file asks of this box: `own`, and `tables` of vitald.toml. `faults` says why it cannot be used; then the rest is empty."""

    own: OwnTables = field(default_factory=OwnTables)
    tables: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def serials(config_serial: str = "", root: Path = Path("/")) -> list[str]:
    """What this box may be called under `boxes`: as configured, as its maker has written into it, as made of its machine's id."""
    found = [config_serial]
    for path in ("proc/device-tree/serial-number", "sys/class/dmi/id/product_serial"):
        plain = re.sub(r"[^A-Z0-9]+", "-", _read(root / path).strip("\0 \n").upper()).strip("-")
        found += [plain, f"BOX-{plain}" if plain else ""]
    machine = _read(root / "etc/machine-id").strip()
    if machine:
        # As the forwarder makes it where none is configured.
        found.append(f"BOX-{hashlib.sha256(f'vitald {machine}'.encode()).hexdigest()[:12].upper()}")
    return [one for one in dict.fromkeys(found) if one]


def read(text: str, known_as: Sequence[str], present: Mapping[str, Any]) -> FirstSettings:
    """The first settings of one box out of a file's text; `present` is what its vitald.toml says now."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return FirstSettings(faults=(Fault(int(at[1]) if at else text.count("\n") + 1, "", str(error)),))
    boxes = table.pop("boxes", {})
    if not isinstance(boxes, dict) or not all(isinstance(one, dict) for one in boxes.values()):
        return FirstSettings(
            faults=(Fault(line_of(text, ("boxes",)), "boxes", "is a table of tables by serial number"),)
        )
    mine = next((one for one in known_as if one in boxes), "")
    if boxes and not mine:
        names = ", ".join(known_as) or "without a serial number"
        return FirstSettings(
            faults=(Fault(line_of(text, ("boxes",)), "boxes", f"this box is {names}: it has no table here"),)
        )
    own_table = boxes.get(mine, {})
    whole = _merged(table, own_table)
    unknown = [key for key in whole if key not in {*OWN, *Config.model_fields}]
    faults = [
        Fault(
            _line(text, (key,), mine, own_table),
            key,
            f"no such table; there are {', '.join([*Config.model_fields, *OWN])}",
        )
        for key in unknown
    ]
    own = OwnTables()
    try:
        own = OwnTables(**{key: whole[key] for key in OWN if key in whole})
    except ValidationError as error:
        faults += _said(error, text, mine, own_table)
    tables = {key: whole[key] for key in whole if key in Config.model_fields}
    try:
        config = Config(**_merged(present, tables))
    except ValidationError as error:
        faults += _said(error, text, mine, own_table)
    else:
        faults += [
            Fault(_line(text, place, mine, own_table), ".".join(map(str, place)), why)
            for place, why in wrong_devices(config)
        ]
    if faults:
        return FirstSettings(faults=tuple(faults))
    return FirstSettings(own, tables)


def leaves(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key. A table with a key that cannot stand between dots is a value as a whole."""
    for key, value in table.items():
        name = f"{before}.{key}" if before else key
        if isinstance(value, Mapping) and value and all(re.fullmatch(r"[A-Za-z0-9_-]+", k) for k in value):
            yield from leaves(value, name)
        else:
            yield name, value


def toml(value: Any) -> str:
    """A value on one line of TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_letter(c) for c in value) + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(one) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{toml(str(key))} = {toml(one)}' for key, one in value.items())}}}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _letter(c: str) -> str:
    return f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08x}"


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of both; where both say something that is no table, `over` holds."""
    out = dict(under)
    for key, value in over.items():
        known = out.get(key)
        both = isinstance(value, Mapping) and isinstance(known, Mapping)
        out[key] = _merged(known or {}, value) if both else value
    return out


def _said(error: ValidationError, text: str, mine: str, own_table: Mapping[str, Any]) -> list[Fault]:
    return [
        Fault(
            _line(text, one["loc"], mine, own_table),
            ".".join(map(str, one["loc"])),
            one["msg"].removeprefix("Value error, "),
        )
        for one in error.errors(include_url=False, include_input=False)
    ]


def _line(text: str, where: tuple[int | str, ...], mine: str, own_table: Mapping[str, Any]) -> int:
    """The line in the box's own table, where it is said there, else in those for all."""
    at: Any = own_table
    depth = 0
    while depth < len(where) and isinstance(at, Mapping) and where[depth] in at:
        at, depth = at[where[depth]], depth + 1
    own = line_of(text, ("boxes", mine, *where)) if depth else 0
    return own or line_of(text, where) or line_of(text, (*where, 0))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
