"""Words that the rules about cohorts share."""

from snapbase.diff import Change


def amount(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def detail(change: Change) -> str:
    """What is not as approved, and a few of those it is about."""
    values = [str(each) for each in change.now] if isinstance(change.now, list) else []
    shown = "; ".join(values[:3]) + (f" and {len(values) - 3} more" if len(values) > 3 else "")
    few = ", ".join(each.rpartition("/")[2] or each for each in change.examples)
    return " ".join(
        filter(None, (f"{shown[:1].upper()}{shown[1:]}." if shown else "", f"Such as {few}." if few else ""))
    )
