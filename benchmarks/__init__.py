"""Measures ours beside the real libvirt: ``./bench``."""
