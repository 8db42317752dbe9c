"""One file is one device: its fields, defaults, checks, host resources and QEMU form."""
