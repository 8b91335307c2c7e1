"""Where the service listens and who may speak for its clients: addresses, TLS, trusted proxies (C52)."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from socket import (
    AF_INET6,
    AI_PASSIVE,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    AddressFamily,
    gaierror,
    getaddrinfo,
    socket,
)
from typing import Self
from urllib.parse import urlsplit

from models.installation import InstallationError

TLS_CERT, TLS_KEY = "NEEDFUL_TLS_CERT", "NEEDFUL_TLS_KEY"
PROXIES = "NEEDFUL_FORWARDED_ALLOW_IPS"
WORKERS = "NEEDFUL_WORKERS"
MOST_WORKERS = 64
_LONGEST_NUMBER = 4


@dataclass(frozen=True, slots=True)
class Listening:
    """How the outside reaches the service. Plain HTTP goes to this machine only, or comes from a trusted proxy."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()
    """Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto count; everybody else's are ignored."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """A bound socket, which no one can connect to before a server listens, and how it is served."""

    listening: Listening
    socket: socket

    @property
    def address(self) -> str:
        """Where it is reached from this machine."""
        scheme = "https" if self.listening.certificate else "http"
        host, port = self.socket.getsockname()[:2]
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def read_listening(environ: Mapping[str, str], *, host: str, port: int) -> Listening:
    """What the settings ask for. Raises InstallationError for what must not be."""
    certificate, key = (Path(text) if (text := environ.get(name)) else None for name in (TLS_CERT, TLS_KEY))
    _check_certificate(certificate, key)
    proxies = _proxies(environ.get(PROXIES, ""))
    if not (_is_loopback(host, port) or certificate or proxies):
        message = (
            f"Plain HTTP on {host} would be open to the network: give --tls-cert and --tls-key, or name the proxy"
            " that speaks TLS with --forwarded-allow-ips."
        )
        raise InstallationError(message)
    return Listening(host, port, _workers(environ.get(WORKERS) or "1"), certificate, key, proxies)


def check_public_url(url: str) -> None:
    """Raises InstallationError for a public address that is none, or that clients reach without TLS."""
    try:
        parts = urlsplit(url)
        bare = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, bare = urlsplit(""), False
    if not bare or "@" in parts.netloc or parts.path or parts.query or parts.fragment:
        message = "NEEDFUL_PUBLIC_URL must look like https://api.example.cn, with no path and no slash at its end."
        raise InstallationError(message)
    if parts.scheme == "http" and not _names_loopback(parts.hostname or ""):
        message = "NEEDFUL_PUBLIC_URL must begin with https://: tokens must not pass a network in the clear."
        raise InstallationError(message)


def reserve(listening: Listening) -> Reserved:
    """Bind the port, before anything slow happens. Raises InstallationError."""
    host, port = listening.host, listening.port
    family, address = _resolved(host, port)[0]
    reserved = socket(family, SOCK_STREAM)
    reserved.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        reserved.bind(address)
    except OSError as error:
        reserved.close()
        message = f"Port {port} of {host} cannot be used ({error.strerror}): choose another with --port."
        raise InstallationError(message) from None
    return Reserved(listening, reserved)


def _resolved(host: str, port: int) -> list[tuple[AddressFamily, tuple[str, int]]]:
    try:
        found = getaddrinfo(host or None, port, type=SOCK_STREAM, flags=AI_PASSIVE) if host else []
    except (gaierror, UnicodeError):
        found = []
    if not found:
        message = f"{host!r} is no address of this machine: choose another with --host."
        raise InstallationError(message)
    # IPv4 first: "localhost" has meant 127.0.0.1 from the beginning.
    return sorted(((one[0], one[4][:2]) for one in found), key=lambda one: one[0] == AF_INET6)  # type: ignore[misc]


def _names_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_loopback(host: str, port: int) -> bool:
    return all(ip_address(address[0].split("%")[0]).is_loopback for _, address in _resolved(host, port))


def _workers(text: str) -> int:
    if not (text.isdecimal() and len(text) <= _LONGEST_NUMBER and 1 <= int(text) <= MOST_WORKERS):
        message = f"--workers and NEEDFUL_WORKERS take a number from 1 to {MOST_WORKERS}."
        raise InstallationError(message)
    return int(text)


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        message = "TLS needs both a certificate and its key: give --tls-cert and --tls-key."
        raise InstallationError(message)
    if certificate is None or key is None:
        return
    try:
        # Without a passphrase of its own OpenSSL would ask the terminal for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        message = f"{certificate} and {key} are no certificate with its unencrypted key, in PEM: check both files."
        raise InstallationError(message) from error


def _proxies(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        try:
            network = ip_network(name)
        except ValueError:
            message = (
                f"--forwarded-allow-ips lists addresses or networks, such as 10.0.0.5,10.1.0.0/24: {name!r} is neither."
            )
            raise InstallationError(message) from None
        if network.prefixlen == 0:
            message = f"--forwarded-allow-ips must not trust everybody ({name}): list your proxies."
            raise InstallationError(message)
    return names
