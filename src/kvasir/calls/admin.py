"""The daemon itself (program ``admin``): servers, workers, clients, limits, logging, timeout. What ``virt-admin`` asks."""

from __future__ import annotations

import grp
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvasir.calls.connection import LIB_VERSION
from kvasir.calls.flags import check_flags, check_params
from kvasir.errors import Code, Error, InternalError, InvalidArg, Origin
from kvasir.rpc.typed import Int, Params, UInt

if TYPE_CHECKING:
    from kvasir.daemon.client import Client
    from kvasir.daemon.service import Service
    from kvasir.daemon.session import Session

PROGRAM = "admin"
TRANSPORT_UNIX, TRANSPORT_TCP, TRANSPORT_TLS = range(3)


def connect_open(session: Session, flags: int) -> None:
    """Begin."""
    check_flags(flags, 0, "adminDispatchConnectOpen", Origin.ADMIN)


def connect_close(session: Session) -> None:
    """End; the connection closes after the answer."""
    session.client.close_soon()


def connect_get_lib_version(session: Session) -> int:
    """The libvirt that we stand for."""
    return LIB_VERSION


def _service(session: Session, name: str) -> Service:
    found = session.daemon.services.get(name)
    if found is None:
        text = f"No server named '{name}'"
        raise Error(text, code=Code.NO_SERVER, origin=Origin.RPC, message=f"Server not found: {text}")
    return found


def _client(session: Session, server: str, number: int, origin: Origin = Origin.RPC) -> Client:
    found = _service(session, server).clients.get(number)
    if found is None:
        text = f"No client with matching ID '{number}'"
        raise Error(text, code=Code.NO_CLIENT, origin=origin, message=f"Client not found: {text}")
    return found


def connect_list_servers(session: Session, need_results: int, flags: int) -> tuple[list[tuple[str]], int]:
    """The services of the daemon."""
    check_flags(flags, 0, "adminConnectListServers", Origin.ADMIN)
    names = list(session.daemon.services)
    return [(name,) for name in names] if need_results else [], len(names)


def connect_lookup_server(session: Session, name: str, flags: int) -> tuple[str]:
    """One of them."""
    check_flags(flags, 0, "adminConnectLookupServer", Origin.ADMIN)
    return (_service(session, name).name,)


def server_get_threadpool_parameters(session: Session, srv: Any, flags: int) -> Params:
    """Workers: limits, how many there are, how many are free, how many calls wait."""
    check_flags(flags, 0, "adminServerGetThreadPoolParameters", Origin.ADMIN)
    workers = _service(session, srv.name).workers
    busy = workers.busy + (session.client.service.workers is workers)  # who asks is served by one of them
    count = max(workers.min_workers, busy)
    return [
        ("minWorkers", UInt(workers.min_workers)),
        ("maxWorkers", UInt(workers.max_workers)),
        ("nWorkers", UInt(count)),
        ("freeWorkers", UInt(count - busy)),
        ("prioWorkers", UInt(workers.prio_workers)),
        ("jobQueueDepth", UInt(workers.depth)),
    ]


def server_set_threadpool_parameters(session: Session, srv: Any, params: Params, flags: int) -> None:
    """Change the limits; they hold at once."""
    check_flags(flags, 0, "adminServerSetThreadPoolParameters", Origin.ADMIN)
    workers = _service(session, srv.name).workers
    check_params(params, [("minWorkers", UInt), ("maxWorkers", UInt), ("prioWorkers", UInt)])
    wanted = {name: int(value) for name, value in params}
    least, most = wanted.get("minWorkers", workers.min_workers), wanted.get("maxWorkers", workers.max_workers)
    if least > most:
        raise InvalidArg("minWorkers cannot be larger than maxWorkers", origin=Origin.NONE)
    if most < 1:
        raise InvalidArg("maxWorkers must not be zero", origin=Origin.NONE)
    workers.min_workers, workers.max_workers = least, most
    workers.prio_workers = wanted.get("prioWorkers", workers.prio_workers)
    workers.pump()


def _struct(client: Client) -> tuple[tuple[str], int, int, int]:
    transport = TRANSPORT_UNIX if client.is_local else TRANSPORT_TLS if client.channel.secure else TRANSPORT_TCP
    return (client.service.name,), client.id, client.since, transport


def server_list_clients(session: Session, srv: Any, need_results: int, flags: int) -> tuple[list[Any], int]:
    """Who is connected."""
    check_flags(flags, 0, "adminServerListClients", Origin.ADMIN)
    clients = _service(session, srv.name).clients
    return [_struct(client) for client in clients.values()] if need_results else [], len(clients)


def server_lookup_client(session: Session, srv: Any, id: int, flags: int) -> Any:
    """One of them."""
    check_flags(flags, 0, "adminServerLookupClient", Origin.ADMIN)
    return _struct(_client(session, srv.name, id))


