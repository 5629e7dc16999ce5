#!/usr/bin/env python3
"""The example moderator as a host in a terminal, with members that are processes of their own: moderator.py MODERATOR

Knocks are shown and answered, members listed, removed and locked out, chat is shown without what a terminal would obey.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import processes
from processes import check, free_port


class Process(processes.Process):
    def __init__(self, name, arguments):
        super().__init__(name, arguments, stdin=subprocess.PIPE)

    def types(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()


def run(moderator):
    port = free_port()
    processes.write_password("correct horse battery")
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
    check("correct horse" not in "".join(p.output() for p in processes.processes), "the password was shown")


sys.exit(processes.run(lambda: run(os.path.abspath(sys.argv[1]))))
