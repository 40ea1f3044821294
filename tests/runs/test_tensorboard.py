"""Events of TensorBoard: whole or not there; neither a full disk nor the clock holds up the training."""

import struct
import time

import pytest

from logpi.runs.tensorboard import EventFile


def events(directory):
    """Every event in a directory, as TensorBoard's own format has them."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(directory.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            size = struct.unpack("<Q", data[:8])[0]
            found.append(Event.FromString(data[12 : 12 + size]))
            data = data[16 + size :]
    return found


def test_every_finite_number_is_a_scalar_of_its_step(tmp_path):
    EventFile(tmp_path, every=0).write({"steps": 64, "kl": 0.5, "odd name": 2, "entropy": None, "bad": float("inf")})
    version, event = events(tmp_path)
    assert version.file_version == "brain.Event:2" and event.step == 64
    assert {x.tag: x.simple_value for x in event.summary.value} == {"steps": 64, "kl": 0.5, "odd_name": 2}


def test_a_resumed_run_purges_the_events_that_it_makes_again(tmp_path):
    EventFile(tmp_path, steps=128, every=0).write({"steps": 192})
    start = events(tmp_path)[1]
    assert start.step == 129 and start.session_log.status == start.session_log.START


def test_a_disk_that_was_full_leaves_whole_events(tmp_path, disk):
    file = EventFile(tmp_path, every=0)
    for step, full in enumerate([True, False, True, True, False], start=1):
        if full:
            disk.fill()
            with pytest.raises(OSError, match="No space"):
                file.write({"steps": step})
            disk.free()
        else:
            file.write({"steps": step})
    assert [event.step for event in events(tmp_path)] == [0, 2, 5]


@pytest.mark.parametrize("days", [-25, 25])
def test_a_clock_that_is_set_changes_nothing_but_the_times(tmp_path, monkeypatch, days):
    file, now = EventFile(tmp_path, every=0), time.time()
    file.write({"steps": 1})
    monkeypatch.setattr(time, "time", lambda: now + days * 86400)
    for step in range(2, 40):
        file.write({"steps": step})
    assert [event.step for event in events(tmp_path)] == list(range(40))
