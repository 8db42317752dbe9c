"""Ways to see a domain: domdisplay, vncdisplay, ttyconsole, screenshot."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, number, text
from kvasir.cli.virsh.shared import DOMAIN, domain_xml
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.cli.virsh.xmltree import Node

SCHEMES = ("vnc", "spice", "rdp", "dbus")
SECURE = 1
FIRST_VNC_PORT = 5900


def domdisplay(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    if domain.isActive() != 1:
        raise Fail("Domain is not running")
    root = domain_xml(shell, args, SECURE if args.flag("include-password") else 0)
    wanted = args.wanted("type")
    found = False
    for scheme in SCHEMES:
        if wanted is not None and scheme != wanted:
            continue
        uri = uri_of(root, scheme)
        if uri is None:
            continue
        found = True
        shell.out(uri + ("\n" if args.flag("all") else ""))
        if not args.flag("all"):
            break
    if not found:
        raise Fail(f"No graphical display with type '{wanted}' found" if wanted else "No graphical display found")


def uri_of(root: Node, scheme: str) -> str | None:
    """The URI of the first display of a kind, None when there is none to connect to."""
    node = next((node for node in root.all("devices/graphics") if node.get("@type") == scheme), None)
    if node is None:
        return None
    if scheme == "dbus":
        address = node.get("@address")
        return f"dbus+{address.replace(':', '://', 1)}" if address else None
    port = int(node.get("@port") or "0")
    tls = int(node.get("@tlsPort") or "0")
    socket = node.get("@socket") or node.get("listen/@socket")
    if port <= 0 and tls <= 0 and not socket:
        return None
    password = node.get("@passwd")
    text = f"{scheme}+unix://" if socket and port <= 0 else f"{scheme}://"
    if scheme == "vnc" and password:
        text += f":{password}@"
    if socket and port <= 0:
        text += socket
    else:
        host = node.get("listen/@address") or node.get("@listen")
        if not host or host in ("0.0.0.0", "::"):
            host = "localhost"
        text += f"[{host}]" if ":" in host else host
    if port > 0:
        text += f":{port - FIRST_VNC_PORT if scheme == 'vnc' else port}"
    words = [f"tls-port={tls}"] if tls > 0 else []
    if scheme == "spice" and password:
        words.append(f"password={password}")
    return text + ("?" + "&".join(words) if words else "")


def vncdisplay(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    if domain.isActive() != 1:
        raise Fail("Domain is not running")
    root = domain_xml(shell, args)
    node = next((node for node in root.all("devices/graphics") if node.get("@type") == "vnc"), None)
    port = int((node.get("@port") if node else None) or "-1")
    if node is None or port < 0:
        raise Fail("Failed to get VNC port. Is this domain using VNC?")
    host = node.get("listen/@address") or node.get("@listen") or ""
    if host == "0.0.0.0":
        host = ""
    shell.out(f"{host}:{port - FIRST_VNC_PORT}\n")


def ttyconsole(shell: Shell, args: Args) -> bool:
    tty = domain_xml(shell, args).get("devices/console/@tty")
    if not tty:
        return False
    shell.out(tty + "\n")
    return True


def screenshot(shell: Shell, args: Args) -> None:
    path = args.wanted("file")
    screen = args.unsigned("screen") or 0
    domain = shell.domain(args)
    name = domain.name()
    stream = shell.conn.newStream()
    mime = shell.attempt(f"could not take a screenshot of {name}", domain.screenshot, stream, screen, 0)
    path = path or default_path(name, mime)
    try:
        file = open(path, "wb")  # noqa: SIM115  # closed below
    except OSError:
        raise Fail(f"cannot create file {path}") from None
    with file:
        try:
            stream.recvAll(lambda _, data, out: out.write(data), file)
            stream.finish()
        except Error:
            shell.error(f"could not receive data from domain '{name}'")
            raise
    shell.out(f"Screenshot saved to {path}, with type of {mime}")


def default_path(name: str, mime: str) -> str:
    """NAME-TIME and an ending that fits the type."""
    from time import localtime, strftime

    ending = {"image/x-portable-pixmap": ".ppm", "image/png": ".png"}.get(mime, "")
    return f"{name}-{strftime('%Y-%m-%d-%H:%M:%S', localtime())}{ending}"


COMMANDS = [
    Command(
        "domdisplay",
        "URI of a domain's graphical display",
        (
            DOMAIN,
            flag("include-password", "with the password"),
            text("type", "only this kind, such as vnc or spice"),
            flag("all", "all displays"),
        ),
        domdisplay,
        description="Prints the URI that a viewer connects to.",
        exclusive=(("all", "type"),),
    ),
    Command(
        "screenshot",
        "save a picture of a domain's display",
        (DOMAIN, text("file", "where to save it"), number("screen", "number of the screen")),
        screenshot,
        description="Saves what the display shows now.",
    ),
    Command("ttyconsole", "device of a domain's console", (DOMAIN,), ttyconsole),
    Command("vncdisplay", "address and number of a domain's VNC display", (DOMAIN,), vncdisplay),
]
