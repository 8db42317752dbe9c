"""libvirt's words for what is not there."""

from __future__ import annotations

from kvasir.errors import Code, Error, Origin


class NoPool(Error):
    """Storage pool not found"""

    code, prefix = Code.NO_STORAGE_POOL, "Storage pool not found"


class NoVolume(Error):
    """Storage volume not found"""

    code, prefix = Code.NO_STORAGE_VOL, "Storage volume not found"


class VolumeExists(Error):
    """storage volume exists already"""

    code = Code.STORAGE_VOL_EXIST


def no_pool(what: str) -> NoPool:
    return NoPool(f"no storage pool with matching {what}", origin=Origin.STORAGE)


def no_volume(what: str) -> NoVolume:
    return NoVolume(f"no storage vol with matching {what}", origin=Origin.STORAGE)
