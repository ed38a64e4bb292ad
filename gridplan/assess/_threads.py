"""One thread for linear algebra, so that a result has the same bits wherever it is made.

A product of matrices that is shared out among threads adds up in another order. Workers of a cluster have one thread each; a
notebook has one a core. There is nothing to gain from more: what takes long is compiled and has no matrices of that kind.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
from collections.abc import Callable, Iterator

import psutil

_NAMES = ("openblas", "mkl_rt", "blis")
_PAIRS = (
    *(
        (f"{before}openblas_get_num_threads{after}", f"{before}openblas_set_num_threads{after}")
        for before, after in itertools.product(("", "scipy_"), ("", "64_", "_64"))
    ),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
    ("bli_thread_get_num_threads", "bli_thread_set_num_threads"),
)
"""How the libraries are asked for their number of threads, and told it."""


@contextlib.contextmanager
def single() -> Iterator[None]:
    """Let the libraries of linear algebra that are loaded use one thread, then as many as before."""
    before = [(told, asked()) for asked, told in _libraries()]
    for told, _ in before:
        told(1)
    try:
        yield
    finally:
        for told, count in before:
            told(count)


def counts() -> list[int]:
    """Return the number of threads of each library."""
    return [asked() for asked, _ in _libraries()]


@functools.cache
def _libraries() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Return what asks and what tells each library of this process its number of threads; none where they cannot be listed."""
    process = psutil.Process()
    if not hasattr(process, "memory_maps"):  # macOS
        return ()
    paths = sorted({part.path for part in process.memory_maps() if any(name in part.path.lower() for name in _NAMES)})
    found = []
    for path in paths:
        library = ctypes.CDLL(path)
        found += [(getattr(library, a), getattr(library, t)) for a, t in _PAIRS if hasattr(library, a) and hasattr(library, t)]
    return tuple(found)
