"""What a command is narrowed to: a word that names nothing is refused, for what it leaves would read as clean."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from snapbase.collect import engine
from snapbase.collect.collector import collectors
from snapbase.errors import ConfigurationError, CredentialsError, NotFound, UsageError
from snapbase.model import ANYWHERE, Scope
from snapbase.operations.accounts import accounts_of
from snapbase.rules import rules as of_changes
from snapbase.rules.detected import detections
from snapbase.settings import Config
from snapbase.store import Store

DOCTOR = "`snapbase doctor` says what each entry of the configuration can enter and read."
_SHOWN = 20
"""Names that a hint tells of more."""


def words(given: Iterable[str] | None) -> tuple[str, ...]:
    """Of an option that may be repeated, hold several words with commas between them, or not have been given.

    Raises `UsageError` where one was given without any: a script's variable that is not set would narrow nothing.
    """
    found = [[word for part in each.split(",") if (word := part.strip())] for each in given or ()]
    if not all(found):
        raise UsageError("An option that narrows is empty.", hint="Say what it is to be narrowed to, or leave it out.")
    return tuple(word for each in found for word in each)


def clouds(given: Iterable[str] | None) -> tuple[str, ...]:
    """In any case; raises `UsageError` where one is not known."""
    return _each("cloud", [each.lower() for each in words(given)], engine.CLOUDS)


def rules(given: Iterable[str] | None) -> tuple[str, ...]:
    """In any case; raises `UsageError` where one is not known."""
    known = sorted([*(each.id for each in of_changes()), *(each.id for each in detections())])
    return _each("rule", [each.lower() for each in words(given)], known)


def kinds(given: Iterable[str] | None, clouds: Collection[str] = ()) -> tuple[str, ...]:
    """Globs; raises `UsageError` where one matches no kind of the clouds."""
    globs = words(given)
    known = kinds_of(clouds or engine.CLOUDS) if globs else []
    for glob in globs:
        if not _matched(glob, known):
            raise UsageError(f"There is no kind {glob}.", hint=_nearest(glob, known))
    return globs


def accounts(store: Store, given: Iterable[str] | None, *, also: Collection[str] = ()) -> tuple[str, ...]:
    """In any case; raises `NotFound` where the store knows one neither by a reading nor by name. `also` are known."""
    asked = words(given)
    known = {*_known(store), *also} - {""} if asked else set()
    spelt = {each.casefold(): each for each in known}
    for each in asked:
        if each.casefold() not in spelt:
            hint = _nearest(each, known) if known else "`snapbase collect` reads accounts."
            raise NotFound(f"No account {each} is known to the store.", hint=hint)
    return tuple(spelt[each.casefold()] for each in asked)


def _known(store: Store) -> Iterator[str]:
    """Accounts that were read, those that could not be entered, and those that people or the clouds name."""
    read = (scope for scope, _ in store.coverage_at(store.head()))
    yield from {scope.account for scope in (*store.known_scopes(), *read)} - {ANYWHERE}
    last = store.last_run()
    if last is not None:
        yield from accounts_of(store, last)


def kinds_of(clouds: Iterable[str]) -> list[str]:
    return sorted(each.kind for cloud in clouds for each in collectors(cloud))


def refuse_unreadable(config: Config, selection: engine.Selection, known: Mapping[Scope, int]) -> None:
    """Raises where the configuration or a selection asks for what is not there, before a run begins.

    Clouds are asked only for accounts and regions that are not among the `known` scopes.
    """
    _refuse_unknown_kinds(config)
    configured = [cloud for cloud in engine.CLOUDS if getattr(config, cloud)]
    for each in clouds(selection.clouds):
        if each not in configured:
            raise UsageError(f"No [[{each}]] is configured.", hint=f"Configured: {', '.join(configured) or 'none'}.")
    asked = [each for each in configured if not selection.clouds or each in selection.clouds]
    _refuse_kinds(config, kinds(selection.kinds), asked)
    accounts = [each for each in selection.accounts if each not in {scope.account for scope in known}]
    regions = [each for each in selection.locations if each not in {scope.location for scope in known}]
    if accounts or regions:
        _refuse_unreached(config, asked, accounts, regions)


def _refuse_unknown_kinds(config: Config) -> None:
    known = kinds_of(engine.CLOUDS) if config.collect.kinds else []
    bad = [each for each in config.collect.kinds if not _matched(each, known)]
    if bad:
        lines = "\n".join(f"  {each!r} matches no kind. {_nearest(each, known)}" for each in bad)
        raise ConfigurationError(f"[collect] kinds names what does not exist:\n{lines}")


def _refuse_kinds(config: Config, globs: Iterable[str], asked: Collection[str]) -> None:
    """Those that exist, and of which none would be read all the same."""
    here = kinds_of(asked)
    for glob in globs:
        found = _matched(glob, here)
        if not found:
            where = ", ".join(f"[[{each}]]" for each in asked) or "any cloud"
            raise UsageError(f"{glob} is no kind of {where}.", hint="--cloud and the configuration say which are read.")
        only = config.collect.kinds
        if only and not any(fnmatchcase(each, other) for each in found for other in only):
            raise UsageError(f"[collect] kinds leaves {glob} out.", hint=f"It names {', '.join(only)}.")


def _refuse_unreached(
    config: Config, asked: Iterable[str], accounts: Collection[str], regions: Collection[str]
) -> None:
    seen = engine.plan(config, engine.Selection(clouds=tuple(asked)), known={})
    for what, given, there in (("account", accounts, seen.accounts), ("region", regions, seen.locations)):
        for each in given:
            if each in there:
                continue
            if seen.failures:
                raise CredentialsError(f"No {what} {each} was found: {'; '.join(seen.failures)}", hint=DOCTOR)
            raise UsageError(f"There is no {what} {each} within reach.", hint=_nearest(each, there))


def _matched(glob: str, known: Iterable[str]) -> list[str]:
    return [each for each in known if fnmatchcase(each, glob)]


def _each(what: str, given: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    for each in given:
        if each not in known:
            raise UsageError(f"There is no {what} {each}.", hint=_nearest(each, known))
    return tuple(given)


def _nearest(word: str, known: Collection[str]) -> str:
    """What was meant; where that cannot be told, what there is."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?"
    some = sorted(known)[:_SHOWN]
    more = f" and {len(known) - len(some):,} more" if len(known) > len(some) else ""
    return f"Known: {', '.join(some) or 'none'}{more}."
