"""``virt-xml-validate FILE [SCHEMA]``: whether a document follows the schema that its kind has."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = {
    "domain": ("domain", "kvasir.model.domain:Domain"),
    "network": ("network", "kvasir.model.network:Network"),
    "networkport": ("networkport", "kvasir.model.network_port:Port"),
    "pool": ("storagepool", "kvasir.model.storage:Pool"),
    "volume": ("storagevol", "kvasir.model.storage:Volume"),
    "device": ("nodedev", "kvasir.model.nodedev:NodeDevice"),
    "secret": ("secret", "kvasir.model.secret:Secret"),
    "interface": ("interface", "kvasir.model.interface:Interface"),
    "cpu": ("cpu", "kvasir.model.cpu:Cpu"),
    "filter": ("nwfilter", ""),
    "filterbinding": ("nwfilterbinding", ""),
    "domainsnapshot": ("domainsnapshot", ""),
    "domaincheckpoint": ("domaincheckpoint", ""),
    "domainbackup": ("domainbackup", ""),
    "capabilities": ("capability", ""),
    "domainCapabilities": ("domaincaps", ""),
    "storagepoolCapabilities": ("storagepoolcaps", ""),
}
"""Root element, name of the schema, class whose fields are the schema ("": an outline is)."""

USAGE = """\
Usage:
  {me} XML-FILE [SCHEMA-NAME]
  {me} OPTION

Checks an XML document of domains, networks, storage pools ... against its schema; - is standard input.

Options:
  -h | --help        Display program help
  -V | --version     Display program version
"""
MALFORMED, NO_USE, MISSING, UNKNOWN, INVALID, NO_SCHEMA = 1, 1, 2, 3, 3, 4


def say(text: str) -> None:
    print(text, file=sys.stderr)


def schema_class(where: str) -> Any:
    """The class behind ``module:name``."""
    from importlib import import_module

    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def against(root: Any, tag: str, where: str) -> None:
    """Check a document. Raises Error that names what does not fit."""
    from kvasir.xml import outlines

    if tag == "filter":
        from lxml import etree

        from kvasir.nwfilter.documents import validate as validate_filter

        validate_filter(etree.tostring(root, encoding="unicode"))
    elif not where or (tag == "cpu" and root.find("arch") is not None):
        outlines.check(root, tag)
    else:
        from kvasir.xml.validate import validate

        validate(schema_class(where), root)


def check(path: str, wanted: str | None) -> int:
    """Check one file; the exit code."""
    me = sys.argv[0]
    if path != "-" and not os.path.isfile(path):
        say(f"{me}: document {path} does not exist")
        return MISSING
    from kvasir.errors import Error
    from kvasir.xml.reader import read

    try:
        with open(0 if path == "-" else path, encoding="utf-8", errors="surrogateescape") as stream:
            root = read(stream.read(), path)
    except Error as problem:
        say(problem.message.rstrip())
        say(f"{path} fails to validate")
        return MALFORMED
    tag = next((tag for tag, kind in KINDS.items() if (kind[0] == wanted if wanted else tag == str(root.tag))), None)
    if tag is None:
        say(f"{me}: schema {wanted} does not exist" if wanted else f"{me}: cannot determine schema type for {path}")
        return NO_SCHEMA if wanted else UNKNOWN
    try:
        against(root, tag, KINDS[tag][1])
    except Error as problem:
        say(problem.message.rstrip())
        say(f"{path} fails to validate")
        return INVALID
    say(f"{path} validates")
    return 0


def main() -> int:
    """The command."""
    words = sys.argv[1:]
    first = words[0] if words else ""
    if (len(first) > 2 and first != "--" and "--help".startswith(first)) or first == "-h":
        print(USAGE.format(me=sys.argv[0]), end="")
        return 0
    if (len(first) > 2 and "--version".startswith(first)) or first in ("-v", "-V"):
        print(f"{sys.argv[0]} (libvirt) 9.0.0")
        return 0
    if first == "--":
        del words[0]
    elif first.startswith("-") and first != "-":
        say(f"{sys.argv[0]}: unrecognized option '{first}'")
        return NO_USE
    if not words or not words[0]:
        say(f"syntax: {sys.argv[0]} XMLFILE [TYPE]")
        return NO_USE
    return check(words[0], words[1] if len(words) > 1 else None)


if __name__ == "__main__":
    sys.exit(main())
