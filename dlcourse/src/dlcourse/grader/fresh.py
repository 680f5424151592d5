"""Run a notebook's cells in a fresh kernel, in a process of its own: python -m dlcourse.grader.fresh, told by stdin.

jupyter_client does it, for whoever has a kernel has it, and nbclient may be missing. The process of its own has no event loop
running yet, and can be stopped whatever the kernel does. It writes one JSON line for each cell.
"""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from queue import Empty

REPORT = "__import__('json').dumps(__import__('dlcourse.grader.book', fromlist=['report']).report())"
REPORT_SECONDS = 120
GRACE = 5  # seconds that a cell has to end after the interrupt


def run(folder: str, cells: list[str], caps: list[float], variable: str, tell) -> None:
    """Run cells in order, going on after one that fails, as the grader does.

    Args:
        folder: where the kernel starts.
        caps: for each cell, the seconds after which it is interrupted.
        variable: set in the kernel's environment, so that an export there does nothing.
        tell: is called with a dict for each cell, then with the report.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import KernelManager

    class ThisPython(KernelSpecManager):
        """The interpreter that runs the student's kernel, whatever is registered under its name."""

        def get_kernel_spec(self, kernel_name):
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="fresh", language="python")

    manager = KernelManager(kernel_spec_manager=ThisPython())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", variable: "1"}  # one thread, as the grader has
    try:
        manager.start_kernel(cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        for code, cap in zip(cells, caps, strict=True):
            said = _run_cell(manager, client, code, cap)
            tell(said)
            if said["state"] == "dead":
                return
        tell({"report": _report(manager, client)})
    finally:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)


def _run_cell(manager, client, code: str, cap: float) -> dict:
    start = time.monotonic()
    request = client.execute(code, allow_stdin=False, stop_on_error=False)
    error, interrupted = None, 0.0
    while True:
        now = time.monotonic()
        try:
            message = client.get_iopub_msg(timeout=0.5)
        except Empty:
            message = None
        if message and message["parent_header"].get("msg_id") == request:
            content = message["content"]
            if message["msg_type"] == "error":
                error = content
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        if message is None and not manager.is_alive():
            return {"state": "dead", "seconds": now - start}
        if interrupted and now - interrupted > GRACE:
            return {"state": "dead", "seconds": now - start, "stopped": True}
        if not interrupted and now - start > cap:
            interrupted = now
            manager.interrupt_kernel()
    seconds = time.monotonic() - start
    if interrupted:
        return {"state": "stopped", "seconds": seconds}
    if error is None:
        return {"state": "ran", "seconds": seconds}
    return {"state": "failed", "seconds": seconds, "error": error["ename"], "says": error["evalue"]}


def _report(manager, client) -> dict:
    """What dlcourse.grader.book.report gives there; empty where the notebook has no grader."""
    request = client.execute("pass", silent=True, user_expressions={"report": REPORT}, allow_stdin=False)
    end = time.monotonic() + REPORT_SECONDS
    while time.monotonic() < end and manager.is_alive():
        try:
            reply = client.get_shell_msg(timeout=1)
        except Empty:
            continue
        if reply["parent_header"].get("msg_id") == request:
            found = reply["content"].get("user_expressions", {}).get("report", {})
            return json.loads(ast.literal_eval(found["data"]["text/plain"])) if found.get("status") == "ok" else {}
    return {}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the kernel does not outlive an export that was stopped
    task = json.load(sys.stdin)
    out = sys.stdout
    run(
        task["folder"],
        task["cells"],
        task["caps"],
        task["variable"],
        lambda said: print(json.dumps(said), file=out, flush=True),
    )


if __name__ == "__main__":
    main()
