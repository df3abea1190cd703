"""Compute galleries, the image definitions and versions in them, and whom they are shared with."""

from typing import Any

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import check_compute
from snapbase.sandbox.azure.estate import Body, now
from snapbase.sandbox.azure.routing import Request, Tracked, route

GALLERIES = Tracked(
    "Microsoft.Compute/galleries",
    check=lambda body: check_compute(body, "Gallery"),
    born=lambda _: {"provisioningState": "Succeeded"},
    stamp=lambda: {"systemData": {"createdAt": now(), "createdByType": "User"}},
)
_IMAGES = "Microsoft.Compute/galleries/images"
_VERSIONS = "Microsoft.Compute/galleries/images/versions"
_IMAGE = f"{GALLERIES.path}/images/{{image}}"
_VERSION = f"{_IMAGE}/versions/{{version}}"


def _list(call: Request) -> Answer:
    """Without the share groups, as the real one."""
    container = call.path.lower().partition("/providers/")[0]
    found = call.arm.estate.of_type(GALLERIES.type, container)
    return call.checked([_without_groups(each) for each in found], GALLERIES.check)


def _get(call: Request) -> Answer:
    gallery = call.arm.estate.resource(call.path)
    wanted = call.query.get("$expand", "").lower() == "sharingprofile/groups"
    return Answer(200, gallery if wanted else _without_groups(gallery))


def _patch(call: Request) -> Answer:
    """Answered at once, other than a PUT."""
    return Answer(200, call.arm.estate.patch(call.path, call.body, lambda body: check_compute(body, "GalleryUpdate")))


def _without_groups(gallery: Body) -> Body:
    profile = gallery["properties"].get("sharingProfile")
    if profile is None:
        return gallery
    hidden = {name: value for name, value in profile.items() if name != "groups"}
    return gallery | {"properties": gallery["properties"] | {"sharingProfile": hidden}}


def _share(call: Request) -> Answer:
    """Add, Remove, Reset or EnableCommunity (Compute REST API, Gallery Sharing Profile)."""
    check_compute(call.body, "SharingUpdate")
    properties = call.arm.estate.resource(call.parent)["properties"]
    profile = properties.setdefault("sharingProfile", {"permissions": "Private"})
    operation = call.body["operationType"]
    if operation == "EnableCommunity":
        profile.setdefault("communityGalleryInfo", {}).update(communityGalleryEnabled=True, publicNames=["shop-0001"])
    elif operation == "Reset":
        profile |= {"permissions": "Private", "groups": []}
    else:
        groups: dict[str, list[str]] = {each["type"]: each["ids"] for each in profile.get("groups", [])}
        for each in call.body.get("groups", []):
            kept = [one for one in groups.get(each["type"], []) if one not in each["ids"]]
            groups[each["type"]] = kept + (each["ids"] if operation == "Add" else [])
        profile["groups"] = [{"type": kind, "ids": ids} for kind, ids in groups.items() if ids]
    return call.arm.accepted(call.path, call.body, call.body)


def _inner(kind: str, model: str, born: Any) -> tuple[Any, Any, Any]:
    def check(body: Body) -> None:
        check_compute(body, model)

    def put(call: Request) -> Answer:
        call.arm.estate.resource(call.path.rpartition("/")[0].rpartition("/")[0])
        return call.arm.accepted(call.path, None, call.arm.estate.put(kind, call.path, call.body, check, born))

    def listed(call: Request) -> Answer:
        parent = call.path.rpartition("/")[0]
        call.arm.estate.resource(parent)
        return call.checked(call.arm.estate.of_type(kind, parent), check)

    def get(call: Request) -> Answer:
        return Answer(200, call.arm.estate.resource(call.path))

    return put, listed, get


def _published(_: Body) -> Body:
    return {"provisioningState": "Succeeded", "publishingProfile": {"publishedDate": now()}}


_put_image, _list_images, _get_image = _inner(_IMAGES, "GalleryImage", lambda _: {"provisioningState": "Succeeded"})
_put_version, _list_versions, _get_version = _inner(_VERSIONS, "GalleryImageVersion", _published)
ROUTES = (
    route("GET", f"/subscriptions/{{sub}}/providers/{GALLERIES.type}", f"{GALLERIES.type}/read", _list),
    route("GET", GALLERIES.path, f"{GALLERIES.type}/read", _get),
    route("PATCH", GALLERIES.path, f"{GALLERIES.type}/write", _patch),
    *GALLERIES.routes(),
    route("POST", f"{GALLERIES.path}/share", f"{GALLERIES.type}/share/action", _share),
    route("PUT", _IMAGE, f"{_IMAGES}/write", _put_image),
    route("GET", _IMAGE, f"{_IMAGES}/read", _get_image),
    route("GET", f"{GALLERIES.path}/images", f"{_IMAGES}/read", _list_images),
    route("PUT", _VERSION, f"{_VERSIONS}/write", _put_version),
    route("GET", _VERSION, f"{_VERSIONS}/read", _get_version),
    route("GET", f"{_IMAGE}/versions", f"{_VERSIONS}/read", _list_versions),
    route("DELETE", _VERSION, f"{_VERSIONS}/delete", GALLERIES.delete),
)
