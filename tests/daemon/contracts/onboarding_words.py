"""The parts of docs/onboarding.md that people wrote (onboarding.py makes the rest)."""

from __future__ import annotations

HEAD = """# Onboarding: apps, backends, devices

*Made by `python -m tests.daemon.contracts.onboarding` from the contracts (`daemon/contracts/`, `docs/contracts/`) and from the examples that the tests
hold; do not edit.*

| you write | you need | the reference |
|---|---|---|
| an app or a program that **reads a box** | a token, HTTP, one WebSocket | [A program that reads a box](#a-program-that-reads-a-box); `api.md`, `contracts/box-api.json` |
| a **backend** that boxes send to | the payloads below, one idempotency key | [A backend that boxes send to](#a-backend-that-boxes-send-to); `contracts/README.md`, `openapi.json`, `asyncapi.json` |
| an app that **wishes settings** | the payloads `cpap.config/1`, `oxygen.config/1` | `forward.md`, "Settings from a cloud" |
| the **firmware** of a device | one serial line and VLP | [A device that speaks VLP](#a-device-that-speaks-vlp); `vlp.md` |

## Rules that hold everywhere

- **null, or absent, is "not measured"**. It is never 0, and 0 is never "not measured". `arrhythmias: []` is "none found", null is "not analysed".
- Units are in the names (`_bpm`, `_ms`, `_lpm`); they never change within a major version.
- Times are RFC 3339 in UTC with milliseconds. `clock: "unset"`: the box did not know the time, and the stamp is a guess.
- **A key is for ever.** What comes with a key that you have stored has been stored already: say yes, and store nothing.
- Fields and words are added within a version: ignore fields that you do not know, and keep words that you do not know.
- A patient is an id. Names travel only where that has been agreed (`named_patients` of a destination, `read:patients` of a token).
- Nothing that you read here is an alarm for staff. The box's own screen and sound are.

## A program that reads a box

1. Ask whoever runs the box for a token: `vitald token create "ward app" read live:numbers live:alarms --days 365`. It is told once. Keep it in the keystore of the
   phone, never in the program.
2. `GET /api/v1/openapi.json` with it is the whole interface; generators of clients take it (OpenAPI 3.1).
3. Lists come in pages: go on with `next` as `cursor` until it is null. Send `If-None-Match`: what has not changed is a 304.
4. 429 says `Retry-After`. 401: the token is over; ask a person, do not try again.
5. The pages of this version are plain HTTP (`network.md`): iOS (App Transport Security) and Android (cleartext) refuse that unless the program names the box's
   address as an exception. Do it for that address alone, and only within a network that is yours.
6. The address must be the box's in digits, or its own name: another `Host` is refused.

```python
import asyncio, json, sys
import aiohttp

async def main(box: str, token: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        async with session.ws_connect(f"{box}/api/v1/live?topics=numbers,alarms") as live:
            async for message in live:
                said = json.loads(message.data)
                if said["type"] == "box" and not said["answers"]:
                    print("the box is silent: what you have is old")
                elif said["type"] in ("numbers", "alarms"):
                    print(said["bed"], said[said["type"]])

asyncio.run(main(*sys.argv[1:]))
```

A wave frame (topic `waves`, binary) in Python; the layout is in `api.md`, "Live":

```python
import struct

def waves(frame: bytes) -> tuple[int, int, float, list[list[float | None]]]:
    \"\"\"Index of the stream, number of the first sample, rate in Hz, and for each lead its values in its unit; None = nothing there.\"\"\"
    version, kind, index, _connection, first, _t_ns, rate_hz, leads, n = struct.unpack_from("<BBHIqqfHH", frame)
    if (version, kind) != (1, 1):
        raise ValueError("another version")
    per_count = struct.unpack_from(f"<{leads}f", frame, 32)
    counts = struct.unpack_from(f"<{leads * n}h", frame, 32 + 4 * (leads + leads % 2))
    rows = [counts[lead * n : (lead + 1) * n] for lead in range(leads)]
    return index, first, rate_hz, [
        [None if count == -32768 else count * scale / 1000 for count in row] for row, scale in zip(rows, per_count)
    ]
```

Waves come filtered as the screen shows them. A phone that falls behind loses the oldest frames and nothing else; draw by `first`, and leave a gap where numbers are missing.

## A backend that boxes send to

1. Take `POST /records` (kind `rest`, form `records`), the REST plan's own paths, or MQTT topics `v1/{kind}/{serial}/{lane}`. The bodies are those below.
2. Store by `key`: `INSERT ... ON CONFLICT (key) DO NOTHING`, and answer 2xx **after** the commit. Requests carry `Idempotency-Key` as well.
3. Answer 400 or 422 with `field` for what you cannot take: the box finds the one record, sets it aside and shows it. 401, 403, 404 wait for a person. 413, 429, 5xx are tried again.
4. Sort by `seq` within a lane, a device and a session. Data may come before the session that it belongs to, and hours late.
5. `python -m tests.cloud` runs a backend that keeps all of it, on PostgreSQL; `python -m tests.cloud.check URL --api-key KEY` says whether yours does.
   `./dev demo --with-cloud` is a whole box with devices and that backend.

Two forms of the same data: the **canonical envelope** (ours: every message), and the **seeds' form** (the payloads of the first plan and the roadmap), which a
destination sends as kind `rest` with form `plan`, and as kind `mqtt` with form `seed`. Below both stand side by side where both exist.
"""

