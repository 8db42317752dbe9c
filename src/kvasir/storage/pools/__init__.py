"""One file is one pool type. ``KINDS`` lists them in the order of virStoragePoolType's capabilities."""

from __future__ import annotations

from .base import PoolKind
from .dir import DirPool
from .disk import DiskPool
from .fs import FsPool
from .gluster import GlusterPool
from .iscsi import IscsiPool
from .iscsi_direct import IscsiDirectPool
from .logical import LogicalPool
from .mpath import MpathPool
from .netfs import NetFsPool
from .rbd import RbdPool
from .scsi import ScsiPool
from .sheepdog import SheepdogPool
from .vstorage import VStoragePool
from .zfs import ZfsPool

ALL: tuple[type[PoolKind], ...] = (
    DirPool,
    FsPool,
    NetFsPool,
    LogicalPool,
    DiskPool,
    IscsiPool,
    IscsiDirectPool,
    ScsiPool,
    MpathPool,
    RbdPool,
    SheepdogPool,
    GlusterPool,
    ZfsPool,
    VStoragePool,
)
"""One name a line; each is a file in this folder."""

KINDS: dict[str, type[PoolKind]] = {kind.TYPE: kind for kind in ALL}
