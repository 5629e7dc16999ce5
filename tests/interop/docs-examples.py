#!/usr/bin/env python3
"""Runs every example that the documents print: docs-examples.py [FILE...]

Each ```sh block of README.md and docs/**/*.md has one of two comments on the line in front of it (blank lines may lie
between); a block without one fails the test, so that no example gets in that nobody tries.

    <!-- no-run: WHY -->
    <!-- example: NAME [then] [fails] [expect: REGEX] [needs: ELEMENT...] -->

Blocks of one NAME in one file are one story. They run in one new folder, in the order in which they stand:

  - A line (with what `\\` joins to it) that starts gst-launch-1.0, after variables if there are any, becomes a process of
    its own; the next line goes on as soon as the ports of its udpsrc elements are bound. Any other line is run by the
    shell until it ends, and must succeed.
  - `expect` must be found (Python, multi-line) in the output of the block's own processes. When all of a story was found,
    each process that still runs gets SIGINT, as by Ctrl-C, and must end; the one that was started last goes first.
    Without `expect` a block's processes must end by themselves. Do not expect caps: of two that change at a time
    gst-launch -v now and then tells one only.
  - `then`: before this block all that runs is ended as at the end of the story. For blocks that look at what the ones
    before them left.
  - `fails`: its processes must end with an error.
  - `needs`: without one of these elements the story is skipped, visibly.

The pairs of blocks that docs/guide/ice.md marks <!-- run: NAME SIDE --> are tried by ice-docs.sh.

What is changed in an example: `-v` is added, so that what passes can be seen; autovideosink and autoaudiosink become
`fakesink silent=false sync=true`, which tells each buffer ("last-message = chain"); numbers after `port=` are replaced by
free ports, everywhere in the story. "ERROR" in an output fails a story that is not marked `fails`.

C blocks: `<!-- from: FILE -->` in front of one says that it is a piece of that file, line by line; with
`<!-- compile: MODULE... -->` it is compiled against these pkg-config modules. Other C blocks are not looked at.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
FOUND_WITHIN = 25  # seconds; a limit for what hangs, not a measure: what is slower only fails later
ENDED_WITHIN = 15
AT_A_TIME = 3

FENCE = re.compile(r"^(\s*)```+\s*(\w*)")
EXAMPLE = re.compile(r"^<!-- example: (?P<name>[\w-]+)(?P<flags>(?: then| fails)*)"
                     r"(?: expect: (?P<expect>.+?))?(?: needs: (?P<needs>[\w ]+?))? -->$")
NO_RUN = re.compile(r"^<!-- no-run: \S.* -->$")
RUN_BY_ICE_DOCS = re.compile(r"^<!-- run: [a-z-]+ [ab] -->$")
FROM = re.compile(r"^<!-- from: (\S+) -->$")
COMPILE = re.compile(r"^<!-- compile: ([\w. +-]+) -->$")
SINKS = re.compile(r"\bauto(video|audio)sink\b")
LAUNCH = re.compile(r"^((?:\w+=\S+ )*)gst-launch-1\.0\b")


class Bad(Exception):
    """An example that does not do what the document says."""


class Block:
    def __init__(self, path, line, language, mark, text):
        self.where = f"{path.relative_to(TOP)}:{line}"
        self.language, self.mark, self.text = language, mark, text


def blocks_of(path):
    """The fenced blocks of a file, each with the last line that is not blank before it."""
    mark, fence, body, start, indent = "", None, [], 0, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        opening = FENCE.match(line)
        if fence is None and opening:
            indent, fence, body, start = opening.group(1), opening.group(2), [], number
        elif fence is not None and opening and not opening.group(2):
            yield Block(path, start, fence, mark, "\n".join(body) + "\n")
            fence, mark = None, ""
        elif fence is not None:
            body.append(line[len(indent):] if line.startswith(indent) else line)
        elif line.strip():
            mark = line.strip()
    if fence is not None:
        raise Bad(f"{path.relative_to(TOP)}:{start}: the block has no end")


def commands_of(text):
    """Logical lines: what a backslash joins belongs together, comments and blank lines do not count."""
    joined = []
    for line in text.splitlines():
        if joined and joined[-1].endswith("\\"):
            joined[-1] += "\n" + line
        else:
            joined.append(line)
    return [c for c in joined if c.strip() and not c.lstrip().startswith("#")]


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        try:
            tcp.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port


def with_free_ports(texts):
    ports = {}
    for text in texts:
        for port in re.findall(r"\bport=(\d+)\b", text):
            while port not in ports or list(ports.values()).count(ports[port]) > 1:
                ports[port] = str(free_port())
    if not ports:
        return texts
    any_port = re.compile(r"\b(" + "|".join(ports) + r")\b")
    return [any_port.sub(lambda m: ports[m.group(1)], text) for text in texts]


def is_bound(port):
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            with open(table, encoding="ascii") as lines:
                if any(f":{port:04X} " in line for line in lines):
                    return True
        except OSError:
            pass
    return False


class Process:
    """One gst-launch-1.0 of a story, its output in a file."""

    def __init__(self, command, folder, number, fails):
        self.command, self.fails, self.interrupted = command, fails, False
        self.log = folder / f".output-{number}"
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(["bash", "-c", "exec env " + command], cwd=folder, stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def interrupt(self):
        if self.child.poll() is None:
            self.interrupted = True
            self.child.send_signal(signal.SIGINT)

    def kill(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()

    def check_end(self):
        status = self.child.returncode
        if self.fails and status == 0:
            raise Bad("this should have ended with an error:\n" + self.command)
        # Who ends by itself just then has taken its handler away already, and Ctrl-C ends it as it ends any program.
        in_passing = self.interrupted and status == -signal.SIGINT
        if not self.fails and status != 0 and not in_passing:
            raise Bad(f"this ended with status {status}:\n" + self.command)
        if not self.fails and re.search(r"^ERROR", self.output(), re.MULTILINE):
            raise Bad("this told an error:\n" + self.command)


class Story:
    def __init__(self, name):
        self.name, self.blocks = name, []
        self.processes, self.waiting = [], []

    def add(self, block, mark):
        self.blocks.append((block, mark))

    def missing(self):
        for _, mark in self.blocks:
            for element in (mark["needs"] or "").split():
                # Without a version it asks for GStreamer's own, which our plugins do not have.
                if subprocess.run(["gst-inspect-1.0", "--exists", "--atleast-version=0.0", element], check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                    return element
        return None

    def run(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="conclave-docs-"))
        try:
            texts = with_free_ports([block.text for block, _ in self.blocks])
            for (block, mark), text in zip(self.blocks, texts):
                if " then" in mark["flags"]:
                    self.finish()
                self.run_block(text, mark, folder)
            self.finish()
        except Bad as bad:
            raise Bad(f"{self.blocks[0][0].where} \"{self.name}\": {bad}\n" + self.outputs()) from None
        except subprocess.TimeoutExpired as hung:
            raise Bad(f"{self.blocks[0][0].where} \"{self.name}\": this does not end:\n{hung.cmd[-1]}\n" + self.outputs()) from None
        finally:
            for process in self.processes:
                process.kill()
            shutil.rmtree(folder, ignore_errors=True)

    def run_block(self, text, mark, folder):
        fails = " fails" in mark["flags"]
        mine = []
        for command in commands_of(text):
            if not LAUNCH.match(command):
                done = subprocess.run(["bash", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FOUND_WITHIN)
                if done.returncode != 0:
                    raise Bad(f"this ended with status {done.returncode}:\n{command}\n"
                              + done.stdout.decode(errors="replace"))
                continue
            command = SINKS.sub("fakesink silent=false sync=true", command)
            preload = os.environ.get("CONCLAVE_PRELOAD")
            launch = f"\\1LD_PRELOAD='{preload}' gst-launch-1.0 -v" if preload else r"\1gst-launch-1.0 -v"
            process = Process(LAUNCH.sub(launch, command), folder, len(self.processes), fails)
            self.processes.append(process)
            mine.append(process)
            self.await_ports(process)
        self.waiting.append((mark["expect"], mine))

    def await_ports(self, process):
        ports = [int(p) for element in re.findall(r"\budpsrc\b[^!]*", process.command)
                 for p in re.findall(r"\bport=(\d+)", element)]
        until = time.monotonic() + FOUND_WITHIN
        while not all(is_bound(p) for p in ports) and process.child.poll() is None:
            if time.monotonic() > until:
                raise Bad(f"no socket on port {ports} of:\n" + process.command)
            time.sleep(0.02)

    def finish(self):
        """Waits for all that is expected, ends what runs, and judges it."""
        until = time.monotonic() + FOUND_WITHIN
        for expect, processes in self.waiting:
            while not self.is_there(expect, processes):
                for process in processes:
                    if process.child.poll() is not None:
                        process.check_end()
                ended = all(p.child.poll() is not None for p in processes)
                if (ended and not self.is_there(expect, processes)) or time.monotonic() > until:
                    raise Bad(f"not seen: {expect}" if expect else "it does not end by itself")
                time.sleep(0.02)

        until = time.monotonic() + ENDED_WITHIN
        for process in reversed([p for _, processes in self.waiting for p in processes]):
            process.interrupt()
            try:
                process.child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Bad("Ctrl-C does not end this:\n" + process.command) from None
            process.check_end()
        self.waiting = []

    @staticmethod
    def is_there(expect, processes):
        if expect is None:
            return all(p.child.poll() is not None for p in processes)
        return any(re.search(expect, p.output(), re.MULTILINE) for p in processes)

    def outputs(self):
        def shown(process):
            text = process.output()
            return text if len(text) < 20000 else text[:8000] + "\n[…]\n" + text[-8000:]

        return "\n".join(f"--- output of: {p.command}\n{shown(p)}" for p in self.processes)


def check_c(block):
    """True when there was something to check."""
    piece, build = FROM.match(block.mark), COMPILE.match(block.mark)
    if piece:
        def lines(text):
            return [line.strip() for line in text.splitlines() if line.strip()]

        whole, part = lines((TOP / piece.group(1)).read_text(encoding="utf-8")), lines(block.text)
        if not any(whole[i:i + len(part)] == part for i in range(len(whole))):
            raise Bad(f"{block.where}: this is no piece of {piece.group(1)}")
    elif build:
        flags = subprocess.run(["pkg-config", "--cflags"] + build.group(1).split(), capture_output=True, text=True,
                               check=True).stdout.split()
        done = subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Werror", "-fsyntax-only", "-x", "c",
                               "-"] + flags, input=block.text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Bad(f"{block.where}: this does not compile\n{done.stderr}")
    return bool(piece or build)


def collect(paths):
    """The stories of all files, how many other checks passed, and what is wrong already."""
    stories, passed, wrong = [], 0, []
    for path in paths:
        named = {}
        try:
            blocks = list(blocks_of(path))
        except Bad as bad:
            wrong.append(str(bad))
            continue
        for block in blocks:
            try:
                if block.language == "c":
                    passed += check_c(block)
                elif block.language in ("sh", "bash", "shell", "console"):
                    mark = EXAMPLE.match(block.mark)
                    elsewhere = path == TOP / "docs/guide/ice.md" and RUN_BY_ICE_DOCS.match(block.mark)
                    if not mark and not elsewhere and not NO_RUN.match(block.mark):
                        raise Bad(f"{block.where}: the example has no comment <!-- example: … --> or <!-- no-run: … -->")
                    if mark:
                        if mark["expect"]:
                            re.compile(mark["expect"])
                        named.setdefault(mark["name"], Story(mark["name"])).add(block, mark)
            except Bad as bad:
                wrong.append(str(bad))
            except (OSError, re.error, subprocess.CalledProcessError) as error:
                wrong.append(f"{block.where}: {error}")
        stories += named.values()
    return stories, passed, wrong


def tell(story):
    try:
        lacking = story.missing()
        if lacking:
            return story, "skip", f"there is no element {lacking}"
        began = time.monotonic()
        story.run()
        return story, "ok", f"{time.monotonic() - began:.1f} s"
    except Bad as bad:
        return story, "bad", str(bad)
    except Exception as error:  # one story must not hide the others
        return story, "bad", f"{story.blocks[0][0].where} \"{story.name}\": {error!r}\n{story.outputs()}"


def main():
    os.environ["LC_ALL"] = "C.UTF-8"
    for name in ("GST_DEBUG", "GST_DEBUG_DUMP_DOT_DIR"):
        os.environ.pop(name, None)
    paths = [pathlib.Path(p).resolve() for p in sys.argv[1:]]
    paths = paths or [TOP / "README.md"] + sorted((TOP / "docs").rglob("*.md"))
    stories, passed, wrong = collect(paths)
    skipped = 0
    # The first look at the registry writes it: alone, not beside the others.
    subprocess.run(["gst-inspect-1.0", "--exists", "fakesink"], check=False)
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for story, result, words in pool.map(tell, stories):
            where = f"{story.blocks[0][0].where} {story.name}"
            if result == "bad":
                wrong.append(words)
                print(f"FAILED {where}", flush=True)
            else:
                passed += result == "ok"
                skipped += result == "skip"
                print(f"{'ok' if result == 'ok' else 'skipped'} {where} ({words})", flush=True)
    for words in wrong:
        print(f"\nFAILED: {words}")
    print(f"Checks: {passed + len(wrong)}, Failures: {len(wrong)}, Errors: 0 ({skipped} skipped)")
    if wrong:
        sys.exit(1)
    sys.exit(77 if skipped and not passed else 0)


if __name__ == "__main__":
    main()
