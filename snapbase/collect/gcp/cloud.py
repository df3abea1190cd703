"""Google Cloud: which projects and regions there are to read, and what lies above them."""

from collections.abc import Iterable, Iterator
from typing import Any

from snapbase.collect.collector import CloudDescriptor, Target, Where
from snapbase.collect.gcp.errors import CallFailed, ListTruncated, classify, miss
from snapbase.collect.gcp.hierarchy import Hierarchy
from snapbase.collect.gcp.resource import Api, listed
from snapbase.collect.gcp.session import PAGE, UNRETRIED, Project, Session
from snapbase.collect.runtime import Runtime
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Cloud
from snapbase.settings import GcpEntry

_ACTIVE = 1
"""`google.cloud.resourcemanager.v3.Project.State.ACTIVE`, and a folder's; the other is the month before deletion."""


class GcpConnection:
    """One `[[gcp]]` entry, signed in."""

    def __init__(self, entry: GcpEntry, runtime: Runtime) -> None:
        self._entry = entry
        self._session = Session(entry, runtime)
        self._hierarchy = Hierarchy(self._session)

    def identity(self) -> str:
        """The account the credentials belong to, as far as they say."""
        return self._session.identity()

    def targets(self) -> Iterator[Target]:
        """`global` and every region of every project, then the folders and organisations that the projects lie in.

        A configured project that cannot be seen is one failed target, as is a folder.
        Raises `CallFailed` where projects cannot be searched for, and `CredentialsError` where none is visible.
        """
        parents = self._entry.parents
        for targets in self._session.runtime.map(self._configured, dict.fromkeys(self._entry.projects)):
            yield from targets
        for parent in parents:
            yield from self._below(parent)
        if not self._entry.projects and not parents:
            for targets in self._session.runtime.map(self._targets, self._search()):
                yield from targets
        for each in self._hierarchy.containers():
            yield Target(each.name, "global", each, Where.MANAGEMENT, each.title, each.failure)

    def _configured(self, name: str) -> Iterable[Target]:
        operation, client = "cloudresourcemanager.projects.get", self._session.manager("ProjectsClient")
        try:
            answer = self._session.call(
                operation, name, "global", lambda: client.get_project(name=f"projects/{name}", **UNRETRIED)
            )
        except CallFailed as error:
            return [Target(name, ANYWHERE, failure=miss(error))]
        return self._targets(self._project(answer))

    def _below(self, parent: str) -> Iterator[Target]:
        """Every project in a folder or organisation and in the folders below it; a folder that cannot be listed is one
        failed target."""
        try:
            found = self._listed("ProjectsClient", "projects", parent)
            folders = [str(each.name) for each in self._listed("FoldersClient", "folders", parent)]
        except CallFailed as error:
            yield Target(parent, ANYWHERE, failure=miss(error))
            return
        for targets in self._session.runtime.map(self._targets, [self._project(each) for each in found]):
            yield from targets
        for folder in folders:
            yield from self._below(folder)

    def _listed(self, client: str, collection: str, parent: str) -> list[Any]:
        """The active projects or folders directly in a parent."""
        ask = getattr(self._session.manager(client), f"list_{collection}")

        def page(token: str) -> Any:
            return ask(request={"parent": parent, "page_size": PAGE, "page_token": token}, **UNRETRIED)

        pages = self._session.pages(f"cloudresourcemanager.{collection}.list", parent, "global", page)
        return [each for listed in pages for each in getattr(listed, collection) if each.state == _ACTIVE]

    def _search(self) -> list[Project]:
        client = self._session.manager("ProjectsClient")

        def ask(token: str) -> Any:
            return client.search_projects(request={"page_size": PAGE, "page_token": token}, **UNRETRIED)

        pages = self._session.pages("cloudresourcemanager.projects.search", "*", "global", ask)
        found = [self._project(each) for page in pages for each in page.projects if each.state == _ACTIVE]
        if not found:
            hint = "Grant it resourcemanager.projects.get, or list the projects by id in [[gcp]]."
            raise CredentialsError(f"{self.identity()} can see no Google Cloud project.", hint=hint)
        return found

    def _project(self, answer: Any) -> Project:
        number, parent = str(answer.name).removeprefix("projects/"), str(answer.parent)
        above = tuple(each.uid for each in self._hierarchy.above(parent))
        return Project(answer.project_id, number, answer.display_name, parent, self._session, above)

    def _targets(self, project: Project) -> Iterable[Target]:
        """If regions cannot be listed, that is said of the project before what can be read of it all the same."""
        whole = Target(project.id, "global", project, Where.GLOBAL, project.name)
        try:
            names = regions(project)
        except (CallFailed, ListTruncated) as error:
            return [Target(project.id, ANYWHERE, label=project.name, failure=miss(error)), whole]
        return [whole, *(Target(project.id, name, project, Where.REGIONAL, project.name) for name in names)]


def regions(project: Project) -> list[str]:
    """The names of all that Compute Engine has; raises `CallFailed` and `ListTruncated`."""
    return [each.name for each in listed(project, Api("RegionsClient", "regions"), "global")]


CLOUD = CloudDescriptor(name=Cloud.GCP, title="Google Cloud", connect=GcpConnection, classify=classify)
