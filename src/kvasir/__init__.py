"""Kvasir: the KVM virtualization stack above QEMU, on libvirt's own wire protocol and XML."""

__version__ = "0.1.0"
