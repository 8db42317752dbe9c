"""The kernel's KVM: whether it is there, its limits, and the frequency of the time stamp counter."""

from __future__ import annotations

import fcntl
import os

_CHECK_EXTENSION, _CREATE_VM, _CREATE_VCPU, _GET_TSC_KHZ = 0xAE03, 0xAE01, 0xAE41, 0xAEA3
_NR_VCPUS, _MAX_VCPUS, _TSC_CONTROL, _GET_TSC = 9, 66, 60, 61


def present() -> bool:
    """True where ``/dev/kvm`` exists."""
    return os.path.exists("/dev/kvm")


def usable() -> bool:
    """True where this process may use KVM."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def max_cpus() -> int | None:
    """The most processors that a guest may have under KVM; None where KVM cannot be asked."""
    try:
        fd = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        limit = fcntl.ioctl(fd, _CHECK_EXTENSION, _MAX_VCPUS)
        return limit if limit > 0 else fcntl.ioctl(fd, _CHECK_EXTENSION, _NR_VCPUS) or None
    except OSError:
        return None
    finally:
        os.close(fd)


def tsc() -> tuple[int, bool] | None:
    """Frequency in Hz of the time stamp counter, and whether guests may have another; None where KVM cannot say."""
    opened: list[int] = []
    try:
        opened.append(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        if fcntl.ioctl(opened[0], _CHECK_EXTENSION, _GET_TSC) <= 0:
            return None
        opened.append(fcntl.ioctl(opened[0], _CREATE_VM, 0))
        opened.append(fcntl.ioctl(opened[1], _CREATE_VCPU, 0))
        frequency = fcntl.ioctl(opened[2], _GET_TSC_KHZ, 0)
        return (frequency * 1000, fcntl.ioctl(opened[0], _CHECK_EXTENSION, _TSC_CONTROL) > 0) if frequency > 0 else None
    except OSError:
        return None
    finally:
        for fd in reversed(opened):
            os.close(fd)
