"""Migration: migrate (not yet), migrate-compcache, migrate-postcopy."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, text
from kvasir.cli.virsh.shared import DOMAIN, pretty_size
from kvasir.cli.virsh.shell import Shell

FLAGS = (
    ("live", "the domain runs on meanwhile"), ("offline", "only its definition"), ("p2p", "host to host"),
    ("direct", "by the hypervisor itself"), ("tunnelled", "through the daemons' connection"),
    ("persistent", "define it on the other host"), ("undefinesource", "undefine it here"),
    ("suspend", "leave it paused there"), ("copy-storage-all", "with its disks"),
    ("copy-storage-inc", "with what its disks have over shared images"),
    ("copy-storage-synchronous-writes", "writes wait for the other side"),
    ("change-protection", "nothing may change the domain meanwhile"), ("unsafe", "even where it may be unsafe"),
    ("verbose", "show the progress"), ("compressed", "compress pages that are sent again"),
    ("auto-converge", "slow the domain down until it can move"), ("rdma-pin-all", "pin all memory before"),
    ("abort-on-error", "give up on soft errors"), ("postcopy", "allow a switch to post-copy"),
    ("postcopy-after-precopy", "switch to post-copy after one pass"), ("postcopy-resume", "go on with one that broke"),
    ("zerocopy", "send pages without a copy"),
)  # fmt: skip
TEXTS_BEFORE = (
    ("migrateuri", "where the memory goes"), ("graphicsuri", "where viewers are to go"),
    ("listen-address", "address that the other host listens on"), ("dname", "new name there"),
)  # fmt: skip
NOT_YET = "migration is not supported yet"


def migrate(shell: Shell, args: Args) -> None:
    shell.domain(args)
    raise Fail(NOT_YET)


def migrate_compcache(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    size = args.unsigned("size", 64)
    if size is not None:
        domain.migrateSetCompressionCache(size, 0)
    value, unit = pretty_size(domain.migrateGetCompressionCache(0))
    shell.out(f"Compression cache: {value:.3f} {unit}")


def migrate_postcopy(shell: Shell, args: Args) -> None:
    shell.domain(args).migrateStartPostCopy(0)


COMMANDS = [
    Command(
        "migrate",
        "move a domain to another host (not supported yet)",
        (
            DOMAIN,
            data("desturi", "connection URI of the other host"),
            *(flag(name, what) for name, what in FLAGS),
            *(text(name, what) for name, what in TEXTS_BEFORE),
            number("timeout", "seconds until the timeout's action"),
            flag("timeout-suspend", "suspend the domain then"),
            flag("timeout-postcopy", "switch to post-copy then"),
            text("xml", "file with the document for the other host"),
            text("migrate-disks", "disks to copy"),
            number("disks-port", "port for the disks"),
            text("disks-uri", "URI for the disks"),
            text("comp-methods", "ways of compression"),
            number("comp-mt-level", "level of multithread compression"),
            number("comp-mt-threads", "threads that compress"),
            number("comp-mt-dthreads", "threads that decompress"),
            number("comp-xbzrle-cache", "bytes of the cache for xbzrle"),
            number("auto-converge-initial", "percent to slow down at first"),
            number("auto-converge-increment", "percent to slow down further"),
            text("persistent-xml", "file with the definition for the other host"),
            flag("tls", "encrypt by TLS"),
            number("postcopy-bandwidth", "MiB a second in post-copy"),
            flag("parallel", "by several connections"),
            number("parallel-connections", "how many"),
            number("bandwidth", "MiB a second"),
            text("tls-destination", "name that the certificate must have"),
        ),
        migrate,
    ),
    Command(
        "migrate-compcache",
        "show or set the cache for compressed migration",
        (DOMAIN, number("size", "its size in bytes", positional=False)),
        migrate_compcache,
    ),
    Command("migrate-postcopy", "switch a migration to post-copy", (DOMAIN,), migrate_postcopy),
]
