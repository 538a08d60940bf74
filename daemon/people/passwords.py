"""Passwords and PINs as hashes: argon2id for ours (OWASP: 19 MiB, 2 passes, 1 lane), bcrypt read where it was imported.

Hashing takes tens of milliseconds of a core and 19 MiB: one thread does it, a few may wait for it, and whoever comes then is
sent away. Nothing else in the process waits.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from daemon.people.common import COMMON
from daemon.people.person import folded

T = TypeVar("T")

SHORTEST = 12
LONGEST = 256
SHORTEST_PIN, LONGEST_PIN = 4, 6
MOST_WAITING = 4
BCRYPT_BYTES = 72
"""All that bcrypt ever looked at; its newest library refuses more."""

_BCRYPT = ("$2a$", "$2b$", "$2y$")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for each other on paper."""


class Busy(Exception):
    """Too many passwords wait to be checked: try again."""


def fault(password: str, *names: str) -> str:
    """Why a password cannot be chosen, as a word key; "" where it can. `names`: what everybody knows of the person."""
    low = folded(password)
    if len(password) < SHORTEST:
        return "password.short"
    if len(password) > LONGEST:
        return "password.long"
    if low in COMMON or len(set(low)) < 4 or any(_is_run(low, run) for run in _RUNS):
        return "password.common"
    plain = "".join(c for c in low if c.isalnum())
    for name in names:
        known = "".join(c for c in folded(name) if c.isalnum())
        if known and (plain == known or plain.strip("0123456789") == known):
            return "password.name"
    return ""


def pin_fault(pin: str) -> str:
    """Why a PIN cannot be chosen, as a word key; "" where it can."""
    if not (pin.isascii() and pin.isdecimal() and SHORTEST_PIN <= len(pin) <= LONGEST_PIN):
        return "pin.digits"
    if len(set(pin)) == 1 or pin in _DIGITS or pin in _DIGITS[::-1]:
        return "pin.common"
    return ""


def random_password() -> str:
    """One that nobody guesses and a person can type: four groups of four, 79 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


class Passwords:
    """Hashes off the loop, one at a time. `cost`: argon2's memory in KiB, passes and lanes."""

    def __init__(self, cost: tuple[int, int, int] = (19456, 2, 1)) -> None:
        memory, passes, lanes = cost
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """Raises `Busy`."""
        return await self._on_thread(lambda: self._hasher.hash(password))

    async def verify(self, known: str, password: str) -> bool:
        """Whether it is the password of a hash; "" is nobody's, and takes as long to be refused. Raises `Busy`."""
        return await self._on_thread(lambda: self._verify(known, password))

    def outdated(self, known: str) -> bool:
        """Whether a hash is to be made anew at the next chance."""
        return known.startswith(_BCRYPT) or self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _verify(self, known: str, password: str) -> bool:
        if known.startswith(_BCRYPT):
            try:
                return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], known.encode())
            except ValueError:
                return False
        if not known:
            self._nobody = self._nobody or self._hasher.hash(secrets.token_hex())
        try:
            return self._hasher.verify(known or self._nobody, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._waiting > MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def is_bcrypt(known: str) -> bool:
    """Whether it looks like a hash that bcrypt has made."""
    return known.startswith(_BCRYPT) and len(known) == 60


_DIGITS = "01234567890"
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)


def _is_run(password: str, run: str) -> bool:
    return password in run or password in run[::-1] or password in run * 2
