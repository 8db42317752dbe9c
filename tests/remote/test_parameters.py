"""URI parameters and variables, each given to the C virsh and to ours: the command lines that ssh gets, what is refused, which daemon is meant."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kvasir.daemon.logs import Logging
from kvasir.errors import InvalidArg, NoDomain
from tests.conftest import PROJECT, Peers, short_folder
from tests.wire.conftest import served  # noqa: F401  # a fixture
from tests.wire.harness import Served

RECORDER = """#!/bin/sh
for word; do printf '%s\\0' "$word"; done > {record}
head -c 28 > /dev/null
exit 1
"""
QUERIES = (
    *("host2/system", "me@host2:2222/system?keyfile=/my/key", "host2/system?no_tty=1", "host2/system?no_verify=1&no_tty=1"),
    *("host2/system?no_tty=0&no_verify=0", "host2/system?proxy=native", "host2/system?proxy=netcat", "host2/system?proxy=auto"),
    *("host2/system?netcat=/my/nc", "host2/system?proxy=auto&netcat=/my/nc", "host2/system?socket=/x/y", "host2/session"),
    *("host2/system?proxy=auto&socket=/x/y", "host2/system?mode=legacy&proxy=netcat", "host2/system?mode=auto", "[fd00::1]/system"),
    *("host2/session?proxy=netcat", "host2/system?proxy=native&socket=/x", "host2/system?foo=bar", "host2/system?name=qemu:///other"),
    *("/system", "/session"),
)  # fmt: skip
READERS = ("host2/system", "host2/system?proxy=native", "host2/system?proxy=netcat")
REFUSED = (
    *("qemu+ssh://host2/system?proxy=bad", "qemu+ssh://host2/system?proxy=native&netcat=nc", "qemu+ssh://host2/system?mode=bad"),
    *("qemu+ssh://host2/system?mode=direct", "qemu+unix:///system?mode=bad", "qemu+ext:///system", "qemu+warp://host2/system"),
    *("qemu+unix://host2/system", "test+unix://localhost/default", "qemu+unix://host2/system?socket=/x", "qemu+tcp:///system"),
    *("qemu+libssh://host2/system?known_hosts_verify=bad", "qemu+libssh://host2/system?sshauth=bad"),
)  # fmt: skip


def virsh(peers: Peers, *words: str, ours: bool, **env: str) -> subprocess.CompletedProcess[str]:
    libraries = ":".join(str(path.parent) for path in (peers.root / "usr/lib").glob("*/libvirt.so.0"))
    command = [str(PROJECT / ".venv/bin/python"), "-IS", str(PROJECT / "bin/virsh")]
    whole = {"LC_ALL": "C", **env}
    if not ours:
        command, whole["LD_LIBRARY_PATH"] = [str(peers.root / "usr/bin/virsh")], libraries
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIRSH_", "LIBVIRT_"))}
    return subprocess.run(
        [*command, *words], env={**clean, **whole}, capture_output=True, text=True, timeout=60, check=False
    )


def meaning(words: list[str]) -> list[str]:
    """ssh's words; of the script for the other host what matters: the helper's call, or netcat's with its socket."""
    script = words[-1].replace("'\\''", "'").replace("''", "'")
    helper = re.search(r"virt-ssh-helper (-r )?'+([^ ']*)'", script)
    netcat = re.search(r"if '*([^' ]+)'* -q 2>&1", script)
    socket = re.search(r"-U '?([^'; ]+)", script)
    found = [repr(one.groups()) if one else "no" for one in (helper, netcat, socket)]
    return [*words[:-1], *found]


@pytest.mark.parametrize(("query", "readonly"), [*((one, False) for one in QUERIES), *((one, True) for one in READERS)])
def test_what_ssh_is_told(peers: Peers, tmp_path: Path, query: str, readonly: bool) -> None:
    script, record = tmp_path / "ssh", tmp_path / "record"
    script.write_text(RECORDER.format(record=record))
    script.chmod(0o755)
    said = []
    for ours in (False, True):
        uri = f"qemu+ssh://{query}{'&' if '?' in query else '?'}command={script}"
        done = virsh(peers, *(["-r"] if readonly else []), "-c", uri, "list", ours=ours)
        assert done.returncode == 1 and done.stderr.startswith("error: failed to connect to the hypervisor\n")
        said.append(meaning(record.read_text().split("\0")[:-1]))
    assert said[0] == said[1]


@pytest.mark.parametrize("uri", REFUSED)
def test_what_is_refused(peers: Peers, uri: str) -> None:
    real, ours = (virsh(peers, "-c", uri, "list", ours=ours) for ours in (False, True))
    assert (ours.returncode, ours.stderr) == (real.returncode, real.stderr)
    assert ours.returncode == 1


