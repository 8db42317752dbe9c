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
}
"""Root element, name of the schema, class whose fields are the schema."""

USAGE = """\
syntax: virt-xml-validate XML-FILE [SCHEMA-NAME]

Checks an XML document of domains, networks, storage pools ... against its schema.
"""
MALFORMED, MISSING, USAGE_ERROR, UNKNOWN, INVALID = 1, 2, 1, 3, 3


def say(text: str) -> None:
    print(text, file=sys.stderr)


def schema_class(where: str) -> Any:
    """The class behind ``module:name``."""
    from importlib import import_module

    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def check(path: str, wanted: str | None) -> int:
    """Check one file; the exit code."""
    me = sys.argv[0]
    if not os.path.exists(path):
        say(f"{me}: document {path} does not exist")
        return MISSING
    from kvasir.errors import Error
    from kvasir.xml.reader import read
    from kvasir.xml.validate import validate

    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            root = read(stream.read(), path)
    except Error as problem:
        say(problem.message)
        say(f"{path} fails to validate")
        return MALFORMED
    found = [kind for tag, kind in KINDS.items() if (kind[0] == wanted if wanted else tag == str(root.tag))]
    if not found:
        say(f"{me}: schema {wanted} is not known" if wanted else f"{me}: cannot determine schema type for {path}")
        return UNKNOWN
    try:
        validate(schema_class(found[0][1]), root)
    except Error as problem:
        say(problem.message)
        say(f"{path} fails to validate")
        return INVALID
    say(f"{path} validates")
    return 0


def main() -> int:
    """The command."""
    words = sys.argv[1:]
    if words and words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if words and words[0] in ("-v", "--version", "-V"):
        from kvasir import __version__

        print(__version__)
        return 0
    if not 1 <= len(words) <= 2:
        say(USAGE.rstrip())
        return USAGE_ERROR
    return check(words[0], words[1] if len(words) > 1 else None)


if __name__ == "__main__":
    sys.exit(main())
