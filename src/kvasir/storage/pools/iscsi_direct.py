"""iSCSI pools that QEMU reaches by itself: the units of a target, looked at with libiscsi's tools."""

from __future__ import annotations

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.host import libiscsi
from kvasir.model.storage import PoolSource, SourceDevice, SourceHost, Volume

from .base import PoolKind
from .netfs import named_host


class IscsiDirectPool(PoolKind):
    """A target of a server. Its volumes are made by the target's administrator."""

    TYPE, NUMBER = "iscsi-direct", 14
    NEEDS = ("host",)
    SHOWS = ("hosts", "devices", "initiator", "auth")
    TARGET = "none"
    VOLUME_TYPE = "network"

    def check(self) -> None:
        if not self.source.initiator:
            raise ConfigUnsupported("missing initiator IQN", origin=Origin.STORAGE)

    def active(self) -> bool:
        """The daemon looks at the target anew when it starts."""
        return True

    def _where(self) -> tuple[str, int | None, str, str]:
        host = self.one_host()
        if not self.source.devices or not self.source.devices[0].path:
            raise ConfigUnsupported("missing source device", origin=Origin.STORAGE)
        return str(host.name), host.port, str(self.source.initiator), str(self.source.devices[0].path)

    def _login(self) -> tuple[str, str]:
        auth = self.source.auth
        if auth is None:
            return "", ""
        if auth.kind != "chap":
            raise ConfigUnsupported("iscsi-direct pool only supports 'chap' auth type", origin=Origin.STORAGE)
        return str(auth.username), self.secret(auth, "iscsi").decode("utf-8", "surrogateescape")

    def scan(self) -> list[Volume]:
        where, login = self._where(), self._login()
        host, port, _, target = where
        found = []
        for lun in libiscsi.units(*where, *login):
            path = f"ip-{host}:{port or libiscsi.PORT}-iscsi-{target}-lun-{lun}"
            size = libiscsi.size(*where, lun, *login)
            volume = Volume(type="network", name=f"unit:0:0:{lun}", path=path, key=path)
            volume.capacity = volume.allocation = size
            found.append(volume)
        self.sum_up(found)
        return found

    @classmethod
    def find_sources(cls, spec: PoolSource | None) -> list[PoolSource]:
        """Targets of a portal."""
        host = named_host(spec, "iscsi-direct")
        assert spec is not None
        if not spec.initiator:
            raise ConfigUnsupported("missing initiator IQN", origin=Origin.STORAGE)
        port = spec.hosts[0].port or libiscsi.PORT
        return [
            PoolSource(
                hosts=[SourceHost(name=host, port=port)], devices=[SourceDevice(path=name)], initiator=spec.initiator
            )
            for name in libiscsi.targets(host, port, spec.initiator)
        ]