def test_variables(
    served: Served,  # noqa: F811
    peers: Peers,
    tmp_path: Path,
) -> None:
    """VIRSH_DEFAULT_CONNECT_URI, LIBVIRT_DEFAULT_URI, which of them wins, an option over both; VIRSH_DEBUG and VIRSH_LOG_FILE."""

    def domain_lookup_by_name(session: Any, name: str) -> Any:
        raise NoDomain(f"no domain with matching name '{name}'")

    def domain_lookup_by_id(session: Any, id: int) -> Any:
        raise NoDomain(f"no domain with matching id {id}")

    served.serve(domain_lookup_by_name)
    served.serve(domain_lookup_by_id)
    good, bad = served.uri(), "qemu+unix:///system?socket=/nonexistent"
    cases: list[tuple[dict[str, str], tuple[str, ...]]] = [
        ({"VIRSH_DEFAULT_CONNECT_URI": good}, ("uri",)),
        ({"LIBVIRT_DEFAULT_URI": good}, ("uri",)),
        ({"VIRSH_DEFAULT_CONNECT_URI": good, "LIBVIRT_DEFAULT_URI": bad}, ("uri",)),
        ({"VIRSH_DEFAULT_CONNECT_URI": bad, "LIBVIRT_DEFAULT_URI": good}, ("uri",)),
        ({"VIRSH_DEFAULT_CONNECT_URI": bad, "LIBVIRT_DEFAULT_URI": bad}, ("-c", good, "uri")),
        ({"LIBVIRT_DEFAULT_URI": good, "VIRSH_DEBUG": "0"}, ("domid", "1")),
        ({"LIBVIRT_DEFAULT_URI": good, "VIRSH_DEBUG": "9"}, ("uri",)),
        ({"LIBVIRT_DEFAULT_URI": good, "VIRSH_DEBUG": "x"}, ("uri",)),
        ({"LIBVIRT_DEFAULT_URI": good, "VIRSH_DEBUG": "4"}, ("domid", "nope")),
    ]
    for env, words in cases:
        real, ours = (virsh(peers, *words, ours=ours, **env) for ours in (False, True))
        assert (ours.returncode, ours.stdout, ours.stderr) == (real.returncode, real.stdout, real.stderr), (env, words)
    logs = []
    for mine in (False, True):
        path = tmp_path / f"log-{mine}"
        virsh(peers, "domid", "nope", ours=mine, LIBVIRT_DEFAULT_URI=good, VIRSH_LOG_FILE=str(path), VIRSH_DEBUG="0")
        logs.append([re.sub(r"^\[[^\]]*\] ", "", line) for line in path.read_text().splitlines()])
    assert logs[0] == logs[1] and logs[1]


def test_aliases_and_default_of_libvirt_conf(
    served: Served,  # noqa: F811
    peers: Peers,
    tmp_path: Path,
) -> None:
    """``uri_aliases`` and ``uri_default`` of the user's libvirt.conf; a broken entry; both virsh as an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    home = tmp_path / "home"
    (home / "libvirt").mkdir(parents=True)
    folder = served.root
    while str(folder) not in ("/tmp", "/"):
        folder.chmod(folder.stat().st_mode | 0o055)
        folder = folder.parent
    for name in ("libvirt-sock",):
        (served.run / name).chmod(0o777)
    (home / "libvirt/libvirt.conf").write_text(
        f'uri_aliases = [ "near={served.uri()}", "far=qemu+unix:///system?socket=/nonexistent" ]\nuri_default = "near"\n'
    )
    libraries = ":".join(str(path.parent) for path in (peers.root / "usr/lib").glob("*/libvirt.so.0"))
    drop = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "env",
        f"XDG_CONFIG_HOME={home}",
        f"HOME={home}",
        "LC_ALL=C",
    ]
    theirs = [*drop, f"LD_LIBRARY_PATH={libraries}", str(peers.root / "usr/bin/virsh")]
    mine = [*drop, str(PROJECT / ".venv/bin/python"), "-IS", str(PROJECT / "bin/virsh")]
    for words in (["uri"], ["-c", "near", "uri"], ["-c", "far", "uri"], ["-c", "nowhere", "uri"]):
        said = [
            subprocess.run([*who, *words], capture_output=True, text=True, timeout=60, check=False)
            for who in (theirs, mine)
        ]
        assert (said[0].returncode, said[0].stdout, said[0].stderr) == (
            said[1].returncode,
            said[1].stdout,
            said[1].stderr,
        ), words
    (home / "libvirt/libvirt.conf").write_text('uri_aliases = [ "broken" ]\n')
    said = [
        subprocess.run([*who, "-c", "near", "uri"], capture_output=True, text=True, timeout=60, check=False)
        for who in (theirs, mine)
    ]
    assert said[0].stderr == said[1].stderr and "Malformed 'uri_aliases' config entry 'broken'" in said[1].stderr


def test_no_daemon_is_started(peers: Peers) -> None:
    """``LIBVIRT_AUTOSTART=0``: the session's socket is named, and nothing is started."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    libraries = ":".join(str(path.parent) for path in (peers.root / "usr/lib").glob("*/libvirt.so.0"))
    with short_folder("kv-auto-") as folder:
        folder.chmod(0o777)
        words = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "env",
            f"XDG_RUNTIME_DIR={folder}",
            f"HOME={folder}",
        ]
        words += ["LC_ALL=C", "LIBVIRT_AUTOSTART=0", f"LD_LIBRARY_PATH={libraries}"]
        theirs, mine = (
            [str(peers.root / "usr/bin/virsh")],
            [str(PROJECT / ".venv/bin/python"), "-IS", str(PROJECT / "bin/virsh")],
        )
        said = [
            subprocess.run(
                [*words, *who, "-c", "qemu:///session", "list"], capture_output=True, text=True, timeout=60, check=False
            )
            for who in (theirs, mine)
        ]
        assert (said[0].returncode, said[0].stderr) == (said[1].returncode, said[1].stderr)
        assert f"Failed to connect socket to '{folder}/libvirt/libvirt-sock'" in said[1].stderr
        assert not list(folder.rglob("*.pid"))


