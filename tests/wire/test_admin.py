"""The daemon managed by the real virt-admin, and by raw packets where that shows more."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kvasir.errors import Error
from kvasir.rpc.programs import ADMIN
from kvasir.rpc.typed import Int, UInt
from tests.wire.harness import Raw, Served


def virt_admin(cache: Path, served: Served, *args: str) -> str:
    env = {**os.environ, "LD_LIBRARY_PATH": str(cache / "usr/lib/x86_64-linux-gnu"), "LC_ALL": "C"}
    uri = f"libvirtd+unix:///system?socket={served.run}/libvirt-admin-sock"
    command = [str(cache / "usr/bin/virt-admin"), "-c", uri, *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def table(text: str) -> dict[str, str]:
    return {
        name.strip(): value.strip()
        for name, colon, value in (line.partition(":") for line in text.splitlines())
        if colon
    }


def test_servers_clients_and_limits(served: Served, cache: Path) -> None:
    raw = Raw(served.run / "libvirt-sock").open()
    assert [line.split()[-1] for line in virt_admin(cache, served, "srv-list").splitlines()[2:] if line.strip()] == [
        *("libvirtd", "admin")
    ]
    pool = table(virt_admin(cache, served, "srv-threadpool-info", "libvirtd"))
    assert pool == {
        **{"minWorkers": "5", "maxWorkers": "20", "nWorkers": "5", "freeWorkers": "5"},
        **{"prioWorkers": "5", "jobQueueDepth": "0"},
    }
    virt_admin(cache, served, "srv-threadpool-set", "libvirtd", "--max-workers", "30", "--priority-workers", "7")
    workers = served.daemon.services["libvirtd"].workers
    assert (workers.max_workers, workers.prio_workers) == (30, 7)
    limits = table(virt_admin(cache, served, "srv-clients-info", "libvirtd"))
    assert (limits["nclients_max"], limits["nclients"]) == ("5000", "1")
    rows = virt_admin(cache, served, "client-list", "libvirtd").splitlines()[2:]
    number = rows[0].split()[0]
    info = table(virt_admin(cache, served, "client-info", "libvirtd", number))
    assert info["unix_process_id"] == str(os.getpid()) and info["readonly"] == "no"
    virt_admin(cache, served, "client-disconnect", "libvirtd", number)
    assert raw.receive() is None
    virt_admin(cache, served, "daemon-timeout", "--timeout", "77")
    assert served.daemon.timeout == 77


def test_logging(served: Served, cache: Path, tmp_path: Path) -> None:
    before = served.daemon.logs.outputs
    target = tmp_path / "changed.log"
    assert "9" in virt_admin(cache, served, "daemon-log-outputs", "--outputs", "9:stderr")
    virt_admin(cache, served, "daemon-log-outputs", "--outputs", f"2:file:{target}")
    assert target.exists()
    virt_admin(cache, served, "daemon-log-filters", "--filters", "1:kvasir.qemu")
    assert "1:*kvasir.qemu* " in virt_admin(cache, served, "daemon-log-filters")
    virt_admin(cache, served, "daemon-log-filters", "--filters", "")
    served.call(lambda: served.daemon.logs.apply("", before))


@pytest.mark.parametrize(
    ("name", "args", "code", "message"),
    [
        ("connect_lookup_server", ("x", 0), 95, "Server not found: No server named 'x'"),
        ("server_lookup_client", (("libvirtd",), 99, 0), 96, "Client not found: No client with matching ID '99'"),
        (
            *("server_set_threadpool_parameters", (("libvirtd",), [("minWorkers", UInt(50))], 0), 8),
            "invalid argument: minWorkers cannot be larger than maxWorkers",
        ),
        (
            *("server_set_threadpool_parameters", (("libvirtd",), [("nWorkers", UInt(50))], 0), 74),
            "argument unsupported: parameter 'nWorkers' not supported",
        ),
        (
            *("server_set_threadpool_parameters", (("libvirtd",), [("maxWorkers", Int(50))], 0), 8),
            "invalid argument: invalid type 'int' for parameter 'maxWorkers', expected 'uint'",
        ),
        (
            *("connect_get_logging_filters", (1,), 8),
            "unsupported flags (0x1) in function adminConnectGetLoggingFilters",
        ),
        ("connect_set_logging_filters", ("x", 0), 8, "invalid argument: Malformed format for filter 'x'"),
        (
            *("connect_set_logging_outputs", ("1:foo", 0), 8),
            "invalid argument: Invalid log destination 'foo' for log output '1:foo'",
        ),
    ],
)
def test_errors_are_libvirts(served: Served, name: str, args: tuple[object, ...], code: int, message: str) -> None:
    raw = Raw(served.run / "libvirt-admin-sock")
    raw.call("connect_open", 0, program=ADMIN)
    with pytest.raises(Error) as caught:
        raw.call(name, *args, program=ADMIN)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_other_programs_are_not_there(served: Served) -> None:
    with pytest.raises(Error, match="Cannot find program"):
        Raw(served.run / "libvirt-admin-sock").call("auth_list")
    with pytest.raises(Error, match="Cannot find program"):
        Raw(served.run / "libvirt-sock").call("connect_open", 0, program=ADMIN)
