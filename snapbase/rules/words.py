"""Words that the rules about cohorts share."""

import re

from snapbase.diff import Change


def detail(change: Change) -> str:
    """What is not as approved, and a few of those it is about."""
    values = [str(each) for each in change.now] if isinstance(change.now, list) else []
    shown = "; ".join(values[:3]) + (f" and {len(values) - 3} more" if len(values) > 3 else "")
    few = ", ".join(_SHORT.split(each)[-1] or each for each in change.examples)
    return " ".join(filter(None, (f"{_sentence(shown)}." if shown else "", f"Such as {few}." if few else "")))


def _sentence(text: str) -> str:
    """With a capital, unless it begins with an identifier."""
    first, space, _ = text.partition(" ")
    return text[:1].upper() + text[1:] if space and first.isalpha() else text


_SHORT = re.compile("[/:]")
"""What separates the parts of an address; the last one is what people know it by."""
