"""Short forms on the command line for parts of documents: --memspec and --diskspec."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Fail
from kvasir.cli.virsh.xmltree import escape


def split(text: str) -> list[str]:
    """The parts between commas; ``,,`` is a comma."""
    parts, current, at = [], "", 0
    while at < len(text):
        if text[at] == ",":
            if text[at + 1 : at + 2] == ",":
                current += ","
                at += 2
                continue
            parts.append(current)
            current = ""
        else:
            current += text[at]
        at += 1
    return [*parts, current]


def quoted(text: str) -> str:
    return escape(text).replace("'", "&apos;").replace('"', "&quot;")


def memspec(spec: str) -> str:
    """``[file=]path[,snapshot=way]`` as ``<memory/>``."""
    found: dict[str, str] = {}
    for part in split(spec):
        key, mark, value = part.partition("=")
        if mark and key in ("file", "snapshot") and key not in found:
            found[key] = value
        elif part.startswith("/") and "file" not in found:
            found["file"] = part
        else:
            raise Fail(f"unable to parse memspec: {spec}")
    attributes = "".join(f" {key}='{quoted(found[key])}'" for key in ("snapshot", "file") if key in found)
    return f"  <memory{attributes}/>\n"


def pairs(spec: str, keys: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The name and the key=value parts behind it; no key twice. Raises Fail."""
    name, *parts = split(spec)
    found: dict[str, str] = {}
    for part in parts:
        key, mark, value = part.partition("=")
        if not mark or key not in keys or key in found:
            raise Fail(f"unable to parse diskspec: {spec}")
        found[key] = value
    return name, found


def diskspec(spec: str) -> str:
    """``name[,snapshot=way][,driver=format][,stype=type][,file=path]`` as ``<disk/>``."""
    name, found = pairs(spec, ("snapshot", "driver", "stype", "file"))
    kind = found.get("stype")
    if kind is not None and kind not in ("file", "block"):
        raise Fail(f"Unknown storage type: '{kind}'\nerror: unable to parse diskspec: {spec}")
    head = f"    <disk name='{quoted(name)}'"
    if "snapshot" in found:
        head += f" snapshot='{quoted(found['snapshot'])}'"
    if kind is not None:
        head += f" type='{kind}'"
    if "driver" not in found and "file" not in found:
        return head + "/>\n"
    body = f"      <driver type='{quoted(found['driver'])}'/>\n" if "driver" in found else ""
    if "file" in found:
        body += f"      <source {'dev' if kind == 'block' else 'file'}='{quoted(found['file'])}'/>\n"
    return f"{head}>\n{body}    </disk>\n"
