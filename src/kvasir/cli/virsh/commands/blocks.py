"""Disks of a running domain: blockcommit, blockcopy, blockjob, blockpull, blockresize, domblkthreshold."""

from __future__ import annotations

from kvasir.cli.virsh.commands.blockwait import CANCELED, FAILED, Wait
from kvasir.cli.virsh.grammar import Args, Command, Fail, alias, data, flag, number, text
from kvasir.cli.virsh.shared import DOMAIN, no_size, pretty_size, read_file, scaled
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

KINDS = ("Unknown job", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup")
ABORT_ASYNC, ABORT_PIVOT = 1, 2
REBASE_COPY_RAW, REBASE_COPY, REBASE_RELATIVE, REBASE_DEV, REBASE_BYTES = 4, 8, 16, 32, 64


def size_of(args: Args, name: str, default: int = 1) -> int | None:
    """A size in bytes, None when not given."""
    given = args.raw(name)
    if given is None:
        return None
    found = scaled(given, default)
    if found is None:
        raise no_size(given, name)
    return found


def bandwidth(args: Args) -> int:
    """The limit as the call wants it: MiB/s, or bytes/s with --bytes."""
    try:
        return args.wrapped("bandwidth") or 0
    except Fail:
        given = args.raw("bandwidth") or ""
        size = scaled(given, 1)
        if size is None:
            raise no_size(given, "--bandwidth") from None
        return size if args.flag("bytes") else size >> 20


def partners(args: Args, *waits: str) -> None:
    """Options that say something of the wait want one of ``waits``."""
    for option in ("verbose", "async"):
        if args.flag(option) and not any(args.flag(name) for name in waits):
            *most, last = (f"--{name}" for name in waits)
            raise Fail(f"--{option} requires at least one of {', '.join(most)}, or {last}")


def timeout(args: Args) -> None:
    """The seconds of the wait are a positive number."""
    seconds = args.number("timeout")
    if seconds is not None and seconds < 1:
        raise Fail(f"Numeric value '{args.raw('timeout')}' for <timeout> option is malformed or out of range")


def began(shell: Shell, args: Args, label: str, begin: Callable[[], Any], wait: bool) -> Wait | None:
    """Begin a job, and watch it when asked to."""
    if not wait:
        begin()
        return None
    watch = Wait(shell, args, shell.domain(args), args.need("path"), label)
    try:
        begin()
        watch.run()
    finally:
        watch.close()
    return watch


def settle(shell: Shell, args: Args, domain: Any, watch: Wait, word: str) -> bool:
    """False (and a word) when the job did not come to its end."""
    if watch.status == CANCELED:
        shell.out(f"\n{word} aborted")
        return False
    if watch.status == FAILED:
        shell.error(f"\n{word} failed")
        return False
    return True


def end(shell: Shell, args: Args, domain: Any, *, pivot: bool, done: str) -> None:
    """End a copy that is ready."""
    path = args.need("path")
    flags = (ABORT_PIVOT if pivot else 0) | (ABORT_ASYNC if args.flag("async") else 0)
    word = "pivot" if pivot else "finish"
    shell.attempt(f"failed to {word} job for disk {path}", domain.blockJobAbort, path, flags)
    shell.out(f"\n{done}")


COMMIT_FLAGS = {"shallow": 1, "delete": 2, "keep-relative": 8, "bytes": 16}


def blockcommit(shell: Shell, args: Args) -> bool:
    active = any(args.flag(name) for name in ("active", "pivot", "keep-overlay"))
    wait = any(args.flag(name) for name in ("wait", "pivot", "keep-overlay", "timeout"))
    flags = sum(bit for name, bit in COMMIT_FLAGS.items() if args.flag(name)) | (4 if active else 0)
    path, base, top, speed = args.need("path"), args.wanted("base"), args.wanted("top"), bandwidth(args)
    partners(args, "timeout", "wait", "pivot", "keep-overlay")
    timeout(args)
    domain = shell.domain(args)

    def begin() -> None:
        domain.blockCommit(path, base, top, speed, flags)

    watch = began(shell, args, "Block commit", begin, wait)
    if watch is None:
        shell.out("Active Block Commit started" if active else "Block Commit started")
        return True
    if not settle(shell, args, domain, watch, "Commit"):
        return False
    if args.flag("pivot"):
        end(shell, args, domain, pivot=True, done="Successfully pivoted")
    elif args.flag("keep-overlay"):
        end(shell, args, domain, pivot=False, done="Commit complete, overlay image kept")
    else:
        shell.out("\nNow in synchronized phase" if active else "\nCommit complete")
    return True


COPY_FLAGS = {"shallow": 1, "reuse-external": 2, "transient-job": 4, "synchronous-writes": 8}


def copy_document(args: Args) -> str:
    """The <disk> that --dest, --blockdev and --format mean."""
    from kvasir.cli.virsh.xmltree import escape

    block = args.flag("blockdev")
    text_ = f"<disk type='{'block' if block else 'file'}'>\n"
    text_ += f"  <source {'dev' if block else 'file'}='{escape(args.need('dest'))}'/>\n"
    form = args.text("format")
    if form:
        text_ += f"  <driver type='{escape(form)}'/>\n"
    return text_ + "</disk>\n"


def blockcopy(shell: Shell, args: Args) -> bool:
    path, destination, xml, form = args.need("path"), args.wanted("dest"), args.wanted("xml"), args.wanted("format")
    speed, granularity, buffer = bandwidth(args), args.unsigned("granularity") or 0, args.unsigned("buf-size", 64) or 0
    timeout(args)
    for first in ("dest", "format"):
        if args.flag(first) and args.flag("xml"):
            raise Fail(f"Options --{first} and --xml are mutually exclusive")
    wait = any(args.flag(name) for name in ("wait", "pivot", "finish", "timeout"))
    flags = sum(bit for name, bit in COPY_FLAGS.items() if args.flag(name))
    if destination is None and xml is None:
        raise Fail("need either --dest or --xml")
    partners(args, "timeout", "wait", "pivot", "finish")
    domain = shell.domain(args)
    by_document = bool(granularity or buffer or (form and form != "raw") or args.flag("xml") or flags & 12)
    if by_document or args.flag("print-xml"):
        document = read_file(args.need("xml")) if args.flag("xml") else copy_document(args)
        if args.flag("print-xml"):
            shell.out(document)
            return True
    watch = began(shell, args, "Block Copy", _copy(args, domain, path, (by_document and document) or "", flags,
                                                   (speed, granularity, buffer)), wait)  # fmt: skip
    if watch is None:
        shell.out("Block Copy started")
        return True
    if not settle(shell, args, domain, watch, "Copy"):
        return False
    if args.flag("pivot"):
        end(shell, args, domain, pivot=True, done="Successfully pivoted")
    elif args.flag("finish"):
        end(shell, args, domain, pivot=False, done="Successfully copied")
    else:
        shell.out("\nNow in mirroring phase")
    return True


def _copy(
    args: Args, domain: Any, path: str, document: str, flags: int, numbers: tuple[int, int, int]
) -> Callable[[], Any]:
    from kvasir.rpc.typed import UInt, ULLong

    speed, granularity, buffer = numbers
    if not document:
        more = flags | REBASE_COPY | (REBASE_DEV if args.flag("blockdev") else 0)
        more |= REBASE_COPY_RAW if args.text("format") == "raw" else 0
        more |= REBASE_BYTES if args.flag("bytes") else 0
        return lambda: domain.blockRebase(path, args.text("dest"), speed, more)
    params: dict[str, Any] = {}
    if speed:
        params["bandwidth"] = ULLong(speed if args.flag("bytes") else speed << 20)
    if granularity:
        params["granularity"] = UInt(granularity)
    if buffer:
        params["buf-size"] = ULLong(buffer)
    return lambda: domain.blockCopy(path, document, params, flags)


def blockpull(shell: Shell, args: Args) -> bool:
    path, base, speed = args.need("path"), args.wanted("base"), bandwidth(args)
    timeout(args)
    flags = (REBASE_RELATIVE if args.flag("keep-relative") else 0) | (REBASE_BYTES if args.flag("bytes") else 0)
    domain = shell.domain(args)

    def begin() -> None:
        if base or flags & REBASE_RELATIVE:
            domain.blockRebase(path, base, speed, flags)
        else:
            domain.blockPull(path, speed, flags)

    watch = began(shell, args, "Block Pull", begin, args.flag("wait"))
    if watch is None:
        shell.out("Block Pull started")
        return True
    if not settle(shell, args, domain, watch, "Pull"):
        return False
    shell.out("\nPull complete")
    return True


def blockjob(shell: Shell, args: Args) -> bool:
    domain, path, speed = shell.domain(args), args.need("path"), bandwidth(args)
    if args.flag("bandwidth"):
        domain.blockJobSetSpeed(path, speed, 1 if args.flag("bytes") else 0)
    elif any(args.flag(name) for name in ("abort", "async", "pivot")):
        flags = (ABORT_ASYNC if args.flag("async") else 0) | (ABORT_PIVOT if args.flag("pivot") else 0)
        domain.blockJobAbort(path, flags)
    else:
        show(shell, args, domain, path)
    return True


def show(shell: Shell, args: Args, domain: Any, path: str) -> None:
    """What the job does."""
    from kvasir.cli.virsh.commands.blockwait import progress

    raw = args.flag("raw")
    in_bytes = args.flag("bytes") or not raw
    info = domain.blockJobInfo(path, 1 if in_bytes else 0)
    found = bool(info)
    kind, speed, done, whole = info.values() if found else (0, 0, 0, 0)
    if not found:
        if not raw:
            shell.extra(f"No current block job for {path}")
        return
    name = KINDS[kind] if 0 <= kind < len(KINDS) else KINDS[0]
    if raw:
        shell.out(f" type={name}\n bandwidth={speed}\n cur={done}\n end={whole}\n")
        return
    progress(shell, name, whole - done, whole)
    if speed:
        size, unit = pretty_size(speed)
        shell.out(f"    Bandwidth limit: {speed} bytes/s ({size:.3f} {unit}/s)")
    shell.out("\n")


def blockresize(shell: Shell, args: Args) -> None:
    path = args.need("path")
    size = size_of(args, "size", 1024) or 0
    size, flags = (size, 1) if size % 1024 else (size // 1024, 0)
    domain = shell.domain(args)
    shell.attempt(f"Failed to resize block device '{path}'", domain.blockResize, path, size, flags)
    shell.extra(f"Block device '{path}' is resized")


def domblkthreshold(shell: Shell, args: Args) -> None:
    device, size = args.need("dev"), size_of(args, "threshold") or 0
    shell.domain(args).setBlockThreshold(device, size, 0)


PATH = data("path", "the disk, by target or source")
SPEED = number("bandwidth", "limit in MiB/s")
WAIT = flag("wait", "wait for the job")
VERBOSE = flag("verbose", "with --wait: show how far it is")
TIMEOUT = number("timeout", "seconds after which it is aborted")
ASYNC = flag("async", "do not wait for the end of an aborted job")
BYTES = flag("bytes", "the limit counts bytes/s")
COMMANDS = [
    Command(
        "blockcommit",
        "write changes down into a backing image",
        (
            DOMAIN, PATH, SPEED,
            text("base", "the image to write into (the lowest)"),
            flag("shallow", "into the one just below"),
            text("top", "the image to begin with (the active one)"),
            flag("active", "begin with the active image, in two steps"),
            flag("delete", "remove the files that are then empty of use"),
            WAIT, VERBOSE, TIMEOUT,
            flag("pivot", "go on with the base (implies --active --wait)"),
            flag("keep-overlay", "go on with the overlay (implies --active --wait)"),
            ASYNC,
            flag("keep-relative", "keep relative names of backing images"),
            BYTES,
        ),
        blockcommit,
        description="Makes a backing chain shorter from below.",
        exclusive=(("pivot", "keep-overlay"),),
    ),
    Command(
        "blockcopy",
        "copy a disk while its domain runs",
        (
            DOMAIN, PATH,
            text("dest", "where the copy goes"),
            SPEED,
            flag("shallow", "only the top image; the chain is shared"),
            flag("reuse-external", "the destination is there"),
            flag("blockdev", "the destination is a block device"),
            WAIT, VERBOSE, TIMEOUT,
            flag("pivot", "go on with the copy (implies --wait)"),
            flag("finish", "stay with the disk (implies --wait)"),
            ASYNC,
            text("xml", "file with a <disk> that describes the destination"),
            text("format", "format of the copy"),
            alias("raw", "format=raw"),
            number("granularity", "piece of copying, a power of two"),
            number("buf-size", "bytes on the way at most"),
            BYTES,
            flag("transient-job", "the job need not outlive the domain's run"),
            flag("synchronous-writes", "the domain's writes wait for the copy"),
            flag("print-xml", "print the destination's XML only"),
        ),
        blockcopy,
        description="Copies until both are equal, and then keeps them so.",
        exclusive=(("blockdev", "xml"), ("pivot", "finish")),
    ),
    Command(
        "blockjob",
        "look at, limit or end the job of a disk",
        (
            DOMAIN, PATH,
            flag("abort", "end it"), flag("async", "do not wait for its end"), flag("pivot", "go on with the copy"),
            flag("info", "say what it does"), flag("bytes", "bandwidth in bytes/s"), flag("raw", "plain numbers"),
            SPEED,
        ),
        blockjob,
        description="Without an option: says what the job does.",
        exclusive=tuple(
            (first, second) for first in ("raw", "info") for second in ("abort", "pivot", "async", "bandwidth")
        ) + tuple(("bytes", second) for second in ("abort", "async", "pivot")),
    ),
    Command(
        "blockpull",
        "fill a disk from its backing images",
        (
            DOMAIN, PATH, SPEED,
            text("base", "the image to stop above"),
            WAIT, VERBOSE, TIMEOUT, ASYNC,
            flag("keep-relative", "keep relative names of backing images"),
            BYTES,
        ),
        blockpull,
        description="Makes a backing chain shorter from above.",
        needs=(("verbose", "wait"), ("async", "wait")),
    ),
    Command(
        "blockresize",
        "change the size of a disk",
        (DOMAIN, PATH, number("size", "new size, KiB without a unit", required=True)),
        blockresize,
        description="The domain sees the new size while it runs.",
    ),
    Command(
        "domblkthreshold",
        "have an event when a disk is written beyond an offset",
        (DOMAIN, data("dev", "the disk or a layer of it"), number("threshold", "offset in bytes", required=True)),
        domblkthreshold,
    ),
]  # fmt: skip

__all__ = ["COMMANDS", "Error"]
