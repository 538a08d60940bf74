"""A file of first settings: what one box takes out of it, and where it is wrong, by line and key."""

from __future__ import annotations

import tomllib

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from daemon.appliance.first_settings import leaves, read, serials, toml

HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct horse battery")
PRESENT = {"box": {"name": "vitald"}, "beds": {"1": {"name": "Bed 1"}}}
GOOD = f"""
[box]
ward = "3B"

[web]
host = "0.0.0.0"

[time]
zone = "Europe/Berlin"
servers = ["ntp.hospital.example"]

[[people]]
full_name = "Anna Admin"
role = "admin"
password_hash = "{HASH}"

[boxes."BOX-7".box]
name = "Room 7"

[boxes."BOX-7".beds.1]
name = "Window"

[boxes."BOX-8".box]
name = "Room 8"
"""


def faults(text: str, known_as=()) -> list[tuple[int, str]]:
    return [(fault.line, fault.key) for fault in read(text, known_as, PRESENT).faults]


def test_each_box_takes_what_all_have_and_its_own():
    for serial, name in (("BOX-7", "Room 7"), ("BOX-8", "Room 8")):
        settings = read(GOOD, ["OTHER", serial], PRESENT)
        assert settings.faults == ()
        assert settings.tables["box"] == {"ward": "3B", "name": name}
        assert settings.own.time.servers == ("ntp.hospital.example",)
        assert settings.own.people[0].full_name == "Anna Admin"
    assert read(GOOD, ["BOX-7"], PRESENT).tables["beds"] == {"1": {"name": "Window"}}


def test_a_box_that_the_file_does_not_know_takes_nothing_of_it():
    settings = read(GOOD, ["BOX-9"], PRESENT)
    assert "BOX-9" in settings.faults[0].text
    assert settings.tables == {}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("[box]\nname = x\n", (2, "")),
        ("[box]\n\nname = 'x'\nnmae = 'y'\n", (4, "box.nmae")),
        ("[web]\nport = 99999\n", (2, "web.port")),
        ("\n[wbe]\nport = 1\n", (2, "wbe")),
        ("\n[[beds.1.devices]]\nlabel = 'a'\nport = 'x'\nkind = 'abacus'\n", (2, "beds.1.devices.0")),
        ("[time]\nzone = 'Europe/Nowhere'\n", (2, "time.zone")),
        ("[time]\nservers = ['a b']\n", (2, "time.servers")),
        ("[network]\ninterface = 'eth0'\nmethod = 'static'\n", (1, "network")),
        ("[network]\ninterface = 'eth0'\naddress = 'x'\n", (3, "network.address")),
        ("[credentials]\n'cloud.key' = '../../etc/shadow'\n", (1, "credentials")),
        ("[credentials]\n'cloud.key' = '/etc/shadow'\n", (1, "credentials")),
        ("[[people]]\nfull_name = 'A'\nrole = 'nurse'\ncode = 'abcd-efgh-jkmn'\n", (1, "people")),
        ("[[people]]\nfull_name = 'A'\nrole = 'boss'\ncode = 'abcd-efgh-jkmn'\n", (3, "people.0.role")),
        (
            "[[people]]\nfull_name = 'A'\nrole = 'admin'\npassword = 'plain words here'\n",
            (4, "people.0.password"),
        ),
        (
            "[[people]]\nfull_name = 'A'\nrole = 'admin'\npassword_hash = 'plain words'\n",
            (4, "people.0.password_hash"),
        ),
        ("[[people]]\nfull_name = 'A'\nrole = 'admin'\ncode = '1234'\n", (1, "people.0")),
        ("[boxes.BOX-7.web]\nport = 'x'\n", (2, "web.port")),
    ],
)
def test_a_fault_names_its_line_and_its_key(text, at):
    assert at in faults(text, ["BOX-7"])


def test_a_hash_that_would_stop_a_small_box_is_refused():
    dear = HASH.replace("m=1024", "m=4194304")
    assert faults(f"[[people]]\nfull_name = 'A'\nrole = 'admin'\npassword_hash = '{dear}'\n") == [
        (4, "people.0.password_hash")
    ]


def test_what_a_refused_file_held_is_in_no_message():
    found = read(
        "[[people]]\nfull_name = 'A'\nrole = 'admin'\npassword_hash = 'my secret words'\n", (), PRESENT
    )
    assert "secret" not in repr(found)


def test_a_box_is_known_by_its_configuration_its_board_and_its_machine(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/serial-number").write_bytes(b"10000000abcdef01\0")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123\n")
    found = serials("BOX-7", tmp_path)
    assert found[:3] == ["BOX-7", "10000000ABCDEF01", "BOX-10000000ABCDEF01"]
    assert len(found) == 4
    assert found[3].startswith("BOX-")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_what_is_written_is_read_again(value):
    assert tomllib.loads(f"x = {toml(value)}") == {"x": value}


def test_a_table_whose_keys_cannot_stand_between_dots_is_one_value():
    assert dict(leaves({"routes": {"OXY-*": ["a"]}, "beds": {"1": {"name": "x"}}})) == {
        "routes": {"OXY-*": ["a"]},
        "beds.1.name": "x",
    }
