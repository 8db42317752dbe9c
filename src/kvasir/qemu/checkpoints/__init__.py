"""Checkpoints of guests: moments from which on the changes of disks are known, for incremental backups."""
