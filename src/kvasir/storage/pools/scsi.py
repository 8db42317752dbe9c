"""SCSI pools: the units of a host adapter, also of a virtual fibre channel adapter that the pool makes and deletes."""

from __future__ import annotations

import os

from kvasir.errors import InternalError, InvalidArg, Origin, SystemFailure, XmlError
from kvasir.host import npiv, scsi
from kvasir.model.storage import Adapter, Pool, Volume

from . import base
from .blocks import BlockPool, stable_path


class UnitPool(BlockPool):
    """A pool whose volumes are SCSI units: the base of scsi and iscsi."""

    def unit_volumes(self, host: int) -> list[Volume]:
        """The units of a host as volumes."""
        found = []
        for unit in scsi.units(host):
            device = f"/dev/{unit.block}"
            path = stable_path(device, self.path)
            if path == device and self.path.rstrip("/") not in ("", "/dev"):
                # no stable name: it would not be the same after a boot
                raise InvalidArg(
                    f"unable to use target path '{self.path}' for dev '{unit.block}'", origin=Origin.STORAGE
                )
            volume = Volume(type="block", name=unit.name, path=path, key=scsi.serial(device) or path)
            try:
                self.update(volume)
            except OSError:
                continue
            found.append(volume)
        return found


class ScsiPool(UnitPool):
    """The units of a SCSI host adapter."""

    TYPE, NUMBER = "scsi", 6
    NEEDS = ("adapter",)
    SHOWS = ("adapter",)

    @property
    def adapter(self) -> Adapter:
        assert self.source.adapter is not None
        return self.source.adapter

    def check(self) -> None:
        adapter = self.adapter
        if adapter.kind == "fc_host":
            _check_fc(adapter)
        else:
            _check_scsi(adapter)
            adapter.kind = "scsi_host"

    def _need(self, part: str) -> None:
        super()._need(part)
        adapter = self.source.adapter
        if adapter is not None and adapter.kind is None:
            if adapter.wwnn or adapter.wwpn or adapter.parent:
                raise base.xml_error(
                    "Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter 'type'"
                )
            if adapter.name is None and adapter.parent_address is None:
                raise base.xml_error("missing storage pool source adapter")

    def same(self, other: Pool) -> bool:
        theirs = other.source.adapter if other.source else None
        if theirs is None or theirs.kind != self.adapter.kind:
            return False
        if theirs.kind == "fc_host":
            return (theirs.wwnn, theirs.wwpn) == (self.adapter.wwnn, self.adapter.wwpn)
        if theirs.name and self.adapter.name:
            return scsi.host_number(theirs.name) == scsi.host_number(self.adapter.name)
        return theirs.parent_address == self.adapter.parent_address

    def host(self) -> int | None:
        """The number of the adapter's host."""
        adapter = self.adapter
        if adapter.kind == "fc_host":
            return scsi.host_number(npiv.find(str(adapter.wwnn), str(adapter.wwpn)) or "")
        if adapter.name:
            number = scsi.host_number(adapter.name)
            if number is None:
                raise InternalError(f"Invalid adapter name '{adapter.name}' for SCSI pool", origin=Origin.STORAGE)
            return number
        parent = adapter.parent_address
        assert parent is not None
        assert parent.address is not None
        where = parent.address
        numbers = (where.domain or 0, where.bus or 0, where.slot or 0, where.function or 0)
        found = scsi.host_at(*numbers, parent.unique_id or 0)
        if found is None:
            raise XmlError(
                f"Failed to find scsi_host using PCI '{numbers[0]:04x}:{numbers[1]:02x}:{numbers[2]:02x}.{numbers[3]:x}' "
                f"and unique_id='{parent.unique_id}'",
                origin=Origin.STORAGE,
            )
        return found

    def active(self) -> bool:
        try:
            number = self.host()
        except (InternalError, XmlError):
            return False
        return number is not None and os.path.isdir(f"{scsi.HOSTS}/host{number}")

    def start(self) -> None:
        """Make the virtual adapter where the document is one."""
        adapter = self.adapter
        if adapter.kind != "fc_host":
            return
        names = str(adapter.wwnn), str(adapter.wwpn)
        if npiv.find(*names) is not None:
            return  # there already: as another made it, so another deletes it
        adapter.managed = True  # what the pool makes, it deletes
        npiv.manage(npiv.parent_of(adapter), names[1], names[0], create=True)
        if npiv.wait_for(*names) is None:
            raise InternalError(
                f"Failed to find the vHBA with wwnn='{names[0]}' wwpn='{names[1]}' after its creation",
                origin=Origin.STORAGE,
            )

    def stop(self) -> None:
        """Delete the virtual adapter, unless ``managed='no'``."""
        adapter = self.adapter
        if adapter.kind != "fc_host" or not adapter.managed:
            return
        names = str(adapter.wwnn), str(adapter.wwpn)
        host = npiv.find(*names)
        if host is not None and not npiv.capable(host):
            npiv.manage(npiv.parent_of(adapter), names[1], names[0], create=False)

    def scan(self) -> list[Volume]:
        number = self.host()
        found: list[Volume] = []
        if number is None:
            raise InternalError("Failed to find SCSI host of the pool", origin=Origin.STORAGE)
        try:
            scsi.rescan(number)
        except OSError as error:
            path = f"{scsi.HOSTS}/host{number}/scan"
            raise SystemFailure(f"Could not open '{path}' to trigger host scan", error, origin=Origin.STORAGE) from None
        found = self.unit_volumes(number)
        self.sum_up(found)
        return found


def _check_scsi(adapter: Adapter) -> None:
    parent = adapter.parent_address
    if adapter.name and parent is not None:
        raise base.xml_error("Both 'name' and 'parent' cannot be specified for the 'scsi_host' adapter")
    if not adapter.name and parent is None:
        raise base.xml_error("Either 'name' or 'parent' must be specified for the 'scsi_host' adapter")
    if parent is not None:
        if parent.address is None:
            raise base.xml_error("Missing scsi_host PCI address element")
        if parent.unique_id is None:
            raise base.xml_error("Missing or invalid scsi adapter 'unique_id' value")
        for name in ("domain", "bus", "slot", "function"):
            setattr(parent.address, name, getattr(parent.address, name) or 0)


def _check_fc(adapter: Adapter) -> None:
    adapter.name = None
    if not (adapter.wwnn and adapter.wwpn):
        raise base.xml_error("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'")
    if adapter.parent_wwnn and not adapter.parent_wwpn:
        raise base.xml_error(
            f"when providing parent_wwnn='{adapter.parent_wwnn}', the parent_wwpn must also be provided"
        )
    if adapter.parent_wwpn and not adapter.parent_wwnn:
        raise base.xml_error(
            f"when providing parent_wwpn='{adapter.parent_wwpn}', the parent_wwnn must also be provided"
        )
    for name in (adapter.wwnn, adapter.wwpn, adapter.parent_wwnn, adapter.parent_wwpn, adapter.parent_fabric_wwn):
        if name:
            npiv.check_name(name)
