"""Processes of a test, what they say, and when they end: for tests that are scripts.

What a process says is in a file of its name in `folder`; waiting ends when what is awaited has come, and PATIENCE is for what
hangs. run() counts what was checked, ends what is left, and says it as tests/count.py reads it.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds; nothing measures by it

folder = pathlib.Path(tempfile.mkdtemp(prefix="conclave-test-"))
processes = []
checks = 0


class Failed(Exception):
    pass


def check(good, words):
    global checks
    checks += 1
    if not good:
        raise Failed(words)


def until(condition, words):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Failed(words)
        time.sleep(0.05)
    global checks
    checks += 1


def free_port():
    """Of TCP and UDP, on 127.0.0.1."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
            except OSError:
                continue
            return tcp.getsockname()[1]


def write_password(text):
    """The file "pw", for its owner alone."""
    (folder / "pw").write_text(text + "\n")
    os.chmod(folder / "pw", 0o600)


class Process:
    def __init__(self, name, arguments, environment=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.log = folder / f"{name}.log"
        env = dict(os.environ, LC_ALL="C.UTF-8", LD_PRELOAD=os.environ.get("CONCLAVE_PRELOAD", ""), **(environment or {}))
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(arguments, cwd=folder, env=env, stdin=stdin, stdout=out, stderr=subprocess.STDOUT)
        processes.append(self)

    def output(self):
        return self.log.read_bytes().decode("utf-8", "replace")

    def said(self, pattern):
        return re.search(pattern, self.output(), re.MULTILINE)

    def is_over(self):
        return self.child.poll() is not None

    def waits(self, pattern, words=None):
        until(lambda: self.said(pattern) or self.is_over(), f"{self.name}: {words or 'did not say ' + pattern}")
        found = self.said(pattern)
        check(found, f"{self.name} ended, and did not say {pattern}")
        return found

    def ends(self, status, how=None):
        """`status`: one, or several of which any is right; `how`: a signal that it gets first."""
        if how is not None:
            self.child.send_signal(how)
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end") from None
        check(self.child.returncode in (status if isinstance(status, tuple) else (status,)),
              f"{self.name} ended with {self.child.returncode}, not {status}")


def run(test, leave_out=None):
    """The exit status. `leave_out`: a pattern of lines that are not shown of who took part in what failed."""
    failed = None
    try:
        test()
    except Failed as why:
        failed = why
        print(f"FAILED: {why}")
        for process in processes:
            lines = [line for line in process.output().splitlines() if not (leave_out and re.search(leave_out, line))]
            print(f"--- {process.name} ({process.child.poll()})", *(line[:400] for line in lines[-25:]), sep="\n    ")
    finally:
        for process in processes:
            if not process.is_over():
                process.child.kill()
                process.child.wait()
        if not os.environ.get("CONCLAVE_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    print(f"Checks: {checks}, Failures: {int(failed is not None)}, Errors: 0")
    return int(failed is not None)
