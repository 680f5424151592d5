"""Attacks that get out of their process: to the network, to other processes, to files, to the machine."""

import ctypes
import os
import platform
import socket
import textwrap

import psutil

from autograder import syscalls
from tests.attacks.arena import Arena, attack
from tests.attacks.switches import replaced, without

HEAD = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def done(result):
    if result < 0: raise OSError(ctypes.get_errno(), "refused")
    return result
"""
LIBC = ctypes.CDLL(None, use_errno=True)


def gets_done(arena: Arena, code: str) -> bool:
    """Whether code that raises when it is refused runs to its end."""
    return arena.does(HEAD + textwrap.dedent(code))


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def sends_a_datagram(arena):
    """Sends what it likes to a port by UDP, over which Landlock has no say."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.3)
        arena.does(f"import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'out', {listener.getsockname()!r})", honest=1)
        try:
            return listener.recv(9) == b"out"
        except TimeoutError:
            return False


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def sends_a_datagram_by_ipv6(arena):
    """Opens a socket of the other family of the network, for which a list of forbidden calls may have no entry."""
    return arena.does("import socket\nsocket.socket(socket.AF_INET6, socket.SOCK_DGRAM)")


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def connects_to_a_service_of_the_machine(arena):
    """Connects to a UNIX socket by its path, as those of a database or of Docker are."""
    path = str(arena.private / "service")
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(path)
        service.listen()
        service.settimeout(0.3)
        arena.does(f"import socket\nsocket.socket(socket.AF_UNIX).connect({path!r})", honest=1)
        try:
            service.accept()[0].close()
            return True
        except TimeoutError:
            return False


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def asks_the_kernel_for_the_networks_of_the_machine(arena):
    """Opens a netlink socket, which lists interfaces, routes and other sockets."""
    return arena.does("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW).bind((0, 0))")


def named(name: str) -> list[psutil.Process]:
    """The processes of this name."""
    return [process for process in psutil.process_iter(["name"]) if process.info["name"] == name]


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def leaves_a_child_behind(arena):
    """Forks, and the child goes on for seconds after the grade, in a session of its own."""
    code = """
        if os.fork() == 0:
            os.setsid()
            libc.prctl(15, b"left-by-student", 0, 0, 0)
            import time
            time.sleep(5)
            os._exit(0)
        import time
        time.sleep(0.2)
    """
    arena.does(HEAD + textwrap.dedent(code), honest=1)
    left = named("left-by-student")
    for process in left:
        process.kill()
    return bool(left)


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def starts_a_program(arena):
    """Runs a program in a new process: the dynamic linker lies where libraries are read, so Landlock lets it start."""
    code = """
        import glob
        linker = glob.glob("/lib64/ld-linux*") or glob.glob("/lib/ld-linux*")
        pid = os.posix_spawn(linker[0], [linker[0], "--version"], {})
        assert os.waitpid(pid, 0)[1] == 0
    """
    return gets_done(arena, code)


def without_architecture() -> tuple[int, list[bytes]]:
    column, steps = HEAD_OF_FILTER()
    return column, steps[-1:]


HEAD_OF_FILTER = syscalls._head
I386 = """
import ctypes, mmap, os
libc = ctypes.CDLL(None)
# xor ecx, ecx; mov eax, 2; int 0x80; ret: of i386 this is fork, of x86_64 the number of open
code = bytes.fromhex("31c9b802000000cd80c3")
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
fork = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
pid = fork()
if pid == 0: os._exit(0)
assert pid > 0
"""
if platform.machine() == "x86_64":

    @attack(
        "escape",
        aims_at="seccomp's check of the architecture",
        off=replaced(syscalls, "_head", without_architecture),
    )
    def forks_by_a_number_of_another_architecture(arena):
        """Calls fork by the 32-bit gate of the kernel, where it has a number that is an allowed call's in 64 bits."""
        return arena.does(I386)


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def is_traced(arena):
    """Asks to be traced by its parent, so that every signal, the grader's interrupt too, stops it first."""
    return gets_done(arena, "done(libc.ptrace(0, 0, 0, 0))")


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def keeps_files_in_memory(arena):
    """Makes a file that lies in no folder, where no quota counts it."""
    return gets_done(arena, "kept = os.memfd_create('a')\nos.write(kept, b'a' * (1 << 20))")


KEY = 0x7351


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def leaves_shared_memory(arena):
    """Makes a segment of System V's shared memory, which stays when its process ends."""
    arena.does(HEAD + f"done(libc.shmget({KEY}, 4096, 0o1666))", honest=1)
    found = LIBC.shmget(KEY, 0, 0)
    if found >= 0:
        LIBC.shmctl(found, 0, None)
    return found >= 0


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def leaves_a_queue_of_messages(arena):
    """Makes a queue of System V's, which stays when its process ends, and sends through it."""
    arena.does(HEAD + f"done(libc.msgget({KEY}, 0o1666))", honest=1)
    found = LIBC.msgget(KEY, 0)
    if found >= 0:
        LIBC.msgctl(found, 0, None)
    return found >= 0


@attack("escape", aims_at="Landlock", off=without("landlock"))
def leaves_a_file_in_shared_memory(arena):
    """Writes to the machine's file system in memory, which every process sees."""
    arena.does("open('/dev/shm/left-by-attack', 'w').write('a')", honest=1)
    there = os.path.exists("/dev/shm/left-by-attack")  # noqa: PTH110
    if there:
        os.unlink("/dev/shm/left-by-attack")  # noqa: PTH108
    return there


@attack("escape", aims_at="Landlock", off=without("landlock"))
def rewrites_the_hidden_tests(arena):
    """Puts a test that anything passes in the place of the hidden one: whoever comes next gets the points."""
    easy = ("check.close(f(x)", "check.close(3 * x + len(marked)")
    code = f"text = open({arena.test_file!r}).read()\nopen({arena.test_file!r}, 'w').write(text.replace(*{easy!r}))"
    arena.submit(code)
    return arena.submit("def f(x): return x").gained


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def takes_the_trusted_sides_descriptors(arena):
    """Lowers its parent's limit of open files to none, so that it cannot open the tests: a fault that looks like its own."""
    code = "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))"
    return arena.submit(code).is_without_score


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def outlives_its_parent(arena):
    """Takes back the signal that ends it when its parent ends."""
    return gets_done(arena, "done(libc.prctl(1, 0, 0, 0, 0))")


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def makes_a_program_that_runs_as_its_owner(arena):
    """Sets the set-user-ID bit of a file of its own, which whoever runs it later runs as the grader."""
    return gets_done(arena, "open('mine', 'w').close()\nos.chmod('mine', 0o4777)\nassert os.stat('mine').st_mode & 0o4000")


@attack("escape", aims_at="seccomp", off=without("seccomp"))
def handles_faults_of_memory_by_itself(arena):
    """Asks for userfaultfd, with which a thread holds the kernel in the middle of a copy: many exploits begin so."""
    return gets_done(arena, "done(libc.syscall({'x86_64': 323}.get(os.uname().machine, 282), 1))")
