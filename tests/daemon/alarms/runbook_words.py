"""What a technician does about each alarm: the sentences of docs/runbook.md (runbook.py) that no table of the code holds.

`Care.means`: what is so when the alarm stands. `does`: the steps, in their order. `findings`: ids of `vitald doctor` that may come with it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Care:
    means: str
    does: tuple[str, ...]
    findings: tuple[str, ...] = ()


_BUNDLE = "`vitald support-bundle` for whoever helps from afar; with `--incident ALARM` the minutes around it, which hold the patient's waves."
_LINE = (
    "`vitald devices`: the port, since when, the bytes that came.",
    "Cable and power of the device; another socket. A device is found again under another port name by itself.",
    "`vitald capture PORT --seconds 10 -o FILE`, then `vitald decode FILE`: whether anything comes, and whether it is that board's (refused while a patient is admitted, unless `--force` is given).",
)
_PORTS = (
    "ports.missing",
    "ports.silent",
    "ports.stalled",
    "ports.busy",
    "ports.denied",
    "ports.unread",
    "ports.alike",
)
_MISSING = (
    "`vitald devices`: whether the device that measures it is attached at this bed and sends.",
    "`/bed/KEY/why`: which samples the last value came from, and why there is none since.",
    "`/devices`: a device that was put to another bed leaves this alarm at the old one until somebody acknowledges it.",
)

TECHNICAL = {
    "no_data_ecg": Care(
        "The box gets no ECG from a device that brought one for this patient, or nothing comes out of the one that does. Heart alarms cannot come.",
        _LINE,
        _PORTS,
    ),
    "ecg_leads_off": Care(
        "Electrodes are off, or the signal is flat, so that there is no heart rate.",
        (
            "The bed's page names the electrodes where the device can tell them apart.",
            "Change the lead set for one that is known to work. If it stays, the device's input is broken: change the device.",
            "Behind the patient: `vitald capture` and `vitald decode` show whether the device itself says that leads are off.",
        ),
    ),
    "noisy_ecg": Care(
        "The ECG is there and too bad to count a rate from: mains, movement, muscle, or a signal beyond the scale.",
        (
            "The bed's page says which lead and which kind of noise.",
            "Mains noise: keep power cords away from the lead set; change the lead set. `mains_hz` of `[beds.KEY.display]` filters the picture only.",
            "Off scale in all leads with good electrodes: change the device.",
        ),
    ),
    "electrode_off": Care(
        "One electrode is off. Other leads may still be good.",
        (
            "Change this electrode's wire if a fresh electrode does not help.",
            "Some devices hold such a state for a moment, or cannot tell some electrodes apart (docs/boards.md).",
        ),
    ),
    "analysis_stopped": Care(
        "A stage of the analysis of this bed broke down. Samples are stored, alarms of the box go on; there are no heart alarms. The stage begins anew by itself.",
        (
            "`vitald logs --unit vitald --since -1h`, `vitald crash list`: what broke down.",
            "If it comes again and again: `systemctl restart vitald` when somebody stands at the bed, then another box.",
            _BUNDLE,
        ),
        ("daemon.says", "daemon.behind", "daemon.no_ticks"),
    ),
    "alarms_failed": Care(
        "The alarm engine of this bed broke down and began anew. What stood before is judged again; what a person had paused may be lost.",
        (
            "`vitald crash list`, `vitald crash show FINGERPRINT`: what broke down.",
            "`vitald test-alarm BED`: screens and loudspeaker must say ALARM TEST.",
            _BUNDLE,
        ),
        ("daemon.says",),
    ),
    "devices_stopped": Care(
        "The part that reads the ports broke down or one port's reading did. Nothing comes from that cable.",
        (
            "`vitald doctor`: which port, since when.",
            "`systemctl restart vitald` when somebody stands at the bed; samples are missing for some seconds.",
            "`vitald crash list`; " + _BUNDLE[0].lower() + _BUNDLE[1:],
        ),
        ("ports.unread", "daemon.says", "daemon.silent"),
    ),
    "no_heart_rate": Care(
        "No heart rate for half a minute, although ECG was measured before, and no other alarm says why.",
        (
            "The bed's waves: a rhythm that no rate can be said of, a weak signal, a lead that fell away.",
            "`vitald doctor`: a daemon that is behind cannot count in time.",
        ),
        ("daemon.behind", "daemon.dropped"),
    ),
    "no_data_device": Care(
        "A device that has sent data for this patient sends none. The alarm names it.", _LINE, _PORTS
    ),
    "sound_missing": Care(
        "The box itself cannot be sure that an alarm is heard. On a box without a loudspeaker: no page may sound.",
        (
            "`vitald status` says why in words: no device, held by another program, not allowed, takes no sound, process silent.",
            "`aplay -L` lists devices; `sound.device` of the configuration names one; `alsamixer` sets the loudness, `alsactl store` keeps it.",
            "`systemctl restart vitald-sound`, `vitald logs --unit vitald-sound`, then `vitald test-alarm BED` and listen.",
            "No loudspeaker wanted: `vitald config set sound.enabled false`, and tap a page so that its browser may sound.",
        ),
        (
            "sound.silent",
            "sound.speaker",
            "sound.self_test",
            "processes.silent",
            "units.failed",
            "units.stopped",
        ),
    ),
    "test_failed": Care(
        "The proof of the alarm chain found a stage that failed, on its schedule (`[proof]` of the configuration) or on demand. It stands until that stage is confirmed again.",
        (
            "`vitald test-alarm --chain` when somebody stands at the beds: it names the stage and why.",
            "Loudspeaker: as for SOUND MISSING. Screens: as for SCREEN LOST; every page that is open must show it.",
            "Bytes, heart rate, ASYSTOLE, or the test at the beds: the software itself is at fault. Another box; `vitald support-bundle`.",
        ),
        ("daemon.says", "sound.self_test"),
    ),
    "screen_lost": Care(
        "No page of this bed has been in view and drawing for 15 s, after there was one.",
        (
            "The screen's power and cable; its browser; `/bed/KEY` in view, not behind another window.",
            "From another machine: open the bed's page. If none opens: `systemctl status vitald-web.socket vitald-web`.",
            "`vitald logs --unit vitald-web --since -1h`.",
        ),
        ("daemon.says", "processes.silent", "network.down", "units.failed", "units.stopped"),
    ),
    "remote_lost": Care(
        "Alarms are not passed on to where somebody waits for them: a destination with `relied_on` has confirmed none of those that wait for 30 s, or is paused, or `vitald forward` has been silent as long.",
        (
            "Somebody stays near; whoever relies on the alarms elsewhere is told.",
            "`vitald queue`: which destination, since when, and why. `vitald queue resume NAME` where somebody has paused it.",
            "`systemctl status vitald-forward` where the queue itself does not answer.",
        ),
        ("destinations.waiting",),
    ),
    "power_lost": Care(
        "`hardware.mains_file` says that the mains are gone: the box runs on its reserve.",
        (
            "Plug, socket, fuse, power supply.",
            "`cat` of the file: `0` while the plug is in means that the input is wired or named wrongly.",
            "When the reserve ends the box stops in order only if `hardware.ending_file` is set.",
        ),
        ("supply.mains",),
    ),
    "supply_low": Care(
        "The firmware of the board (Raspberry Pi) says that the voltage is too low now. The card and USB devices may fail.",
        (
            "The maker's own power supply and a short, thick cable.",
            "Take USB devices off the box's own supply: a hub with a supply of its own.",
        ),
        ("supply.low", "supply.was_low"),
    ),
    "box_hot": Care(
        "80 degrees Celsius are reached, or the firmware has slowed the processor down.",
        (
            "Uncover the box, away from heat; clean or change its fan.",
            "`vitald doctor`: whether the daemon keeps up meanwhile.",
        ),
        ("heat.high", "heat.throttled", "daemon.behind"),
    ),
    "memory_short": Care(
        "Less than 6 % of the memory can still be had, or programs wait for memory a fifth of the time.",
        (
            "Close pages that nobody looks at; end what is not vitald's (`top -o %MEM`).",
            "A process of vitald that grows from hour to hour is a fault of ours: "
            + _BUNDLE[0].lower()
            + _BUNDLE[1:],
        ),
        ("memory.low", "memory.pressure"),
    ),
    "recording_stopped": Care(
        "Nothing reaches the database. Alarms are judged and heard; samples wait in memory for a while and then become gaps.",
        (
            "`vitald doctor`: disk gone, full, read-only, refusing writes, slow.",
            "Read-only or input/output errors (`dmesg`): the card dies. `vitald backup FILE` to another disk, then change the card.",
            "It goes on by itself once the disk takes writes. `vitald gaps --from 1d` says afterwards what is missing.",
        ),
        (
            "disk.missing",
            "disk.full",
            "disk.inodes",
            "disk.read_only",
            "disk.fails",
            "disk.slow",
            "store.not_writing",
            "daemon.says",
        ),
    ),
    "nothing_kept": Care(
        "The data partition could not be used when the box started: it is locked, damaged or away. Everything is in memory until the next start.",
        (
            "Is it encrypted: plug in the stick with its key (label VITALDKEY), and start the box anew (`systemctl reboot`) when somebody stands at the bed.",
            "`lsblk -f` and `cat /run/vitald-fsck.log`: whether the partition is there, and what its check said.",
            "A card that fails: `vitald backup FILE` to another disk keeps what is in memory; change the card, `vitald restore FILE`.",
        ),
        ("disk.not_kept",),
    ),
    "recordings_damaged": Care(
        "A database was damaged and moved aside. A new one records; what can be read of the old one comes over by itself.",
        (
            "`vitald doctor` names the file (`vitald.db.damaged-N`, `box.db.damaged-N`).",
            "Copy it away, then delete it. After damage of `box.db` accounts may be gone: `vitald setup`, `vitald user list`.",
            "Look for the cause before the next one: power cuts, a dying card.",
        ),
        ("store.moved_aside", "store.damaged", "store.missing", "daemon.says"),
    ),
    "disk_full": Care(
        "The disk is full: a write had no room and lives on the ballast, or a tenth of `store.keep_free_mb` is all that is free. RECORDING STOPPED comes with it where nothing can be written at all.",
        ("As for DISK ALMOST FULL.",),
        ("disk.full",),
    ),
    "disk_low": Care(
        "There is no room that retention may still make, or the ballast that keeps alarms storable is gone. Old waveforms have been given up.",
        (
            "`du -xh /var/lib/vitald | sort -h`: what is large. Delete what is not vitald's.",
            "Lower `store.waveform_mb` below what the disk has; `store.keep_free_mb` must be free beside it.",
            "Clouds that have not taken their messages hold nothing back for ever; `vitald queue` shows what would be lost to them.",
        ),
        ("disk.low", "disk.full", "disk.inodes"),
    ),
    "clock_unset": Care(
        "The box does not know the time, or nothing has set its clock. Alarms and their delays do not depend on it; dates of what is recorded may be wrong.",
        (
            "`vitald time`, `vitald net`: whether a time server is reached (UDP 123, docs/network.md).",
            "No network: `vitald time set 2026-01-31T12:00:00Z`. Change the battery of the clock if every start begins in 1970.",
        ),
        ("clock.never_set", "clock.not_synchronised"),
    ),
    "maintenance_due": Care(
        "The day of maintenance of a device at this bed has come. Nothing is wrong with the box.",
        (
            "Have the device serviced. Its next day is wished by its cloud (`maintenance_due_date`, docs/forward.md).",
        ),
        ("daemon.says",),
    ),
    "cloud_unreachable": Care(
        "A destination has taken nothing for as long as the limit says. Everything is kept here.",
        (
            "`vitald queue`: which one, why in words, what waits, the age of the oldest.",
            "`vitald net --reach`: name, port, certificate, step by step. Firewall: docs/network.md.",
            "After new credentials: `vitald queue retry NAME`. Refused records: `vitald queue quarantine NAME`, `vitald queue release NAME`.",
            "`vitald status` tells how many hours the box can go on without it.",
        ),
        (
            "network.down",
            "configuration.destination",
            "destinations.name",
            "destinations.unreachable",
            "destinations.tls",
            "destinations.refused",
            "destinations.waiting",
            "destinations.quarantine",
            "certificates.expired",
            "certificates.ends",
            "certificates.unreadable",
            "clock.never_set",
        ),
    ),
    "device_alarm": Care(
        "A device shows an alarm of its own; the code is the device's.",
        ("Follow the device's own manual.", "The alarm ends when the device says that its own has."),
    ),
    "valves_stopped": Care(
        "The concentrator's valves have not turned for three times their usual time: its oxygen falls within seconds.",
        (
            "Is it switched off, or was its power cut? Then it says so by itself soon.",
            "Valves, their board and the air that moves them: the maker's service. Do not use it until then.",
        ),
    ),
    "compressor_weak": Care(
        "The pressure swing of the concentrator's beds has fallen below 80 % of what it was.",
        (
            "Inlet filter, leaks, compressor: the maker's service.",
            "`/bed/KEY/trends`: `compressor_health` over days.",
        ),
    ),
    "valve_uneven": Care(
        "The two beds of the concentrator swing differently by more than 20 %.",
        ("Valves and tubing: the maker's service.", "`/bed/KEY/trends`: `valve_asymmetry` over days."),
    ),
    "device_hot": Care(
        "A device says that it is hotter than the limit.",
        ("Free its airway, clean its filter, away from heaters and blankets.",),
    ),
    "battery_empty": Care(
        "A device's battery is almost empty; it will stop soon.",
        (
            "Its charger and the charger's lamp; another battery.",
            "A battery that empties within minutes of full is worn out.",
        ),
    ),
    "battery_low": Care("A device's battery is getting low.", ("As for BATTERY EMPTY.",)),
    "no_spo2": Care(
        "An oximeter gave SpO2 before, and gives none now.",
        (*_MISSING, "Another probe."),
        ("ports.silent", "ports.stalled"),
    ),
    "no_o2_purity": Care(
        "A concentrator gave its purity before, and gives none now.",
        _MISSING,
        ("ports.silent", "ports.stalled"),
    ),
    "no_o2_flow": Care(
        "A concentrator gave its flow before, and gives none now.",
        _MISSING,
        ("ports.silent", "ports.stalled"),
    ),
    "no_cpap_pressure": Care(
        "A therapy device gave its pressure before, and gives none now.",
        _MISSING,
        ("ports.silent", "ports.stalled"),
    ),
    "no_cpap_leak": Care(
        "A therapy device gave its leak before, and gives none now.",
        _MISSING,
        ("ports.silent", "ports.stalled"),
    ),
    "box_fault": Care(
        "Something of the box has failed that has no alarm of its own. `outputs`: lamp or nurse call (LAMP OR NURSE CALL FAILED on the page).",
        (
            "`vitald status` and `vitald doctor` say it in words.",
            "`outputs`: wiring, and the lines in `[sound]` of the configuration; the user `vitald-sound` must be in the group `gpio`.",
        ),
        ("daemon.says", "sound.outputs"),
    ),
    "test_high": Care(
        "Somebody tests the way of an alarm. It ends by itself after 10 s.",
        ("Nothing, if it was seen and heard.",),
    ),
    "test_medium": Care("As ALARM TEST, HIGH.", ("Nothing, if it was seen and heard.",)),
    "test_low": Care("As ALARM TEST, HIGH.", ("Nothing, if it was seen and heard.",)),
}
