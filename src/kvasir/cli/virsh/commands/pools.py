"""Storage pools: pool-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, edit_document, inactive_or_live, print_document
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import line, read_file, set_autostart
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kvasir.client.others import StoragePool

STATES = ("inactive", "building", "running", "degraded", "inaccessible")
RUNNING = 2
INACTIVE_XML = 1
VALIDATE = 1
LIST_INACTIVE, LIST_ACTIVE = 1, 2
LIST_FILTERS = {"persistent": 4, "transient": 8, "autostart": 16, "no-autostart": 32}
TYPES = (
    *("dir", "fs", "netfs", "logical", "disk", "iscsi", "scsi", "mpath", "rbd", "sheepdog", "gluster", "zfs"),
    *("vstorage", "iscsi-direct"),
)
BUILD_FLAGS = {"no-overwrite": 4, "overwrite": 8}


def find_pool(shell: Shell, args: Args, option: str = "pool", by: str = "un") -> StoragePool:
    """The pool that an option names."""
    wanted = shell.wanted(args, option)
    conn = shell.conn
    problem: Error | None = None
    if "u" in by and len(wanted) == 36:
        shell.trying(args, option, "pool UUID")
        try:
            return conn.storagePoolLookupByUUIDString(wanted)  # type: ignore[no-any-return]  # made from the table
        except Error as caught:
            problem = caught
    if "n" in by:
        shell.trying(args, option, "pool NAME")
        try:
            return conn.storagePoolLookupByName(wanted)  # type: ignore[no-any-return]  # made from the table
        except Error as caught:
            problem = caught
    shell.error(f"failed to get pool '{wanted}'")
    if problem is not None:
        raise problem
    raise Fail("")


def size_text(value: int) -> str:
    """A size with its unit, two digits after the point."""
    number, unit = float(value), "B"
    for step in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if number < 1024:
            break
        number, unit = number / 1024, step
    return f"{number:.2f} {unit}"


def pool_list(shell: Shell, args: Args) -> None:
    flags = 0 if args.flag("inactive") else LIST_ACTIVE
    if args.flag("inactive") or args.flag("all"):
        flags |= LIST_INACTIVE
    flags |= sum(bit for name, bit in LIST_FILTERS.items() if args.flag(name))
    for kind in (args.wanted("type") or "").split(",") if args.wanted("type") else ():
        if kind not in TYPES:
            raise Fail(f"Invalid pool type '{kind}'")
        flags |= 64 << TYPES.index(kind)
    found = shell.attempt("Failed to list pools", shell.conn.listAllStoragePools, flags)
    pools = sorted(found, key=lambda pool: str(pool.name()).lower())
    if args.flag("uuid") or args.flag("name"):
        for pool in pools:
            words = ([pool.UUIDString()] if args.flag("uuid") else []) + (
                [f"{pool.name():<20}"] if args.flag("name") else []
            )
            shell.out(" ".join(words) + "\n")
        return
    header = ["Name", "State", "Autostart"]
    if args.flag("details"):
        header += ["Persistent", "Capacity", "Allocation", "Available"]
    shell.out(table(header, [row(pool, args.flag("details")) for pool in pools], not shell.quiet))


def row(pool: StoragePool, details: bool) -> list[str]:
    """A line of the table."""
    started = "yes" if pool.autostart() else "no"
    if not details:
        return [pool.name(), "active" if pool.isActive() else "inactive", started]
    state, *sizes = pool.info()
    words = [size_text(size) for size in sizes] if state in (RUNNING, RUNNING + 1) else ["-"] * 3
    return [pool.name(), STATES[state], started, "yes" if pool.isPersistent() else "no", *words]


def pool_info(shell: Shell, args: Args) -> None:
    pool = find_pool(shell, args)
    shell.out(line("Name:", pool.name()) + line("UUID:", pool.UUIDString()))
    state, *sizes = pool.info()
    shell.out(line("State:", STATES[state] if state < len(STATES) else "unknown"))
    shell.out(line("Persistent:", "yes" if pool.isPersistent() else "no"))
    shell.out(line("Autostart:", "yes" if pool.autostart() else "no"))
    if state in (RUNNING, RUNNING + 1):
        for label, size in zip(("Capacity:", "Allocation:", "Available:"), sizes, strict=True):
            shell.out(line(label, size if args.flag("bytes") else size_text(size)))


def pool_dumpxml(shell: Shell, args: Args) -> None:
    found = find_pool(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(INACTIVE_XML if args.flag("inactive") else 0))


def pool_define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    pool = shell.attempt(f"Failed to define pool from {path}", shell.conn.storagePoolDefineXML, read_file(path), flags)
    shell.extra(f"Pool {pool.name()} defined from {path}\n")


def build_flags(args: Args) -> int:
    """Flags of a start that builds."""
    not_together(args)
    return sum(bit for name, bit in (("build", 1), ("overwrite", 2), ("no-overwrite", 4)) if args.flag(name))


def not_together(args: Args) -> None:
    """Of the two only one; said after the pool was looked for."""
    if args.flag("overwrite") and args.flag("no-overwrite"):
        raise Fail("Options --overwrite and --no-overwrite are mutually exclusive")


def pool_create(shell: Shell, args: Args) -> None:
    path, flags = args.need("file"), build_flags(args)
    pool = shell.attempt(f"Failed to create pool from {path}", shell.conn.storagePoolCreateXML, read_file(path), flags)
    shell.extra(f"Pool {pool.name()} created from {path}\n")


def document(args: Args) -> str:
    """The XML of a pool made from options."""
    from kvasir.cli.virsh.xmltree import escape

    if args.flag("secret-usage") and args.flag("secret-uuid"):
        raise Fail("Options --secret-usage and --secret-uuid are mutually exclusive")
    for option in ("name", "type", *list(AS_OPTIONS)[:4], "source-format", *AS_OPTIONS):
        args.wanted(option)

    def tag(form: str, *names: str) -> str:
        values = [args.text(name) for name in names]
        return "" if None in values else form.format(*(escape(value or "", True) for value in values))

    source = tag("    <host name='{}'/>\n", "source-host")
    source += tag("    <dir path='{}'/>\n", "source-path")
    source += tag("    <device path='{}'/>\n", "source-dev")
    source += adapter(tag)
    source += tag("    <initiator>\n      <iqn name='{}'/>\n    </initiator>\n", "source-initiator")
    secret = tag(" usage='{}'", "secret-usage") or tag(" uuid='{}'", "secret-uuid")
    if secret:
        source += tag(
            "    <auth type='{}' username='{}'>\n" + f"      <secret{secret}/>\n    </auth>\n",
            *("auth-type", "auth-username"),
        )
    source += tag("    <format type='{}'/>\n", "source-format")
    source += tag("    <name>{}</name>\n", "source-name")
    version = tag("    <protocol ver='{}'/>\n", "source-protocol-ver")
    text = f"<pool type='{escape(args.need('type'), True)}'>\n  <name>{escape(args.need('name'))}</name>\n"
    text += f"  <source>\n{source}{version}  </source>\n" if source else ""
    text += tag("  <target>\n    <path>{}</path>\n  </target>\n", "target")
    return text + "</pool>\n"


def adapter(tag: Callable[..., str]) -> str:
    """The element of a SCSI adapter, virtual where both of its names are given."""
    names = tag(" wwnn='{}' wwpn='{}'/>\n", "adapter-wwnn", "adapter-wwpn")
    if not names:
        return tag("    <adapter type='scsi_host' name='{}'/>\n", "adapter-name")
    parent = (
        tag(" parent='{}'", "adapter-parent")
        or tag(" parent_wwnn='{}' parent_wwpn='{}'", "adapter-parent-wwnn", "adapter-parent-wwpn")
        or tag(" parent_fabric_wwn='{}'", "adapter-parent-fabric-wwn")
    )
    return f"    <adapter type='fc_host'{parent}{names}"


def pool_define_as(shell: Shell, args: Args) -> None:
    name, xml = args.need("name"), document(args)
    if args.flag("print-xml"):
        shell.out(xml)
        return
    shell.attempt(f"Failed to define pool {name}", shell.conn.storagePoolDefineXML, xml, 0)
    shell.extra(f"Pool {name} defined\n")


def pool_create_as(shell: Shell, args: Args) -> None:
    name, xml = args.need("name"), document(args)
    if args.flag("print-xml"):
        shell.out(xml)
        return
    shell.attempt(f"Failed to create pool {name}", shell.conn.storagePoolCreateXML, xml, build_flags(args))
    shell.extra(f"Pool {name} created\n")


def pool_start(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    shell.attempt(f"Failed to start pool {name}", pool.create, build_flags(args))
    shell.extra(f"Pool {name} started\n")


def pool_build(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    flags = sum(bit for name, bit in BUILD_FLAGS.items() if args.flag(name))
    shell.attempt(f"Failed to build pool {name}", pool.build, flags)
    shell.extra(f"Pool {name} built\n")


def pool_autostart(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    set_autostart(shell, args, f"pool {name}", pool)


def pool_destroy(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    shell.attempt(f"Failed to destroy pool {name}", pool.destroy)
    shell.extra(f"Pool {name} destroyed\n")


def pool_delete(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    shell.attempt(f"Failed to delete pool {name}", pool.delete, 0)
    shell.extra(f"Pool {name} deleted\n")


def pool_refresh(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    shell.attempt(f"Failed to refresh pool {name}", pool.refresh, 0)
    shell.extra(f"Pool {name} refreshed\n")


def pool_undefine(shell: Shell, args: Args) -> None:
    pool, name = find_pool(shell, args), args.need("pool")
    shell.attempt(f"Failed to undefine pool {name}", pool.undefine)
    shell.extra(f"Pool {name} has been undefined\n")


def pool_name(shell: Shell, args: Args) -> None:
    shell.out(find_pool(shell, args, by="u").name() + "\n")


def pool_uuid(shell: Shell, args: Args) -> None:
    shell.out(find_pool(shell, args, by="n").UUIDString() + "\n")


def pool_edit(shell: Shell, args: Args) -> None:
    pool = find_pool(shell, args)
    name = pool.name()

    def save(xml: str) -> None:
        shell.conn.storagePoolDefineXML(xml, 0)

    edit_document(
        shell,
        lambda: inactive_or_live(pool, INACTIVE_XML),
        save,
        f"Pool {name} XML configuration not changed.\n",
        f"Pool {name} XML configuration edited.\n",
    )


POOL = data("pool", "name or UUID of the pool")
BUILD = (
    flag("build", "build it first"),
    flag("no-overwrite", "not over something"),
    flag("overwrite", "over anything"),
)
AS_OPTIONS = {
    "source-host": "host of the source",
    "source-path": "path of the source",
    "source-dev": "device of the source",
    "source-name": "name of the source",
    "target": "path where the volumes are",
    "source-format": "format of the source",
    "auth-type": "kind of authentication",
    "auth-username": "user for it",
    "secret-usage": "usage of the secret for it",
    "secret-uuid": "UUID of the secret for it",
    "adapter-name": "name of the SCSI adapter",
    "adapter-wwnn": "node name of the virtual adapter",
    "adapter-wwpn": "port name of the virtual adapter",
    "adapter-parent": "adapter under which it is made",
    "adapter-parent-wwnn": "node name of that one",
    "adapter-parent-wwpn": "port name of that one",
    "adapter-parent-fabric-wwn": "fabric name of that one",
    "source-protocol-ver": "version of the NFS protocol",
    "source-initiator": "IQN of the initiator",
}
MADE = (
    data("name", "name of the pool"),
    data("type", "its type"),
    flag("print-xml", "print the XML, do nothing"),
    *(text(name, what) for name, what in AS_OPTIONS.items()),
)
OVERWRITE = (("overwrite", "no-overwrite"),)
COMMANDS = [
    Command("pool-autostart", "start a pool with the host", (POOL, flag("disable", "no longer")), pool_autostart),
    Command("pool-build", "make a pool's place", (POOL, *BUILD[1:]), pool_build),
    Command(
        "pool-create",
        "make and start a pool from an XML file",
        (data("file", "file with the XML"), *BUILD),
        pool_create,
    ),
    Command(
        "pool-create-as", "make and start a pool from options", (*MADE, *BUILD), pool_create_as, exclusive=OVERWRITE
    ),
    Command(
        "pool-define",
        "define a pool from an XML file",
        (data("file", "file with the XML"), flag("validate", "check it against the schema")),
        pool_define,
    ),
    Command("pool-define-as", "define a pool from options", MADE, pool_define_as),
    Command("pool-delete", "remove a pool's place", (POOL,), pool_delete, description="What lies there is lost."),
    Command("pool-destroy", "stop a pool", (POOL,), pool_destroy, description="What lies there stays."),
    Command(
        "pool-dumpxml", "print a pool's XML", (POOL, flag("inactive", "the configuration"), XPATH, WRAP), pool_dumpxml
    ),
    Command("pool-edit", "edit a pool's XML", (POOL,), pool_edit),
    Command("pool-info", "what a pool is", (POOL, flag("bytes", "sizes in bytes")), pool_info),
    Command(
        "pool-list",
        "list pools",
        (
            flag("inactive", "those that do not run"),
            flag("all", "those that run and those that do not"),
            flag("transient", "those without configuration"),
            flag("persistent", "those with configuration"),
            flag("autostart", "those that start with the host"),
            flag("no-autostart", "those that do not"),
            text("type", "only these types, with commas"),
            flag("details", "more about each"),
            flag("uuid", "print UUIDs only"),
            flag("name", "print names only"),
        ),
        pool_list,
        exclusive=(("all", "inactive"), ("details", "uuid"), ("details", "name")),
    ),
    Command("pool-name", "print a pool's name", (data("pool", "UUID of the pool"),), pool_name),
    Command("pool-refresh", "look again what is in a pool", (POOL,), pool_refresh),
    Command("pool-start", "start a pool", (POOL, *BUILD), pool_start),
    Command("pool-undefine", "forget a pool", (POOL,), pool_undefine),
    Command("pool-uuid", "print a pool's UUID", (data("pool", "name of the pool"),), pool_uuid),
]
