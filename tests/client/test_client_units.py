"""The client's parts that need no daemon: URIs, constants, method names."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from kvasir import client
from kvasir.client import methods, objects, others, uri
from kvasir.client.link import Link
from kvasir.errors import Error
from kvasir.rpc import frames, programs
from kvasir.rpc.errors import encode_error


def test_uri_parts() -> None:
    parsed = uri.Uri("qemu+ssh://joe@host.example:2222/system?socket=%2Frun%2Fx&foo=1")
    assert (parsed.driver, parsed.transport, parsed.user, parsed.host, parsed.port) == (
        "qemu",
        "ssh",
        "joe",
        "host.example",
        2222,
    )
    assert parsed.parameter("socket") == "/run/x"
    assert parsed.remote_name() == "qemu:///system?foo=1"


def test_default_uri_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu:///elsewhere")
    assert uri.choose(None) == "qemu:///elsewhere"
    assert uri.choose("qemu:///system") == "qemu:///system"


def test_aliases_from_configuration(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc/libvirt").mkdir(parents=True)
    (tmp_path / "libvirt").mkdir()
    text = '# uri_default = "no"\nuri_aliases = [\n  "hail=qemu+ssh://root@hail/system",\n  "own=qemu:///session",\n]\nuri_default = "own"\n'
    (tmp_path / "etc/libvirt/libvirt.conf").write_text(text)
    (tmp_path / "libvirt/libvirt.conf").write_text(text)
    monkeypatch.setenv("KVASIR_ROOT", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    assert uri.choose("hail") == "qemu+ssh://root@hail/system"
    assert uri.choose(None) == "qemu:///session"


def test_no_daemon_is_a_system_error(tmp_path) -> None:
    with pytest.raises(Error, match=r"Failed to connect socket to .*: No such file or directory") as caught:
        client.open(f"qemu+unix:///system?socket={tmp_path}/none")
    assert caught.value.get_error_code() == client.VIR_ERR_SYSTEM_ERROR and caught.value.int1 == 2


def test_constants() -> None:
    assert client.VIR_DOMAIN_PMSUSPENDED == 7
    assert client.VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE == 26
    assert client.VIR_ERR_NO_DOMAIN == 42
    with pytest.raises(AttributeError):
        client.VIR_NO_SUCH_THING  # noqa: B018  # the look is the test


@pytest.mark.parametrize(
    ("name", "procedure"),
    [
        ("XMLDesc", "domain_get_xml_desc"),
        ("info", "domain_get_info"),
        ("blockJobAbort", "domain_block_job_abort"),
        ("setMemoryStatsPeriod", "domain_set_memory_stats_period"),
        ("isActive", "domain_is_active"),
        ("undefineFlags", "domain_undefine_flags"),
    ],
)
def test_method_names(name: str, procedure: str) -> None:
    found = methods.find(objects.Domain.PREFIXES, name, objects.Domain.NAMES.get(name))
    assert found is not None and found.name == procedure


def test_named_procedures_exist() -> None:
    for kind in (*others.CLASSES.values(), client.Connection):
        for name, procedure in kind.NAMES.items():
            assert methods.find(kind.PREFIXES, name, procedure) is not None


def test_many_calls_travel_together() -> None:
    """250 calls are asked for in parts; an answer that is an error stands at its place and loses no other."""
    ours, theirs = socket.socketpair()
    link, procedure = Link(ours), programs.REMOTE["storage_vol_get_path"]
    parts: list[int] = []

    def answer() -> None:
        buffer = frames.FrameBuffer()
        while sum(parts) < 250:
            packets = buffer.feed(theirs.recv(1 << 20))
            parts.append(len(packets))
            for frame in packets:
                name = procedure.decode_args(frame.payload)[0].name
                failed = name == "7"
                payload = encode_error(Error("gone")) if failed else procedure.encode_result(f"/{name}")
                status = frames.ERROR if failed else frames.OK
                head = (frame.program, frame.version, frame.procedure, frames.REPLY, frame.serial, status)
                theirs.sendall(frames.pack(*head, payload))

    server = threading.Thread(target=answer, daemon=True)
    server.start()
    found = list(link.call_all(procedure, [(("pool", str(at), "key"),) for at in range(250)]))
    assert [answer for answer in found if not isinstance(answer, Error)] == [f"/{at}" for at in range(250) if at != 7]
    assert isinstance(found[7], Error) and len(parts) < 10
    server.join(10)
    ours.close()
    theirs.close()


def test_imports_are_few() -> None:
    """The client's start pulls in neither asyncio nor lxml nor typing nor the socket module."""
    code = "import sys; sys.path.insert(0, 'src'); import kvasir.client.connection; print(' '.join(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"asyncio", "lxml", "typing", "socket", "re", "dataclasses", "argparse"} & set(found)
