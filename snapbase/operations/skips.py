"""What the configuration leaves out on purpose: a name that is nowhere would silently leave out nothing."""

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from snapbase.audit.log import audit_logs
from snapbase.collect.collector import collectors
from snapbase.collect.engine import CLOUDS
from snapbase.errors import ConfigurationError
from snapbase.settings import Config


def refuse_unknown(config: Config) -> None:
    """Raises `ConfigurationError` where a `skip` of an entry matches no kind and no log of its cloud."""
    problems = [problem for cloud in CLOUDS for problem in _problems(cloud, config)]
    if problems:
        lines = "\n".join(f"  {each}" for each in problems)
        hint = "`snapbase policy` names the kinds; config.example.toml, logs."
        raise ConfigurationError(f"Nothing is left out by these:\n{lines}", hint=hint)


def _problems(cloud: str, config: Config) -> Iterator[str]:
    known: list[str] = []
    for number, entry in enumerate(getattr(config, cloud)):
        for glob in entry.skip:
            known = known or names(cloud)
            if not any(has((glob,), each) for each in known):
                near = difflib.get_close_matches(glob, known, n=1, cutoff=0)[0]
                yield f"{cloud}[{number}].skip: {glob!r} matches no kind or log; did you mean {near}?"


def has(skip: Sequence[str], name: str) -> bool:
    """Whether a kind or a log is to be left out."""
    return any(fnmatchcase(name, glob) for glob in skip)


def names(cloud: str) -> list[str]:
    """The kinds and the logs of a cloud."""
    logs = (log.name for log in audit_logs() if log.cloud == cloud)
    return sorted({*(each.kind for each in collectors(cloud)), *logs})
