"""`gcp.iam`: each project and the bindings that reach every snapshot and image in it."""

from collections.abc import Iterator

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.errors import CallFailed, miss
from snapbase.collect.gcp.policy import grants
from snapbase.collect.gcp.resource import POLICY_VERSION, known
from snapbase.collect.gcp.roles import PROJECT
from snapbase.collect.gcp.session import UNRETRIED, Project
from snapbase.model import Observation, Resource, ResourceType, Scope


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    client = project.session.projects()
    resource = Resource(
        uid=project.uid,
        address=f"//cloudresourcemanager.googleapis.com/projects/{project.id}",
        type=ResourceType.CONTAINER,
        name=project.id,
        owner=project.id,
        attributes=known({"parent": project.parent}),
        facts={"project_id": project.id, "project_number": project.number},
    )
    request = {
        "resource": f"projects/{project.id}",
        "options": {"requested_policy_version": POLICY_VERSION},
    }
    try:
        policy = project.call(
            "cloudresourcemanager.projects.getIamPolicy",
            scope.location,
            lambda: client.get_iam_policy(request=request, **UNRETRIED),
        )
    except CallFailed as error:
        yield Observation(resource, grants=None, miss=miss(error))
        return
    yield Observation(resource, grants(policy, PROJECT))


COLLECTOR = Collector(
    kind="gcp.iam",
    title="Google Cloud projects and their bindings",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"),
    calls="2 per project",
    blind="Bindings on folders and the organisation; members of groups and of identity pools; what custom roles "
    "permit; deny policies and access boundaries. A role may reach images only (roles/viewer) or snapshots only.",
    events={"cloudresourcemanager.projects.setIamPolicy": "shared", "SetIamPolicy": "shared"},
)
