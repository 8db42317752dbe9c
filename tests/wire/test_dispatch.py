"""What the daemon answers to calls, right and wrong ones. The messages are those of libvirt 9.0 (seen by the same packets)."""

from __future__ import annotations

import asyncio
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from kvasir.daemon.readonly import REFUSED
from kvasir.errors import Code, Error, Origin
from kvasir.rpc import frames, programs
from kvasir.rpc.programs import ADMIN, QEMU, REMOTE
from tests.waiting import until
from tests.wire.harness import DOM, Raw, Served, zero


def error_of(raw: Raw, serial: int) -> tuple[int, int, str]:
    with pytest.raises(Error) as caught:
        raw.reply(serial)
    return int(caught.value.code), int(caught.value.origin), caught.value.message


def test_login_and_open(served: Served) -> None:
    raw = Raw(served.run / "libvirt-sock")
    assert raw.call("auth_list") == [0]
    assert raw.call("connect_supports_feature", 10) == 1
    raw.call("connect_open", "qemu:///system", 0)
    assert [number for number in range(20) if raw.call("connect_supports_feature", number)] == [
        *(3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
    ]
    assert raw.call("connect_get_type") == "QEMU" and raw.call("connect_get_uri") == "qemu:///system"
    assert raw.call("connect_get_lib_version") == 9000000 and raw.call("connect_is_secure") == 1
    assert raw.call("connect_close") is None
    assert raw.receive() is None


@pytest.mark.parametrize(
    ("uri", "code", "message"),
    [
        ("qemu:///foo", 1, "internal error: unexpected qemu URI path '/foo', try qemu:///system"),
        ("qemu:", 1, "internal error: unexpected qemu URI path '', try qemu:///system"),
        ("qemu:///", 1, "internal error: unexpected qemu URI path '/', try qemu:///system"),
        ("xen:///", 5, "no connection driver available for xen:///"),
        ("foo", 5, "no connection driver available for URI 'foo' does not include a driver name"),
    ],
)
def test_wrong_uris(served: Served, uri: str, code: int, message: str) -> None:
    with pytest.raises(Error) as caught:
        Raw(served.run / "libvirt-sock").open(uri)
    assert (caught.value.code, caught.value.origin, caught.value.message) == (code, 0, message)


@pytest.mark.parametrize("uri", ["qemu:///system", "", None, "qemu:///session", "qemu:///system?x=1"])
def test_right_uris(served: Served, uri: str | None) -> None:
    raw = Raw(served.run / "libvirt-sock")
    raw.call("connect_open", uri, 0)
    assert raw.call("connect_get_uri") == (uri or "qemu:///system")
    assert error_of(raw, raw.start("connect_open", uri, 0))[2] == "internal error: connection already open"


def test_before_open(served: Served) -> None:
    raw = Raw(served.run / "libvirt-sock")
    wanted = (1, 7, "internal error: hypervisor connection not open")
    for name in ("connect_get_hostname", "connect_list_all_domains", "node_get_info", "domain_create"):
        assert error_of(raw, raw.start(name, *(zero(f.split(":")[1]) for f in REMOTE[name]._args.split()))) == wanted


@pytest.mark.parametrize(
    ("program", "version", "procedure", "status", "message"),
    [
        (0x1234, 1, 1, 0, "Cannot find program 4660 version 1"),
        (REMOTE.id, 2, 1, 0, "Cannot find program 536903814 version 2"),
        (ADMIN.id, 1, 1, 0, "Cannot find program 110102160 version 1"),
        (REMOTE.id, 1, 9999, 0, "unknown procedure: 9999"),
        (REMOTE.id, 1, 0, 0, "unknown procedure: 0"),
        (REMOTE.id, 1, -1, 0, "unknown procedure: -1"),
        (REMOTE.id, 1, 107, 0, "unknown procedure: 107"),
        (REMOTE.id, 1, 59, 1, "Unexpected message status 1"),
        (REMOTE.id, 1, 59, 7, "Unexpected message status 7"),
    ],
)
def test_wrong_headers(raw: Raw, program: int, version: int, procedure: int, status: int, message: str) -> None:
    assert error_of(raw, raw.send(program, procedure, version=version, status=status)) == (39, 7, message)
    assert raw.call("connect_get_hostname")


def test_packets_that_are_no_calls_are_dropped(raw: Raw) -> None:
    for kind in (frames.REPLY, frames.MESSAGE, frames.STREAM, frames.STREAM_HOLE, 9):
        raw.send(REMOTE.id, 59, type=kind)
        raw.send(0x1234, 1, type=kind)
    assert raw.call("connect_get_hostname") and not raw.others


@pytest.mark.parametrize("payload", [b"", b"\0\0", b"\0\0\0\2", b"\0\0\0\1\xff\xff\xff\xff", b"x" * 100, b"\0" * 4096])
def test_broken_payloads(raw: Raw, payload: bytes) -> None:
    code, origin, message = error_of(raw, raw.send(REMOTE.id, 1, payload))
    assert (code, origin) == (39, 7) and message.startswith("Unable to decode message payload: connect_open: ")
    assert raw.call("connect_get_hostname")


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\0", struct.pack(">I", 27) + b"x" * 30, b"\x02\0\0\x05", b"\x7f\xff\xff\xff", b"GET / HTTP/1.0\r\n\r\n"],
)
def test_garbage_after_login_closes_that_client_only(served: Served, raw: Raw, data: bytes) -> None:
    other = Raw(served.run / "libvirt-sock").open()
    raw.sock.sendall(data)
    assert raw.receive() is None
    assert other.call("connect_get_hostname")


