"""Errors as libvirt counts them: a code, a domain, a message with the code's own prefix, and a hint that repairs.

Standard library only: the client, the command line and the daemon all raise and read these.
Numbers are those of libvirt's public header ``virterror.h`` (codes and domains are part of its stable ABI).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
else:
    from kvasir.light import IntEnum  # the enum module costs a client's start milliseconds


class Code(IntEnum):
    """Error codes (``virErrorNumber``) that the wire carries."""

    OK = 0
    INTERNAL_ERROR = 1
    NO_MEMORY = 2
    NO_SUPPORT = 3
    UNKNOWN_HOST = 4
    NO_CONNECT = 5
    INVALID_CONN = 6
    INVALID_DOMAIN = 7
    INVALID_ARG = 8
    OPERATION_FAILED = 9
    GET_FAILED = 10
    POST_FAILED = 11
    HTTP_ERROR = 12
    SEXPR_SERIAL = 13
    NO_XEN = 14
    XEN_CALL = 15
    OS_TYPE = 16
    NO_KERNEL = 17
    NO_ROOT = 18
    NO_SOURCE = 19
    NO_TARGET = 20
    NO_NAME = 21
    NO_OS = 22
    NO_DEVICE = 23
    NO_XENSTORE = 24
    DRIVER_FULL = 25
    CALL_FAILED = 26
    XML_ERROR = 27
    DOM_EXIST = 28
    OPERATION_DENIED = 29
    OPEN_FAILED = 30
    READ_FAILED = 31
    PARSE_FAILED = 32
    CONF_SYNTAX = 33
    WRITE_FAILED = 34
    XML_DETAIL = 35
    INVALID_NETWORK = 36
    NETWORK_EXIST = 37
    SYSTEM_ERROR = 38
    RPC = 39
    GNUTLS_ERROR = 40
    NO_NETWORK = 43
    NO_DOMAIN = 42
    INVALID_MAC = 44
    AUTH_FAILED = 45
    INVALID_STORAGE_POOL = 46
    INVALID_STORAGE_VOL = 47
    NO_STORAGE = 48
    NO_STORAGE_POOL = 49
    NO_STORAGE_VOL = 50
    NO_NODE = 51
    INVALID_NODE_DEVICE = 52
    NO_NODE_DEVICE = 53
    NO_SECURITY_MODEL = 54
    OPERATION_INVALID = 55
    NO_INTERFACE = 57
    INVALID_INTERFACE = 58
    MULTIPLE_INTERFACES = 59
    INVALID_NWFILTER = 61
    NO_NWFILTER = 62
    BUILD_FIREWALL = 63
    INVALID_SECRET = 65
    NO_SECRET = 66
    CONFIG_UNSUPPORTED = 67
    OPERATION_TIMEOUT = 68
    MIGRATE_PERSIST_FAILED = 69
    HOOK_SCRIPT_FAILED = 70
    INVALID_DOMAIN_SNAPSHOT = 71
    NO_DOMAIN_SNAPSHOT = 72
    INVALID_STREAM = 73
    ARGUMENT_UNSUPPORTED = 74
    STORAGE_PROBE_FAILED = 75
    STORAGE_POOL_BUILT = 76
    SNAPSHOT_REVERT_RISKY = 77
    OPERATION_ABORTED = 78
    AUTH_CANCELLED = 79
    NO_DOMAIN_METADATA = 80
    MIGRATE_UNSAFE = 81
    OVERFLOW = 82
    BLOCK_COPY_ACTIVE = 83
    OPERATION_UNSUPPORTED = 84
    SSH = 85
    AGENT_UNRESPONSIVE = 86
    RESOURCE_BUSY = 87
    ACCESS_DENIED = 88
    DBUS_SERVICE = 89
    STORAGE_VOL_EXIST = 90
    CPU_INCOMPATIBLE = 91
    XML_INVALID_SCHEMA = 92
    MIGRATE_FINISH_OK = 93
    AUTH_UNAVAILABLE = 94
    NO_SERVER = 95
    NO_CLIENT = 96
    AGENT_UNSYNCED = 97
    LIBSSH = 98
    DEVICE_MISSING = 99
    INVALID_NWFILTER_BINDING = 100
    NO_NWFILTER_BINDING = 101
    INVALID_DOMAIN_CHECKPOINT = 102
    NO_DOMAIN_CHECKPOINT = 103
    NO_DOMAIN_BACKUP = 104
    INVALID_NETWORK_PORT = 105
    NETWORK_PORT_EXIST = 106
    NO_NETWORK_PORT = 107
    NO_HOSTNAME = 108


class Origin(IntEnum):
    """The subsystem an error comes from (``virErrorDomain``)."""

    NONE = 0
    XML = 5
    DOM = 6
    RPC = 7
    CONF = 9
    QEMU = 10
    NET = 11
    TEST = 12
    REMOTE = 13
    STORAGE = 18
    NETWORK = 19
    DOMAIN = 20
    STATS_LINUX = 16
    NODEDEV = 22
    SECURITY = 24
    SECRET = 30
    CPU = 31
    NWFILTER = 33
    HOOK = 34
    DOMAIN_SNAPSHOT = 35
    AUDIT = 36
    SYSINFO = 37
    STREAMS = 38
    EVENT = 40
    LOCKING = 42
    CAPABILITIES = 44
    URI = 45
    AUTH = 46
    LXC = 17
    CGROUP = 54
    PERF = 61
    ACCESS = 55
    SYSTEMD = 56
    POLKIT = 60
    ADMIN = 62
    LOGGING = 63
    FIREWALL = 59
    INTERFACE = 26
    DOMAIN_CHECKPOINT = 69


class Error(Exception):
    """An error of libvirt's kind. ``text`` is the detail; ``message`` carries the code's prefix before it.

    ``hint`` names what repairs it (a command where there is one) and is appended to nothing on the wire but str3.
    """

    code: Code | int = Code.INTERNAL_ERROR
    prefix = ""
    counting = False
    """Client: it came of asking how many parameters there are, before they were asked for themselves."""

    def __init__(
        self,
        text: str = "",
        *,
        code: Code | int | None = None,
        origin: Origin | int = Origin.QEMU,
        hint: str = "",
        int1: int = -1,
        int2: int = -1,
        message: str | None = None,
    ) -> None:
        if code is not None:
            self.code = code
        self.text = text
        self.origin = origin
        self.hint = hint
        self.int1 = int1
        self.int2 = int2
        self.message = (
            message
            if message is not None
            else (f"{self.prefix}: {text}" if self.prefix and text else text or self.prefix)
        )
        super().__init__(self.message)

    def get_error_code(self) -> int:
        """The code (libvirt-python's name for it, as the next three)."""
        return int(self.code)

    def get_error_domain(self) -> int:
        return int(self.origin)

    def get_error_message(self) -> str:
        return self.message

    def get_error_level(self) -> int:
        return 2

    def get_str1(self) -> str | None:
        """What libvirt keeps beside the message (as the next four)."""
        return getattr(self, "str1", None)

    def get_str2(self) -> str | None:
        return getattr(self, "str2", None)

    def get_str3(self) -> str | None:
        return getattr(self, "str3", None)

    def get_int1(self) -> int:
        return self.int1

    def get_int2(self) -> int:
        return self.int2

    @property
    def err(self) -> tuple[object, ...]:
        """All of it, in libvirt-python's order."""
        words = (self.get_str1(), self.get_str2(), self.get_str3())
        return (int(self.code), int(self.origin), self.message, 2, *words, self.int1, self.int2)


class InternalError(Error):
    """internal error"""

    code, prefix = Code.INTERNAL_ERROR, "internal error"


class InvalidArg(Error):
    """invalid argument"""

    code, prefix = Code.INVALID_ARG, "invalid argument"


class OperationFailed(Error):
    """operation failed"""

    code, prefix = Code.OPERATION_FAILED, "operation failed"


class XmlError(Error):
    """The document is well formed but says something wrong."""

    code, prefix = Code.XML_ERROR, "XML error"

    def __init__(self, text: str = "", *, origin: Origin | int = Origin.DOMAIN, hint: str = "") -> None:
        super().__init__(text, origin=origin, hint=hint)


class XmlDetail(Error):
    """The document is not well formed; the text is libvirt's three lines (place and reason, source line, pointer)."""

    code = Code.XML_DETAIL

    def __init__(self, text: str, *, origin: Origin = Origin.XML) -> None:
        super().__init__(text, origin=origin)


class SchemaError(Error):
    """The document does not follow its schema (asked for by a VALIDATE flag)."""

    code, prefix = Code.XML_INVALID_SCHEMA, "XML document failed to validate against schema"


class ConfigUnsupported(Error):
    """unsupported configuration"""

    code, prefix = Code.CONFIG_UNSUPPORTED, "unsupported configuration"


class OperationInvalid(Error):
    """Requested operation is not valid"""

    code, prefix = Code.OPERATION_INVALID, "Requested operation is not valid"


class OperationUnsupported(Error):
    """Operation not supported"""

    code, prefix = Code.OPERATION_UNSUPPORTED, "Operation not supported"


class ArgumentUnsupported(Error):
    """argument unsupported"""

    code, prefix = Code.ARGUMENT_UNSUPPORTED, "argument unsupported"


class NoSupport(Error):
    """this function is not supported by the connection driver"""

    code, prefix = Code.NO_SUPPORT, "this function is not supported by the connection driver"


class NoDomain(Error):
    """Domain not found"""

    code, prefix = Code.NO_DOMAIN, "Domain not found"


class OperationTimeout(Error):
    """Timed out during operation"""

    code, prefix = Code.OPERATION_TIMEOUT, "Timed out during operation"


class AgentUnresponsive(Error):
    """Guest agent is not responding"""

    code, prefix = Code.AGENT_UNRESPONSIVE, "Guest agent is not responding"


class ResourceBusy(Error):
    """resource busy"""

    code, prefix = Code.RESOURCE_BUSY, "resource busy"


class SystemFailure(Error):
    """A system call failed; ``int1`` is its errno, and libvirt appends ``: strerror`` to the text."""

    code = Code.SYSTEM_ERROR

    def __init__(self, text: str, error: OSError, *, origin: Origin | int = Origin.QEMU, hint: str = "") -> None:
        super().__init__(f"{text}: {error.strerror}", origin=origin, hint=hint, int1=error.errno or 0)


class DeviceMissing(Error):
    """device not found"""

    code, prefix = Code.DEVICE_MISSING, "device not found"


class AuthFailed(Error):
    """authentication failed"""

    code, prefix = Code.AUTH_FAILED, "authentication failed"
