"""Who made what came and who deleted what went, by the events of audit logs that are kept: of many asked at a time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from snapbase.audit.attribute import Index, spellings
from snapbase.model import Cloud, State
from snapbase.rotation.deeds import UNTOLD, Deeds, deeds_of
from snapbase.rotation.verdict import Passage
from snapbase.store import Store


class Witnesses:
    """The logs of a store; where none was read, nobody knows anything, at no cost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clouds = frozenset(store.first_events())

    def of_passages(self, passages: Iterable[Passage]) -> dict[int, Deeds]:
        """By row, of those of which the logs tell anything."""
        if not self._clouds:
            return {}
        asked = list(passages)
        told = self._of([(each.state, each.went_at) for each in asked])
        return {each.row: deeds for each, deeds in zip(asked, told, strict=True) if deeds != UNTOLD}

    def services(self, states: Sequence[State]) -> list[str]:
        """For each what made it by itself; empty where no log says that a service did."""
        return [deeds.service for deeds in self._of([(each, None) for each in states])]

    def _of(self, asked: Sequence[tuple[State, datetime | None]]) -> list[Deeds]:
        names = [list(_names(state)) if state.scope.cloud in self._clouds else [] for state, _ in asked]
        wanted = {name for some in names for name in some}
        index = Index.of(self._store.events_about(wanted) if wanted else ())
        return [
            _deeds(index, state, went_at, some) if some else UNTOLD
            for (state, went_at), some in zip(asked, names, strict=True)
        ]


def _deeds(index: Index, state: State, went_at: datetime | None, names: Sequence[str]) -> Deeds:
    found = (each for name in names for each in index.find(state.scope.cloud, name))
    # An account's own log is asked about its own: elsewhere the same name is another's.
    own = [(event, made) for event, made in found if event.account.lower() == state.scope.account.lower()]
    return deeds_of(state.resource, own, went_at)


def _names(state: State) -> Iterator[str]:
    """As events can name it; ARM ids differ in case, and events have them lowered."""
    resource = state.resource
    names = dict.fromkeys(
        (resource.address, resource.uid.rpartition("@")[0], *spellings(resource.address, resource.name))
    )
    return (name.lower() if state.scope.cloud == Cloud.AZURE else name for name in names if name)
