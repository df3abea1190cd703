"""Pure: what of a resource must not differ from one point to the next, and where its copies lie."""

from collections.abc import Mapping

from snapbase.model import Json, Resource

_FREE = frozenset({"state", "status", "size_gib", "size_gb", "disk_size_gb", "engine_version"})
_PLACES = ("vault", "storage_locations")


def posture_of(resource: Resource) -> dict[str, str]:
    """What must not differ without a word: everything that many share but sizes, versions and passing states."""
    found = {name: _text(value) for name, value in resource.attributes.items() if _kept(name, value)}
    if resource.limits is not None:
        limits = resource.limits
        found["limits"] = f"{sorted(limits.blocks)} {sorted(limits.admits or ()) or limits.admits} {limits.unknown}"
    return {name: value for name, value in found.items() if value}


def _kept(name: str, value: Json) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return name not in _FREE and name not in _PLACES and (not number or name.endswith("_days"))


def destination_of(resource: Resource) -> str:
    """Where the copies lie, where that is not the scope itself."""
    parts = [_text(resource.attributes.get(name)) for name in _PLACES]
    parts.append(f"from {each}" if (each := _text(resource.facts.get("source_vault"))) else "")
    return " ".join(part for part in parts if part)


def _text(value: Json) -> str:
    if isinstance(value, list | tuple):
        return ",".join(sorted(map(_text, value)))
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_text(each)}" for name, each in sorted(value.items()))
    return "" if value is None else str(value)
