"""The parts of QEMU's command line that belong to no device: one module for each family of options."""
