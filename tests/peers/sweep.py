"""Calls every method of every class of libvirt-python once, with arguments by their names, and prints what each answered.

sweep.py URI FOLDER      run where the real libvirt-python is; ends of guests and connections are left out
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import libvirt  # type: ignore[import-not-found]  # of the peers

VALUES: dict[str, Any] = {
    "flags": 0, "xml": "<broken/>", "xmlDesc": "<broken/>", "name": "nosuch", "uuid": b"\x07" * 16, "uuidstr": "0" * 8 + "-0000-0000-0000-000000000000",
    "id": 4711, "disk": "nosuch", "path": "nosuch", "base": "nosuch", "top": "nosuch", "bandwidth": 0, "dxml": None, "duri": None,
    "dname": None, "uri": "nosuch", "miguri": None, "params": {}, "memory": 65536, "nvcpus": 1, "size": 0, "offset": 0, "buffer": b"",
    "start": 0, "seconds": 0, "nseconds": 0, "username": "nosuch", "user": "nosuch", "password": "word", "keys": [], "type": 0, "period": 0,
    "vcpu": 0, "iothread_id": 7, "cpumap": (True,), "metadata": "x", "key": "k", "uri_": "u", "codeset": 0, "holdtime": 0, "keycodes": [30],
    "nkeycodes": 1, "pid_value": 1, "signum": 9, "screen": 0, "stream": None, "st": None, "xmlFilePath": "/nosuch", "file": "/nosuch",
    "from": "/nosuch", "frm": "/nosuch", "to": "/nosuch", "lifecycleType": 0, "action": 0, "cellNum": 0, "startCell": 0, "maxCells": 1, "cap": None,
    "emulatorbin": None, "machine": None, "virttype": None, "arch": "x86_64", "srcSpec": None, "xmlCPU": "<cpu/>", "xmlCPUs": ["<cpu/>"],
    "nodeName": "nosuch", "wwnn": "1", "wwpn": "1", "mac": "00:00:00:00:00:07", "usageType": 1, "usageID": "nosuch", "parentIndex": -1,
    "command": 1, "section": 1, "cpuNum": 0, "domXml": "<broken/>", "nativeFormat": "qemu-argv", "nativeConfig": "x", "domainXml": "<broken/>",
    "value": b"x", "capacity": 1 << 20, "length": 0, "algorithm": 0, "mountPoint": None, "mountpoints": None, "minimum": 1, "mountpoint": None,
    "target": 4, "duration": 1, "interval": 3, "count": 3, "timeout": 0, "state": 1, "vcpumap": "0", "cpus": 0, "driverName": None, "snap": None,
    "option": 2, "hostname": "nosuch", "nparams": 0, "source": 0, "threshold": 0, "dev": "nosuch", "domains": [], "statsTypes": 0, "stats": 0,
    "pagesizes": [4096], "pages": {4096: 0}, "cellCount": 1, "doms": [], "backupXML": "<broken/>", "checkpointXML": None, "cmd": '{"execute":"query-name"}',
}  # fmt: skip
LEFT = re.compile(
    r"(?i)^(_|close|.*(callback|register|event)|.*abort|migrate|dest|.*openGraphicsFD|connect|.*_virt|get_|cb$|abortJob|ref$|unref$|pmSuspend|suspendForDuration"
    r"|free|.*Reconnect|reset$|reboot|shutdown|injectNMI|screenshot|createXMLWithFiles|createWithFiles|undefine|destroy|delete|coreDump|save|managedSave$"
    r"|sendProcessSignal|suspend$|resume$|setKeepAlive|finish|recv|send$|sparse|contentKey|openConsole|openChannel|interfaceChangeRollback)"
)
UNSTEADY = re.compile(
    r"(?i)(time|freememory|cpustats|getcpustats|memorystats|info$|jobStats|stats|getmemorystats|sysinfo|capabilities|XMLDesc)"
)


def argument(name: str) -> Any:
    return VALUES.get(name, 0)


def shown(answer: Any) -> str:
    text = repr(answer)
    if text.startswith("<libvirt."):
        return type(answer).__name__
    if isinstance(answer, list) and answer and repr(answer[0]).startswith("<libvirt."):
        names = [one.name() if hasattr(one, "name") else getattr(one, "getName", lambda: "?")() for one in answer]
        return f"{type(answer[0]).__name__} x {sorted(names)}"
    return text


def ask(thing: Any, name: str, steady: bool) -> str:
    method = getattr(thing, name)
    parameters = [
        parameter for parameter in inspect.signature(method).parameters.values()
        if parameter.default is inspect.Parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]  # fmt: skip
    try:
        answer = method(*(argument(parameter.name) for parameter in parameters))
    except libvirt.libvirtError as error:
        return f"error {error.get_error_code()} {error.get_error_domain()} {error.get_error_message()}"
    except Exception as error:  # the binding itself refuses
        return f"{type(error).__name__}"
    if not steady or UNSTEADY.search(name):
        return f"a {type(answer).__name__}"
    return shown(answer)


def things(conn: Any, folder: Path) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("connection", conn)]

    def add(name: str, make: Any) -> Any:
        try:
            thing = make()
        except (libvirt.libvirtError, StopIteration, FileNotFoundError) as error:
            print(f"{name}: none: {error}")
            return None
        found.append((name, thing))
        return thing

    if conn.getType() == "TEST":
        add("running", lambda: conn.lookupByName("test"))
        add("network", lambda: conn.networkLookupByName("default"))
        pool = add("pool", lambda: conn.storagePoolLookupByName("default-pool"))
        add("volume", lambda: pool.createXML("<volume><name>v.img</name><capacity unit='KiB'>64</capacity></volume>"))
        add("interface", lambda: conn.interfaceLookupByName("eth1"))
        add("device", lambda: conn.nodeDeviceLookupByName("scsi_host1"))
        return found
    running = add("running", lambda: conn.lookupByName("sweep"))
    add("off", lambda: conn.lookupByName("sweepoff"))
    if running is not None:
        add(
            "snapshot",
            lambda: conn.lookupByName("sweepoff").snapshotCreateXML(
                "<domainsnapshot><name>one</name></domainsnapshot>"
            ),
        )
    add("network", lambda: conn.networkLookupByName("default"))
    pool = add("pool", lambda: conn.storagePoolLookupByName("sweep"))
    if pool is not None:
        add("volume", lambda: pool.createXML("<volume><name>v.img</name><capacity unit='KiB'>64</capacity></volume>"))
    add("device", lambda: conn.nodeDeviceLookupByName("computer"))
    add(
        "secret",
        lambda: conn.secretDefineXML(
            "<secret><uuid>22222222-2222-2222-2222-222222222222</uuid><usage type='volume'><volume>/v</volume></usage></secret>"
        ),
    )
    add(
        "filter",
        lambda: conn.nwfilterDefineXML(
            "<filter name='sweep'><uuid>33333333-3333-3333-3333-333333333333</uuid></filter>"
        ),
    )
    add("stream", lambda: conn.newStream(0))
    return found


def main(uri: str, folder: Path) -> None:
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open(uri)
    said: dict[str, str] = {}
    for kind, thing in things(conn, folder):
        for name in sorted(dir(type(thing))):
            if kind == "network" and name == "create":
                continue  # it would stand in the namespace of whoever runs this
            if not LEFT.match(name) and callable(getattr(thing, name)):
                print(f"{kind}.{name}", file=sys.stderr, flush=True)
                said[f"{kind}.{name}"] = ask(thing, name, True)
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
