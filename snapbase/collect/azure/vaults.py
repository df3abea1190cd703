"""What Azure's two kinds of backup vault have in common: posture that decides what an intruder can do with backups."""

from collections.abc import Mapping
from typing import Any

from snapbase.collect.azure.fields import choice, labels, lower, moment, section, text
from snapbase.collect.azure.managed import containers, incarnation, made_at
from snapbase.model import Json, Resource, ResourceType

_STATES = ("Enabled", "Disabled", "PermanentlyDisabled")


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
