"""Resource Manager: the organisation, its folders and projects, and who may do what in them."""

from collections.abc import Iterable
from typing import Any

from snapbase.sandbox.gcp.call import Call, Handler, Refusal, conflict, replace_policy
from snapbase.sandbox.gcp.estate import Body, Estate

_TYPE = "type.googleapis.com/google.cloud.resourcemanager.v3"


def _visible(estate: Estate, call: Call) -> Body:
    """Resource Manager does not say whether something is absent or forbidden."""
    if name := call.parameters.get("projectsId"):
        path, found = f"projects/{name}", estate.project(name)
    else:
        ((parameter, number),) = call.parameters.items()
        path = f"{parameter.removesuffix('Id')}/{number}"
        found = estate.thing(path)
    if found is None:
        message = f"The caller does not have permission on '{path}' (or it may not exist)."
        raise Refusal(403, "forbidden", "PERMISSION_DENIED", message)
    return found


def _projects(call: Call, found: Iterable[Body]) -> Body:
    page, token = call.paged((each["projectId"], each) for each in found)
    return {**token, **({"projects": [each for _, each in page]} if page else {})}


def _search_projects(estate: Estate, call: Call) -> Body:
    return _projects(call, estate.projects())


def _list_projects(estate: Estate, call: Call) -> Body:
    return _projects(call, (each for each in estate.projects() if each.get("parent") == call.query.get("parent")))


def _list_folders(estate: Estate, call: Call) -> Body:
    below = (each for each in estate.things("folders/") if each["parent"] == call.query.get("parent"))
    page, token = call.paged((each["name"], each) for each in below)
    return {**token, **({"folders": [each for _, each in page]} if page else {})}


def _create_project(estate: Estate, call: Call) -> Body:
    if estate.project(call.body["projectId"]) is not None:
        raise conflict(f"projects/{call.body['projectId']}")
    made = estate.add_project(call.body["projectId"], call.body.get("displayName", ""), call.body.get("parent", ""))
    return _done(estate, "cp", "Project", made)


def _create_folder(estate: Estate, call: Call) -> Body:
    return _done(estate, "cf", "Folder", estate.add_folder(call.body.get("displayName", ""), call.body["parent"]))


def _done(estate: Estate, prefix: str, kind: str, made: Body) -> Body:
    response: dict[str, Any] = {"@type": f"{_TYPE}.{kind}", **made}
    return {"name": f"operations/{prefix}.{estate.new_id()}", "done": True, "response": response}


def _get_policy(estate: Estate, call: Call) -> Body:
    version = int((call.body or {}).get("options", {}).get("requestedPolicyVersion", 1))
    return estate.policy(_visible(estate, call)["name"]).document(version)


def _set_policy(estate: Estate, call: Call) -> Body:
    return replace_policy(estate, _visible(estate, call)["name"], call.body["policy"])


ANSWERS: dict[str, Handler] = {
    "cloudresourcemanager.projects.search": _search_projects,
    "cloudresourcemanager.projects.list": _list_projects,
    "cloudresourcemanager.projects.create": _create_project,
    "cloudresourcemanager.folders.list": _list_folders,
    "cloudresourcemanager.folders.create": _create_folder,
}
for _collection in ("projects", "folders", "organizations"):
    ANSWERS |= {
        f"cloudresourcemanager.{_collection}.get": _visible,
        f"cloudresourcemanager.{_collection}.getIamPolicy": _get_policy,
        f"cloudresourcemanager.{_collection}.setIamPolicy": _set_policy,
    }
