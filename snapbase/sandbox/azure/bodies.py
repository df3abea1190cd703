"""One check of every body the sandbox reads or writes: field names the SDK's own models do not have are refused.

Names only: values of enums are open in ARM, and Microsoft's own examples carry some that no model lists.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

Shape: TypeAlias = Mapping[str, "Shape | None"]


class Malformed(Exception):
    """A body with a field that the SDK's model does not know."""


def check_compute(body: Any, model: str) -> None:
    """Checks a Microsoft.Compute body against a model of azure-mgmt-compute such as `Snapshot`."""
    from azure.mgmt.compute import models

    _refuse(model, _unknown(body, getattr(models, model)))


def check_subscription(body: Any) -> None:
    from azure.mgmt.resource.subscriptions import models

    _refuse("Subscription", _unknown(body, models.Subscription))


def check_authorization(body: Any, model: str) -> None:
    """Checks a Microsoft.Authorization body against a model of azure-mgmt-authorization such as `RoleAssignment`."""
    from azure.mgmt.authorization.v2022_04_01 import models

    _refuse(model, _unmapped(body, model, vars(models)))


def check_eligibility(body: Any, model: str) -> None:
    """The same of the version that knows eligible roles."""
    from azure.mgmt.authorization.v2020_10_01 import models

    _refuse(model, _unmapped(body, model, vars(models)))


def check_shape(body: Any, name: str, shape: Shape) -> None:
    """Checks a body of a provider whose SDK is not installed against its field names; None: whatever is in there."""
    _refuse(name, _misshapen(body, shape))


def _misshapen(body: Mapping[str, Any], shape: Shape, path: str = "") -> Iterator[str]:
    for name, value in body.items():
        inner = shape.get(name)
        if name not in shape:
            yield f"{path}{name}"
        elif inner is not None and isinstance(value, Mapping):
            yield from _misshapen(value, inner, f"{path}{name}.")


def _refuse(model: str, unknown: Iterator[str]) -> None:
    if names := sorted(unknown):
        raise Malformed(f"{model} has no {', '.join(names)}")


def _unknown(body: Any, model: Any, path: str = "") -> Iterator[str]:
    """Wire names that a model of the newer generator (fields named `rest_field`) does not have."""
    # The generator fills in a model's fields when its first instance is made.
    fields = {field._rest_name: field for field in model.__new__(model)._attr_to_rest_field.values()}
    for name, value in body.items():
        if name not in fields:
            yield f"{path}{name}"
            continue
        inner = fields[name]._class_type
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, MutableMapping):
            yield from _unknown(value, inner, f"{path}{name}.")


def _unmapped(body: Any, model: str, models: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Wire names that a model of the older generator (`_attribute_map`, dotted where flattened) does not have."""
    known = {each["key"]: each["type"] for each in models[model]._attribute_map.values()}
    for name, value in _flat(body, {key.partition(".")[0] for key in known if "." in key}):
        if name not in known:
            yield f"{path}{name}"
            continue
        inner = known[name].strip("[]")
        if inner in models and isinstance(value, list):
            for each in value:
                yield from _unmapped(each, inner, models, f"{path}{name}.")


def _flat(body: Mapping[str, Any], nested: set[str]) -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if name in nested and isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield name, value
