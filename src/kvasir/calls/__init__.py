"""The procedures: thin functions, grouped as libvirt's API is, named as the wire names them.

    async def domain_get_info(session, dom): ...          # plain ``def`` when it never waits
        return state, max_mem, memory, n, cpu_time        # None | the single result | a tuple in the table's order

Every public function of a module listed here serves the procedure of its name (of the program that the module's ``PROGRAM``
says, ``remote`` when it says none). ``session`` is ``kvasir.daemon.session.Session``; the other arguments come by the table's
names. The modules are imported when one of their procedures is called: the daemon finds the functions by their ``def`` at the
margin. What raises ``kvasir.errors.Error`` reaches the client as that error.
"""

MODULES: tuple[str, ...] = (
    "admin",
    "connection",
    "cpu",
    "events",
    "monitor_events",
    "domain_agent",
    "domain_backup",
    "domain_blocks",
    "domain_checkpoints",
    "domain_cgroup",
    "domain_console",
    "domain_devices",
    "domain_info",
    "domain_interface",
    "domain_job",
    "domain_lifecycle",
    "domain_list",
    "domain_metadata",
    "domain_peek",
    "domain_perf",
    "domain_pin",
    "domain_scheduler",
    "domain_save",
    "domain_snapshots",
    "domain_stats",
    "domain_tune",
    "domain_vcpus",
    "domain_iothreads",
    "domain_iotune",
    "domain_extras",
    "domain_xml",
    "interface",
    "network",
    "node",
    "nwfilter",
    "nodedev",
    "qemu_monitor",
    "secret",
    "storage",
    "storage_volumes",
)
"""One name a line; each is a file in this folder."""
