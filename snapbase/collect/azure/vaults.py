"""What Azure's two kinds of backup vault have in common: posture that decides what an intruder can do with backups."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from snapbase.collect.azure.errors import Unread, is_gone
from snapbase.collect.azure.fields import choice, labels, lower, moment, section, text
from snapbase.collect.azure.generic import listed, optional
from snapbase.collect.azure.managed import containers, incarnation, made_at, observe_each, shared_of
from snapbase.collect.azure.roles import Thing
from snapbase.collect.azure.session import Subscription
from snapbase.model import Json, Miss, Observation, Resource, ResourceType

_STATES = ("Enabled", "Disabled", "PermanentlyDisabled")


@dataclass(frozen=True, slots=True)
class Vaults:
    """Where one kind of vault is listed, and the policies of each."""

    type: str
    version: str

    @property
    def operation(self) -> str:
        return f"{self.type}/read"

    @property
    def policy_operation(self) -> str:
        return f"{self.type}/backupPolicies/read"

    def listed(self, subscription: Subscription) -> Iterator[Mapping[str, Any]]:
        """Every vault of the subscription."""
        return optional(subscription, self.operation, f"{subscription.uid}/providers/{self.type}", self.version)

    def policies(self, subscription: Subscription) -> Iterator[Mapping[str, Any]]:
        """Every policy of every vault; without those of a vault that is deleted meanwhile."""
        addresses = [address for vault in self.listed(subscription) if (address := text(vault.get("id")))]
        for found in subscription.runtime.map(partial(self._of, subscription), addresses):
            yield from found

    def _of(self, subscription: Subscription, vault: str) -> list[Mapping[str, Any]]:
        try:
            return list(listed(subscription, self.policy_operation, f"{vault}/backupPolicies", self.version))
        except Unread as error:
            if is_gone(error):
                return []
            raise


def observe_vaults(subscription: Subscription, thing: Thing, vaults: Iterable[Resource]) -> Iterator[Observation]:
    """Every vault with the roles held on it, and on what it protects: each item of a vault can be restored by whoever
    holds a role on that item alone (Azure RBAC, "Scope")."""

    def protected(each: Resource) -> list[str]:
        shared = shared_of(subscription)
        scopes = () if isinstance(shared, Miss) else shared.held
        return [scope for scope in scopes if scope.startswith(f"{each.address.lower()}/")]

    return observe_each(subscription, thing, vaults, protected)


def vault(listed: Mapping[str, Any], account: str, posture: Mapping[str, Json]) -> Resource:
    """A vault as a guardrail before the recovery points in it."""
    address = text(listed.get("id")) or ""
    return Resource(
        uid=incarnation(address, made_at(listed)),
        address=address,
        type=ResourceType.GUARDRAIL,
        name=text(listed.get("name")),
        created_at=moment(made_at(listed)),
        owner=account,
        guards=containers(address, account),
        attributes={"location": lower(listed.get("location")), **posture},
        tags=labels(listed.get("tags")),
    )


def immutability(security: Mapping[str, Any]) -> str | None:
    """Unlocked or Locked; None where it is switched off or was never set."""
    state = choice(section(security.get("immutabilitySettings")).get("state"), "Disabled", "Unlocked", "Locked")
    return None if state == "Disabled" else state


def state(value: Any) -> str | None:
    return choice(value, *_STATES)


def protects(value: Any) -> dict[str, bool | None]:
    """Soft delete in any of its spellings: On and Enabled can be switched off again, AlwaysOn cannot."""
    found = (text(value) or "").lower()
    known = {"on": True, "enabled": True, "alwayson": True, "off": False, "disabled": False}
    return {"deletion_protection": known.get(found), "soft_delete_permanent": found == "alwayson"}
