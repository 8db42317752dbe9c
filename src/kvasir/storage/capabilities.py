"""What the pool types can do, as ``virsh pool-capabilities`` prints it."""

from __future__ import annotations

from .pools import ALL
from .pools.base import PoolKind


def xml() -> str:
    """The document of all types, in libvirt's order."""
    out = ["<storagepoolCapabilities>\n"]
    for kind in ALL:
        out += _pool(kind)
    return "".join([*out, "</storagepoolCapabilities>\n"])


def _pool(kind: type[PoolKind]) -> list[str]:
    out = [f"  <pool type='{kind.TYPE}' supported='{'yes' if kind.BUILT else 'no'}'>\n"]
    out += _options("poolOptions", "sourceFormatType", kind.DEFAULT_FORMAT, kind.SOURCE_FORMATS)
    out += _options("volOptions", "targetFormatType", kind.DEFAULT_VOLUME_FORMAT, kind.VOLUME_FORMATS)
    return [*out, "  </pool>\n"]


def _options(tag: str, name: str, default: str | None, formats: tuple[str, ...]) -> list[str]:
    if not formats and default is None:
        return []
    values = [f"        <value>{value}</value>\n" for value in formats]
    return [
        f"    <{tag}>\n",
        f"      <defaultFormat type='{default}'/>\n",
        f"      <enum name='{name}'>\n",
        *values,
        "      </enum>\n",
        f"    </{tag}>\n",
    ]
