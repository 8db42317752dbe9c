"""Every command of virsh, by group, in the order in which ``help`` shows them: the visible list.

``name file`` says which file under ``commands`` declares it; a name without file is not built yet and says so when used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.cli.virsh.grammar import Command

GROUPS = """\
domain = Domain Management
attach-device:devices attach-disk:plugging attach-interface:plugging autostart:lifecycle blkdeviotune:throttles blkiotune:limits blockcommit:blocks blockcopy:blocks blockjob:blocks
blockpull:blocks blockresize:blocks change-media:media console:console cpu-stats:scheduling create:define define:define desc:describe
destroy:lifecycle detach-device:devices detach-device-alias:devices detach-disk:plugging detach-interface:plugging domdisplay:display domfsfreeze:agent
domfsthaw:agent domfsinfo:agent domfstrim:agent domhostname:agent domid:identity domif-setlink:cards domiftune:cards
domjobabort:saving domjobinfo:job domlaunchsecinfo:rare domsetlaunchsecstate:rare domname:identity domrename:identity
dompmsuspend:lifecycle dompmwakeup:lifecycle domuuid:identity domxml-from-native:define domxml-to-native:define dump:job
dumpxml:define edit:define get-user-sshkeys:rare inject-nmi:input iothreadinfo:pinning iothreadpin:pinning iothreadadd:iothreads iothreadset:iothreads
iothreaddel:iothreads send-key:input send-process-signal:input lxc-enter-namespace:rare managedsave:saving managedsave-remove:saving
managedsave-edit:saving managedsave-dumpxml:saving managedsave-define:saving memtune:limits perf:limits metadata:describe migrate:migration
migrate-setmaxdowntime:job migrate-getmaxdowntime:job migrate-compcache:migration migrate-setspeed:job migrate-getspeed:job migrate-postcopy:migration
numatune:scheduling qemu-attach:rare qemu-monitor-command:passthrough qemu-monitor-event:monitorevent qemu-agent-command:passthrough
guest-agent-timeout:agent reboot:lifecycle reset:lifecycle restore:saving resume:lifecycle save:saving
save-image-define:saving save-image-dumpxml:saving save-image-edit:saving schedinfo:scheduling screenshot:display
set-lifecycle-action:lifecycle set-user-sshkeys:rare set-user-password:agent setmaxmem:tuning setmem:tuning setvcpus:tuning shutdown:lifecycle
start:lifecycle suspend:lifecycle ttyconsole:display undefine:undefine update-device:devices update-memory-device:media
vcpucount:vcpus vcpuinfo:vcpus vcpupin:pinning emulatorpin:pinning vncdisplay:display guestvcpus:guestcpus setvcpu:guestcpus domblkthreshold:blocks
guestinfo:agent domdirtyrate-calc:rare dom-fd-associate:rare
monitor = Domain Monitoring
domblkerror:disks domblkinfo:disks domblklist:disks domblkstat:disks domcontrol:state domif-getlink:cards
domifaddr:cards domiflist:cards domifstat:cards dominfo:state dommemstat:memory domstate:state domstats:stats
domtime:agent list:list
events = Domain Events
event:event
host = Host and Hypervisor
allocpages:hostmemory capabilities:host cpu-baseline:cpus cpu-compare:cpus cpu-models:host domcapabilities:host freecell:host freepages:hostmemory
hostname:host hypervisor-cpu-baseline:cpus hypervisor-cpu-compare:cpus maxvcpus:host node-memory-tune:hostmemory nodecpumap:host
nodecpustats:nodestats nodeinfo:host nodememstats:nodestats nodesevinfo:hostmemory nodesuspend:hostmemory sysinfo:host uri:host version:host
checkpoint = Checkpoint
checkpoint-create:checkpoints checkpoint-create-as:checkpoints checkpoint-delete:checkpoints checkpoint-dumpxml:checkpoints checkpoint-edit:checkpoints checkpoint-info:checkpoints
checkpoint-list:checkpoints checkpoint-parent:checkpoints
interface = Interface
iface-begin:interfaces iface-bridge:interfaces iface-commit:interfaces iface-define:interfaces iface-destroy:interfaces iface-dumpxml:interfaces iface-edit:interfaces iface-list:interfaces iface-mac:interfaces
iface-name:interfaces iface-rollback:interfaces iface-start:interfaces iface-unbridge:interfaces iface-undefine:interfaces
filter = Network Filter
nwfilter-define:nwfilters nwfilter-dumpxml:nwfilters nwfilter-edit:nwfilters nwfilter-list:nwfilters
nwfilter-undefine:nwfilters nwfilter-binding-create:nwfilters nwfilter-binding-delete:nwfilters
nwfilter-binding-dumpxml:nwfilters nwfilter-binding-list:nwfilters
network = Networking
net-autostart:networks net-create:networks net-define:networks net-destroy:networks net-dhcp-leases:networks
net-dumpxml:networks net-edit:networks net-event:networks net-info:networks net-list:networks
net-name:networks net-start:networks net-undefine:networks net-update:networks net-uuid:networks
net-port-list:networks net-port-create:networks net-port-dumpxml:networks net-port-delete:networks
nodedev = Node Device
nodedev-create:nodedev nodedev-destroy:nodedev nodedev-detach:nodedev nodedev-dumpxml:nodedev
nodedev-list:nodedev nodedev-reattach:nodedev nodedev-reset:nodedev nodedev-event:nodedev
nodedev-define:nodedev nodedev-undefine:nodedev nodedev-start:nodedev nodedev-autostart:nodedev
nodedev-info:nodedev
secret = Secret
secret-define:secrets secret-dumpxml:secrets secret-event:secrets secret-get-value:secrets secret-list:secrets
secret-set-value:secrets secret-undefine:secrets
snapshot = Snapshot
snapshot-create:snapshots snapshot-create-as:snapshots snapshot-current:snapshots snapshot-delete:snapshots snapshot-dumpxml:snapshots snapshot-edit:snapshots snapshot-info:snapshots
snapshot-list:snapshotlist snapshot-parent:snapshots snapshot-revert:snapshots
backup = Backup
backup-begin:checkpoints backup-dumpxml:checkpoints
pool = Storage Pool
find-storage-pool-sources-as:poolsearch find-storage-pool-sources:poolsearch pool-autostart:pools pool-build:pools pool-create-as:pools pool-create:pools
pool-define-as:pools pool-define:pools pool-delete:pools pool-destroy:pools pool-dumpxml:pools pool-edit:pools pool-info:pools pool-list:pools pool-name:pools pool-refresh:pools
pool-start:pools pool-undefine:pools pool-uuid:pools pool-event:poolsearch pool-capabilities:poolsearch
volume = Storage Volume
vol-clone:cloning vol-create-as:volumes vol-create:volumes vol-create-from:cloning vol-delete:volumes vol-download:volumes vol-dumpxml:volumes vol-info:volumes vol-key:volumes vol-list:volumes
vol-name:volumes vol-path:volumes vol-pool:volumes vol-resize:volumes vol-upload:volumes vol-wipe:volumes
virsh = Virsh itself
cd:itself echo:itself exit:itself help:itself pwd:itself quit:itself connect:itself
"""
SAME = {"nodedev-dettach": "nodedev-detach"}
"""Old names of commands."""


class Group:
    """A group of commands: (name, file or "") in help's order."""

    __slots__ = ("commands", "keyword", "title")

    def __init__(self, keyword: str, title: str) -> None:
        self.keyword = keyword
        self.title = title
        self.commands: list[tuple[str, str]] = []


