"""The gap certificate as a sheet of plain text: printed, signed, and read without a screen."""

from __future__ import annotations

from datetime import UTC, datetime

from daemon.control.review import CertificateTold, MissingTold
from daemon.words import say

MOST_LINES = 200
_RULE = "-" * 78


def text(told: CertificateTold) -> str:
    """The sheet, in the language that is spoken. Times are UTC."""
    span = {"begin": _time(told.from_ms), "end": _time(told.to_ms)}
    lines = [
        say("review.paper.title"),
        _RULE,
        say("review.paper.box", box=told.box, serial=told.serial or "-", bed=told.bed),
        say("review.paper.span", **span),
        say("review.paper.made", time=_time(told.made_ms), clock=say(f"review.clock.{told.clock}")),
        say(f"review.paper.checked.{'yes' if told.checked else 'no'}"),
    ]
    if told.to_ms < told.asked_to_ms:
        lines.append(say("review.paper.until", end=_time(told.to_ms)))
    lines += ["", verdict(told), ""]
    for stream in told.streams:
        numbers = {"stored": f"{stream.stored_s:.3f}", "missing": f"{stream.missing_s:.3f}"}
        channels = " ".join(stream.channels)
        about = {"stream": stream.stream, "rate": f"{stream.rate_hz:g}", "channels": channels}
        lines.append(say("review.paper.stream", **about, **numbers))
    lines += ["", *(_missing(one) for one in told.missing[:MOST_LINES])]
    left_out = len(told.missing) - MOST_LINES + told.left_out
    if left_out > 0:
        lines.append(say("review.paper.left_out", count=str(left_out)))
    lines += ["", *_clouds(told), "", say("review.paper.digest", rows=str(told.rows)), told.digest]
    lines += ["", "", say("review.paper.signature"), _RULE]
    return "\n".join(lines) + "\n"


def verdict(told: CertificateTold) -> str:
    """The one line that it is about."""
    if told.complete:
        return say("review.verdict.complete")
    if not told.streams:
        return say("review.verdict.nothing")
    seconds = sum(stream.missing_s for stream in told.streams)
    count = str(len(told.missing) + told.left_out)
    return say("review.verdict.missing", seconds=f"{seconds:.3f}", count=count)


def _missing(one: MissingTold) -> str:
    samples = ""
    if one.first is not None and one.count is not None:
        samples = say("review.paper.samples", first=str(one.first), last=str(one.first + one.count - 1))
    told = {"begin": _time(one.from_ms), "end": _time(one.to_ms), "seconds": f"{one.seconds:.3f}"}
    return say("review.paper.gap", stream=one.stream, cause=cause(one.cause), samples=samples, **told)


def cause(name: str) -> str:
    """A cause in words; one without words as it is."""
    key = f"review.cause.{name}"
    return name if (said := say(key)) == key else said


def _clouds(told: CertificateTold) -> list[str]:
    if told.clouds is None:
        return [say("review.cloud.silent")]
    if not told.clouds:
        return [say("review.cloud.none")]
    return [
        say("review.cloud.everything", cloud=one.name)
        if one.everything
        else say("review.cloud.until", cloud=one.name, time=_time(one.until_ms or 0))
        for one in told.clouds
    ]


def _time(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:23] + "Z"
