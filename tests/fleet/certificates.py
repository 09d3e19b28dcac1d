"""An authority, and the certificates that it signs for hosts."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.machines import Machine

FOLDER = "/etc/ray-tls"
SPEC = {"cert": f"{FOLDER}/cert.pem", "key": f"{FOLDER}/key.pem", "ca": f"{FOLDER}/ca.pem"}


class Files(NamedTuple):
    """What a host needs, as PEM."""

    cert: Path
    key: Path
    ca: Path


class Authority:
    """Signs certificates for a day."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._own = self._certificate(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )

    def equip(self, machine: Machine) -> None:
        """Give a machine a certificate for its address, the key, and the authority's own certificate."""
        self.write(machine.path(FOLDER), machine.name, machine.address)

    def write(self, folder: Path, name: str, address: str) -> Files:
        """The same in a folder, which is made."""
        files = Files(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
        signed = self._certificate(subject, key.public_key()).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        folder.mkdir(exist_ok=True)
        files.cert.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files.key.chmod(0o600)
        files.ca.write_bytes(self._own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return files

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=12))
            .not_valid_after(now + datetime.timedelta(hours=12))
        )
