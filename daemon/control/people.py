"""People over the control socket: who is signed in, signing in and out, accounts, and the trail of who did what.

`GET /who` answers a `WhoTold`. `POST /sign-in` takes a `SignIn` and answers a `SignInTold`, `POST /sign-out` nothing,
`GET /sign-in/people` the `FacesTold` who may enter a PIN at this screen; `GET /setup` and `POST /setup` make the first administrator.
`GET /people` answers `PeopleTold`, `POST /people` takes a `PersonAct`, `POST /account` an `AccountAct` on oneself; both answer a
`PersonActed`. `GET /audit` answers an `AuditTold`, `GET /audit/chain` a `ChainTold`; `POST /audit` notes what another process did.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from daemon.control.asking import SocketClient

MOST_TOLD = 200


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Short = Field("", max_length=200)
_Secret = Field("", max_length=1000, repr=False)


class WhoTold(_Message):
    """Who acts in the name of this browser. `role` is one of model/permissions.py; `set_up` false: nobody has an account yet."""

    name: str
    role: str
    person: str = ""
    must_change: bool = False
    has_pin: bool = False
    set_up: bool = True


class SignIn(_Message):
    """A try to sign in, with a password or a PIN.

    With `password`: `identifier` is a full name or machine serial id, `other` the second of the two where several match.
    With `pin`: `person` is one of `FacesTold`. `screen` is what the browser holds of its own.
    """

    identifier: str = _Short
    other: str = _Short
    person: str = Field("", max_length=64)
    password: str = _Secret
    pin: str = _Secret
    screen: str = _Secret


class Face(_Message):
    """Somebody who can be chosen from a list."""

    person: str
    full_name: str
    role: str
    machine_serial_id: str = ""


class FacesTold(_Message):
    """Who may enter a PIN at this screen."""

    people: tuple[Face, ...] = ()


class SignInTold(_Message):
    """Signed in where `held` is not empty: that is for the browser to hold.

    `several`: more than one person answers to the name; at the bed `which` lists them. `wait_s`: not before that.
    `next`: after the first set-up, whether the box begins anew by itself ("wait") or somebody must see to it ("restart").
    """

    held: str = Field("", repr=False)
    name: str = ""
    must_change: bool = False
    error: str = ""
    several: bool = False
    which: tuple[Face, ...] = ()
    wait_s: float = 0.0
    next: Literal["", "wait", "restart"] = ""


BedKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,16}$")]
_Name = Field("", max_length=64)


class BoxSettings(_Message):
    """What the first set-up says of the box: `beds` names by key; of the clock what is empty stays as it is."""

    name: str = Field(min_length=1, max_length=64)
    ward: str = _Name
    serial: str = _Name
    beds: dict[BedKey, Annotated[str, Field(max_length=64)]] = Field(default_factory=dict, max_length=32)
    zone: str = _Name
    servers: tuple[Annotated[str, Field(max_length=253)], ...] = Field((), max_length=8)


class SetUp(_Message):
    """The first administrator, and what the box is. `code` is needed from anywhere but the bed's own screen."""

    code: str = _Short
    box: BoxSettings | None = None
    person: dict[str, str] = Field(default_factory=dict)
    password: str = _Secret
    screen: str = _Secret


class SetUpTold(_Message):
    """`needed`: nobody has an account. `code`: for the console alone. `told`: why first settings on a stick were not taken."""

    needed: bool
    code: str = ""
    told: tuple[str, ...] = ()


PersonVerb = Literal["add", "edit", "role", "reset", "unlock", "deactivate", "activate", "import"]


class PersonAct(_Message):
    """What an administrator does with `person` (an id). `values`: of the seeds' fields; `text`: a users.json.

    From the console alone a new person can be given a `pin`, and `keeps` the password.
    """

    id: str = Field(min_length=8, max_length=64)
    verb: PersonVerb
    person: str = Field("", max_length=64)
    values: dict[str, str] = Field(default_factory=dict)
    role: str = Field("", max_length=20)
    password: str = _Secret
    text: str = Field("", max_length=50_000, repr=False)
    pin: str = _Secret
    keeps: bool = False


