"""No secret survives in what a process says, and what is none stays as it is."""

from __future__ import annotations

import logging
import os
import string
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.base import redaction
from pricetrail.base.errors import OperationError
from pricetrail.base.redaction import hide, hide_settings, redact_logs, redacted

TOKEN = string.ascii_letters + string.digits + "_-"
tokens = st.text(TOKEN, min_size=20, max_size=40).filter(lambda text: any(letter.isdigit() for letter in text))
passwords = st.text(string.ascii_letters + string.digits + "!$%^&*()+=@:/?#", min_size=9, max_size=30).filter(
    lambda text: not text[0].isdigit() and "/" not in text[:1]
)
FORMS = {  # how each secret stands in what programs say
    "git": "fatal: unable to access 'https://bot:{}@git.shop/x.git/': 403",
    "proxy": "ProxyError: http://user:{}@proxy.shop:3128 refused",
    "user only": "remote: https://{}@github.com/shop/prices.git not found",
    "slack": 'HTTP Request: POST https://hooks.slack.com/services/T00/B00/{} "HTTP/1.1 404 Not Found"',
    "teams": "https://shop.webhook.office.com/webhookb2/{}@11/IncomingWebhook/22/33 timed out",
    "mattermost": "posting to https://chat.shop:8065/hooks/{} failed",
    "discord": "https://discord.com/api/webhooks/123/{}",
    "telegram": "https://api.telegram.org/bot1:{}/sendMessage",
    "sas": "GET https://shop.blob.core.windows.net/c?sv=2024&sig={}&se=1 403",
    "presigned": "https://s3.amazonaws.com/b/k?X-Amz-Credential=a&X-Amz-Signature={}",
    "query": "https://api.shop/v1?access_token={} is gone",
    "aws file": "aws_secret_access_key = {}",
    "dvc file": "    secret_access_key = {}",
    "environment": "env: AWS_SECRET_ACCESS_KEY={} PATH=/bin",
    "json": '{{"secret_access_key": "{}", "region": "x"}}',
    "python": "config {{'password': '{}', 'url': 's3://b'}}",
    "auth string": "PREFECT_API_AUTH_STRING={}",
    "bearer": "Authorization: Bearer {}",
    "basic": "headers {{'Authorization': b'Basic {}', 'Host': 'x'}}",
    "signature": "Authorization: AWS4-HMAC-SHA256 Credential=x/20/s3, SignedHeaders=host, Signature={}",
    "azure": "connection_string=DefaultEndpointsProtocol=https;AccountKey={}",
}
ORDINARY = (
    "stage etl_pipeline: must succeed: a.csv: row 12: quantity must be a number, got 'x'",
    "http://127.0.0.1:9000: must be free, got 200",
    "s3://pricetrail/dvc/files/md5/6b/18131dc289fd37006705affe961ef8.dir",
    "Prefect: http://127.0.0.1:4200 next run at 2011-12-12 09:00:00+00:00",
    "https://github.com/shop/prices/commit/c8b2c39aa?diff=split#L10",
    "npm: https://registry.npmjs.org/@scope/pkg is fine",
    "at http://127.0.0.1:8080/@me and ann@shop.example at 10:30",
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `dvc remote modify --local NAME access_key_id KEY`",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "/home/ann/Projects/shop2024/data/processed/2011-W48.parquet",
    "n_tokens=4 tokens: 5, key = value, monkey=1",
    "password: must be set; secret: none",
    '"http://127.0.0.1:9000","author":"ann@shop.example"',
    "Preise für Öl ↑ 3 %, ändern: ja",
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is known yet, and logging is put back."""
    before = logging.getLogRecordFactory()
    monkeypatch.setattr(redaction, "_known", set())
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.attack
@pytest.mark.parametrize("form", FORMS)
@given(secret=tokens)
def test_no_secret_survives_in(form: str, secret: str) -> None:
    assert secret not in redacted(FORMS[form].format(secret))
    assert secret not in str(OperationError("x", FORMS[form].format(secret), FORMS[form].format(secret)))


@given(secret=passwords)
def test_no_password_survives_however_odd(secret: str) -> None:
    """One that nobody escaped, as people write them."""
    told = redacted(f"fatal: https://bot:{secret}@git.shop/x.git not found")
    assert told == "fatal: https://***@git.shop/x.git not found"


@given(secret=st.text(string.printable[:94] + "äß→", min_size=8, max_size=40))
def test_a_secret_that_is_known_survives_nowhere(secret: str) -> None:
    hide_settings({"secret_access_key": secret, "url": "s3://b"})
    assert secret not in redacted(f"before {secret} after")
    redaction._known.clear()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.lists(st.text("abcdefghij ÄÖ.,()%-", max_size=12)).map(" ".join))
def test_words_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.attack
def test_no_line_of_a_private_key_survives() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    body = pem.splitlines()[1:-1]
    for text in (f"stage says\n{pem}and ends", pem[:150], *body[:-1]):  # whole, cut off, line by line
        assert not [line for line in body if line in redacted(text)]
    hide(pem)
    assert not [line for line in body if line in redacted(f"told {body[-1]} in a line")]


@pytest.mark.attack
@pytest.mark.parametrize("name", ["httpx", "prefect.flow_runs"])  # Prefect's have handlers of their own
def test_no_handler_of_any_log_sees_a_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """In the words, their arguments, and the words of an exception with its cause."""
    redact_logs({"AWS_SECRET_ACCESS_KEY": "/abc" + "D3f+" * 9, "PRICETRAIL_RELEASE_KEY": "/srv/release.pem"})
    redact_logs({})  # again: no harm
    with caplog.at_level(logging.DEBUG):
        log = logging.getLogger(name)
        log.info("POST %s", "https://hooks.slack.com/services/T0/B0/s3cretpart")
        log.warning("the key is /abc" + "D3f+" * 9)
        log.info("key file %s, %d objects", "/srv/release.pem", 7)
        try:
            raise OSError("https://bot:s3cretpart@git.shop/x")
        except OSError:
            log.exception("failed")
    assert "s3cretpart" not in caplog.text
    assert "D3f+D3f+" not in caplog.text
    assert "POST https://hooks.slack.com/***" in caplog.text
    assert "key file /srv/release.pem, 7 objects" in caplog.text
    assert "OSError: https://***@git.shop/x" in caplog.text


@pytest.mark.attack
@pytest.mark.long
def test_an_unexpected_error_is_redacted_and_cut() -> None:
    breaks = "import pricetrail.base.files as f\n"
    breaks += "def b(*a): raise KeyError('https://bot:s3cret@h/x ' + 'y' * 9999)\nf.read_params = b\n"
    program = f"{breaks}from pricetrail.cli.app import app\napp()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check"], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "https://***@h/x" in done.stderr
    assert "s3cret" not in done.stderr
    assert len(done.stderr) < 500