def groups() -> list[Group]:
    """All groups."""
    found: list[Group] = []
    for line in GROUPS.splitlines():
        keyword, mark, title = line.partition(" = ")
        if mark:
            found.append(Group(keyword, title))
            continue
        for word in line.split():
            name, _, file = word.partition(":")
            found[-1].commands.append((name, file))
    return found


def find(name: str) -> Command | None:
    """The command of a name: its file is imported now."""
    name = SAME.get(name, name)
    if name == "complete":
        from kvasir.cli.virsh.commands import complete

        return complete.COMMANDS[0]
    at = ("\n" + GROUPS.replace(" ", "\n")).find(f"\n{name}:")
    if at >= 0:
        file = GROUPS[at:].split(":", 1)[1].split(None, 1)[0]
        module = __import__(f"kvasir.cli.virsh.commands.{file}", fromlist=("COMMANDS",))
        for command in module.COMMANDS:
            if command.name == name:
                return command  # type: ignore[no-any-return]  # the modules' lists are typed where they stand
        raise AssertionError(f"{file} does not declare {name}")
    if any(name == known for group in groups() for known, _ in group.commands):
        return _missing(name)
    return None


def _missing(name: str) -> Command:
    """A command that is known but not built: it takes any words and says so."""
    from kvasir.cli.virsh.grammar import Args, Command, Fail, rest
    from kvasir.cli.virsh.shell import Shell

    def run(shell: Shell, args: Args) -> None:
        raise Fail(f"the command '{name}' is not built yet")

    return Command(name, "(not built yet)", (rest("words", "anything"),), run, offline=True)
