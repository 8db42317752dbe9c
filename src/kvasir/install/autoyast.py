"""The answer file of openSUSE's and SUSE's installer (AutoYaST)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from .osinfo import System
    from .unattended import Answers

SPACES = 'xmlns="http://www.suse.com/1.0/yast2ns" xmlns:config="http://www.suse.com/1.0/configns"'
PATTERNS = {"desktop": ("base", "enhanced_base", "gnome"), "jeos": ("base",)}


def _flag(name: str, *, on: bool) -> str:
    return f'<{name} config:type="boolean">{"true" if on else "false"}</{name}>'


def _text(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>"


def _list(name: str, items: list[str]) -> str:
    return f'<{name} config:type="list">{"".join(items)}</{name}>'


def _user(name: str, password: str) -> str:
    words = _text("username", name) + _text("fullname", name) + _text("user_password", password)
    return f"<user>{words}{_flag('encrypted', on=False)}</user>"


def _registration(answers: Answers) -> str:
    """SUSE's own systems get their packages after they are registered with a code."""
    if not answers.product_key:
        return ""
    words = _text("email", answers.reg_login) if answers.reg_login else ""
    return f"<suse_register>{_flag('do_registration', on=True)}{words}{_text('reg_code', answers.product_key)}</suse_register>"


def autoyast(system: System, answers: Answers) -> str:
    """A profile that takes the first disk. The passwords are there in clear text, as the installer wants them."""
    users = [_user("root", answers.admin_password)] if answers.admin_password else []
    if answers.user_password:
        users.append(_user(answers.login, answers.user_password))
    desktop = answers.profile == "desktop"
    parts = (
        f"<general><mode>{_flag('confirm', on=False)}{_flag('second_stage', on=False)}{_flag('final_reboot', on=True)}</mode></general>",
        f"<language>{_text('language', answers.language)}</language>",
        "<keyboard><keymap>english-us</keymap></keyboard>",
        f"<timezone><hwclock>UTC</hwclock>{_text('timezone', answers.zone)}</timezone>",
        f"<networking>{_flag('keep_install_network', on=True)}<dns>{_text('hostname', answers.hostname)}</dns></networking>",
        _list("partitioning", [f"<drive>{_flag('initialize', on=True)}<use>all</use></drive>"]),
        _registration(answers) if system.distro != "opensuse" else "",
        f"<software>{_list('patterns', [_text('pattern', name) for name in PATTERNS['desktop' if desktop else 'jeos']])}</software>",
        f"<services-manager><default_target>{'graphical' if desktop else 'multi-user'}</default_target></services-manager>",
        _list("users", users),
    )
    return f'<?xml version="1.0"?>\n<profile {SPACES}>\n' + "\n".join(filter(None, parts)) + "\n</profile>\n"
