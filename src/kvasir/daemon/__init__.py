"""The daemon: sockets, connections, dispatch, streams, events, configuration.

What a driver may import from here (leaves that import nothing of the daemon's machinery): ``paths.Paths``,
``config.Config``, ``events`` (the event classes and ``Bus``). What the daemon expects of a driver, see ``drivers``.
"""

import sys

if "asyncio" not in sys.modules and "ssl" not in sys.modules:
    # The daemon's TLS works on its own sockets (``tls``); without it asyncio can do without OpenSSL, which is 4 MiB.
    sys.modules["ssl"] = None  # type: ignore[assignment]
    import asyncio  # noqa: F401

    del sys.modules["ssl"]
