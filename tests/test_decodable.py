"""Threads that get their first pages at the same moment: the process survives it."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support import PROJECT

_EVERY_STRUCT = """
import gc, importlib, json, pkgutil
import msgspec
import tap_bitbucket

for module in pkgutil.walk_packages(tap_bitbucket.__path__, "tap_bitbucket."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

def below(struct):
    for one in struct.__subclasses__():
        yield one
        yield from below(one)

ours = [one for one in below(msgspec.Struct) if one.__module__.startswith("tap_bitbucket")]
known = {
    f"{one.__module__}.{one.__name__}": any(
        type(told).__name__ == "StructInfo" for told in gc.get_referents(one)
    )
    for one in ours
}
print(json.dumps(known))
"""

_AT_THE_SAME_MOMENT = """
import sys, threading
import msgspec
from tap_bitbucket.decodable import decodable

sys.setswitchinterval(1e-6)
for number in range(1000):
    inner = msgspec.defstruct("State", [("name", str)])
    struct = decodable(msgspec.defstruct("Pipeline", [("number", int), ("state", inner)]))
    start = threading.Barrier(4)

    def first_page():
        start.wait()
        msgspec.json.decode(b'{"state":{"name":"COMPLETED"},"number":1}', type=struct)

    threads = [threading.Thread(target=first_page) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("done")
"""


def _python(code: str) -> str:
    """Run code in a Python of its own, which has decoded nothing; return what it prints."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert ended.returncode == 0, (ended.returncode, ended.stderr)
    return ended.stdout


def test_every_struct_is_looked_at_before_a_thread_decodes_it() -> None:
    """Each one of the package, those in private places, too."""
    known = json.loads(_python(_EVERY_STRUCT))
    assert "tap_bitbucket.streams.pipelines._Pipeline" in known
    assert [name for name, looked_at in known.items() if not looked_at] == []


def test_first_pages_at_the_same_moment() -> None:
    """Without it, a struct within a struct ends the process by a signal."""
    assert _python(_AT_THE_SAME_MOMENT) == "done\n"
