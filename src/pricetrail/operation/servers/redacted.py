"""What programs say, without secrets."""

from __future__ import annotations

import re


def redacted(text: str) -> str:
    """The text without user and password of its URLs.

    >>> redacted("fatal: https://bot:s3cret@git.shop/x.git not found")
    'fatal: https://***@git.shop/x.git not found'
    """
    return re.sub(r"://[^/\s]+@", "://***@", text)
