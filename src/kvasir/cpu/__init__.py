"""Processors: what the host's can do, which CPU model it is, and what guests may be given."""