def client_get_info(session: Session, clnt: Any, flags: int) -> Params:
    """Who it is."""
    check_flags(flags, 0, "adminClientGetInfo", Origin.ADMIN)
    client = _client(session, clnt.srv.name, clnt.id, Origin.ADMIN)
    peer = client.identity
    if not client.is_local:
        host, port = client.sock.getpeername()[:2]
        found: Params = [("readonly", client.readonly), ("sock_addr", f"{host}:{port}")]
        if client.sasl_user:
            found.append(("sasl_user_name", client.sasl_user))
        if client.x509_name:
            found.append(("tls_x509_dname", client.x509_name))
        return found
    try:
        group = grp.getgrgid(peer.gid).gr_name
    except KeyError:
        group = str(peer.gid)
    return [
        ("readonly", client.readonly),
        ("unix_user_id", Int(peer.uid)),
        ("unix_user_name", peer.user),
        ("unix_group_id", Int(peer.gid)),
        ("unix_group_name", group),
        ("unix_process_id", Int(peer.pid)),
    ]


def client_close(session: Session, clnt: Any, flags: int) -> None:
    """Close its connection."""
    check_flags(flags, 0, "adminClientClose", Origin.ADMIN)
    client = _client(session, clnt.srv.name, clnt.id)
    if client is session.client:
        client.close_soon()
    else:
        client.close()


def server_get_client_limits(session: Session, srv: Any, flags: int) -> Params:
    """How many clients there may be, and are."""
    check_flags(flags, 0, "adminServerGetClientLimits", Origin.ADMIN)
    service = _service(session, srv.name)
    return [
        ("nclients_max", UInt(service.limits.max_clients)),
        ("nclients", UInt(len(service.clients))),
        ("nclients_unauth_max", UInt(service.limits.max_anonymous)),
        ("nclients_unauth", UInt(service.anonymous)),
    ]


def server_set_client_limits(session: Session, srv: Any, params: Params, flags: int) -> None:
    """Change that."""
    check_flags(flags, 0, "adminServerSetClientLimits", Origin.ADMIN)
    service = _service(session, srv.name)
    check_params(params, [("nclients_max", UInt), ("nclients_unauth_max", UInt)])
    wanted = {name: int(value) for name, value in params}
    most = wanted.get("nclients_max", service.limits.max_clients)
    anonymous = wanted.get("nclients_unauth_max", service.limits.max_anonymous)
    if most < anonymous:
        text = (
            "The overall maximum number of clients waiting for authentication must not be less than "
            "the overall maximum number of clients"
        )
        raise InvalidArg(text, origin=Origin.RPC)
    service.limits.max_clients, service.limits.max_anonymous = most, anonymous
    service.check_limits()


def connect_get_logging_outputs(session: Session, flags: int) -> tuple[str, int]:
    """Where the log goes."""
    check_flags(flags, 0, "adminConnectGetLoggingOutputs", Origin.ADMIN)
    outputs = session.daemon.logs.outputs
    return outputs, len(outputs.split())


def connect_get_logging_filters(session: Session, flags: int) -> tuple[str | None, int]:
    """Which modules log at another level."""
    check_flags(flags, 0, "adminConnectGetLoggingFilters", Origin.ADMIN)
    filters = session.daemon.logs.filters.split()
    shown = "".join(f"{level}:{_starred(word)} " for level, _, word in (one.partition(":") for one in filters))
    return shown or None, len(filters)


def _starred(word: str) -> str:
    """A match as libvirt keeps it: anywhere in the name unless stars say where."""
    return word if "*" in word else f"*{word}*"


def _apply(change: Callable[[], None]) -> None:
    try:
        change()
    except OSError as problem:
        text = f"failed to open the log: {problem.strerror}: {problem.filename}"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.NONE, int1=problem.errno or 0) from None


def connect_set_logging_outputs(session: Session, outputs: str | None, flags: int) -> None:
    """Change where it goes; none: the default."""
    check_flags(flags, 0, "adminConnectSetLoggingOutputs", Origin.ADMIN)
    logs = session.daemon.logs
    _apply(lambda: logs.apply(logs.filters, outputs or f"{logs.level}:stderr"))


def connect_set_logging_filters(session: Session, filters: str | None, flags: int) -> None:
    """Change the filters; none: no filter."""
    check_flags(flags, 0, "adminConnectSetLoggingFilters", Origin.ADMIN)
    logs = session.daemon.logs
    _apply(lambda: logs.apply(filters or "", logs.outputs))


def server_update_tls_files(session: Session, srv: Any, flags: int) -> None:
    """Read the certificates of the TLS socket anew."""
    check_flags(flags, 0, "adminServerUpdateTlsFiles", Origin.ADMIN)
    service = _service(session, srv.name)
    if not any(listener.tls for listener in service.listeners):
        raise InternalError("no tls service found, unable to update tls files", origin=Origin.RPC)
    assert session.daemon.tls is not None
    session.daemon.tls.reload()


def connect_set_daemon_timeout(session: Session, timeout: int, flags: int) -> None:
    """Leave when idle for so many seconds; 0: never."""
    check_flags(flags, 0, "adminConnectSetDaemonTimeout", Origin.ADMIN)
    session.daemon.set_timeout(timeout)