def test_every_procedure_answers(served: Served, raw: Raw) -> None:
    """Called with empty arguments each gives a result or an error of libvirt's kind, and the daemon lives."""
    for program in (REMOTE, QEMU):
        for procedure in program:
            if procedure.event or procedure.name in ("connect_close", "connect_open"):
                continue
            args = [zero(field.split(":", 1)[1]) for field in procedure._args.split()]
            try:
                raw.call(procedure.name, *args, program=program)
            except Error as problem:
                assert problem.message and problem.code != Code.RPC, procedure
    assert raw.call("connect_get_hostname")
    unserved = error_of(raw, raw.start("domain_migrate_finish", "x", b"", "x", 0))
    assert unserved[0] == Code.NO_SUPPORT
    assert unserved[2].startswith("this function is not supported by the connection driver: virDomainMigrate")


def test_read_only(served: Served) -> None:
    for raw in (
        Raw(served.run / "libvirt-sock-ro").open(),
        Raw(served.run / "libvirt-sock").open(flags=1),
    ):
        refused = []
        for program in (REMOTE, QEMU):
            for procedure in program:
                if procedure.event or procedure.name in ("connect_close", "connect_open"):
                    continue
                args = [zero(field.split(":", 1)[1]) for field in procedure._args.split()]
                try:
                    raw.call(procedure.name, *args, program=program)
                except Error as problem:
                    if problem.code == Code.OPERATION_DENIED:
                        assert problem.message.startswith("operation forbidden: read only access prevents vir")
                        refused.append(procedure.name)
        assert set(refused) == REFUSED[REMOTE.id] | REFUSED[QEMU.id]
        assert raw.call("node_get_info").cpus > 0


def test_refused_read_only_is_what_libvirt_refuses() -> None:
    """Counted by calling all procedures of libvirt 9.0 on its read-only socket."""
    remote, qemu = REFUSED[REMOTE.id], REFUSED[QEMU.id]
    assert {"domain_get_launch_security_info", "node_get_sev_info", "domain_get_hostname", "secret_get_value"} <= remote
    assert {"connect_get_domain_capabilities", "domain_get_time", "domain_save_image_get_xml_desc"} <= remote
    assert not {"domain_migrate_get_max_downtime", "domain_get_xml_desc", "node_get_info", "auth_list"} & remote
    assert "connect_domain_monitor_event_deregister" not in qemu and "domain_monitor_command" in qemu
    assert len(remote) + len(qemu) == 202


