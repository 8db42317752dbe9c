"""libvirt's wire as data. Standard library only, no asyncio: the client, the command line and the daemon share it.

- ``programs``: REMOTE, QEMU, LXC, ADMIN; each finds a ``Procedure`` by name or number and encodes and decodes it.
- ``frames``: packets (``pack``, ``FrameBuffer``, ``receive``, ``send_fds``) with the types CALL REPLY MESSAGE STREAM STREAM_HOLE
  CALL_WITH_FDS REPLY_WITH_FDS and the statuses OK ERROR CONTINUE.
- ``typed``: the classes of typed parameters (Int, UInt, LLong, ULLong; float, bool and str are themselves).
- ``errors``: ``encode_error``, ``decode_error``.
- ``xdr``: the codec below them; ``Malformed`` is the error (code 39) of everything that cannot be read or written.

A call, from a client:

    p = programs.REMOTE["domain_get_info"]
    sock.sendall(frames.pack(p.program.id, 1, p.number, frames.CALL, serial, frames.OK, p.encode_args((dom,))))
    ... reply frame with that serial: status OK -> p.decode_result(frame.payload), ERROR -> raise decode_error(frame.payload)

Structs decode as named tuples (``dom.name``, ``dom.uuid`` 16 bytes, ``dom.id``). ``c[]`` is bytes, ``c[32]`` a str, ``o[]`` bytes.
Streams: packets of the call's program, procedure and serial; type STREAM status CONTINUE = data (empty: end of data),
OK = finish, ERROR = abort; STREAM_HOLE CONTINUE with ``frames.HOLE`` as payload. Messages have serial 0 and ``p.decode_args``.
"""
