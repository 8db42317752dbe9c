"""AES by the system's libcrypto, which Python's own ssl module is built on: no package more than Python itself.

CBC is what QEMU reads its secrets in; GCM (which notices any change) seals what lies on the disk.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from functools import cache
from typing import Any

KEY_BYTES = 32
NONCE, TAG = 12, 16
_SET_IVLEN, _GET_TAG, _SET_TAG = 0x9, 0x10, 0x11


@cache
def _library() -> Any:
    import ssl  # loads the library that we then find by name

    for name in (f"libcrypto.so.{ssl.OPENSSL_VERSION_INFO[0]}", ctypes.util.find_library("crypto"), "libcrypto.so"):
        try:
            found = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if found is not None:
            for function in ("EVP_CIPHER_CTX_new", "EVP_aes_256_cbc", "EVP_aes_256_gcm"):
                getattr(found, function).restype = ctypes.c_void_p
            return found
    raise OSError("the system has no libcrypto")


class _Context:
    """A cipher context that is freed again."""

    def __init__(self) -> None:
        self.library = _library()
        self.made = ctypes.c_void_p(self.library.EVP_CIPHER_CTX_new())

    def __enter__(self) -> _Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.library.EVP_CIPHER_CTX_free(self.made)

    def do(self, function: str, *arguments: Any) -> None:
        """Call, and raise ValueError where it fails."""
        if getattr(self.library, function)(self.made, *arguments) != 1:
            raise ValueError(f"{function} failed")

    def run(self, way: str, data: bytes) -> bytes:
        """The bulk of the work: ``Encrypt`` or ``Decrypt``."""
        out, size = ctypes.create_string_buffer(len(data) + 32), ctypes.c_int(0)
        self.do(f"EVP_{way}Update", out, ctypes.byref(size), data, ctypes.c_int(len(data)))
        done, size = out.raw[: size.value], ctypes.c_int(0)
        self.do(f"EVP_{way}Final_ex", out, ctypes.byref(size))
        return done + out.raw[: size.value]


def cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-256-CBC with PKCS#7 padding."""
    with _Context() as context:
        context.do("EVP_EncryptInit_ex", ctypes.c_void_p(context.library.EVP_aes_256_cbc()), None, key, iv)
        return context.run("Encrypt", data)


def seal(key: bytes, data: bytes, about: bytes = b"") -> bytes:
    """Encrypt and bind to ``about`` (AES-256-GCM): nonce, tag, text."""
    nonce = os.urandom(NONCE)
    with _Context() as context:
        context.do("EVP_EncryptInit_ex", ctypes.c_void_p(context.library.EVP_aes_256_gcm()), None, key, nonce)
        _about(context, "Encrypt", about)
        text = context.run("Encrypt", data)
        tag = ctypes.create_string_buffer(TAG)
        context.do("EVP_CIPHER_CTX_ctrl", _GET_TAG, TAG, tag)
    return nonce + tag.raw + text


def unseal(key: bytes, sealed: bytes, about: bytes = b"") -> bytes:
    """Undo ``seal``. Raises ValueError for another key, other ``about``, or a changed byte."""
    if len(sealed) < NONCE + TAG:
        raise ValueError("too short to be sealed")
    nonce, tag, text = sealed[:NONCE], sealed[NONCE : NONCE + TAG], sealed[NONCE + TAG :]
    with _Context() as context:
        context.do("EVP_DecryptInit_ex", ctypes.c_void_p(context.library.EVP_aes_256_gcm()), None, key, nonce)
        context.do("EVP_CIPHER_CTX_ctrl", _SET_TAG, TAG, tag)
        _about(context, "Decrypt", about)
        return context.run("Decrypt", text)


def _about(context: _Context, way: str, about: bytes) -> None:
    if about:
        size = ctypes.c_int(0)
        context.do(f"EVP_{way}Update", None, ctypes.byref(size), about, ctypes.c_int(len(about)))
