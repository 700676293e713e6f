"""One redaction of secrets, for every text that leaves a process: errors, logs of every library, messages to people.

A secret is known by its value, where this process was given it, or by its form: passwords and tokens in addresses,
addresses that are secrets themselves, keys by their name, AWS's ids, headers, private keys.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

HIDDEN: Final = "***"
SHORTEST: Final = 8  # characters of a secret that is hidden by its value; less would be found in words
SURELY: Final = 12  # characters of one that is looked for in files: a shorter one may be a word
VARIABLE: Final = re.compile(
    r"SECRET|TOKEN|PASSW|AUTH_STRING|API_KEY|ACCESS_KEY|_KEY$|WEBHOOK|CREDENTIAL|CONNECTION_(STRING|URL)"
)
SETTING: Final = re.compile(r"secret|token|password|access_key_id|connection_string|account_key|sas_|custom_auth", re.I)
AWS_SECRET: Final = 40  # characters; it may begin with a slash
_NAME = r"\w*(?:secret|password|passwd|token(?!s)|api_?key|access_?key|account_?key|auth_string|connection_string)\w*"
_PARAMETER = r"[\w.%-]*(?:token|secret|key|sig|signature|passw|pwd|auth|credential|code)[\w.%-]*"
_HOOKS = r"hooks\.slack\.com|api\.telegram\.org|(?:outlook|[\w-]+\.webhook)\.office\.com|discord(?:app)?\.com"
_HOOKS += r"|chat\.googleapis\.com|hooks\.zapier\.com|[\w.-]+\.(?:logic\.azure|powerplatform)\.com"
_QUOTED = r"b?\"[^\"\n]*\"|b?'[^'\n]*'"
# What is surely a secret where it stands in a file, whatever is written around it.
_SURE = (
    (r"(?-i:-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z))", "a private key ***"),
    # the number of a port is no password
    (r"\b(\w+)://[^/\s:@\[]+:(?!\d+(?:[^\w@]|$))[^\s\"'<>]*@", rf"\1://{HIDDEN}@"),
    (rf"(https?://)(?:[^/\s@]*@)?({_HOOKS})(:\d+)?/[^\s\"'<>]+", rf"\1\2\3/{HIDDEN}"),
    (r"(?-i:\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b)", HIDDEN),
)
# What may be one, in what a program says.
_LIKELY = (
    (r"\b(\w+)://[^/\s?#\"'<>]+@", rf"\1://{HIDDEN}@"),  # a user may be a token
    # a line of one, as programs give their words line by line; a hash has no capitals
    (r"(?-i:(?m:^)(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)(?=\S*[A-Za-z0-9+]{16})[A-Za-z0-9+/]{40,}={0,2}(?m:$))", HIDDEN),
    (r"(https?://[^/\s]+)/(?:[^\s\"'<>]*/)?(?:web)?hooks?/[^\s\"'<>]+", rf"\1/{HIDDEN}"),
    (rf"([?&;]{_PARAMETER}=)[^&\s\"'<>]+", rf"\1{HIDDEN}"),
    (r"(authorization[\"']?\s*[:=]\s*(?:b?[\"'])?)[^\r\n\"']+", rf"\1{HIDDEN}"),
    (r"\b(Bearer\s+)[\w.~+/=-]{8,}", rf"\1{HIDDEN}"),
    (rf"\b({_NAME}\s*=\s*)(?:{_QUOTED}|[^\s,;\"']+)", rf"\1{HIDDEN}"),
    (rf"\b({_NAME}[\"']?\s*:\s*)(?:{_QUOTED}|(?=[\w+/=-]*\d)[\w+/=-]{{16,}})", rf"\1{HIDDEN}"),
)
SURE: Final = tuple((re.compile(pattern, re.S | re.I), instead) for pattern, instead in _SURE)
FORMS: Final = (*SURE, *((re.compile(pattern, re.S | re.I), instead) for pattern, instead in _LIKELY))
_known: Final[set[str]] = set()


def hide(*secrets: str) -> None:
    """Hide values in every text from now on; a line of a key as well as the whole."""
    for secret in secrets:
        for line in (secret, *secret.splitlines()):
            _known.update(form for form in (line.strip(), quote(line.strip(), safe="")) if len(form) >= SHORTEST)


def hide_settings(settings: Mapping[str, object]) -> None:
    """Hide the secrets of DVC's settings of a remote."""
    hide(*(str(value) for key, value in settings.items() if SETTING.search(key)))


def redacted(text: str) -> str:
    """A text without the secrets in it.

    >>> redacted("fatal: https://bot:s3cret@git.shop/x.git not found")
    'fatal: https://***@git.shop/x.git not found'
    """
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for form, instead in FORMS:
        text = form.sub(instead, text)
    return text


def line_of_secret(text: str) -> int | None:
    r"""The first line of a file that has a secret, from 1: one that this process knows, or what is surely one.

    >>> line_of_secret("a,b\n1,AKIAIOSFODNN7EXAMPLE\n"), line_of_secret("token: 12")
    (2, None)
    """
    found = [text.find(secret) for secret in _known if len(secret) >= SURELY and secret in text]
    found += [match.start() for form, _ in SURE if (match := form.search(text))]
    return text.count("\n", 0, min(found)) + 1 if found else None


def redact_logs(environ: Mapping[str, str], also: Callable[[str], str] = str) -> None:
    """Redact what every library of this process logs, by whatever handler.

    Args:
        environ: variables; the values of some are secrets.
        also: what else to change in each text.
    """
    hide(*(value for name, value in environ.items() if VARIABLE.search(name) and not _is_place(value)))
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Redacting):
        logging.setLogRecordFactory(_Redacting(also))


def _is_place(value: str) -> bool:
    """Whether it is the path of a file, which people must be told."""
    return value.startswith(("/", "~", "./")) and len(value) != AWS_SECRET


class _Redacting:
    """Makes records whose words, and whose exception's, are redacted before a handler sees them."""

    def __init__(self, also: Callable[[str], str]) -> None:
        self._make, self._formatter, self._also = logging.getLogRecordFactory(), logging.Formatter(), also

    def __call__(self, *arguments: object, **named: object) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*arguments, **named)
        try:
            told = record.getMessage()
        except Exception:  # of a wrong format, which logging itself tells
            return record
        if (kept := self._also(redacted(told))) != told:
            record.msg, record.args = kept, ()
        if record.exc_info and record.exc_info[0] is not None:
            told = self._formatter.formatException(record.exc_info)
            if (kept := self._also(redacted(told))) != told:  # what handlers print in place of the exception
                record.exc_info, record.exc_text = None, kept
        return record
