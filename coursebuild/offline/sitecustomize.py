"""Refuse every connection that leaves this machine, in this Python and in each one that it starts.

Put on PYTHONPATH by coursebuild.execute. An audit hook cannot be removed, and sees what ctypes-free code can do; it keeps
honest notebooks honest about the network, and is no sandbox.
"""

import ipaddress
import os
import sys

LOCAL_NAMES = {"localhost", "", None, "0.0.0.0", "::"}


def is_local(host) -> bool:
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_network(event, args):
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # a path is a local socket
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not is_local(host):
        raise PermissionError(f"the network is off: {event} to {host!r} was refused")


if os.environ.get("COURSE_OFFLINE") == "1":
    sys.addaudithook(refuse_network)
