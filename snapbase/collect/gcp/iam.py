"""`gcp.iam`: projects, folders and the organisation, and the bindings in each that reach everything below it."""

from collections.abc import Iterator

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.errors import CallFailed, miss
from snapbase.collect.gcp.hierarchy import Container, policy
from snapbase.collect.gcp.policy import grants
from snapbase.collect.gcp.resource import known
from snapbase.collect.gcp.roles import FOLDER, ORGANIZATION, PROJECT, Reach
from snapbase.collect.gcp.session import Project, Session
from snapbase.model import Observation, Resource, ResourceType, Scope


def _read(place: Project | Container, _: Scope) -> Iterator[Observation]:
    if isinstance(place, Project):
        yield _observe(place.session, _project(place), f"projects/{place.id}", PROJECT)
        return
    reach = FOLDER if place.name.startswith("folders/") else ORGANIZATION
    yield _observe(place.session, _container(place), place.name, reach)


def _project(project: Project) -> Resource:
    return Resource(
        uid=project.uid,
        address=f"//cloudresourcemanager.googleapis.com/projects/{project.id}",
        type=ResourceType.CONTAINER,
        name=project.id,
        owner=project.id,
        guards=project.above,
        attributes=known({"parent": project.parent}),
        facts={"project_id": project.id, "project_number": project.number},
    )


def _container(container: Container) -> Resource:
    collection, _, number = container.name.partition("/")
    return Resource(
        uid=container.uid,
        address=container.uid,
        type=ResourceType.CONTAINER,
        name=container.title,
        owner=container.name,
        attributes=known({"parent": container.parent}),
        facts={"organization_id" if collection == "organizations" else "folder_id": number},
    )


def _observe(session: Session, resource: Resource, name: str, reach: Reach) -> Observation:
    try:
        return Observation(resource, grants(policy(session, name), reach, session.roles.permissions))
    except CallFailed as error:
        return Observation(resource, grants=None, miss=miss(error))


COLLECTOR = Collector(
    kind="gcp.iam",
    title="Google Cloud projects, folders and organisations and their bindings",
    where=frozenset({Where.GLOBAL, Where.MANAGEMENT}),
    read=_read,
    permissions=(
        "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy",
        "resourcemanager.projects.list",
        "resourcemanager.folders.get",
        "resourcemanager.folders.getIamPolicy",
        "resourcemanager.folders.list",
        "resourcemanager.organizations.getIamPolicy",
        "iam.roles.get",
    ),
    calls="2 per project and folder, 1 per organisation, 1 per custom role",
    blind="Members of groups and of identity pools; custom roles that cannot be read (their grants count as unknown); "
    "deny policies and access boundaries. A role may reach some kinds only: roles/viewer takes images, disks and Cloud "
    "SQL exports, but no snapshots.",
)
