"""Configuration files with libvirt's syntax and keys; folders; logging."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kvasir.daemon import config, logs
from kvasir.daemon.conf_file import ConfSyntax, parse
from kvasir.daemon.paths import Paths
from kvasir.errors import Code, Error


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "libvirtd.conf"
    path.write_text(text)
    return str(path)


def test_values_of_every_kind(tmp_path: Path) -> None:
    text = """
# a comment
max_workers = 7     # behind a value
unix_sock_group='x'
  listen_tls = 1
sasl_allowed_username_list = [ "polkit", # one
   'none' ]
log_outputs = "1:file:/a b"
host_uuid = \"\"\"two
lines\"\"\"
max_workers = 8
"""
    found = config.load_daemon(write(tmp_path, text))
    assert (found.max_workers, found.unix_sock_group, found.listen_tls) == (8, "x", True)
    assert found.sasl_allowed_username_list == ["polkit", "none"] and found.host_uuid == "two\nlines"
    assert found.prio_workers == 5 and "prio_workers" not in found.given


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_workers", ":1: expecting an assignment"),
        ("\n\n= 3", ":3: expecting a name"),
        ("max_workers =", ":1: expecting a value"),
        ("max_workers = 3 4", ":1: expecting a separator"),
        ('a = "x', ":1: unterminated string"),
        ('a = [ "x"', ":1: list is not closed with ]"),
        ("a = [ 3 ]", ":1: expecting a string"),
        ('\nmax_workers = "3"', ":2: 'max_workers' must be a number"),
        ("listen_tls = 2", ":1: 'listen_tls' must be 0 or 1"),
        ("unix_sock_group = 3", ":1: 'unix_sock_group' must be a string"),
        ("access_drivers = 3", ":1: 'access_drivers' must be a list of strings"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfSyntax) as caught:
        config.load_daemon(path)
    assert caught.value.message == f"configuration file syntax error: {path}{words}"
    assert caught.value.code == Code.CONF_SYNTAX


def test_unknown_keys_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "max_workers = 3\nmaxworkers = 4\nzzz = 1\n")
    found = config.load_daemon(path)
    assert found.unknown == ["maxworkers", "zzz"] and found.max_workers == 3
    assert f"{path}:2: unknown key 'maxworkers', is 'max_workers' meant?" in caplog.messages
    assert f"{path}:3: unknown key 'zzz'" in caplog.messages


@pytest.mark.parametrize("text", ["max_workers = 0", "max_clients = -1", 'auth_unix_rw = "magic"', "prio_workers = -1"])
def test_senseless_values(tmp_path: Path, text: str) -> None:
    with pytest.raises(Error) as caught:
        config.load_daemon(write(tmp_path, text))
    assert caught.value.code == Code.CONF_SYNTAX


@pytest.mark.parametrize(
    ("text", "words"),
    [('access_drivers = [ "selinux" ]', "'selinux' is none of"), ('auth_tcp = "polkit"', "unsupported auth polkit")],
)
def test_guards_that_nobody_knows_stop_the_start(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Error, match=words):
        config.load_daemon(write(tmp_path, text))


def test_every_key_that_libvirt_ships_is_known(cache: Path) -> None:
    """The commented keys of the files that libvirt 9.0 installs, switched on, are all read."""
    import re

    for name, load in (("libvirtd.conf", config.load_daemon), ("qemu.conf", config.load_qemu)):
        shipped = (cache / "etc/libvirt" / name).read_text()
        keys = {line[1:].split("=")[0].strip() for line in shipped.splitlines() if re.match(r"#[a-z_0-9]+ *=", line)}
        found = load("/nonexistent")
        assert len(keys) > 30 and all(hasattr(found, key) for key in keys), [k for k in keys if not hasattr(found, k)]
        assert parse(shipped, name) == {}


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Error, match="No such file"):
        config.load_daemon(str(tmp_path / "none"), must_exist=True)
    assert config.load_qemu(str(tmp_path / "none")).vnc_listen == "127.0.0.1"


def test_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Paths.system()
    assert (system.etc, system.run, system.qemu.run) == ("/etc/libvirt", "/run/libvirt", "/run/libvirt/qemu")
    assert (system.qemu.log, system.qemu.swtpm) == ("/var/log/libvirt/qemu", "/var/lib/libvirt/swtpm")
    assert system.pid_file == "/run/libvirtd.pid" and system.uri == "qemu:///system"
    under = Paths.system("/tmp/x")
    everything = [getattr(under, name) for name in ("etc", "lib", "run", "log", "cache", "pid_file")]
    everything += [getattr(under.qemu, name) for name in type(under.qemu).__slots__]
    assert all(path.startswith("/tmp/x/") for path in everything)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/h/conf")
    monkeypatch.setenv("XDG_CACHE_HOME", "/h/cache")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    mine = Paths.session()
    assert (mine.qemu.etc, mine.qemu.run) == ("/h/conf/libvirt/qemu", "/run/user/7/libvirt/qemu/run")
    assert (mine.qemu.log, mine.qemu.save) == ("/h/cache/libvirt/qemu/log", "/h/conf/libvirt/qemu/save")
    assert mine.pid_file == "/run/user/7/libvirt/libvirtd.pid" and mine.uri == "qemu:///session"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Paths.session().run == "/h/cache/libvirt"


def test_log_filters_and_outputs(tmp_path: Path) -> None:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    target = tmp_path / "out.log"
    try:
        made = logs.Logging()
        made.level = 3
        made.apply("1:qemu 4:storage", f"1:file:{target} 4:stderr")
        logging.getLogger("kvasir.qemu.driver").debug("seen one")
        logging.getLogger("kvasir.storage").warning("not seen")
        logging.getLogger("kvasir.rpc").info("not seen")
        logging.getLogger("kvasir.rpc").warning("seen two")
        for bad in ("5:qemu", "qemu", "1"):
            with pytest.raises(Error, match="filter '"):
                made.apply(bad, "1:stderr")
        for bad in ("1:carrier-pigeon", "9:stderr", "1:file:"):
            with pytest.raises(Error, match="output '"):
                made.apply("", bad)
        text = target.read_text()
        assert "seen one" in text and "seen two" in text and "not seen" not in text
        assert made.filters == "1:qemu 4:storage"
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
        for handler in before:
            root.addHandler(handler)
        root.setLevel(logging.WARNING)
