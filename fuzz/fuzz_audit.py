"""`python -m fuzz.fuzz_audit [--records N]`: damaged records for every audit log's parser, until one of them raises.

First damage by chance, tens of thousands a second; then, where atheris is installed, damage that libFuzzer chooses by
what code it reaches, hundreds a second.
"""

import argparse
import importlib
import subprocess
import sys
import time
from collections import Counter
from tempfile import gettempdir
from typing import Any

from fuzz.mutation import chooser


def main() -> None:
    """Ten million records unless told otherwise."""
    parser = argparse.ArgumentParser(prog="fuzz_audit", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--guided", type=int, default=100_000, help="records by atheris")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    if asked.records:
        _random(asked.records, asked.seed)
    if asked.records and asked.guided:
        # In a process of its own: code is instrumented while it is imported, and here it was imported already.
        alone = ["--records", "0", "--guided", str(asked.guided), "--seed", str(asked.seed)]
        sys.exit(subprocess.run([sys.executable, "-m", "fuzz.fuzz_audit", *alone], check=False).returncode)
    if asked.guided and not _guided(asked.guided, asked.seed):
        sys.stdout.write("atheris is not installed: no guided damage\n")


def _random(records: int, seed: int) -> None:
    from fuzz.reading import read

    choose, said = chooser(seed), Counter[str]()
    began = time.perf_counter()
    for number in range(1, records + 1):
        said[read(choose)] += 1
        if number % 500_000 == 0 or number == records:
            rate = number / (time.perf_counter() - began)
            counts = ", ".join(f"{name} {count:,}" for name, count in sorted(said.items()))
            sys.stdout.write(f"{number:,} records, {rate:,.0f} a second, no crash (seed {seed}): {counts}\n")
            sys.stdout.flush()


def _guided(records: int, seed: int) -> bool:
    """False where atheris is not installed."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        return False
    with atheris.instrument_imports(include=["snapbase.audit"]):
        from fuzz.reading import read

    def once(data: bytes) -> None:
        given = atheris.FuzzedDataProvider(data)
        read(lambda below: given.ConsumeIntInRange(0, below - 1) if below > 0 else 0)

    options = (f"-runs={records}", f"-seed={seed & 0xFFFFFFFF}", "-max_len=256", f"-artifact_prefix={gettempdir()}/")
    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()
    return True


if __name__ == "__main__":
    main()