class AccountAct(_Message):
    """What a person does with their own account; `password` is the present one, `new` the password or PIN to come ("" = no PIN)."""

    verb: Literal["password", "pin"]
    password: str = _Secret
    new: str = _Secret


class PersonActed(_Message):
    """Done, or not with the reason in words. `password`: one that was made up, told once. `came`, `refused`: of an import."""

    acted: bool
    error: str = ""
    person: str = ""
    password: str = Field("", repr=False)
    came: int = 0
    refused: tuple[str, ...] = ()
    wait_s: float = 0.0


class PersonTold(_Message):
    """A person, with the age of today; no hashes. `has_password` false: nobody can sign in as this person yet."""

    person: str
    full_name: str
    age: int | None
    gender: str
    address: str
    phone: str
    machine_serial_id: str
    role: str
    active: bool
    locked: bool
    must_change: bool
    has_pin: bool
    registered_ms: int


class PeopleTold(_Message):
    """A page of those that were asked for, by name; `total` of all."""

    people: tuple[PersonTold, ...] = ()
    total: int = 0


class Note(_Message):
    """What whoever acts has done by way of another process."""

    id: str = Field(min_length=8, max_length=64)
    act: str = Field(pattern=r"[a-z][a-z0-9_]{0,39}")
    bed: str = Field("", max_length=64)
    subject: str = _Short
    body: dict[str, Any] = Field(default_factory=dict)


class AuditRow(_Message):
    """A row of the audit. `clock` "unset": `utc_ms` is a guess."""

    number: int
    utc_ms: int
    clock: Literal["set", "unset"]
    actor: str
    role: str
    origin: str
    act: str
    bed: str
    subject: str
    body: dict[str, Any]


class AuditTold(_Message):
    """The newest rows that fit, newest first; `before`: the number to ask from for those before them, null = there are none."""

    rows: tuple[AuditRow, ...] = ()
    before: int | None = None


class ChainTold(_Message):
    """Whether every row follows from those before it; `broken_at`: the number of the first that does not."""

    whole: bool
    rows: int
    broken_at: int | None = None


class PeopleClient(SocketClient):
    """The other end (control/asking.py)."""

    WITHIN_S = 20.0  # hashing on a busy box

    async def who(self) -> WhoTold:
        """Who acts in the name of the browser that is served."""
        return await self._ask("GET", "/who", WhoTold)

    async def sign_in(self, given: SignIn) -> SignInTold:
        return await self._ask("POST", "/sign-in", SignInTold, given)

    async def sign_out(self) -> None:
        await self._ask("POST", "/sign-out", PersonActed)

    async def faces(self, screen: str) -> FacesTold:
        """Who may enter a PIN at the screen that holds `screen`."""
        return await self._ask("POST", "/sign-in/people", FacesTold, SignIn(screen=screen))

    async def setup(self) -> SetUpTold:
        return await self._ask("GET", "/setup", SetUpTold)

    async def set_up(self, given: SetUp) -> SignInTold:
        return await self._ask("POST", "/setup", SignInTold, given)

    async def people(self, find: str = "", role: str = "", *, offset: int = 0, most: int = 50) -> PeopleTold:
        """People whose name or serial holds `find`, in a role."""
        query = {"find": find, "role": role, "offset": str(offset), "most": str(most)}
        return await self._ask("GET", "/people", PeopleTold, query=query)

    async def person(self, act: PersonAct) -> PersonActed:
        return await self._ask("POST", "/people", PersonActed, act)

    async def account(self, act: AccountAct) -> PersonActed:
        return await self._ask("POST", "/account", PersonActed, act)

    async def audit(self, query: dict[str, str]) -> AuditTold:
        """Rows by actor, act, bed, subject, from and to (UTC in ms), before, most."""
        return await self._ask("GET", "/audit", AuditTold, query=query)

    async def chain(self) -> ChainTold:
        return await self._ask("GET", "/audit/chain", ChainTold)

    async def note(self, note: Note) -> None:
        """Into the audit, in the name of whoever acts."""
        await self._ask("POST", "/audit", PersonActed, note)
