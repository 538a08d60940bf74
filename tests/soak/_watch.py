"""What a person sees and hears of a box, with the time of each first sight: its socket, a page's pixels, its loudspeaker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from benchmarks._box import Box, boottime_ns
from daemon.control.client import ControlClient, NotAnswering, Said
from daemon.control.messages import Act, AlarmsSeen, AlarmState, State

# The first time that an alarm's row stood on the page, after the frame that drew it.
MARK = """
window.marks = {};
document.addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
  for (const row of (document.documentElement.dataset.alarms ?? '').split(' ')) {
    if (row && !(row in window.marks)) {
      window.marks[row] = null;
      requestAnimationFrame(() => requestAnimationFrame(() => { window.marks[row] = performance.timeOrigin + performance.now(); }));
    }
  }
}).observe(document.documentElement, { attributes: true, attributeFilter: ['data-alarms'] }));
"""


class Screen:
    """What is heard on the control socket, for as long as `watch` runs; outlives the daemon."""

    def __init__(self, box: Box) -> None:
        self._socket = box.folder / "run" / "control.sock"
        self._acts = 0
        self.alarms: dict[str, AlarmState] = {}
        self.rate: float | None = None
        self.heard: dict[str, int] = {}  # row -> ns of CLOCK_BOOTTIME of its first sight since `forget`
        self.ever: dict[str, str] = {}  # occurrence -> row, of all that was ever shown
        self.connections = 0
        self._changed = asyncio.Event()

    def forget(self) -> None:
        self.heard.clear()

    async def watch(self) -> None:
        while True:
            try:
                async with ControlClient(self._socket) as client:
                    async for event in client.live():
                        if isinstance(event, Said):
                            self._take(event.message)
            except (OSError, ConnectionError, TimeoutError):
                pass
            self.alarms = {}
            await asyncio.sleep(0.05)

    def _take(self, message: object) -> None:
        if isinstance(message, AlarmsSeen):
            if not self.alarms:
                self.connections += 1
            self.alarms = {alarm.row: alarm for alarm in message.picture.alarms}
            for alarm in message.picture.alarms:
                self.heard.setdefault(alarm.row, boottime_ns())
                self.ever[alarm.occurrence] = alarm.row
        elif isinstance(message, State):
            shown = message.beds[0].metrics.get("heart_rate")
            self.rate = None if shown is None else shown.value
        self._changed.set()

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Whether it became true in time; looked at whenever something was heard."""
        end = time.monotonic() + within_s
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(min(left, 0.5)):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return True

    def there(self, rows: Collection[str]) -> bool:
        return any(row in self.alarms and self.alarms[row].phase == "active" for row in rows)

    async def act(self, verb: str, **values: str) -> bool:
        """Whether it was done; a daemon that dies meanwhile has done nothing that we know of."""
        self._acts += 1
        act = Act(id=f"act-{self._acts:08}", bed="1", verb=verb, values={"screen": "bed 1", **values})
        try:
            async with ControlClient(self._socket) as client:
                return (await client.act(act)).acted
        except (OSError, NotAnswering, TimeoutError):
            return False
