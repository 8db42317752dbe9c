"""The commands of virt-admin, by group."""

from __future__ import annotations

from kvasir.cli.virsh.commands import itself
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, number, text
from kvasir.cli.virsh.table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    AdminShell: TypeAlias = Any
    """``main.AdminShell``, which is a Shell and therefore what a Command wants."""

LIBRARY = "9.0.0"
TRANSPORTS = ("unix", "tcp", "tls")
POOL = (("min-workers", "minWorkers"), ("max-workers", "maxWorkers"), ("priority-workers", "prioWorkers"))
LIMITS = (("max-clients", "nclients_max"), ("max-unauth-clients", "nclients_unauth_max"))


def when(seconds: int) -> str:
    """A time as virt-admin writes it."""
    from time import localtime, strftime

    return strftime("%Y-%m-%d %H:%M:%S%z", localtime(seconds))


def shown(value: object) -> str:
    """A typed parameter."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def lines(pairs: list[tuple[str, Any]], width: int = 15) -> str:
    return "".join(f"{name:<{width}}: {shown(value)}\n" for name, value in pairs)


def server(shell: AdminShell, args: Args) -> Any:
    """The server that --server names."""
    return shell.admin.call("connect_lookup_server", args.need("server"), 0)


def uri(shell: AdminShell, args: Args) -> None:
    shell.out(shell.admin.text + "\n")


def version(shell: AdminShell, args: Args) -> None:
    found = shell.attempt("failed to get the daemon version", shell.admin.call, "connect_get_lib_version")
    running = f"{found // 1000000}.{found // 1000 % 1000}.{found % 1000}"
    shell.out(f"Compiled against library: libvirt {LIBRARY}\nUsing library: libvirt {LIBRARY}\n")
    shell.out(f"Running against daemon: {running}\n")


def server_list(shell: AdminShell, args: Args) -> None:
    found = shell.attempt(
        "failed to obtain list of available servers from the daemon", shell.admin.call, "connect_list_servers", 1, 0
    )[0]
    rows = [[str(at), one.name] for at, one in enumerate(found)]
    shell.out(table(("Id", "Name"), rows, not shell.quiet))


def threadpool_info(shell: AdminShell, args: Args) -> None:
    one = server(shell, args)
    found = shell.attempt(
        "Unable to get server workerpool parameters", shell.admin.call, "server_get_threadpool_parameters", one, 0
    )
    shell.out(lines(found))


def _given(shell: AdminShell, args: Args, names: tuple[tuple[str, str], ...]) -> list[tuple[str, Any]]:
    from kvasir.rpc.typed import UInt

    found = []
    for name, word in names:
        try:
            value = args.number(name, 0, (1 << 32) - 1)
        except Fail as problem:
            shell.error(str(problem))
            raise Fail(f"Unable to parse integer parameter '{name}'") from None
        if value is not None:
            found.append((word, UInt(value)))
    return found


def threadpool_set(shell: AdminShell, args: Args) -> None:
    params = _given(shell, args, POOL)
    if not params:
        raise Fail("At least one of options --min-workers, --max-workers, --priority-workers is mandatory ")
    known = dict(params)
    if "minWorkers" in known and "maxWorkers" in known and known["minWorkers"] > known["maxWorkers"]:
        raise Fail("--min-workers must be less than or equal to --max-workers")
    one = server(shell, args)
    shell.attempt(
        "Unable to change server workerpool parameters",
        shell.admin.call,
        "server_set_threadpool_parameters",
        one,
        params,
        0,
    )


def client_list(shell: AdminShell, args: Args) -> None:
    one = server(shell, args)
    found = shell.attempt(
        "failed to obtain list of connected clients", shell.admin.call, "server_list_clients", one, 1, 0
    )[0]
    rows = [
        [str(c.id), TRANSPORTS[c.transport] if c.transport < len(TRANSPORTS) else "unknown", when(c.timestamp)]
        for c in found
    ]
    shell.out(table(("Id", "Transport", "Connected since"), rows, not shell.quiet))


def client(shell: AdminShell, args: Args) -> Any:
    number = args.number("client", 0, (1 << 63) - 1)
    return shell.admin.call("server_lookup_client", server(shell, args), number, 0)


def client_info(shell: AdminShell, args: Args) -> None:
    one = client(shell, args)
    found = shell.attempt("failed to retrieve client identity information", shell.admin.call, "client_get_info", one, 0)
    head = [("id", one.id), ("connection_time", when(one.timestamp)), ("transport", TRANSPORTS[one.transport])]
    shell.out(lines([*head, *found]))


def client_disconnect(shell: AdminShell, args: Args) -> None:
    one = client(shell, args)
    name = args.need("client")
    shell.attempt(
        f"Failed to disconnect client '{name}' from server '{args.need('server')}'",
        shell.admin.call,
        "client_close",
        one,
        0,
    )
    shell.out(f"Client '{name}' disconnected\n")


def clients_info(shell: AdminShell, args: Args) -> None:
    one = server(shell, args)
    found = shell.attempt(
        "Unable to retrieve client limits from server's configuration",
        shell.admin.call,
        "server_get_client_limits",
        one,
        0,
    )
    shell.out(lines(found, 20))


def clients_set(shell: AdminShell, args: Args) -> None:
    params = _given(shell, args, LIMITS)
    if not params:
        raise Fail("At least one of options --max-clients, --max-unauth-clients is mandatory")
    known = dict(params)
    if len(known) == 2 and known["nclients_unauth_max"] > known["nclients_max"]:
        raise Fail("--max-unauth-clients must be less than or equal to --max-clients")
    one = server(shell, args)
    shell.attempt(
        "Unable to change server's client-related configuration limits",
        shell.admin.call,
        "server_set_client_limits",
        one,
        params,
        0,
    )


def update_tls(shell: AdminShell, args: Args) -> None:
    one = server(shell, args)
    shell.attempt("Unable to update server's tls related files.", shell.admin.call, "server_update_tls_files", one, 0)
    shell.out("update tls related files succeed\n")


def log_filters(shell: AdminShell, args: Args) -> None:
    logging(shell, args, "filters", "filters")


def log_outputs(shell: AdminShell, args: Args) -> None:
    logging(shell, args, "outputs", "outputs")


def logging(shell: AdminShell, args: Args, option: str, what: str) -> None:
    """Print the setting, or change it."""
    if args.has(option):
        given = next(value for one, value in args.values if one.name == option)
        shell.attempt(
            "Unable to change daemon logging settings", shell.admin.call, f"connect_set_logging_{what}", given, 0
        )
        return
    found = shell.attempt(
        f"Unable to get daemon logging {what} information", shell.admin.call, f"connect_get_logging_{what}", 0
    )[0]
    shell.out(f" {f'Logging {what}:':<15} {found or ''}\n")


def daemon_timeout(shell: AdminShell, args: Args) -> None:
    seconds = args.number("timeout", 0, (1 << 32) - 1)
    shell.admin.call("connect_set_daemon_timeout", seconds, 0)


def connect(shell: AdminShell, args: Args) -> None:
    word = shell.reconnect(args.wanted("name"))
    shell.out(f"{word.capitalize()}ed to the admin server\n")


SERVER = data("server", "name of the server (libvirtd, admin)")
OWN = [one for one in itself.COMMANDS if one.name in ("cd", "echo", "exit", "help", "pwd", "quit")]
GROUPS: list[tuple[str, str, list[Command]]] = [
    (
        "virt-admin",
        "Virt-admin itself",
        [
            *OWN,
            Command("uri", "print the URI of the admin server", (), uri),
            Command("version", "print versions", (), version, description="Of this program and of the daemon."),
            Command(
                "connect",
                "connect to a daemon's admin server",
                (text("name", "URI of the admin server"),),
                connect,
                offline=True,
            ),
        ],
    ),
    (
        "monitor",
        "Monitoring commands",
        [
            Command("server-list", "list the servers of the daemon", (), server_list),
            Command("server-threadpool-info", "how many workers a server has", (SERVER,), threadpool_info),
            Command("client-list", "list the clients of a server", (SERVER,), client_list),
            Command("client-info", "who a client is", (SERVER, data("client", "id of the client")), client_info),
            Command("server-clients-info", "how many clients a server takes", (SERVER,), clients_info),
        ],
    ),
    (
        "management",
        "Management commands",
        [
            Command(
                "server-threadpool-set",
                "change how many workers a server has",
                (
                    SERVER,
                    number("min-workers", "at least", positional=False),
                    number("max-workers", "at most", positional=False),
                    number("priority-workers", "workers for calls that never wait", positional=False),
                ),
                threadpool_set,
            ),
            Command(
                "client-disconnect",
                "close a client's connection",
                (SERVER, number("client", "id of the client", required=True)),
                client_disconnect,
            ),
            Command(
                "server-clients-set",
                "change how many clients a server takes",
                (
                    SERVER,
                    number("max-clients", "at most", positional=False),
                    number("max-unauth-clients", "of them not yet known", positional=False),
                ),
                clients_set,
            ),
            Command("server-update-tls", "read certificates and keys again", (SERVER,), update_tls),
            Command(
                "daemon-log-filters",
                "print or change the log's filters",
                (text("filters", "the new ones", empty=True),),
                log_filters,
            ),
            Command(
                "daemon-log-outputs",
                "print or change where the log goes",
                (text("outputs", "the new ones", empty=True),),
                log_outputs,
            ),
            Command(
                "daemon-timeout",
                "after how many idle seconds the daemon ends",
                (number("timeout", "seconds, 0 for never", positional=False, required=True),),
                daemon_timeout,
            ),
        ],
    ),
]
SAME = {
    "srv-list": "server-list",
    "srv-threadpool-info": "server-threadpool-info",
    "srv-threadpool-set": "server-threadpool-set",
    "srv-clients-list": "client-list",
    "srv-clients-info": "server-clients-info",
    "srv-clients-set": "server-clients-set",
    "srv-update-tls": "server-update-tls",
    "dmn-log-filters": "daemon-log-filters",
    "dmn-log-outputs": "daemon-log-outputs",
}
"""Old names."""


def find(name: str) -> Command | None:
    """The command of a name."""
    name = SAME.get(name, name)
    for _, _, commands in GROUPS:
        for command in commands:
            if command.name == name:
                return command
    return None
