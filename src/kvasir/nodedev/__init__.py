"""Devices of the host: what sysfs tells of them, virtual adapters and mediated devices that are made of them."""
