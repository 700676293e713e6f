"""``pricetrail …``: one command line for people. The pipeline itself is run by ``dvc repro``."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import pricetrail as package
from pricetrail.base.errors import OperationError, PricetrailError, cause_of
from pricetrail.base.files import private_folder
from pricetrail.base.redaction import redact_logs
from pricetrail.cli.check import check
from pricetrail.cli.decide import decide
from pricetrail.cli.detach_demo import detach_demo
from pricetrail.cli.doctor import doctor
from pricetrail.cli.explain import explain
from pricetrail.cli.ingest import ingest
from pricetrail.cli.init import init
from pricetrail.cli.keys import keys
from pricetrail.cli.models import models
from pricetrail.cli.one_line_errors import one_line_errors
from pricetrail.cli.prices import prices
from pricetrail.cli.release import release
from pricetrail.cli.releases import releases
from pricetrail.cli.replay import replay
from pricetrail.cli.report import report
from pricetrail.cli.rollback import rollback
from pricetrail.cli.runs import runs
from pricetrail.cli.s3 import app as s3
from pricetrail.cli.schedule import schedule
from pricetrail.cli.trace import trace
from pricetrail.cli.verify import verify
from pricetrail.cli.weekly import weekly
from pricetrail.cli.why import why
from pricetrail.lineage.git import PLACES

TRACEBACK = "PRICETRAIL_TRACEBACK"  # environment variable: show where an unexpected error comes from
PRIVATE = (".pricetrail", ".s3")
SITE_CACHE = "DVC_SITE_CACHE_DIR"  # else a folder of /var/tmp, in which every user may write
PANELS = {
    "Run": (init, check, ingest, weekly, schedule),
    "Results": (report, runs, models, prices, explain, decide),
    "Evidence": (trace, why, replay, verify),
    "Operation": (release, releases, rollback, keys, detach_demo, doctor),
}


class App(typer.Typer):
    """A command line that ends in one line, whatever goes wrong."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Run it on ``sys.argv``; exit code 1 for an error, 2 for a wrong option, 130 for Ctrl-C."""
        redact_logs(os.environ)
        os.umask(os.umask(0) | 0o002)  # whatever the shell says: nobody but owner and group changes what we write
        try:
            _close_folders()
            return super().__call__(*args, **kwargs)
        except PricetrailError as error:
            typer.echo(f"error: {error}", err=True)
            sys.exit(1)
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            typer.echo(f"error: unexpected {cause_of(error)}; set {TRACEBACK}=1 to see where", err=True)
            sys.exit(1)


def _close_folders() -> None:
    """Let nobody else enter what the project keeps here, nor give DVC's state, which DVC loads as Python objects.

    Raises:
        OperationError: one of them is another user's.
    """
    home = Path(".dvc")
    if not home.is_dir() or home.stat().st_uid != os.geteuid():
        return
    for kept in PRIVATE:
        if os.path.lexists(kept):
            private_folder(Path(kept))
    site = home.absolute() / "tmp/site"
    os.environ.setdefault(SITE_CACHE, str(site))  # where it cannot be made, too: never the folder of all users
    try:
        private_folder(site)
    except OSError:  # a read-only checkout: a command that only reads goes on, and DVC says what it cannot write
        if site.parent.exists() and (owner := site.parent.stat().st_uid) not in {0, os.geteuid()}:
            rule = f"must be owned by user {os.geteuid()}, who runs this: its owner could plant DVC's state there"
            raise OperationError(str(site.parent), rule, owner) from None


app = App(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pricetrail {package.__version__}")
        raise typer.Exit


@app.callback()
def pricetrail(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Quantity at a price, the price that sells best, and the proof of how. Run the pipeline with `dvc repro`."""
    del version
    for name in PLACES:  # of the git hook that may have started this
        os.environ.pop(name, None)


for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(one_line_errors()(command))
app.add_typer(s3, name="s3", rich_help_panel="Operation")
