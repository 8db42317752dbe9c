"""The index over osinfo-db: read once from its XML files, then looked up by name in a file of one line an entry.

A line is ``KEY<tab>JSON``; keys are short ids, ids (URLs), ``*names``, ``*media`` and ``*trees``. The index lies in the
user's cache folder and is made anew when the database's folders change; where it cannot be kept it lives in memory.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from kvasir.host.files import write_file

VERSION = 5
OVERLAY = os.path.join(os.path.dirname(__file__), "systems.json")
_memory: dict[str, bytes] = {}


def folders() -> list[str]:
    """The folders of the database, the distribution's first."""
    system = os.environ.get("OSINFO_SYSTEM_DIR", "/usr/share/osinfo")
    local = os.environ.get("OSINFO_LOCAL_DIR", "/etc/osinfo")
    home = os.environ.get("OSINFO_USER_DIR") or os.path.join(
        os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "osinfo"
    )
    return [os.path.join(top, "os") for top in (system, local, home)]


def _state() -> str:
    """What changes when the database does: folders' and the overlay's times."""
    parts = [str(VERSION)]
    for folder in [*folders(), OVERLAY]:
        try:
            parts.append(f"{folder}:{os.stat(folder).st_mtime_ns}")
        except OSError:
            continue
        if os.path.isdir(folder):
            parts += [f"{e.name}:{e.stat().st_mtime_ns}" for e in sorted(os.scandir(folder), key=lambda e: e.name)]
    return "|".join(parts)


def _path() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "kvasir", "osinfo.index")


