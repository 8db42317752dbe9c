"""The daemon: sockets, connections, dispatch, streams, events, configuration.

What a driver may import from here (leaves that import nothing of the daemon's machinery): ``paths.Paths``,
``config.Config``, ``events`` (the event classes and ``Bus``). What the daemon expects of a driver, see ``drivers``.
"""
