"""Regions, zones, and the operations in them."""

from collections.abc import Sequence
from functools import partial

from snapbase.sandbox.gcp.call import Call, Handler, missing, project_id
from snapbase.sandbox.gcp.estate import REGIONS, ZONES, Body, Estate
from snapbase.sandbox.gcp.shelves import link, operation


def _bodies(kind: str, names: Sequence[str], estate: Estate, call: Call) -> dict[str, Body]:
    project = project_id(estate, call)
    return {
        name: {
            "kind": f"compute#{kind}",
            "id": str(1_000 + index * 10),
            "name": name,
            "status": "UP",
            "selfLink": link(call, f"projects/{project}/{kind}s/{name}"),
        }
        for index, name in enumerate(names)
    }


def _list(kind: str, names: Sequence[str], estate: Estate, call: Call) -> Body:
    found, token = call.paged(_bodies(kind, names, estate, call).items())
    path = f"projects/{project_id(estate, call)}/{kind}s"
    return {"kind": f"compute#{kind}List", "id": path, "items": [each for _, each in found], **token}


def _get(kind: str, names: Sequence[str], estate: Estate, call: Call) -> Body:
    found = _bodies(kind, names, estate, call).get(call.parameters[kind])
    if found is None:
        raise missing(f"{kind}s/{call.parameters[kind]}")
    return found


def _operation(estate: Estate, call: Call) -> Body:
    return operation(estate, call, project_id(estate, call), name=call.parameters["operation"])


ANSWERS: dict[str, Handler] = {
    "compute.regions.list": partial(_list, "region", REGIONS),
    "compute.regions.get": partial(_get, "region", REGIONS),
    "compute.zones.list": partial(_list, "zone", ZONES),
    **{
        f"compute.{scope}Operations.{verb}": _operation
        for scope in ("global", "region", "zone")
        for verb in ("get", "wait")
    },
}
