"""Events on their way from a driver to clients, ours and the real libvirt-python."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kvasir import events
from kvasir.errors import Error
from kvasir.rpc import frames
from kvasir.rpc.programs import QEMU, REMOTE
from kvasir.rpc.typed import ULLong
from tests.wire.harness import DOM, PROJECT, Device, Dom, Named, Raw, Secret, Served

OTHER = Dom("other", b"o" * 16, 8)
SAMPLES: list[events.Event] = [
    events.Lifecycle(DOM, 2, 0),
    events.Reboot(DOM),
    events.RtcChange(DOM, -3600),
    events.Watchdog(DOM, 4),
    events.IoError(DOM, "/a", "virtio-disk0", 1),
    events.Graphics(DOM, 2, (0, "127.0.0.1", "5900"), (1, "::1", "44"), "none", [("x509dname", "CN=x")]),
    events.IoErrorReason(DOM, "/a", "virtio-disk0", 1, "enospc"),
    events.ControlError(DOM),
    events.BlockJob(DOM, "/a", 1, 0),
    events.DiskChange(DOM, "/old", None, "ide0-0-0", 0),
    events.TrayChange(DOM, "ide0-0-0", 1),
    events.PmWakeup(DOM),
    events.PmSuspend(DOM),
    events.BalloonChange(DOM, 1 << 40),
    events.PmSuspendDisk(DOM),
    events.DeviceRemoved(DOM, "net0"),
    events.BlockJob2(DOM, "vda", 1, 0),
    events.Tunable(DOM, [("cputune.vcpupin0", "0-1"), ("x", ULLong(5))]),
    events.AgentLifecycle(DOM, 1, 2),
    events.DeviceAdded(DOM, "net0"),
    events.MigrationIteration(DOM, 3),
    events.JobCompleted(DOM, [("time_elapsed", ULLong(9))]),
    events.DeviceRemovalFailed(DOM, "net0"),
    events.MetadataChange(DOM, 2, "urn:x"),
    events.BlockThreshold(DOM, "vda", None, 1, 2),
    events.MemoryFailure(DOM, 1, 0, 1),
    events.MemoryDeviceSizeChange(DOM, "virtiomem0", 7),
]


def message(raw: Raw) -> tuple[str, tuple[Any, ...]]:
    frame = raw.receive()
    assert frame is not None and frame.type == frames.MESSAGE and frame.serial == 0 and frame.status == frames.OK
    procedure = (REMOTE if frame.program == REMOTE.id else QEMU).number(frame.procedure)
    assert procedure is not None
    return procedure.name, procedure.decode_args(frame.payload)


def test_every_event_has_its_number() -> None:
    domain = [kind for kind in events.ALL if kind.KIND == "domain"]
    assert [kind.ID for kind in domain] == list(range(27)) and [type(sample) for sample in SAMPLES] == domain
    numbers = [REMOTE[kind.MESSAGE].number for kind in domain]
    assert numbers[:16] == list(range(318, 334))
    assert numbers[16:] == [339, 346, 348, 354, 359, 363, 367, 379, 385, 423, 438]
    legacy = [REMOTE[kind.LEGACY].number for kind in domain if kind.LEGACY]
    assert legacy == [107, 169, 170, 171, 172, 173, 195, 224, 241, 248, 268, 269, 270, 276, 292, 311]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_delivery(served: Served, raw: Raw, sample: events.Event) -> None:
    old = Raw(served.run / "libvirt-sock").open()
    callback = raw.call("connect_domain_event_callback_register_any", sample.ID, None)
    if sample.LEGACY:
        old.call("connect_domain_event_register_any", sample.ID)
    else:
        with pytest.raises(Error, match=f"unsupported event ID {sample.ID}"):
            old.call("connect_domain_event_register_any", sample.ID)
    served.call(lambda: served.driver.bus.publish(sample))
    name, values = message(raw)
    assert name == type(sample).MESSAGE and values[0] == callback
    flat = values[-1] if name.startswith("domain_event_callback") and type(sample).LEGACY else values[1:]
    assert tuple(flat) == sample.values()
    if sample.LEGACY:
        assert message(old) == (sample.LEGACY, sample.values())
        old.call("connect_domain_event_deregister_any", sample.ID)
    raw.call("connect_domain_event_callback_deregister_any", callback)
    served.call(lambda: served.driver.bus.publish(sample))
    raw.call("connect_is_secure")
    assert not raw.others


def test_filter_by_guest(served: Served, raw: Raw) -> None:
    mine = raw.call("connect_domain_event_callback_register_any", 0, DOM)
    every = raw.call("connect_domain_event_callback_register_any", 0, None)
    assert mine != every
    for dom in (OTHER, DOM):
        served.call(lambda dom=dom: served.driver.bus.publish(events.Lifecycle(dom, 5, 1)))
    seen = [message(raw)[1] for _ in range(3)]
    assert [(values[0], values[1].dom.name) for values in seen] == [(every, "other"), (mine, "guest"), (every, "guest")]
    with pytest.raises(Error, match="Domain not found: no domain with matching uuid"):
        raw.call("connect_domain_event_callback_register_any", 0, OTHER)


def test_registering_twice_or_not_at_all(raw: Raw) -> None:
    raw.call("connect_domain_event_callback_register_any", 0, None)
    with pytest.raises(Error) as caught:
        raw.call("connect_domain_event_callback_register_any", 0, None)
    assert (caught.value.code, caught.value.message) == (8, "invalid argument: event callback already tracked")
    for name, args, words in (
        ("connect_domain_event_deregister", (), "domain event 0 not registered"),
        ("connect_domain_event_callback_deregister_any", (77,), "domain event callback 77 not registered"),
        ("connect_network_event_deregister_any", (77,), "network event callback 77 not registered"),
        ("connect_domain_event_callback_register_any", (27, None), "unsupported event ID 27"),
        ("connect_domain_event_callback_register_any", (-1, None), "unsupported event ID -1"),
        ("connect_storage_pool_event_register_any", (2, None), "unsupported storage pool event ID 2"),
    ):
        with pytest.raises(Error) as caught:
            raw.call(name, *args)
        assert (caught.value.code, caught.value.origin, caught.value.message) == (1, 7, f"internal error: {words}")


@pytest.mark.parametrize(
    ("kind", "sample"),
    [
        ("network", events.NetworkLifecycle(Named("default", b"n" * 16), 2, 0)),
        ("storage_pool", events.PoolLifecycle(Named("pool", b"p" * 16), 2, 0)),
        ("storage_pool", events.PoolRefresh(Named("pool", b"p" * 16))),
        ("node_device", events.NodeDeviceLifecycle(Device("net_lo"), 0, 0)),
        ("node_device", events.NodeDeviceUpdate(Device("net_lo"))),
        ("secret", events.SecretLifecycle(Secret(b"s" * 16, 1, "x"), 0, 0)),
        ("secret", events.SecretValueChanged(Secret(b"s" * 16, 1, "x"))),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_other_objects(served: Served, raw: Raw, kind: str, sample: events.Event) -> None:
    callback = raw.call(f"connect_{kind}_event_register_any", sample.ID, None)
    served.call(lambda: served.driver.bus.publish(sample))
    name, values = message(raw)
    assert (name, values) == (type(sample).MESSAGE, (callback, *sample.values()))


def test_monitor_events_by_pattern(served: Served, raw: Raw) -> None:
    regex = raw.call("connect_domain_monitor_event_register", None, "^block_", 3, program=QEMU)
    exact = raw.call("connect_domain_monitor_event_register", DOM, "STOP", 0, program=QEMU)
    for name in ("BLOCK_JOB_READY", "STOP", "STOPPED", "A_BLOCK_"):
        event = events.MonitorEvent(DOM, name, 1, 2, '{"x":1}')
        served.call(lambda event=event: served.driver.bus.publish(event))
    assert [message(raw) for _ in range(2)] == [
        ("domain_monitor_event", (regex, DOM, "BLOCK_JOB_READY", 1, 2, '{"x":1}')),
        ("domain_monitor_event", (exact, DOM, "STOP", 1, 2, '{"x":1}')),
    ]
    with pytest.raises(Error, match="failed to compile regex"):
        raw.call("connect_domain_monitor_event_register", None, "(", 1, program=QEMU)
    with pytest.raises(Error, match="unsupported flags \\(0x8\\)"):
        raw.call("connect_domain_monitor_event_register", None, "x", 8, program=QEMU)
    raw.call("connect_domain_monitor_event_deregister", exact, program=QEMU)
    raw.call("connect_is_secure")
    assert not raw.others


def test_a_gone_client_is_forgotten(served: Served, raw: Raw) -> None:
    raw.call("connect_domain_event_callback_register_any", 0, None)
    raw.close()
    other = Raw(served.run / "libvirt-sock").open()
    for _ in range(3):
        served.call(lambda: served.driver.bus.publish(SAMPLES[0]))
    assert other.call("connect_is_secure") == 1
    assert not any(served.daemon.hub._registrations.values())


def test_callback_id_stands_before_the_body(served: Served, raw: Raw) -> None:
    callback = raw.call("connect_domain_event_callback_register_any", 11, None)
    served.call(lambda: served.driver.bus.publish(events.PmWakeup(DOM)))
    frame = raw.receive()
    assert frame is not None and frame.payload[:12] == struct.pack(">iiI", callback, 0, 5)


REAL = """
import sys, threading, time, libvirt
libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
conn = libvirt.open(sys.argv[1])
conn.setKeepAlive(1, 3)
seen = {}
def make(number):
    def callback(conn, dom, *args):
        seen[number] = (dom.name(), dom.ID(), args[:-1])
    return callback
