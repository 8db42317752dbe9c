"""The hypervisor driver: capabilities, command line, addresses, QMP, processes, lifecycle, statistics."""
