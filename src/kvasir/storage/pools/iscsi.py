"""iSCSI pools: the units of a target, by the kernel's initiator."""

from __future__ import annotations

import os
import re

from kvasir.errors import InternalError, Origin, SystemFailure, XmlError
from kvasir.host import iscsiadm
from kvasir.model.storage import Pool, PoolSource, SourceDevice, SourceHost, Volume

from .netfs import named_host, share_host
from .scsi import UnitPool

SESSIONS = "/sys/class/iscsi_session"


class IscsiPool(UnitPool):
    """A target of a server."""

    TYPE, NUMBER = "iscsi", 5
    NEEDS = ("host",)
    SHOWS = ("hosts", "devices", "initiator", "auth")

    @property
    def target(self) -> str:
        if len(self.source.devices) != 1 or not self.source.devices[0].path:
            from kvasir.errors import ConfigUnsupported

            raise ConfigUnsupported("missing source device", origin=Origin.STORAGE)
        return str(self.source.devices[0].path)

    def portal(self) -> str:
        host = self.one_host()
        return iscsiadm.portal(str(host.name), host.port)

    def same(self, other: Pool) -> bool:
        theirs = other.source
        assert theirs is not None
        mine = [device.path for device in self.source.devices]
        return (
            bool(mine)
            and share_host(self.source, theirs)
            and mine == [device.path for device in theirs.devices]
            and self.source.initiator == theirs.initiator
        )

    def active(self) -> bool:
        try:
            return iscsiadm.session(self.target, probe=True) is not None
        except (InternalError, XmlError):
            return False

    def start(self) -> None:
        self.one_host()
        target = self.target
        if iscsiadm.session(target, probe=True) is not None:
            return
        where = self.portal()
        iscsiadm.node_new(where, target)
        self._authenticate(where, target)
        iscsiadm.login(where, target, self.source.initiator)

    def _authenticate(self, where: str, target: str) -> None:
        auth = self.source.auth
        if auth is None:
            return
        if auth.kind != "chap":
            raise XmlError("iscsi pool only supports 'chap' auth type", origin=Origin.STORAGE)
        value = self.secret(auth, "iscsi").decode("utf-8", "surrogateescape")
        iscsiadm.node_update(where, target, "node.session.auth.authmethod", "CHAP")
        iscsiadm.node_update(where, target, "node.session.auth.username", str(auth.username))
        iscsiadm.node_update(where, target, "node.session.auth.password", value)

    def stop(self) -> None:
        if iscsiadm.session(self.target, probe=True) is not None:
            iscsiadm.login(self.portal(), self.target, self.source.initiator, out=True)

    def scan(self) -> list[Volume]:
        number = iscsiadm.session(self.target)
        assert number is not None
        iscsiadm.rescan(number)
        found = self.unit_volumes(_host_of(number))
        self.sum_up(found)
        return found

    @classmethod
    def find_sources(cls, spec: PoolSource | None) -> list[PoolSource]:
        """Targets of a portal."""
        host = named_host(spec, "iscsi")
        assert spec is not None
        port = spec.hosts[0].port or iscsiadm.PORT
        return [
            PoolSource(
                hosts=[SourceHost(name=host, port=port)], devices=[SourceDevice(path=name)], initiator=spec.initiator
            )
            for name in iscsiadm.targets(iscsiadm.portal(host, port), spec.initiator)
        ]


def _host_of(session: str) -> int:
    """The SCSI host of a session."""
    path = f"{SESSIONS}/session{session}/device"
    try:
        names = os.listdir(path)
    except OSError as error:
        raise SystemFailure(f"cannot open directory '{path}'", error, origin=Origin.STORAGE) from None
    for name in names:
        match = re.fullmatch(r"target(\d+):\d+:\d+", name)
        if match:
            return int(match[1])
    raise InternalError(f"Failed to find host number for iSCSI session with path '{path}'", origin=Origin.STORAGE)
