"""IAM's custom roles, of projects and of the organisation."""

from snapbase.sandbox.gcp.call import Call, Handler, conflict, missing
from snapbase.sandbox.gcp.estate import Body, Estate


def _path(call: Call, role: str) -> str:
    project = call.parameters.get("projectsId")
    return (
        f"projects/{project}/roles/{role}"
        if project
        else f"organizations/{call.parameters['organizationsId']}/roles/{role}"
    )


def _get(estate: Estate, call: Call) -> Body:
    path = _path(call, call.parameters["rolesId"])
    found = estate.thing(path)
    if found is None:
        raise missing(path)
    return found


def _create(estate: Estate, call: Call) -> Body:
    path = _path(call, call.body["roleId"])
    if estate.thing(path) is not None:
        raise conflict(path)
    return estate.put_thing(path, {"stage": "GA", **call.body.get("role", {}), "name": path})


def _patch(estate: Estate, call: Call) -> Body:
    found = _get(estate, call)
    return estate.put_thing(found["name"], {**found, **call.body})


ANSWERS: dict[str, Handler] = {
    f"iam.{parent}.roles.{verb}": answer
    for parent in ("projects", "organizations")
    for verb, answer in (("get", _get), ("create", _create), ("patch", _patch))
}