for number in range(27):
    conn.domainEventRegisterAny(None, number, make(number), None)
print("ready", flush=True)
sys.stdin.readline()
deadline = time.time() + 10
while len(seen) < 27 and time.time() < deadline:
    time.sleep(0.05)
time.sleep(1.5)
assert conn.isAlive() == 1
for number in sorted(seen):
    print(number, *seen[number])
"""


def test_real_libvirt_python_hears_all_27(served: Served, cache: Path) -> None:
    import os

    env = {
        **os.environ,
        "LD_LIBRARY_PATH": str(cache / "usr/lib/x86_64-linux-gnu"),
        "PYTHONPATH": str(cache / "usr/lib/python3/dist-packages"),
    }
    child = subprocess.Popen(
        [sys.executable, "-c", REAL, served.uri()], env=env, cwd=PROJECT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None and child.stdin is not None and child.stderr is not None
    ready = child.stdout.readline()
    if ready != "ready\n":
        child.kill()
        raise AssertionError(child.communicate()[1])
    for sample in SAMPLES:
        served.call(lambda sample=sample: served.driver.bus.publish(sample))
    out, err = child.communicate("go\n", timeout=30)
    assert child.returncode == 0, err
    lines = out.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(27))
    assert lines[0] == "0 guest 7 (2, 0)" and lines[2] == "2 guest 7 (-3600,)"
    assert lines[9] == "9 guest 7 ('/old', None, 'ide0-0-0', 0)"
    assert lines[17] == "17 guest 7 ({'cputune.vcpupin0': '0-1', 'x': 5},)"
    assert lines[24] == "24 guest 7 ('vda', None, 1, 2)" and lines[26] == "26 guest 7 ('virtiomem0', 7)"
