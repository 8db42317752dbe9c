"""Backups of running guests: pushed into images, or pulled by a client over NBD."""
