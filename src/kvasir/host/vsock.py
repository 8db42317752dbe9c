"""The host's vhost-vsock device."""

from __future__ import annotations

import fcntl
import os
import struct

from kvasir.errors import ConfigUnsupported, InternalError, SystemFailure

SET_GUEST_CID = 0x4008AF60  # VHOST_VSOCK_SET_GUEST_CID of linux/vhost.h


def open_vsock(cid: int | None) -> tuple[int, int]:
    """Open the device for a context id, or the first free one from 3. Raises ConfigUnsupported, SystemFailure, InternalError."""
    try:
        fd = os.open("/dev/vhost-vsock", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigUnsupported("unable to open vhost-vsock device", hint="modprobe vhost_vsock") from error
    for number in [cid] if cid is not None else range(3, 1 << 16):
        try:
            fcntl.ioctl(fd, SET_GUEST_CID, struct.pack("=Q", number))
        except OSError as error:
            if cid is not None:
                os.close(fd)
                raise SystemFailure("failed to set guest cid", error) from None
        else:
            return fd, number
    os.close(fd)
    raise InternalError("no free guest cid")
