"""What a hostile program tries in a sandbox. Prints one line of JSON: what it got.

Usage: sandbox_attack.py WAY [ARGUMENT...]
"""
import ctypes
import errno
import json
import os
import socket
import stat
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
way, args = sys.argv[1], sys.argv[2:]


def say(value):
    print(json.dumps(value), flush=True)


def attempt(work):
    """What came of it, or the name of its error."""
    try:
        return work()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def call(name, *values):
    result = getattr(libc, name)(*values)
    return "done" if result >= 0 else errno.errorcode.get(ctypes.get_errno(), "failed")


def read(path):
    with open(path, "rb") as file:
        return file.read(4096).decode("utf8", "replace")


def write(path, size=1):
    with open(path, "wb") as file:
        done = 0
        while done < size:
            done += file.write(b"x" * min(65536, size - done))
            file.flush()
        return done


def size_of(path, size):
    """How much could be written."""
    why = attempt(lambda: write(path, size))
    try:
        return {"bytes": os.stat(path).st_size, "why": why}
    except OSError:
        return {"bytes": 0, "why": why}


def dial(host, port):
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(b"hello")
        link.shutdown(socket.SHUT_WR)
        return link.recv(64).decode()


def abstract(name):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect("\0" + name)
        return "connected"


if way == "read":
    say({path: attempt(lambda: read(path)) for path in args})
elif way == "list":
    say({path: attempt(lambda: sorted(os.listdir(path))) for path in args})
elif way == "write":
    say({path: attempt(lambda: write(path)) for path in args})
elif way == "fill":
    say({path: size_of(path, int(args[0])) for path in args[1:]})
elif way == "link":
    target, place = args
    os.symlink(target, place)
    say({"inside": attempt(lambda: read(place))})
elif way == "dial":
    say({place: attempt(lambda: dial(*place.rsplit(":", 1))) for place in args})
elif way == "abstract":
    say(attempt(lambda: abstract(args[0])))
elif way == "processes":
    # Those of the host are other numbers; those that are seen are ours.
    seen = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    lines = {pid: attempt(lambda: read(f"/proc/{pid}/cmdline")) for pid in seen}
    tried = {}
    for pid in map(int, args):
        tried[pid] = {
            "kill": attempt(lambda: os.kill(pid, 0)) if pid not in seen else "of its own",
            "environ": attempt(lambda: read(f"/proc/{pid}/environ")) if pid not in seen else "of its own",
            "memory": attempt(lambda: read(f"/proc/{pid}/mem")) if pid not in seen else "of its own",
            # PTRACE_SEIZE, which does not stop it.
            "trace": call("ptrace", 0x4206, pid, None, None) if pid not in seen else "of its own",
        }
    say({"seen": list(lines.values()), "tried": tried})
elif way == "powers":
    status = dict(line.split(":\t", 1) for line in read("/proc/self/status").splitlines() if ":\t" in line)
    say(
        {
            "effective": int(status["CapEff"], 16),
            "bounding": int(status["CapBnd"], 16),
            "no_new_privileges": status["NoNewPrivs"],
            "users": call("unshare", 0x10000000),
            "mounts": call("unshare", 0x00020000),
            "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
            "chroot": call("chroot", b"/tmp"),
            "root": attempt(lambda: os.setuid(0) if os.getuid() != 0 else "is the only user here"),
            # A program of root with the bit: the kernel does not hand its rights on.
            "su": subprocess.run(["su", "-c", "id -u"], capture_output=True, stdin=subprocess.DEVNULL).stdout.decode(),
        }
    )
elif way == "tunables":
    # Opens for writing and writes nothing.
    opened = []
    for folder, folders, files in os.walk("/proc"):
        if folder == "/proc":
            folders[:] = [name for name in folders if not name.isdigit()]
        for name in files:
            path = os.path.join(folder, name)
            try:
                # What is hidden is the null device.
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                os.close(os.open(path, os.O_WRONLY))
                opened.append(path)
            except OSError:
                pass
    say(opened)
elif way == "forks":
    started = 0
    for _ in range(int(args[0])):
        try:
            if os.fork() == 0:
                time.sleep(300)
                os._exit(0)
            started += 1
        except OSError as error:
            say({"started": started, "why": errno.errorcode[error.errno]})
            break
    else:
        say({"started": started, "why": ""})
elif way == "bomb":
    # Each child makes children, for ever.
    while True:
        try:
            os.fork()
        except OSError:
            pass
elif way == "memory":
    blocks = []
    try:
        for _ in range(int(args[0])):
            blocks.append(bytearray(b"x") * (1 << 20))
        say({"mib": len(blocks), "why": ""})
    except MemoryError:
        say({"mib": len(blocks), "why": "ENOMEM"})
elif way == "orphans":
    # Leaves its group and session twice, and ignores what it can.
    import signal

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.execvp("sleep", ["sleep", args[0]])
        os._exit(0)
    say("ready")
    time.sleep(300)
elif way == "kill all":
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say({"all": attempt(lambda: os.kill(-1, signal.SIGTERM))})
elif way == "sleep":
    say("ready")
    time.sleep(float(args[0]))
elif way == "secrets":
    say({"file": attempt(lambda: read("/run/secrets/token")), "variable": os.environ.get("API_KEY"), "environment": sorted(os.environ)})
elif way == "spin":
    end = time.monotonic() + float(args[0])
    while time.monotonic() < end:
        pass
    say({"processor": time.process_time()})
else:
    sys.exit(f"unknown way {way}")
