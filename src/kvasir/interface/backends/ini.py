"""Files of sections and keys, as systemd's and NetworkManager's are: keys may come again."""

from __future__ import annotations

Section = list[tuple[str, str]]
Sections = list[tuple[str, Section]]


CONTROLS = {number: "?" for number in range(32) if number not in (9, 10)}


def readable(path: str) -> str:
    """A file's text without what no document may hold; at most 4 MiB are read."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read(1 << 22).translate(CONTROLS)


def parse(text: str) -> Sections:
    """The sections in their order."""
    found: Sections = []
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            found.append((line[1:-1], []))
        elif found and "=" in line:
            key, _, value = line.partition("=")
            found[-1][1].append((key.strip(), value.strip()))
    return found


def values(sections: Sections, section: str, key: str) -> list[str]:
    """All values of a key."""
    return [value for name, pairs in sections if name == section for one, value in pairs if one == key]


def value(sections: Sections, section: str, key: str) -> str | None:
    """The last value of a key."""
    found = values(sections, section, key)
    return found[-1] if found else None


def number(sections: Sections, section: str, key: str) -> int | None:
    """A natural number; other words count as none."""
    found = value(sections, section, key)
    return int(found) if found is not None and found.isdecimal() else None


def write(sections: Sections) -> str:
    """The text of a file; sections without keys are left out."""
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in pairs) for name, pairs in sections if pairs
    )