DEVICE = """## A device that speaks VLP

Any microcontroller with one UART or USB serial port. The protocol is `vlp.md`; `firmware_bridge/firmware/` is the device's side in portable C99, without allocation
or an operating system: fill in who you are, your channels and four functions (its `README.md`).

1. **Who**: a serial number of at most 16 characters like `CPAP-2301-9912`; its prefix says to clouds which service it is.
2. **What**: a dictionary: each channel with type, rate, scale, unit. Use the names and units of `vlp.md`, and screen, alarms and clouds know them; what has no
   such name is kept as a stream of its own. The payloads that clouds get of them are below.
3. **When**: device time in microseconds of a clock that never goes back; answer PING.
4. **Settings**: offer them only if a person may change them; propose, echo, confirm. No other command ever changes what your device does.
5. **Losses**: keep what you sent for 2 s; send again what is asked for.

The first frames of a device, as bytes. If your encoder makes these from the same values, COBS and CRC-32C are right:

{frames}

Try it without a box: `vitald decode FILE --board vlp` says what the bytes in a file mean, damaged ones included. Number the frames of such a
file without gaps: what stands behind a missing number waits for it (the four above are 0, 1, 7 and 12). With a box: plug it in, `vitald devices --probe`, then
`vitald capture PORT --seconds 10 -o FILE` and `vitald decode FILE`. Without a device: `vitald replay patient --as vlp_cpap` is one on a pseudo-terminal. In the configuration:

```toml
[[beds.1.devices]]
label = "cpap"
kind = "vlp"
port = "/dev/serial/by-id/usb-*"
```

A device that cannot speak VLP needs a board of its own on our side: `overview.md`, "Adding a board".
"""

FRAMES = (
    (
        "HELLO",
        "number 0: MTU 512, abilities 2, unit id 00 11 22 .. FF, boot id 42268, name `vsim`, firmware `1.0`",
    ),
    (
        "DICT",
        "number 1, dictionary 1: channel 0 `flow`, i16, flags 1, 25 Hz, scale 0.002, `L/s`; channel 1 `spo2`, i16, flags 1, 1 Hz, scale 1, `%`",
    ),
    (
        "SAMPLES",
        "number 7, dictionary 1, channel 0, at 1,000,000 us: raw 0, -150, 250, 500, which is 0, -0.30, 0.50, 1.00 L/s",
    ),
    ("LOG", "number 12: level 2, at 1,234,567 us, `probe ok`"),
)
"""Names of the golden frames of tests/firmware_bridge/boards/vlp_script.py, and what is in them."""
