"""Broken packets and documents in numbers: ``KVASIR_LONG=1`` or ``python -m tests.fuzz`` for the million, seconds in ./test."""
