"""Limits of a disk's throughput in QEMU's form."""

from __future__ import annotations

from typing import Any


def throttle(disk: Any) -> tuple[str, dict[str, Any]] | None:
    """The QMP command that sets the disk's limits after the start, or None where it has none."""
    tune = disk.iotune
    if tune is None:
        return None
    words = {"bytes_sec": "bps", "iops_sec": "iops"}
    arguments: dict[str, Any] = {"id": disk.qom or disk.alias}
    if tune.group_name:
        arguments["group"] = tune.group_name
    for kind, word in words.items():
        for prefix, tail in (("total_", ""), ("read_", "_rd"), ("write_", "_wr")):
            arguments[word + tail] = getattr(tune, f"{prefix}{kind}") or 0
            peak, length = getattr(tune, f"{prefix}{kind}_max"), getattr(tune, f"{prefix}{kind}_max_length")
            if peak:
                arguments[f"{word}{tail}_max"] = peak
            if length:
                arguments[f"{word}{tail}_max_length"] = length
    if tune.size_iops_sec:
        arguments["iops_size"] = tune.size_iops_sec
    return "block_set_io_throttle", arguments
