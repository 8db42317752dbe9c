"""The forward modes: one file each."""

from __future__ import annotations

from typing import Any

from . import bridge, hostdev, isolated, macvtap, nat, open, route

KINDS: dict[str | None, Any] = {
    None: isolated.Isolated,
    "nat": nat.Nat,
    "route": route.Route,
    "open": open.Open,
    "bridge": bridge.Bridge,
    "private": macvtap.Macvtap,
    "vepa": macvtap.Macvtap,
    "passthrough": macvtap.Macvtap,
    "hostdev": hostdev.Hostdev,
}
