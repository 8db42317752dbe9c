"""Network file system pools: an NFS export, a CIFS share or a GlusterFS volume, mounted on the target."""

from __future__ import annotations

from kvasir.errors import InvalidArg, OperationFailed, Origin
from kvasir.host import tools
from kvasir.model.storage import Pool, PoolSource, SourceHost

from . import base
from .fs import MountedPool


class NetFsPool(MountedPool):
    """A share of a server."""

    TYPE, NUMBER = "netfs", 2
    NEEDS = ("host", "dir")
    SHOWS = ("hosts", "directory", "protocol_version")
    SOURCE_FORMATS = ("auto", "nfs", "glusterfs", "cifs")
    DEFAULT_FORMAT = "auto"

    def check(self) -> None:
        self.source.directory = base.sanitize(str(self.source.directory))

    def source_word(self) -> str:
        host, folder = self.one_host(), self.source.directory
        return f"//{host.name}/{folder}" if self.source.format == "cifs" else f"{host.name}:{folder}"

    def mount_type(self) -> str:
        return "" if self.source.format == "auto" else str(self.source.format)

    def mount_options(self) -> list[str]:
        own = {"cifs": ["guest"], "glusterfs": ["direct-io-mode=1"]}.get(str(self.source.format), [])
        version = self.source.protocol_version
        return [*own, *([f"nfsvers={version}"] if version else []), *super().mount_options()]

    def same(self, other: Pool) -> bool:
        theirs = other.source
        assert theirs is not None
        return self.source.directory == theirs.directory and share_host(self.source, theirs)

    @classmethod
    def find_sources(cls, spec: PoolSource | None) -> list[PoolSource]:
        """Exports that a server shows, and its GlusterFS volumes."""
        host = named_host(spec, "netfs")
        status, out, _ = tools.attempt("showmount", "--no-headers", "--exports", host)
        folders = [line.split()[0] for line in out.splitlines() if line.startswith("/")] if not status else []
        found = [_source(host, folder, "nfs") for folder in folders]
        found += [_source(host, name, "glusterfs") for name in gluster_volumes(host)]
        if status and not found:
            raise OperationFailed(f"no storage pools were found on host '{host}'", origin=Origin.STORAGE)
        return found


def _source(host: str, folder: str, kind: str) -> PoolSource:
    return PoolSource(hosts=[SourceHost(name=host)], directory=folder, format=kind)


def share_host(mine: PoolSource, theirs: PoolSource) -> bool:
    """Whether two sources are on one server."""
    if len(mine.hosts) != 1 or len(theirs.hosts) != 1:
        return False
    left, right = mine.hosts[0], theirs.hosts[0]
    return left.name == right.name and (left.port or 0) == (right.port or 0)


def named_host(spec: PoolSource | None, kind: str) -> str:
    """The only host of a source specification. Raises InvalidArg."""
    if spec is None or len(spec.hosts) != 1:
        raise InvalidArg(
            f"hostname must be specified for {kind} sources"
            if spec is None or not spec.hosts
            else "Expected exactly 1 host for the storage pool",
            origin=Origin.STORAGE,
        )
    return str(spec.hosts[0].name)


def gluster_volumes(host: str) -> list[str]:
    """Names of a GlusterFS server's volumes; none where there is no such server or tool."""
    from kvasir.xml.reader import read

    if tools.find("gluster") is None:
        return []
    words = ("--xml", "--log-file=/dev/null", "volume", "info", "all", f"--remote-host={host}")
    status, out, _ = tools.attempt("gluster", *words)
    if status:
        return []
    nodes = read(out, "(gluster_cli_output)").findall("volInfo/volumes/volume/name")
    return [node.text for node in nodes if node.text]
