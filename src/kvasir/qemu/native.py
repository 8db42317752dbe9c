"""A document as the command line that it would be started with (``domxml-to-native qemu-argv``)."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from . import admit, displays, guestlog, live, volumes


async def command_line(driver: Any, document: str) -> str:
    """Environment and command line in one line, as libvirt writes them. Nothing of the host is touched."""
    from . import commandline, define

    domain = await admit.from_user(driver, document)
    vm = await admit.context(driver, domain)
    volumes.resolve(domain, driver.drivers)
    await define.prepare_live(domain, vm)
    p = driver.paths.qemu
    leaf = f"domain--1-{str(domain.name)[:20]}"
    lib = f"{p.lib}/{leaf}"
    vm.facts |= {"lib": lib, "channel": f"{p.channel}/{leaf}", "monitor_path": f"{lib}/monitor.sock"}
    vm.facts["master_key"] = os.urandom(32)
    displays.places(domain, SimpleNamespace(config=driver.config, vm=vm, driver=driver))
    argv = commandline.build(vm)
    env = environment(driver, lib, domain)
    words = [f"{key}={guestlog.quote(value)}" for key, value in env.items()]
    return " ".join([*words, *(guestlog.quote(word) for word in argv)])


def environment(driver: Any, lib: str, domain: Any) -> dict[str, str]:
    """What QEMU sees of the environment, as libvirt gives it."""
    env = {"LC_ALL": "C", "PATH": os.environ.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
    if driver.privileged:
        env |= {"HOME": lib, "XDG_DATA_HOME": f"{lib}/.local/share", "XDG_CACHE_HOME": f"{lib}/.cache"}
        env["XDG_CONFIG_HOME"] = f"{lib}/.config"
    else:
        for name in ("HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            if os.environ.get(name):
                env[name] = os.environ[name]
    return env | live.extra_environment(domain, driver.config)
