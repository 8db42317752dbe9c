"""What of a display's password each form of the document shows (as the real libvirt 9.0 does)."""

from __future__ import annotations

import pytest

from kvasir.devices.graphics import Graphics
from kvasir.xml import Form

VNC = "<graphics type='vnc' passwd='se&apos;cret' passwdValidTo='2030-01-02T03:04:05' connected='keep'/>"
REST = "passwdValidTo='2030-01-02T03:04:05' connected='keep'"


@pytest.mark.parametrize("live", [False, True])
def test_password_needs_the_secure_form(live: bool) -> None:
    display = Graphics.from_xml(VNC)
    assert f"passwd='se&apos;cret' {REST}>" in display.xml(Form(live=live, secure=True))
    plain = display.xml(Form(live=live))
    assert "cret" not in plain
    assert f" {REST}>" in plain


def test_port_of_a_running_guest_is_not_kept() -> None:
    display = Graphics.from_xml("<graphics type='vnc' autoport='yes'/>")
    display.port = 5907
    assert "port='5907'" in display.xml(Form(live=True))
    assert "port='-1'" in display.xml(Form(live=False))
