"""Passwords that everybody tries first and that are long enough to be chosen; shorter ones are refused for their length.

A base word with what people hang on it to reach twelve characters, then those that no such pattern makes.
"""

from __future__ import annotations

_WORDS = (
    "password", "passwort", "passw0rd", "p@ssw0rd", "welcome", "letmein", "changeme", "default", "administrator", "admin",
    "hospital", "medical", "patient", "nurse", "nursing", "doctor", "clinic", "ward", "icu", "monitor", "vitals", "vitald",
    "bedside", "health", "healthcare", "service", "technician", "support", "system", "root", "guest", "user", "login",
    "qwerty", "qwertz", "azerty", "iloveyou", "sunshine", "princess", "football", "baseball", "dragon", "monkey", "master",
    "superman", "batman", "trustno", "starwars", "whatever", "computer", "internet", "samsung", "summer", "winter", "spring",
    "autumn", "january", "february", "march", "april", "june", "july", "august", "september", "october", "november",
    "december", "monday", "friday", "secret", "test", "testing", "cheese", "chocolate", "jesus", "freedom", "liverpool",
    "chelsea", "arsenal", "michael", "jennifer", "jessica", "charlie", "jordan", "hello", "raspberry", "raspberrypi",
)  # fmt: skip
_TAILS = (
    "", "!", "!!", "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "123!",
    "1234!", "12345!", "0000", "1111", "111111", "000000", "321", "4321", "654321", "@123", "@1234", "#123", "_123", "01",
    "2019", "2020", "2021", "2022", "2023", "2024", "2025", "2026", "2027", "2024!", "2025!", "2026!",
)  # fmt: skip
_OTHERS = (
    "1q2w3e4r5t6y", "1qaz2wsx3edc", "zaq12wsxcde3", "qazwsxedcrfv", "q1w2e3r4t5y6", "qwertyuiop123", "qwertyuiop12",
    "abcdefgh1234", "abcd12345678", "abc123abc123", "a1b2c3d4e5f6", "123qweasdzxc", "qweasdzxc123", "asdfghjkl123",
    "correcthorsebatterystaple", "correct horse battery staple", "thisismypassword", "mypassword123", "mypassword12",
    "nopassword12", "nopassword123", "letmeinplease", "pleaseletmein", "ilovemyfamily", "iloveyousomuch", "123456123456",
    "121212121212", "123123123123", "112233445566", "987654321987", "147258369147", "changemenow!", "changemeplease",
)  # fmt: skip

COMMON = frozenset(
    {word + tail for word in _WORDS for tail in _TAILS}
    | {first + second for first in _WORDS for second in _WORDS}
    | set(_OTHERS)
)
