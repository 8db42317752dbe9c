"""Configuration: ``libvirtd.conf`` and ``qemu.conf`` with libvirt's keys, every key an attribute.

``load_daemon(path)`` and ``load_qemu(path)`` give a ``Config`` (``config.max_workers``, ``config.vnc_listen``). A file that is
not there means all defaults. A key of the wrong kind raises ``ConfSyntax`` with file and line; a key that nobody knows is
kept in ``config.unknown`` and named in the log, with the one that was probably meant.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from kvasir.daemon.conf_file import ConfSyntax, Value, parse
from kvasir.daemon.config_keys import LIBVIRTD, QEMU
from kvasir.errors import Code, Error, InternalError, Origin

log = logging.getLogger(__name__)


class Config:
    """The keys of one file as attributes, defaults filled in."""

    def __init__(self, keys: Mapping[str, tuple[str, Any]], path: str = "") -> None:
        self.path = path
        self.unknown: list[str] = []
        self.given: set[str] = set()
        """The keys that the file sets."""
        for name, (_, default) in keys.items():
            setattr(self, name, default)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} has no key {name!r}")


def _convert(kind: str, value: Value) -> Any:
    """The value as the key's kind; TypeError when it is not of that kind."""
    kinds = kind.split("|")
    if isinstance(value, int):
        if "bool" in kinds and value in (0, 1):
            return bool(value)
        if "int" in kinds:
            return value
    elif isinstance(value, str):
        if "str" in kinds:
            return value
        if "list" in kinds:
            return [value]
    elif "list" in kinds:
        return value
    raise TypeError(kind)


_KIND_NAMES = {"int": "a number", "bool": "0 or 1", "str": "a string", "list": "a list of strings"}


def _load(keys: Mapping[str, tuple[str, Any]], path: str, must_exist: bool) -> Config:
    config = Config(keys, path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except FileNotFoundError:
        if must_exist:
            raise Error(
                f"Failed to open file '{path}': No such file or directory", code=Code.SYSTEM_ERROR, origin=Origin.CONF
            ) from None
        return config
    for name, (value, line) in parse(text, path).items():
        if name not in keys:
            config.unknown.append(name)
            import difflib

            near = difflib.get_close_matches(name, keys, 1)
            log.warning("%s:%d: unknown key '%s'%s", path, line, name, f", is '{near[0]}' meant?" if near else "")
            continue
        kind = keys[name][0]
        try:
            setattr(config, name, _convert(kind, value))
        except TypeError:
            wanted = " or ".join(_KIND_NAMES[one] for one in kind.split("|"))
            raise ConfSyntax(path, line, f"'{name}' must be {wanted}") from None
        config.given.add(name)
    return config


def load_daemon(path: str, must_exist: bool = False) -> Config:
    """``libvirtd.conf``. The authentication of the unix sockets defaults to polkit where it runs, else to none."""
    config = _load(LIBVIRTD, path, must_exist)
    default = (
        "polkit" if os.path.exists("/usr/share/polkit-1") and os.path.exists("/run/dbus/system_bus_socket") else "none"
    )
    for name in ("auth_unix_ro", "auth_unix_rw"):
        if getattr(config, name) is None:
            setattr(config, name, default)
        if getattr(config, name) not in ("none", "polkit", "sasl"):
            raise Error(
                f"unsupported auth {getattr(config, name)} in {path}", code=Code.CONF_SYNTAX, origin=Origin.CONF
            )
    _check_range(config, path)
    _check_guards(config, path)
    return config


def _check_guards(config: Config, path: str) -> None:
    """What would guard the daemon must never be ignored in silence."""
    known = ("none", "polkit")
    for name in config.access_drivers or ():
        if name not in known:
            text = f"{path}: access_drivers: '{name}' is none of {', '.join(known)}"
            raise Error(text, code=Code.CONFIG_UNSUPPORTED, origin=Origin.CONF)
    for name in ("auth_tcp", "auth_tls"):
        if getattr(config, name) not in ("none", "sasl"):
            raise Error(
                f"unsupported auth {getattr(config, name)} in {path}", code=Code.CONF_SYNTAX, origin=Origin.CONF
            )


def _check_range(config: Config, path: str) -> None:
    for name in ("max_workers", "max_clients", "max_client_requests", "min_workers"):
        if getattr(config, name) < 1:
            raise Error(f"{path}: '{name}' must be greater than 0", code=Code.CONF_SYNTAX, origin=Origin.CONF)
    if config.prio_workers < 0:
        raise Error(f"{path}: 'prio_workers' must not be negative", code=Code.CONF_SYNTAX, origin=Origin.CONF)


FOLDERS = ("default", "vnc", "spice", "chardev", "migrate", "backup", "vxhs", "nbd")
PORTS = (("remote_websocket_port", 5700), ("remote_display_port", 5900))


def _check_qemu(config: Config, path: str) -> None:
    """Port ranges and folders of certificates that can serve no guest, found before one is to start."""
    for name, least in PORTS:
        low, high = getattr(config, f"{name}_min"), getattr(config, f"{name}_max")
        if low < least:
            text = f"{path}: {name}_min: port must be greater than or equal to {least}"
            raise InternalError(text, origin=Origin.CONF)
        if not low <= high <= 65535:
            text = f"{path}: {name}_max: port must be between the minimal port and 65535"
            raise InternalError(text, origin=Origin.CONF)
    for name in FOLDERS:
        key = f"{name}_tls_x509_cert_dir"
        folder = getattr(config, key)
        if key in config.given and folder and not os.path.exists(folder):
            text = f"{key} directory '{folder}' does not exist"
            message = f"configuration file syntax error: {text}"
            raise Error(text, code=Code.CONF_SYNTAX, origin=Origin.CONF, message=message)


def load_qemu(path: str, must_exist: bool = False) -> Config:
    """``qemu.conf``. Raises Error for settings that no guest could run with, as libvirt does."""
    config = _load(QEMU, path, must_exist)
    _check_qemu(config, path)
    return config
