"""Names for accounts that are not ours, from a file that somebody else keeps: labels in a report, never trust.

The shape is that of `known_aws_accounts` (github.com/fwdcloudsec/known_aws_accounts): a YAML list of entries with a
`name` and their `accounts`.
"""

from pathlib import Path
from typing import Any

from snapbase.errors import ConfigurationError

_LARGEST = 16 * 1024 * 1024


def names(path: Path | None) -> dict[str, str]:
    """Vendor name by account id; raises `ConfigurationError` where the file is not what it should be."""
    if path is None:
        return {}
    import yaml

    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigurationError(f"{path} is too large for a list of accounts.")
        # Every value as the text it is: a number with a leading zero would be an octal one.
        listed: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - makes text only
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", hint="[trust] vendors names it."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not YAML.", hint="[trust] vendors names it.") from error
    if not isinstance(listed, list):
        raise ConfigurationError(f"{path} is not a list of entries with a name and accounts.")
    found: dict[str, str] = {}
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("accounts"), list):
            continue
        for account in entry["accounts"]:
            number = str(account)
            number = number.zfill(12) if number.isdecimal() else number
            found.setdefault(number, str(entry.get("name", "")))
    return found
