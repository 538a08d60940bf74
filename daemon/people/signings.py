"""Who is signed in: what a browser holds (256 random bits) leads to a person, for a shift, or until nothing was done for a while.

Only the SHA-256 of what the browser holds is kept. Times are CLOCK_BOOTTIME: a clock that is set signs nobody out or in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from daemon.model.permissions import Role
from daemon.model.signals import Nanos

MOST = 500
"""Sign-ins at a time; the oldest ends when another begins."""

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Spans:
    """How long a sign-in lasts, in seconds: in all; without an act in the roles `short`; without an act at the bed."""

    whole_s: float = 12 * 3600.0
    idle_s: float = 15 * 60.0
    bedside_idle_s: float = 15 * 60.0
    short: frozenset[Role] = frozenset({Role.ADMIN, Role.TECHNICIAN})


@dataclass(frozen=True, slots=True)
class Signing:
    """A sign-in: of a person, at a screen ("" = one that is not known), from the bed or elsewhere."""

    digest: str
    person: str
    screen: str
    bedside: bool
    began_ns: Nanos
    seen_ns: Nanos


def digest_of(held: str) -> str:
    """What is kept of what a browser holds."""
    return hashlib.sha256(held.encode()).hexdigest()


def new_secret() -> str:
    """What a browser is given to hold: 256 random bits."""
    return secrets.token_urlsafe(32)


class Signings:
    """`now` is CLOCK_BOOTTIME."""

    def __init__(self, now: Callable[[], Nanos], spans: Spans) -> None:
        self._now = now
        self._spans = spans
        self._known: dict[str, Signing] = {}

    def begin(self, person: str, screen: str, *, bedside: bool) -> tuple[str, Signing]:
        """A sign-in begins: what the browser is to hold, and what is known of it."""
        held, now_ns = new_secret(), self._now()
        signing = Signing(digest_of(held), person, screen, bedside, now_ns, now_ns)
        self._known[signing.digest] = signing
        while len(self._known) > MOST:
            del self._known[min(self._known.values(), key=lambda s: s.seen_ns).digest]
        return held, signing

    def restore(self, signings: Iterable[Signing]) -> None:
        """Those of the last process of this boot go on; nothing was done since, as far as is known."""
        for one in signings:
            self._known[one.digest] = one

    def find(self, held: str, role_of: Callable[[str], Role | None], *, active: bool) -> Signing | None:
        """Whose it is; None: nobody's any more. `active`: the person did something, and did not only look."""
        signing = self._known.get(digest_of(held)) if held else None
        if signing is None:
            return None
        role = role_of(signing.person)
        if role is None or self._is_over(signing, role):
            del self._known[signing.digest]
            return None
        if active:
            signing = self._known[signing.digest] = replace(signing, seen_ns=self._now())
        return signing

    def end(self, held: str) -> Signing | None:
        """Signed out; what it was."""
        return self._known.pop(digest_of(held), None)

    def end_all(self, person: str, but: str = "") -> None:
        """A person is signed out everywhere, but for the sign-in with the digest `but`."""
        for one in [s for s in self._known.values() if s.person == person and s.digest != but]:
            del self._known[one.digest]

    def _is_over(self, signing: Signing, role: Role) -> bool:
        spans, now_ns = self._spans, self._now()
        idle_s = (now_ns - signing.seen_ns) / _S
        if (now_ns - signing.began_ns) / _S >= spans.whole_s:
            return True
        if signing.bedside and idle_s >= spans.bedside_idle_s:
            return True
        return role in spans.short and idle_s >= spans.idle_s