def test_ordinary_workers_hang_and_priority_gets_through(served: Served) -> None:
    hanging, release = [], asyncio.Event()

    async def domain_get_xml_desc(session: Any, dom: Any, flags: int) -> str:
        hanging.append(session.client.id)
        await release.wait()
        return "<domain/>"

    async def domain_destroy(session: Any, dom: Any) -> None:
        await asyncio.sleep(0)

    async def domain_get_info(session: Any, dom: Any) -> tuple[int, ...]:
        return 1, 2, 3, 4, 5

    for function in (domain_get_xml_desc, domain_destroy, domain_get_info):
        served.serve(function)
    clients = [Raw(served.run / "libvirt-sock").open() for _ in range(8)]
    serials = [(client, client.start("domain_get_xml_desc", DOM, 0)) for client in clients for _ in range(5)]
    other = Raw(served.run / "libvirt-sock").open()
    assert other.call("domain_destroy", DOM) is None
    assert len(hanging) == 20, "max_workers"
    late = other.start("domain_get_info", DOM)
    assert other.call("domain_destroy", DOM) is None
    assert not other.others, "an ordinary call waits for an ordinary worker"
    served.call(release.set)
    assert all(client.reply(serial) == "<domain/>" for client, serial in serials)
    assert other.reply(late).cpuTime == 5 and len(hanging) == 40


def test_a_client_has_five_calls_at_a_time(served: Served) -> None:
    running, most, release = [0], [0], asyncio.Event()

    async def domain_get_xml_desc(session: Any, dom: Any, flags: int) -> str:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await release.wait()
        running[0] -= 1
        return str(flags)

    served.serve(domain_get_xml_desc)
    raw = Raw(served.run / "libvirt-sock").open()
    serials = [raw.start("domain_get_xml_desc", DOM, number) for number in range(12)]
    time.sleep(0.3)
    assert most[0] == 5
    served.call(release.set)
    assert [raw.reply(serial) for serial in serials] == [str(number) for number in range(12)]


