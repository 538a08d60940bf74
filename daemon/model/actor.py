"""Who acts: a person who has signed in, a screen at which nobody has, or whoever uses the command line on the box.

The act that is being carried out has one `Actor` (`acting`); what is written into the audit meanwhile bears it. It is a context
variable: tasks that an act starts inherit it, and work of the box's own has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from daemon.model.permissions import May, Role, may

BEDSIDE = "bedside screen"
"""What the box's own screen is called where nobody has signed in at it."""

REMOTE = "remote screen"
"""What a browser elsewhere is called before anybody has signed in."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is what the audit shows, `origin` where the act came from: a screen, an address, "console (user)".

    `role` None: the command line on the box, which may do everything. `person` is the id, "" where nobody has signed in.
    """

    name: str
    role: Role | None
    origin: str
    person: str = ""
    bedside: bool = False
    must_change: bool = False

    @property
    def by(self) -> dict[str, str]:
        """Role, origin and person, as the audit has them beside the name."""
        said = {"role": str(self.role or "console"), "origin": self.origin, "person": self.person}
        return {name: value for name, value in said.items() if value}

    def may(self, what: May) -> bool:
        """Whether it is permitted. Who must change a password first has the rights of nobody signed in."""
        if self.role is None:
            return True
        if self.must_change:
            return may(Role.NOBODY, what, at_bedside=self.bedside)
        return may(self.role, what, at_bedside=self.bedside)


_ACTING: ContextVar[Actor | None] = ContextVar("acting", default=None)


def acting() -> Actor | None:
    """Whose act is being carried out; None: the box's own work."""
    return _ACTING.get()


@contextmanager
def acts(actor: Actor) -> Iterator[None]:
    """Within it, and in the tasks started there, `actor` acts."""
    token = _ACTING.set(actor)
    try:
        yield
    finally:
        _ACTING.reset(token)
