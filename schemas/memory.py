"""What is freed goes back to the system: by default Arrow and glibc keep 300 MB of it at ten million rows."""

import ctypes

import pyarrow as pa

_M_MMAP_THRESHOLD = -3
"""From which size on glibc gives an array memory of its own (malloc.h); set once, it does not grow by itself."""
_LIBC = ctypes.CDLL(None)


def use_little() -> None:
    """For the rest of the process."""
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def give_back() -> None:
    """Give back what was freed by now; for the end of a phase, as what comes next has to ask for it again."""
    pa.default_memory_pool().release_unused()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
