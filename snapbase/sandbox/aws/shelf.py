"""State that moto has no place for, kept on its EC2 backend so that a reset forgets it too."""

from typing import Any

from moto.ec2.models import ec2_backends

from snapbase.sandbox.aws.wire import Call, Refusal


def shelf(call: Call, name: str) -> dict[str, dict[str, Any]]:
    """Everything of one sort that an account has in a region, by name."""
    backend = ec2_backends[call.account][call.region]
    shelves: dict[str, dict[str, dict[str, Any]]] = backend.__dict__.setdefault("shelves", {})
    return shelves.setdefault(f"{call.service}/{name}", {})


def take(call: Call, name: str, wanted: str, code: str) -> dict[str, Any]:
    """One thing, or the service's own refusal."""
    found = shelf(call, name).get(wanted)
    if found is None:
        raise Refusal(code, f"{wanted} not found.")
    return found


def put(call: Call, name: str, wanted: str, code: str, made: dict[str, Any]) -> dict[str, Any]:
    """One new thing, unless the name is taken."""
    if shelf(call, name).setdefault(wanted, made) is not made:
        raise Refusal(code, f"{wanted} already exists.")
    return made


def arn(call: Call, rest: str) -> str:
    return f"arn:aws:{call.service}:{call.region}:{call.account}:{rest}"
