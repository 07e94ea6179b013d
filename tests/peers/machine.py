"""Processes of this machine: started, measured, killed; what they took is read from /proc."""

import contextlib
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """A program with all that it starts, in a group of its own."""

    def __init__(self, command, log, cwd=None, user=None, **environment):
        self.command, self.log, self.cwd, self.user, self.environment = command, log, cwd, user, environment
        self.popen = None

    def start(self, url=None, seconds=60):
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                [str(word) for word in self.command], cwd=self.cwd, user=self.user, stdout=log, stderr=log,
                env={**os.environ, **{name: str(value) for name, value in self.environment.items()}},
                start_new_session=True,
            )
        if url:
            self.wait_for(url, seconds)
        return self

    def wait_for(self, url, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.popen.poll() is None:
            if is_answered(url):
                return
            time.sleep(0.05)
        raise RuntimeError(f"nothing answers at {url}:\n{pathlib.Path(self.log).read_text()[-3000:]}")

    def stop(self, how=signal.SIGTERM):
        if self.popen is None or self.popen.poll() is not None:
            return
        os.killpg(self.popen.pid, how)
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def kill(self):
        self.stop(signal.SIGKILL)

    def members(self):
        """Ids of the program and of all that descends from it."""
        parents = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        found = [self.popen.pid]
        for parent in found:
            found += [child for child, whose in parents.items() if whose == parent]
        return found

    def cpu_seconds(self):
        """What the program took, children that have ended included."""
        ticks = 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += sum(map(int, fields[11:15]))
        return ticks / TICK

    def peak_megabytes(self):
        """The sum of the processes' own peaks."""
        kilobytes = 0
        for pid in self.members():
            with contextlib.suppress(OSError, TypeError):
                kilobytes += int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
        return kilobytes / 1024


def is_answered(url):
    try:
        urllib.request.urlopen(url, timeout=2).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def description():
    """The machine, as far as figures depend on it."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 1024**2
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
    }
