"""Signatures over a folder, by ``model-signing``: a Sigstore bundle that names each file's sha256."""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.operation.releases.keys import KeyPair, is_signed
from pricetrail.operation.releases.trust import Trust

TYPE: Final = "application/vnd.in-toto+json"


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
        return str(load_json(signature)["verificationMaterial"]["publicKey"]["hint"])
    except (ValueError, TypeError, KeyError):
        return ""


def signed_files(signature: str, trust: Trust) -> dict[str, str]:
    """The sha256 of each file that a signature is over, by name, without the files; none where it is no good one.

    Raises:
        ReleaseError: it is of no trusted key.
    """
    key = trust.require(signer(signature))
    try:
        envelope: Any = load_json(signature)["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        is_good = envelope["payloadType"] == TYPE and is_signed(TYPE, payload, envelope["signatures"][0]["sig"], key)
        named = load_json(payload)["predicate"]["resources"] if is_good else []
        return {str(entry["name"]): str(entry["digest"]) for entry in named}
    except (ValueError, TypeError, LookupError):
        return {}


def require_signed(folder: Path, signature: str, trust: Trust) -> str:
    """Hold a folder against a signature: every file is as it was signed, and none is more or less.

    Args:
        folder: the files.
        signature: JSON.
        trust: the keys that count.

    Returns:
        The fingerprint of the key.

    Raises:
        ReleaseError: the signature is of no trusted key, or not of these files.
    """
    key = signer(signature)
    public = trust.require(key)
    from model_signing import verifying

    with tempfile.TemporaryDirectory() as scratch:
        file, public_file = Path(scratch) / "signature.json", Path(scratch) / "key.pem"
        file.write_text(signature, encoding="utf-8")
        public_file.write_bytes(public)  # the very bytes whose fingerprint is trusted
        try:
            config = verifying.Config()  # type: ignore[no-untyped-call]
            config.use_elliptic_key_verifier(public_key=public_file).verify(folder, file)
        except Exception as error:  # whatever a crafted signature makes the library raise: it is not verified
            told = str(error) or type(error).__name__
            raise ReleaseError("signature", f"must be of these files: {told}") from None
    return key
