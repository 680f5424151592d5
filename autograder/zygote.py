"""A warm process that has imported everything once, and forks the trusted side of each attempt.

It has one thread, computes nothing and knows nothing of any submission: what it held, every student's process would hold.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from autograder import wheels

PR_SET_PDEATHSIG = 1
MODULES = (
    "numpy", "torch", "torch.nn", "torch.optim", "torch.utils.data", "matplotlib.pyplot", "IPython.display", "ipywidgets",
    "otter.test_files", "sklearn.datasets", "scipy.special", "autograder.trusted",
)  # fmt: skip
ENVIRONMENT = {
    **wheels.ENVIRONMENT,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
}


def environment() -> dict[str, str]:
    """Nothing of the grader's own environment, and the way to an installed dlcourse."""
    site = wheels.site()
    return ENVIRONMENT if site is None else {**ENVIRONMENT, "PYTHONPATH": str(site)}


class Zygote:
    """The warm process, as its parent sees it. Not to be shared between threads."""

    def __init__(self):
        mine, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "autograder.zygote", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for whoever started this, who then closes it
            )
        self._socket, self.pid = mine, os.getpid()
        if mine.recv(1) != b"+":
            raise RuntimeError("the grader's warm process did not start")

    def start(self) -> socket.socket:
        """Fork a trusted side; the socket over which it is given an attempt."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [b"!"], [theirs.fileno()])
        return mine

    def is_alive(self) -> bool:
        return self.pid == os.getpid() and self._process.poll() is None

    def close(self) -> None:
        """End it, and all that it forked."""
        self._socket.close()
        self._process.wait(10)


def warm() -> None:
    """Import what notebooks import, so that no submission pays for it."""
    for name in MODULES:
        importlib.import_module(name)
    import torch

    import dlcourse
    from autograder import containment

    for module in pkgutil.walk_packages(dlcourse.__path__, "dlcourse."):
        importlib.import_module(module.name)
    containment.admitted(containment.held_out())  # worked out once
    torch.set_num_threads(1)
    # scikit-learn asks once which libraries for matrices are loaded, in /proc/self/maps, which is closed later.
    from sklearn.utils import parallel

    parallel._get_threadpool_controller()
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)  # its constructor imports more
    # Found out once for all forks, from /proc and /sys: a locked process cannot, and would do without vector instructions.
    torch.backends.cpu.get_cpu_capability()
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads before a fork: a child could wait for ever for a lock of one of them")
    gc.collect()
    gc.freeze()


def _reap(number: int, frame: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(fd: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    from autograder import containment, trusted

    warm()
    orders = socket.socket(fileno=fd)
    signal.signal(signal.SIGCHLD, _reap)  # not SIG_IGN: the kernel adds the CPU time of what is waited for to ours
    parent = os.getpid()
    orders.send(b"+")
    while True:
        word, fds, _, _ = socket.recv_fds(orders, 1, 1)
        if not word:
            return
        if os.fork() == 0:
            containment.die_with_parent(parent)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            try:
                trusted.serve(fds[0])
            finally:
                os._exit(0)
        os.close(fds[0])


if __name__ == "__main__":
    main(int(sys.argv[1]))
