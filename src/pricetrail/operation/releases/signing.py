"""Signatures over a folder, by ``model-signing``: a Sigstore bundle that names each file's sha256."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.operation.releases.keys import SHORT, KeyPair


def sign(folder: Path, keys: KeyPair) -> str:
    """The signature of all files of a folder, JSON on one line.

    Raises:
        ReleaseError: the key cannot be used.
    """
    from model_signing import signing  # takes most of a second, which no other command should pay

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "signature.json"
        try:
            config = signing.Config()  # type: ignore[no-untyped-call]
            config.use_elliptic_key_signer(private_key=keys.private).sign(folder, file)
        except (OSError, ValueError, TypeError) as error:
            raise ReleaseError(str(keys.private), f"must sign: {error}") from None
        return json.dumps(load_json(file.read_text(encoding="utf-8")), separators=(",", ":"))


def signer(signature: str) -> str:
    """Fingerprint of the key that a signature says it is of; empty where it says nothing."""
    try:
        tree = load_json(signature)
        return str(tree["verificationMaterial"]["publicKey"]["hint"])
    except (ValueError, TypeError, KeyError):
        return ""


def require_signed(folder: Path, signature: str, trusted: Mapping[str, Path]) -> str:
    """Hold a folder against a signature: every file is as it was signed, and none is more or less.

    Args:
        folder: the files.
        signature: JSON.
        trusted: public keys by fingerprint.

    Returns:
        The fingerprint of the key.

    Raises:
        ReleaseError: the signature is of no trusted key, or not of these files.
    """
    key = signer(signature)
    if key not in trusted:
        known = ", ".join(name[:SHORT] for name in trusted) or "there is none"
        raise ReleaseError("signature", f"must be by a key of keys/ ({known})", key[:SHORT] or "no key")
    from model_signing import verifying

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "signature.json"
        file.write_text(signature, encoding="utf-8")
        try:
            config = verifying.Config()  # type: ignore[no-untyped-call]
            config.use_elliptic_key_verifier(public_key=trusted[key]).verify(folder, file)
        except Exception as error:  # whatever a crafted signature makes the library raise: it is not verified
            told = str(error) or type(error).__name__
            raise ReleaseError("signature", f"must be of these files: {told}") from None
    return key
