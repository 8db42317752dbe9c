"""``kvasird``: the command."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from typing import NoReturn

from kvasir import __version__
from kvasir.daemon import config as configuration
from kvasir.daemon import sockets, threads
from kvasir.daemon.logs import Logging
from kvasir.daemon.paths import Paths
from kvasir.errors import Error

log = logging.getLogger(__name__)

FILES = 65536
THREADS = 8
"""For waiting work besides that of calls: a worker whose file hangs (NFS, a FIFO) takes no thread away from the others."""
LAST_WAIT = 2.0
"""Seconds that threads have to come back when all else has ended."""
NETWORK_FAILED = (
    "{}: error: Unable to initialize network sockets. Check /var/log/messages or run without --daemon for more info."
)


def _seconds(word: str) -> float:
    value = float(word)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {word}")
    return value


def parser() -> argparse.ArgumentParser:
    """The options; those of libvirtd are understood as well, since clients start us by its name."""
    made = argparse.ArgumentParser("kvasird", description="Serves virtual machines on libvirt's wire.")
    add = made.add_argument
    add("--root", metavar="DIR", default="", help="keep every file and socket under DIR")
    add("-t", "--timeout", metavar="SECONDS", type=_seconds, default=0, help="leave when idle for so long")
    add("-f", "--config", metavar="FILE", help="read FILE instead of libvirtd.conf")
    add("--qemu-config", metavar="FILE", help="read FILE instead of qemu.conf")
    add("--session", action="store_true", help="serve qemu:///session (the default of an ordinary user)")
    add("-d", "--daemon", action="store_true", help="go into the background when ready")
    add("-p", "--pid-file", metavar="FILE", help="write the number of the process to FILE as well")
    add("-l", "--listen", action="store_true", help="listen on the network as well, as libvirtd.conf says")
    add("-v", "--verbose", action="store_true", help="log at level info")
    add("--polkit-policy", action="store_true", help="print the actions that polkit must know, and leave")
    add("-V", "--version", action="version", version=f"kvasird {__version__}")
    return made


class _Background:
    """``-d``: the parent leaves when the child is ready, with the child's result."""

    def __init__(self) -> None:
        reader, self.writer = os.pipe()
        if os.fork():
            os.close(self.writer)
            word = os.read(reader, 1)
            if word == b"N":
                print(NETWORK_FAILED.format(sys.argv[0]), file=sys.stderr, flush=True)
            os._exit({b"+": 0, b"N": sockets.NoNetwork.exit_code}.get(word, 1))
        os.close(reader)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)

    def failed(self, problem: Error) -> None:
        os.write(self.writer, b"N" if isinstance(problem, sockets.NoNetwork) else b"-")

    def ready(self) -> None:
        os.write(self.writer, b"+")
        os.close(self.writer)
        os.dup2(0, 2)


async def serve(options: argparse.Namespace, paths: Paths, logs: Logging, background: _Background | None) -> int:
    """Run until a signal or the idle timeout ends it."""
    from kvasir.daemon.app import Daemon

    settings = configuration.load_daemon(options.config or f"{paths.etc}/libvirtd.conf", options.config is not None)
    logs.setup(settings, options.verbose)
    qemu = configuration.load_qemu(options.qemu_config or f"{paths.etc}/qemu.conf", options.qemu_config is not None)
    daemon = Daemon(paths, settings, qemu, options.timeout, logs, options.listen, options.pid_file)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(threads.pool(settings.max_workers + settings.prio_workers + THREADS, "file"))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, daemon.end)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    await daemon.start()
    if background is not None:
        background.ready()
    await daemon.wait()
    await daemon.stop()
    if not await threads.end(LAST_WAIT):
        log.warning("work that hangs is left behind")
        logging.shutdown()
        os._exit(0)
    return 0


def _raise_file_limit() -> None:
    """Thousands of clients and guests need more descriptors than a shell's 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``kvasird``."""
    options = parser().parse_args(argv)
    if options.polkit_policy:
        from kvasir.daemon.polkit_policy import policy

        print(policy(), end="")
        return 0
    root = os.path.abspath(options.root) if options.root else ""
    session = options.session or (os.geteuid() != 0 and not root)
    paths = Paths.session(root) if session else Paths.system(root)
    logs = Logging()
    logging.basicConfig(level=logging.WARNING, format="kvasird: %(message)s", stream=sys.stderr)
    _raise_file_limit()
    options.pid_file = options.pid_file and os.path.abspath(options.pid_file)
    background = _Background() if options.daemon else None
    os.umask(0o022)
    gc.disable()  # until the daemon has settled: what the start makes stays
    try:
        return asyncio.run(serve(options, paths, logs, background))
    except Error as problem:
        log.error("%s", problem.message)
        if problem.hint:
            log.error("%s", problem.hint)
        if background is not None:
            background.failed(problem)
        return getattr(problem, "exit_code", 1)
    except OSError as problem:
        log.error("%s", problem)
        return 1


def run() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    run()
