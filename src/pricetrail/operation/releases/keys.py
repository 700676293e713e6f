"""The key pair that signs releases: the private half outside of git, the public half in it."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pricetrail.base import files
from pricetrail.base.errors import ReleaseError, SourceError
from pricetrail.lineage.place import main_project

PRIVATE, PUBLIC = Path(".pricetrail/keys/release.pem"), Path("keys/release.pub.pem")
VARIABLE: Final = "PRICETRAIL_RELEASE_KEY"
PUBLIC_SUFFIX: Final = ".pub.pem"
STATEMENT_SUFFIX: Final = ".replaces.json"
STATEMENT_TYPE: Final = "application/vnd.pricetrail.key-replacement+json"
SHORT: Final = 12  # hex digits of a fingerprint that a person reads


@dataclass(frozen=True)
class KeyPair:
    """The files of both halves, PEM."""

    private: Path
    public: Path

    @property
    def fingerprint(self) -> str:
        """Sha256 of the public half, hex."""
        return fingerprint(self.public)

    def sign(self, kind: str, payload: bytes) -> str:
        """A signature over a payload and what kind it is of, base64.

        Raises:
            ReleaseError: the private half cannot be used.
        """
        signature = _private_key(self.private).sign(_enveloped(kind, payload), ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(signature).decode()


def is_signed(kind: str, payload: bytes, signature: str, public: bytes) -> bool:
    """Whether a signature, base64, is of a payload of this kind, by the key of a public half, PEM."""
    try:
        key = _public_key(public)
        key.verify(base64.b64decode(signature, validate=True), _enveloped(kind, payload), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def ensure_keys(folder: Path, home: Path | None = None) -> KeyPair:
    """The project's pair; a new one where neither half is there yet.

    Args:
        folder: whose git has the public half.
        home: the project with the private half, where that is another folder than this clone.

    Raises:
        ReleaseError: the private half is not on this machine, or is not that of the public one.
    """
    pair = KeyPair(_private(home or folder), folder / PUBLIC)
    if pair.private.exists():
        public = _public_half(pair.private)
        if not pair.public.exists():
            files.write_bytes(pair.public, public)
        elif pair.public.read_bytes() != public:
            raise ReleaseError(str(pair.public), f"must be the public half of {pair.private}")
        return pair
    if VARIABLE in os.environ:
        raise ReleaseError(VARIABLE, "must name the file of a private key, and there is none of that name")
    if pair.public.exists():
        remedy = f"copy it there, name its file in {VARIABLE}, or make a new pair by `pricetrail keys --replace`"
        raise ReleaseError(str(pair.private), f"must hold the private half of {PUBLIC}, and is not there: {remedy}")
    return make_keys(folder, home=home)


def make_keys(folder: Path, *, replace: bool = False, home: Path | None = None) -> KeyPair:
    """Make a pair (ECDSA, curve P-256).

    A pair that is replaced keeps its public half in ``keys/``, under its fingerprint, so that what it signed stays
    verifiable; its private half signs that the new pair replaces it, where it is on this machine, and is gone then.

    Raises:
        ReleaseError: there is a pair, and it is not to be replaced; or the private half cannot be written.
    """
    pair = KeyPair(_private(home or folder), folder / PUBLIC)
    there = [path for path in (pair.private, pair.public) if path.exists()]
    if there and not replace:
        raise ReleaseError(str(there[0]), "must not be there yet; `pricetrail keys --replace` makes a new pair")
    key = ec.generate_private_key(ec.SECP256R1())
    if pair.public.exists():
        _state_replacement(pair, folder / PRIVATE, fingerprint_of(_pem(key.public_key())))
        retired = pair.public.with_name(f"{fingerprint(pair.public)[:SHORT]}{PUBLIC_SUFFIX}")
        files.write_bytes(retired, pair.public.read_bytes())
        pair.public.unlink()  # before the private half changes: the two never belong to different pairs
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    try:
        files.write_bytes(pair.private, key.private_bytes(*form), mode=0o600)
    except OSError as error:
        raise ReleaseError(str(pair.private), f"must be a file that can be written: {error.strerror}") from None
    files.write_bytes(pair.public, _public_half(pair.private))
    return pair


def fingerprint(public: Path) -> str:
    """Sha256 of a public key's PEM, hex; what ``model-signing`` names a key by.

    Raises:
        ReleaseError: the file is no public key.
    """
    try:
        return fingerprint_of(files.read_bytes(public))
    except (ValueError, SourceError) as error:
        raise ReleaseError(str(public), f"must be a public key, PEM: {error}") from None


def fingerprint_of(public: bytes) -> str:
    """The same, of the bytes.

    Raises:
        ValueError: they are no public key of the curve P-256.
    """
    return hashlib.sha256(_pem(_public_key(public))).hexdigest()


def statement(old: str, new: str) -> bytes:
    """What the old key signs where a new one replaces it; both by fingerprint."""
    return json.dumps({"replaced": old, "by": new}, sort_keys=True).encode()


def _state_replacement(pair: KeyPair, usual: Path, new: str) -> None:
    """Write that the pair is replaced, signed by it; nothing where its private half is not on this machine."""
    old, public = pair.fingerprint, pair.public.read_bytes()
    for private in (pair.private, usual):
        if private.exists() and _public_half(private) == public:
            signature = KeyPair(private, pair.public).sign(STATEMENT_TYPE, statement(old, new))
            told = {"replaced": old, "by": new, "signature": signature}
            files.write_text(pair.public.with_name(f"{new[:SHORT]}{STATEMENT_SUFFIX}"), json.dumps(told) + "\n")
            return


def _private(folder: Path) -> Path:
    named = os.environ.get(VARIABLE)
    if named and "PRIVATE KEY" in named:
        raise ReleaseError(VARIABLE, "must name the file of a private key, and holds the key itself")
    if named:
        return Path(named)
    return folder / PRIVATE if (folder / PRIVATE).exists() else main_project(folder) / PRIVATE


def _public_half(private: Path) -> bytes:
    return _pem(_private_key(private).public_key())


def _public_key(public: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(public)
    except UnsupportedAlgorithm as error:  # an unknown type or curve: no ValueError, and a branch may bring it
        raise ValueError(str(error)) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("it is not of the curve P-256")
    return key


def _private_key(private: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(files.read_bytes(private), None)
    except (ValueError, TypeError, UnsupportedAlgorithm, SourceError) as error:
        raise ReleaseError(str(private), f"must be a private key without a password, PEM: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ReleaseError(str(private), "must be a key of the curve P-256")
    return key


def _pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _enveloped(kind: str, payload: bytes) -> bytes:
    """DSSE's encoding: what is signed as one kind is no signature of another."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