def test_a_procedure_that_fails_is_an_error_of_that_call(served: Served, raw: Raw) -> None:
    def domain_get_state(session: Any, dom: Any, flags: int) -> tuple[int, int]:
        return (1 // flags, 0)

    async def domain_get_info(session: Any, dom: Any) -> tuple[int, ...]:
        return 1, 2

    served.serve(domain_get_state)
    served.serve(domain_get_info)
    code, _, message = error_of(raw, raw.start("domain_get_state", DOM, 0))
    assert code == Code.INTERNAL_ERROR and "ZeroDivisionError" in message
    code, origin, message = error_of(raw, raw.start("domain_get_info", DOM))
    assert (code, origin) == (Code.RPC, Origin.RPC) and "5 values are wanted" in message
    assert raw.call("domain_get_state", DOM, 1).state == 1


def test_slow_and_rude_clients_hold_nobody_up(served: Served, raw: Raw) -> None:
    def domain_get_xml_desc(session: Any, dom: Any, flags: int) -> str:
        return "x" * 3_000_000

    served.serve(domain_get_xml_desc)
    rude = Raw(served.run / "libvirt-sock").open()
    for _ in range(60):
        try:
            rude.start("domain_get_xml_desc", DOM, 0)
        except (BrokenPipeError, ConnectionResetError):
            break
    half = Raw(served.run / "libvirt-sock").open()
    half.sock.sendall(frames.pack(REMOTE.id, 1, 59, 0, 9, 0)[:20])
    began = time.monotonic()
    assert raw.call("connect_get_hostname")
    assert time.monotonic() - began < 2
    assert len(raw.call("domain_get_xml_desc", DOM, 0)) == 3_000_000
    time.sleep(0.2)
    assert rude.sock.fileno() not in [c.sock.fileno() for c in served.daemon.services["libvirtd"].clients.values()]
    rude.close()
    half.close()


def test_thousand_idle_connections(served: Served, raw: Raw) -> None:
    before, tasks = rss(), served.call(lambda: len(asyncio.all_tasks()))
    idle = [Raw(served.run / "libvirt-sock").open() for _ in range(1000)]
    assert (rss() - before) < 24_000, "KiB, both ends of each connection counted"
    began = time.monotonic()
    for _ in range(50):
        raw.call("node_get_info")
    assert time.monotonic() - began < 2
    assert all(one.call("connect_is_secure") == 1 for one in idle[::100])
    for one in idle:
        one.close()
    until(lambda: len(served.daemon.services["libvirtd"].clients) == 1)
    assert served.call(lambda: len(asyncio.all_tasks())) == tasks


def rss() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError


def test_login_is_needed_first(tmp_path: Path) -> None:
    served = Served(tmp_path, 'auth_unix_rw = "polkit"\nauth_unix_ro = "none"\n')
    try:
        raw = Raw(served.run / "libvirt-sock").open()
        assert raw.call("connect_is_secure") == 1, "root needs no polkit"
        client = next(iter(served.daemon.services["libvirtd"].clients.values()))
        client.auth, client.authenticated = "polkit", False
        assert raw.call("auth_list") == [2]
        for name in ("connect_open", "connect_get_hostname", "connect_supports_feature"):
            args = [zero(field.split(":", 1)[1]) for field in REMOTE[name]._args.split()]
            assert error_of(raw, raw.start(name, *args)) == (39, 7, "authentication required")
        assert error_of(raw, raw.start("auth_polkit"))[0] == Code.AUTH_FAILED
        assert error_of(raw, raw.start("connect_get_hostname")) == (39, 7, "authentication required")
    finally:
        served.close()


def test_strangers_cannot_fill_the_memory(tmp_path: Path) -> None:
    """Before the login a packet of 300 KiB ends the connection as soon as its length is known; where no login is needed 3 MiB are taken."""
    served = Served(tmp_path, 'auth_unix_rw = "sasl"\nauth_unix_ro = "none"\n')
    try:
        stranger = Raw(served.run / "libvirt-sock")
        stranger.sock.sendall((300 * 1024).to_bytes(4, "big") + b"x" * 100)
        assert stranger.receive() is None
        known = Raw(served.run / "libvirt-sock-ro").open()
        with pytest.raises(Error):
            known.call("domain_define_xml", "x" * (3 * 1024 * 1024))
        assert known.call("connect_is_secure") == 1
    finally:
        served.close()


@pytest.mark.guide("migr-conf-max-clients")
def test_limits_of_clients(tmp_path: Path) -> None:
    served = Served(tmp_path, "max_clients = 2\n")
    try:
        first, second = Raw(served.run / "libvirt-sock").open(), Raw(served.run / "libvirt-sock").open()
        third = Raw(served.run / "libvirt-sock", timeout=0.3)
        with pytest.raises(TimeoutError):
            third.call("auth_list")
        first.close()
        third.sock.settimeout(5)
        assert third.receive() is not None, "served when another one left"
        second.close()
        third.close()
    finally:
        served.close()


def test_keepalive_both_ways(tmp_path: Path) -> None:
    served = Served(tmp_path, "keepalive_interval = 1\nkeepalive_count = 1\n")
    try:
        raw = Raw(served.run / "libvirt-sock").open()
        raw.send(programs.KEEPALIVE, programs.PING, type=frames.MESSAGE, serial=0)
        pong = raw.receive()
        assert pong is not None and pong[:6] == (programs.KEEPALIVE, 1, programs.PONG, frames.MESSAGE, 0, 0)
        quiet = Raw(served.run / "libvirt-sock").open()
        assert raw.call("connect_supports_feature", 10) == 1
        for _ in range(2):
            ping = raw.receive()
            assert ping is not None and (ping.program, ping.procedure) == (programs.KEEPALIVE, programs.PING)
            raw.send(programs.KEEPALIVE, programs.PONG, type=frames.MESSAGE, serial=0)
        ping = raw.receive()
        assert ping is not None and ping.procedure == programs.PING
        assert raw.receive() is None, "silent for too long"
        assert quiet.call("connect_is_secure") == 1, "who knows no pings is left in peace"
    finally:
        served.close()


def test_keepalive_required(tmp_path: Path) -> None:
    served = Served(tmp_path, "keepalive_required = 1\n")
    try:
        with pytest.raises(Error, match="operation failed: keepalive support is required to connect"):
            Raw(served.run / "libvirt-sock").open()
        raw = Raw(served.run / "libvirt-sock")
        raw.call("connect_supports_feature", 10)
        raw.open()
    finally:
        served.close()


def test_close_callbacks_of_a_connection(served: Served) -> None:
    gone: list[int] = []

    def domain_create(session: Any, dom: Any) -> None:
        session.on_close(lambda: gone.append(session.client.id))

    served.serve(domain_create)
    raw = Raw(served.run / "libvirt-sock").open()
    raw.call("domain_create", DOM)
    raw.close()
    until(lambda: gone)
    assert len(gone) == 1
