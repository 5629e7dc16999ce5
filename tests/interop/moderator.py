#!/usr/bin/env python3
"""The example moderator as a host in a terminal, with members that are processes of their own: moderator.py MODERATOR

Knocks are shown and answered, members listed, removed and locked out, chat is shown without what a terminal would obey.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 60  # seconds; a limit for what hangs
folder = pathlib.Path(tempfile.mkdtemp(prefix="conclave-moderator-"))
processes = []
checks = 0


class Failed(Exception):
    pass


def check(good, words):
    global checks
    checks += 1
    if not good:
        raise Failed(words)


def free_port():
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
            except OSError:
                continue
            return tcp.getsockname()[1]


class Process:
    def __init__(self, name, arguments):
        self.name, self.log = name, folder / f"{name}.log"
        env = dict(os.environ, LC_ALL="C.UTF-8", LD_PRELOAD=os.environ.get("CONCLAVE_PRELOAD", ""))
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(arguments, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        processes.append(self)

    def output(self):
        return self.log.read_bytes().decode("utf-8", "replace")

    def waits(self, pattern):
        end = time.monotonic() + PATIENCE
        while True:
            over = time.monotonic() > end or self.child.poll() is not None  # asked before the last look
            found = re.search(pattern, self.output(), re.MULTILINE)
            if found or over:
                check(found, f"{self.name} did not say {pattern}")
                return found
            time.sleep(0.05)

    def types(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def ends(self, status):
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not end") from None
        check(self.child.returncode == status, f"{self.name} ended with {self.child.returncode}, not {status}")


def run(moderator):
    port = free_port()
    (folder / "pw").write_text("correct horse battery\n")
    os.chmod(folder / "pw", 0o600)
    hub = Process("hub", ["gst-launch-1.0", "-m", "meetinghub", f"port={port}", "bind-address=127.0.0.1", "certificate-location=hub.pem"])
    hub.waits("conclave-hub, ")

    def join(name, *options):
        return Process(name, [moderator, f"--name={name}", "--password-file=pw", "--hub-certificate=hub.pem", *options,
                              f"meet://127.0.0.1:{port}/standup"])

    bad = Process("bad", [moderator])
    bad.ends(2)
    host = join("Host", "--host")
    host.waits(r"^link: meet://127\.0\.0\.1:\d+/standup#host=")
    host.types("nonsense")
    host.waits("^quit: leaves")
    host.types("admit 1")
    host.waits("^nobody knocks by that number")

    bob = join("Bob")
    short = host.waits(r"^knock 1: Bob \(participant\) (\d{5} \d{5} \d{5} \d{5})$").group(1)
    host.types("admit 1")
    bob.waits("^admitted")
    host.waits(rf"^came: Bob \(participant\) {short}$")
    host.types("who")
    host.waits(r"^  Host .*, host, you$")
    host.waits("^2 there$")

    # What would be red, and what would turn the line, is neither.
    bob.types("say \x1b[31mred\u202e \\ schön")
    host.waits(r"^Bob .*: \\u\{1b\}\[31mred\\u\{202e\} \\\\ schön$")
    check("\x1b" not in host.output() and "\u202e" not in host.output(), "the terminal got what Bob wrote as it is")
    bob.types("lock")
    bob.waits("^lock: not now")

    eve = join("Eve")
    host.waits("^knock 2: Eve")
    host.types("deny 2")
    eve.waits("^error: The host did not let us in")
    eve.ends(1)
    host.waits("^knock 2 is over")

    host.types("lock")
    host.waits("^security code of epoch 2: ")
    late = join("Late")
    late.waits("^error: The meeting is locked")
    late.ends(1)
    host.types("unlock")
    host.types(f"remove {short}")
    bob.waits("^error: An admin removed us from the meeting")
    bob.ends(1)
    host.waits(r"^removed: Bob ")

    ann = join("Ann")
    host.waits(r"^knock 3: Ann")
    host.types("admit 3")
    ann.waits("^admitted")
    host.types("end")
    host.ends(0)
    ann.waits("^left: The meeting has ended")
    ann.ends(0)
    check("correct horse" not in "".join(p.output() for p in processes), "the password was shown")


def main():
    try:
        run(os.path.abspath(sys.argv[1]))
        failed = None
    except Failed as why:
        failed = why
        print(f"FAILED: {why}")
        for process in processes:
            print(f"--- {process.name} ({process.child.poll()})\n{process.output()[-3000:]}")
    finally:
        for process in processes:
            if process.child.poll() is None:
                process.child.kill()
                process.child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"Checks: {checks}, Failures: {int(failed is not None)}, Errors: 0")
    return int(failed is not None)


sys.exit(main())
