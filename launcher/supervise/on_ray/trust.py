"""Whether hosts accept each other's certificates: looked at before Ray tries, which waits for long and says nothing."""

from __future__ import annotations

import asyncio
import ssl

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Tls
from launcher.supervise.patience import within

_TIMEOUT = 5.0  # seconds


class Untrusted(InfrastructureError):
    """A certificate is not accepted, or cannot be used; that does not pass by itself."""


def context_of(tls: Tls) -> ssl.SSLContext:
    """What this host shows and whom it believes. Raises Untrusted for files that cannot be used."""
    path = tls.ca_cert
    try:
        context = ssl.create_default_context(cafile=path)
        path = tls.server_cert
        context.load_cert_chain(path, tls.server_key)
    except OSError as error:  # ssl.SSLError is one
        raise Untrusted(
            f"the certificates for Ray cannot be used: {_reason(error)}",
            where=path if path == tls.ca_cert else f"{path}, {tls.server_key}",
            expected="on every host: its certificate, its private key, and the certificate of who signed it (PEM)",
            remedy="see ray.tls in the cluster spec",
        ) from error
    context.set_alpn_protocols(["h2"])
    return context


async def shake_hands(host: str, port: int, tls: Tls) -> None:
    """Return when each side has accepted the other's certificate. Raises Untrusted, and OSError and TimeoutError."""
    context = context_of(tls)
    try:
        connecting = asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        reader, writer = await within(connecting, _TIMEOUT)
    except ssl.SSLError as error:
        raise Untrusted(
            f"the certificate of the head's Ray is not accepted here: {_reason(error)}",
            where=f"{host} port {port}",
            expected=f"one for {host}, signed by who {tls.ca_cert} is of",
            remedy="the same authority has to sign the certificates of all hosts",
        ) from error
    try:
        refused = not await within(reader.read(1), _TIMEOUT)  # a server that accepts us speaks first
        reason = "it ends the connection"
    except ssl.SSLError as error:
        refused, reason = True, _reason(error)
    except ConnectionError as error:
        refused, reason = True, str(error)
    finally:
        writer.transport.abort()
    if refused:
        raise Untrusted(
            f"the head's Ray does not accept this host's certificate: {reason}",
            where=tls.server_cert,
            expected="one that is signed by the same authority as the head's",
            remedy="the same authority has to sign the certificates of all hosts",
        )


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return error.strerror or str(error)
