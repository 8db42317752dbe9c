"""Where the tiny guest lies, whose kernel and busybox the appliance is made of."""

from __future__ import annotations

import os

TINY = ("{project}/.cache/tiny", "{home}/.cache/kvasir/tiny", "{data}/images/tiny", "/usr/share/kvasir/tiny")


def _project() -> str:
    """The folder that has ``scripts/tiny-guest``: the sources', or ``lib/kvasir`` where scripts/install put it."""
    up = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    above = os.path.dirname(os.path.dirname(up))
    return above if os.path.exists(above + "/scripts/tiny-guest") else up


PROJECT = _project()


def data() -> str:
    """Where images and other data of kvasir lie: ``KVASIR_HOME``, /var/lib/kvasir for root, else the user's data folder."""
    said = os.environ.get("KVASIR_HOME")
    if said or os.geteuid() == 0:
        return said or "/var/lib/kvasir"
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "kvasir")


def tiny() -> str:
    """The folder of the tiny guest, '' where it is not built."""
    places = [p.format(project=PROJECT, home=os.path.expanduser("~"), data=data()) for p in TINY]
    for place in [os.environ.get("KVASIR_TINY", ""), *places]:
        if place and os.path.exists(os.path.join(place, "kernel")):
            return place
    return ""
