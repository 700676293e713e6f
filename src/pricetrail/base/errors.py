"""The exception tree. Every message names the place, the rule that was broken and the value found.

No message has a secret in it, nor what works unseen on a terminal: it often repeats a program, a library or a file.
"""

from pricetrail.base.redaction import one_line

LONGEST = 300  # characters of an error that is none of ours: botocore and git can write pages


class PricetrailError(Exception):
    """Base of every error that a user can cause and mend.

    Args:
        place: where it is: a file, ``file: row 12``, or ``params.yaml``.
        rule: what should have held, as a clause: ``tuning.n_trials must be >= 1``.
        value: what was found instead; left out of the message when None.

    >>> str(ParamsError("params.yaml", "tuning.n_trials must be >= 1", 0))
    'params.yaml: tuning.n_trials must be >= 1, got 0'
    """

    def __init__(self, place: str, rule: str, value: object = None) -> None:
        self.place = place
        self.rule = rule
        self.value = value
        found = "" if value is None else f", got {value!r}"
        super().__init__(one_line(f"{place}: {rule}{found}"))


class ParamsError(PricetrailError):
    """``params.yaml`` has an unknown or missing key, a wrong type or an impossible value."""


class SourceError(PricetrailError):
    """A source file cannot be read as a table of lines."""


class ContractError(PricetrailError):
    """A table breaks the line contract, or too few good lines are left."""


class DataError(PricetrailError):
    """The lines are well formed, but nothing can be learned from them (constant target, too few days)."""


class BundleError(PricetrailError):
    """A bundle is incomplete, or its bytes are not the ones its manifest names."""


class TrainingError(PricetrailError):
    """No trial of the study gave a usable network."""


class GateClosedError(PricetrailError):
    """A gate's verdict stops the pipeline. Its evidence is already written."""


class LineageError(PricetrailError):
    """A revision, an output or an id is not known, or a run cannot be replayed."""


class OperationError(PricetrailError):
    """A step of the scheduled run, its remote, or what it talks to has failed."""


class ReleaseError(PricetrailError):
    """A release cannot be made, or is not what its signature says."""


def cause_of(error: BaseException) -> str:
    """An error in one line; one that is none of ours with its kind in front, and cut where it is long.

    >>> cause_of(KeyError("week"))
    "KeyError: 'week'"
    """
    if isinstance(error, PricetrailError):
        return str(error)
    text = one_line(f"{type(error).__name__}: {error}").rstrip(": ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
