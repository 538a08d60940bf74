"""Whatever people and cables do, in whatever order it is committed: sessions lie one after the other and nothing is without one."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Command
from daemon.store import outbox
from daemon.store.reader import ask

S = 10**9
DONE = st.sampled_from(
    [
        "half",
        "half",
        "half",
        "away",
        "reconnect",
        "session_start",
        "session_end",
        "admit",
        "discharge",
        "commit",
    ]
)
JOHN = json.dumps({"patient_id": "p", "full_name": "John"})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(DONE, min_size=1, max_size=30))
async def test_sessions_never_overlap_and_every_chunk_has_one(path, running, make_line, saved, clock, acts):
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    saved.clear()
    now_ns, connection, first = 0, 1, 0
    line = make_line(connection=1)
    async with running(on_saved=saved) as writer:
        for number, act in enumerate(acts):
            clock.now_ns = now_ns
            match act:
                case "half":
                    block = line.block(first, line.samples(250))
                    number_told = Outgoing(now_ns + S // 10, Lane.METRICS, "ecg.metrics/1", "ECG-1", {})
                    writer.offer("1", block, outgoing=[number_told])
                    first, now_ns = first + 250, now_ns + S // 2
                case "away":
                    now_ns += 5 * S
                    connection, first = connection + 1, 0
                    line = make_line(connection=connection, began_ns=now_ns)
                case "reconnect":
                    connection, first = connection + 1, 0
                    line = make_line(connection=connection, began_ns=now_ns)
                case "commit":
                    writer.offer("1", Command(f"act-{number:04}", now_ns, "1", "nurse", "display"))
                    await saved.until(lambda n=number: any(f"act-{n:04}" in s.commands for s in saved))
                case _:
                    values = (("patient", JOHN),) if act == "admit" else ()
                    writer.offer("1", Command(f"act-{number:04}", now_ns, "1", "nurse", act, values))
        clock.now_ns = now_ns

    rows = ask(
        path,
        lambda r: r.db.execute(
            "SELECT name, began_ns, ended_ns, patient FROM sessions ORDER BY began_ns, id"
        ).fetchall(),
    )
    for (_, _, ended_ns, _), (_, began_ns, _, _) in zip(rows, rows[1:], strict=False):
        assert ended_ns <= began_ns
    spans = {name: (began_ns, ended_ns) for name, began_ns, ended_ns, _ in rows}
    waves = ask(path, lambda r: outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 10**6))
    chunks = ask(path, lambda r: outbox.samples(r, [m.place for m in waves]))
    for message in waves:
        began_ns, ended_ns = spans[message.session]
        chunk = chunks[message.place]
        assert began_ns < message.t_ns + round(chunk.n * chunk.period_ns)
        assert message.t_ns <= ended_ns
    told = ask(path, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 10**6))
    kinds = [m.message for m in told]
    assert kinds.count("box.session_start/1") == kinds.count("box.session_end/1") == len(rows)
