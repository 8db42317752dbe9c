"""Devices that come, go and change while a guest is defined or runs. Hotplug is made from the same ``qemu()`` as the command line."""
