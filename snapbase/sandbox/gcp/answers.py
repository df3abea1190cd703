"""Which handler answers which method: every file in `families` exports `ANSWERS`, and the folder is the registry."""

import importlib
import pkgutil
from functools import cache

from snapbase.sandbox.gcp import families
from snapbase.sandbox.gcp.call import Call, Handler
from snapbase.sandbox.gcp.estate import Body, Estate


@cache
def handlers() -> dict[str, Handler]:
    """Every method that is answered, by its id."""
    found: dict[str, Handler] = {}
    for module in pkgutil.iter_modules(families.__path__):
        found |= importlib.import_module(f"{families.__name__}.{module.name}").ANSWERS
    return found


def answer(estate: Estate, call: Call) -> Body:
    """The 200 body of a call; raises `Refusal`."""
    return handlers()[call.method](estate, call)