def get(key: str) -> Any:
    """The entry with this key, or None."""
    state = _state().encode()
    if state.decode() in _memory:
        return _search(_memory[state.decode()], key)
    try:
        with open(_path(), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[: len(state) + 1] == state + b"\n":
                return _search(data, key)
    except (OSError, ValueError):
        pass
    text = b"\n".join([state, *build(), b""])
    _memory[state.decode()] = text
    _keep(text)
    return _search(text, key)


def _search(data: bytes | mmap.mmap, key: str) -> Any:
    at = data.find(f"\n{key}\t".encode())
    if at < 0:
        return None
    start = at + len(key.encode()) + 2
    return json.loads(data[start : data.find(b"\n", start)])


def _keep(text: bytes) -> None:
    path = _path()
    with contextlib.suppress(OSError):
        write_file(path, text, 0o644, durable=False, draft=f"{path}.{os.getpid()}")


# --- reading the database


def _files() -> Iterator[str]:
    for folder in folders():
        for root, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith(".xml"):
                    yield os.path.join(root, name)


def build() -> list[bytes]:
    """All lines of the index."""
    raw: dict[str, ET.Element] = {}
    for path in _files():
        try:
            root = ET.parse(path).getroot()
        except (ET.ParseError, OSError):
            continue
        for node in root.iter("os"):
            raw.setdefault(node.get("id") or "", node)
    entries = {key: _entry(node) for key, node in raw.items()}
    for key, over in _overlay().items():
        if key in entries or not any(r in entries for r in over["from"]):
            continue
        entries[key] = over
    lines = [_line(f"*{kind}", [rule for e in entries.values() for rule in e[kind]]) for kind in ("media", "trees")]
    lines.append(_line("*names", sorted({n for e in entries.values() for n in e["names"]})))
    lines.append(_line("*groups", [e["names"] for e in entries.values()]))
    for key, entry in entries.items():
        flat = _flatten(key, entries)
        lines += [_line(name, flat) for name in [*entry["names"], key] if name]
    return lines


def _line(key: str, value: Any) -> bytes:
    return f"{key}\t{json.dumps(value, separators=(',', ':'))}".encode()


def _overlay() -> dict[str, Any]:
    with open(OVERLAY, encoding="utf-8") as file:
        rows: list[dict[str, Any]] = json.load(file)["systems"]
    empty = {"family": "", "distro": "", "version": "", "devices": [], "denied": [], "firmware": {}, "said": {}, "media": [],
             "trees": [], "inherits": True, "clones": [], "upgrades": [], "urls": {}, "url_argument": ""}  # fmt: skip
    out = {}
    for row in rows:
        entry = {**empty, **row}
        names = entry["names"]
        entry["media"] = [{"os": names[0], **rule} for rule in row.get("media", [])]
        entry["trees"] = [{"os": names[0], **rule} for rule in row.get("trees", [])]
        out[row["id"]] = entry
    return out


def _entry(node: ET.Element) -> dict[str, Any]:
    names = [(n.text or "").strip() for n in node.findall("short-id")]
    first = names[0] if names else ""
    return {
        "id": node.get("id") or "",
        "names": names,
        "name": _text(node, "name"),
        "family": _text(node, "family"),
        "distro": _text(node, "distro"),
        "version": _text(node, "version"),
        "from": [r.get("id") for r in node.findall("derives-from")],
        "clones": [r.get("id") for r in node.findall("clones")],
        "upgrades": [r.get("id") for r in node.findall("upgrades")],
        "devices": [_device(d) for d in node.findall("devices/device") if d.get("supported") != "false"],
        "denied": [_device(d) for d in node.findall("devices/device") if d.get("supported") == "false"],
        "firmware": {
            f"{f.get('arch')}/{f.get('type')}": f.get("supported") != "false" for f in node.findall("firmware")
        },
        "said": _resources(node),
        "inherits": any(r.get("inherit") == "true" for r in node.findall("resources")),
        "url_argument": _text(node, "installer/kernel-url-argument") or _text(node, "kernel-url-argument"),
        "urls": {t.get("arch") or "": _text(t, "url") for t in node.findall("tree") if t.find("url") is not None},
        "media": [{"os": first, **rule} for m in node.findall("media") if (rule := _rules(m, "iso"))],
        "trees": [{"os": first, **rule} for t in node.findall("tree") if (rule := _rules(t, "treeinfo"))],
    }


def _text(node: ET.Element, path: str) -> str:
    return (node.findtext(path) or "").strip()


def _device(node: ET.Element) -> str:
    name = node.get("id") or ""
    return name.rpartition("pcisig.com/pci/")[2] or name


def _rules(node: ET.Element, part: str) -> dict[str, Any]:
    """What identifies a medium or a tree: regular expressions by name."""
    found = node.find(part)
    if found is None:
        return {}
    rule: dict[str, Any] = {kid.tag: (kid.text or "").strip() for kid in found}
    rule["arch"] = node.get("arch") or ""
    for name in ("kernel", "initrd"):
        if node.find(name) is not None:
            rule[f"_{name}"] = _text(node, name)
    return rule


def _resources(node: ET.Element) -> dict[str, int]:
    """``ARCH/KIND/WORD`` -> number."""
    out: dict[str, int] = {}
    for block in node.findall("resources"):
        for kind in ("minimum", "recommended", "network-install"):
            for said in block.findall(kind):
                for word in ("ram", "storage", "n-cpus"):
                    value = said.findtext(word)
                    if value and value.strip().isdigit():
                        out[f"{block.get('arch')}/{kind}/{word}"] = int(value)
    return out


def _flatten(key: str, entries: dict[str, Any]) -> dict[str, Any]:
    """An entry with the devices that it has from those that it derives from."""
    top = entries[key]
    devices: set[str] = set()
    firmware: dict[str, bool] = {}
    above: list[str] = []
    _collect(key, entries, devices, firmware, above, set())
    said: dict[str, int] = {}
    for name in above:
        said = entries[name]["said"]
        if said or not entries[name]["inherits"]:
            break
    url = next((entries[k]["url_argument"] for k in above if entries[k]["url_argument"]), "")
    return {
        **{k: top[k] for k in ("id", "names", "name", "family", "distro", "version", "urls")},
        "family": next((entries[k]["family"] for k in above if entries[k]["family"]), ""),
        "distro": next((entries[k]["distro"] for k in above if entries[k]["distro"]), ""),
        "devices": sorted(devices), "firmware": firmware, "said": said, "url_argument": url,
        "above": sorted({n for k in _related(key, entries) for n in entries[k]["names"]}),
    }  # fmt: skip


def _related(key: str, entries: dict[str, Any]) -> set[str]:
    """All that a system derives from, clones or upgrades, near and far."""
    seen: set[str] = set()
    todo = [key]
    while todo:
        entry = entries.get(todo.pop())
        if entry is None or entry["id"] in seen:
            continue
        seen.add(entry["id"])
        todo += [*entry["from"], *entry["clones"], *entry["upgrades"]]
    return seen


def _collect(
    key: str, entries: dict[str, Any], devices: set[str], firmware: dict[str, bool], above: list[str], denied: set[str]
) -> None:
    entry = entries.get(key)
    if entry is None or key in above:
        return
    above.append(key)
    denied = denied | set(entry["denied"])
    devices.update(d for d in entry["devices"] if d not in denied)
    for name, fits in entry["firmware"].items():
        firmware.setdefault(name, fits)
    for other in [*entry["from"], *entry["clones"]]:
        _collect(other, entries, devices, firmware, above, denied)
