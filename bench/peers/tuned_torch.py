"""Torch at its best on an AMD host: MKL told to take its fast path, and malloc kept from returning memory."""

import os
import subprocess
import sys
import tempfile


def restart_tuned():
    """Starts the program again with --tuned's environment, once: a preloaded one-line library, built with gcc, and malloc's limits."""
    if "--tuned" not in sys.argv or "PEER_TUNED" in os.environ:
        return
    library = os.path.join(tempfile.mkdtemp(), "mkl_fast_path.so")
    source = b"int mkl_serv_intel_cpu_true(){return 1;}"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], input=source, check=True)
    malloc = {"MMAP_THRESHOLD_": 8 << 30, "TRIM_THRESHOLD_": 16 << 30, "TOP_PAD_": 256 << 20}
    environment = {f"MALLOC_{name}": str(size) for name, size in malloc.items()}
    os.execve(
        sys.executable,
        [sys.executable, *sys.argv],
        {**os.environ, **environment, "PEER_TUNED": "1", "LD_PRELOAD": library},
    )