LOG_CASES = (
    *({"LIBVIRT_DEBUG": word} for word in ("x", "0", "5", "DEBUG", "1x")),
    *({"LIBVIRT_LOG_FILTERS": word} for word in ("x", "5:x", "1:", "1:a 2")),
    *(
        {"LIBVIRT_LOG_OUTPUTS": word}
        for word in ("x", "9:stderr", "1:file", "1:syslog", "1:bogus", "1:file:/nonexistent/x")
    ),
)
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: \d+: (debug|info|warning|error) : \S+:\d+ : .*")


@pytest.mark.parametrize("env", LOG_CASES, ids=lambda env: "=".join(*env.items()))
def test_log_variables_that_are_wrong(peers: Peers, env: dict[str, str]) -> None:
    """Both virsh end before they do anything, in the same words."""
    real, ours = (virsh(peers, "-c", "test:///default", "uri", ours=ours, **env) for ours in (False, True))
    assert (ours.returncode, ours.stdout, ours.stderr) == (real.returncode, real.stdout, real.stderr)
    assert ours.returncode == 1 and "Failed to initialize libvirt" in ours.stderr


def test_the_clients_log(served: Served, peers: Peers, tmp_path: Path) -> None:  # noqa: F811
    """LIBVIRT_DEBUG to standard error, LIBVIRT_LOG_FILTERS by source, LIBVIRT_LOG_OUTPUTS to a file: libvirt's lines, and what ssh was told."""

    def lines(*words: str, **env: str) -> list[str]:
        done = virsh(peers, *words, ours=True, **env)
        assert "Traceback" not in done.stderr
        return [line for line in done.stderr.splitlines() if not line.startswith("error:")]

    uri = ("-c", served.uri(), "uri")
    everything = lines(*uri, LIBVIRT_DEBUG="1")
    assert re.search(r": info : libvirt version: 9\.0\.0, package: kvasir ", everything[0])
    assert everything[1].endswith(f": info : hostname: {os.uname().nodename}")
    assert len(everything) > 6 and all(LINE.fullmatch(line) for line in everything[2:])
    assert any("call 1 of remote: connect_open (1)" in line for line in everything)
    assert any("answer 1 of program 0x20008086: connect_open (1)" in line for line in everything)
    packets = lines(*uri, LIBVIRT_LOG_FILTERS="1:rpc")
    assert len(everything) > len(packets) > 4 and not any("opening" in line for line in packets)
    assert {LINE.fullmatch(line)[1] for line in lines(*uri, LIBVIRT_DEBUG="info")[2:]} == {"info"}  # type: ignore[index]
    assert lines(*uri) == lines(*uri, LIBVIRT_DEBUG="error") == []
    path = tmp_path / "log"
    assert lines(*uri, LIBVIRT_DEBUG="1", LIBVIRT_LOG_OUTPUTS=f"1:file:{path}") == []
    assert len(path.read_text().splitlines()) == len(everything)
    told = lines("-c", "qemu+ssh://host2/system?command=/bin/false", "uri", LIBVIRT_DEBUG="2")
    assert any("/bin/false -T -e none -- host2 sh -c" in line for line in told)


def test_the_daemons_log_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """They go over libvirtd.conf."""
    monkeypatch.setenv("LIBVIRT_DEBUG", "1")
    monkeypatch.setenv("LIBVIRT_LOG_FILTERS", "1:qemu")
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        log = Logging()
        log.setup(SimpleNamespace(log_level=4, log_filters="3:rpc", log_outputs=None))
        assert (log.level, log.filters, log.outputs) == (1, "1:qemu", "1:stderr")
        monkeypatch.setenv("LIBVIRT_DEBUG", "x")
        with pytest.raises(InvalidArg, match="Failed to set logging priority, argument 'x' is invalid"):
            log.setup(SimpleNamespace(log_level=4, log_filters="3:rpc", log_outputs=None))
    finally:
        root.handlers[:] = before
        root.setLevel(level)
