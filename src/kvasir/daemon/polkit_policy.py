"""The actions that polkit must know before it can be asked: ``kvasird --polkit-policy > /usr/share/polkit-1/actions/kvasir.policy``.

Logging in to the unix sockets, and one action for each right in the wire's table. Where libvirt's own policy files are installed
these are the same actions; one of the two is enough.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from kvasir.daemon import polkit
from kvasir.daemon.access import action
from kvasir.rpc import programs

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd">
<policyconfig>
  <vendor>Kvasir</vendor>
"""
_ACTION = """  <action id="{name}">
    <description>{what}</description>
    <message>{message}</message>
    <defaults>
      <allow_any>{any}</allow_any>
      <allow_inactive>{any}</allow_inactive>
      <allow_active>{active}</allow_active>
    </defaults>
  </action>
"""


def rights() -> list[tuple[str, str]]:
    """Every (object, permission) of the table, sorted."""
    found = set()
    for program in programs.ALL:
        for procedure in program:
            for right in (*procedure.rights, *((procedure.filter,) if procedure.filter else ())):
                kind, permission = right.split(":")[:2]
                found.add((kind, permission))
    return sorted(found)


def policy() -> str:
    """The file's text. Looking is allowed to everybody who is in, all else to nobody until a rule says so."""
    parts = [_HEAD]
    login = (
        (polkit.MONITOR, "Watch virtual machines", "yes", "yes"),
        (polkit.MANAGE, "Manage virtual machines", "auth_admin_keep", "auth_admin_keep"),
    )
    for name, what, anybody, active in login:
        parts.append(
            _ACTION.format(
                name=name, what=what, message=f"{what}: the system asks who you are.", any=anybody, active=active
            )
        )
    for kind, permission in rights():
        looks = permission in ("getattr", "read") or permission.startswith("search_")
        what = escape(f"{permission.replace('_', ' ')} of {kind.replace('_', ' ')}")
        answer = "yes" if looks else "no"
        message = f"A rule must allow: {what}."
        parts.append(
            _ACTION.format(name=action(kind, permission), what=what, message=message, any=answer, active=answer)
        )
    return "".join(parts) + "</policyconfig>\n"
