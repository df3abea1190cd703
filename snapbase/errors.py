"""Everything that stops snapbase, on one page.

    SnapbaseError            exit 2: could not do it
    ├── UsageError           the command's words do not fit together
    ├── ConfigurationError   the configuration file or an environment variable is wrong
    ├── CredentialsError     no usable credentials for a cloud
    ├── StoreError           the store cannot be opened, read or written
    │   ├── SchemaError      the store's schema is older or newer than this snapbase
    │   ├── StaleReading     a newer reading of the same scope was recorded first
    │   └── Busy             another snapbase holds the lock
    ├── NotFound             no such run, baseline, finding or snapshot
    └── ApprovalRefused      the approval would bless what needs an explicit flag

What could not be *looked at* is never an exception that ends a run: it is a `Coverage` value (see `snapbase.model`).
"""

from typing import ClassVar


class SnapbaseError(Exception):
    """Cannot go on. `message` says what happened, `hint` what to do next; `exit_code` is the process's."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SnapbaseError):
    """The command's words do not fit together."""


class ConfigurationError(SnapbaseError):
    """The configuration file or an environment variable is wrong."""


class CredentialsError(SnapbaseError):
    """No usable credentials for a cloud."""


class StoreError(SnapbaseError):
    """The store cannot be opened, read or written."""


class SchemaError(StoreError):
    """The store's schema is older or newer than this snapbase."""


class StaleReading(StoreError):
    """A newer reading of the same scope was recorded first; this one must not overwrite it."""


class Busy(StoreError):
    """Another snapbase holds the lock."""


class NotFound(SnapbaseError):
    """No such run, baseline, finding or snapshot."""


class ApprovalRefused(SnapbaseError):
    """The approval would bless what needs an explicit flag and reason."""
