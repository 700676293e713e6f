"""How the embedded server proves who it is: a certificate of its own, whose key only the project's owner can read.

Whoever takes the port while the server is down has no key for it, so no client that knows the certificate sends him a
byte of a request: not ours, and not a `dvc push` by hand, at no moment.
"""

import socket
import ssl
from contextlib import suppress
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pricetrail.base.files import write_bytes

CERTIFICATE, KEY = "server.crt", "server.key"
HANDSHAKE_SECONDS: Final = 20.0  # that a busy server gets
FROM, UNTIL = datetime(2000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)  # a clock that is wrong stops nothing


def ensure_certificate(folder: Path, host: str) -> Path:
    """The certificate of a folder, made with its key where the pair is not there; its file."""
    certificate, private = folder / CERTIFICATE, folder / KEY
    if not (certificate.is_file() and private.is_file()):
        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        write_bytes(private, secret, mode=0o600)
        write_bytes(certificate, _certificate(key, host).public_bytes(serialization.Encoding.PEM), mode=0o600)
    return certificate


def _certificate(key: ec.EllipticCurvePrivateKey, host: str) -> x509.Certificate:
    """Signed by its own key: who trusts this file trusts nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pricetrail embedded S3")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(FROM).not_valid_after(UNTIL)
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return built.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


def proves(address: tuple[str, int], certificate: Path) -> bool:
    """Whether what listens there has the key of a certificate; a handshake, and no byte more is sent.

    Raises:
        TimeoutError: it says neither yes nor no.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(ConnectionError, ssl.SSLError):  # TimeoutError is neither
        context.load_verify_locations(certificate)
        plain = socket.create_connection(address, HANDSHAKE_SECONDS)
        with plain, context.wrap_socket(plain, server_hostname=address[0]):
            return True
    return False


def owner_of_port(port: int) -> int | None:
    """The user whose process listens on a port of this machine; None where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        for name in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:  # 0A: it listens
                    return int(words[7])
    return None
