#!/usr/bin/env python3
"""Minutes of meetings, verified by Python's JSON and OpenSSL's Ed25519 as docs/guide/minutes.md tells, by conclave-minutes, and drawn
by conclave-timeline:

    minutes.py MINUTES-MAKE CONCLAVE-MINUTES CONCLAVE-TIMELINE

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

if not shutil.which("openssl"):
    print("skipped: openssl is not installed")
    sys.exit(77)
MAKE, TOOL, TIMELINE = (str(pathlib.Path(p).resolve()) for p in sys.argv[1:4])
checks = 0


def check(good, words):
    global checks
    checks += 1
    if not good:
        sys.exit(f"FAILED: {words}")
    print(f"ok {words}")


def bytes_of(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify_by_the_book(folder, lines):
    previous = "0" * 64
    key = None
    for number, line in enumerate(lines, 1):
        entry = json.loads(line)
        key = key or bytes_of(entry["signer"])
        assert entry["n"] == number and entry["previous"] == previous, f"line {number}: the chain"
        signed, _, _ = line.rpartition(b'","signature":"')
        label = b"conclave/1 minutes"
        (folder / "message").write_bytes(bytes([len(label)]) + label + bytes([32]) + hashlib.sha256(signed).digest())
        (folder / "sig").write_bytes(bytes_of(entry["signature"]))
        (folder / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + key)
        done = subprocess.run("openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in message -sigfile sig",
                              shell=True, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, f"line {number}: the signature"
        previous = hashlib.sha256(line).hexdigest()
    return key


def tool(folder, *args):
    done = subprocess.run([TOOL, *args], cwd=folder, capture_output=True, check=False, text=True)
    return done.returncode, done.stdout + done.stderr


def drawn(folder, name):
    """What stands in the picture: its exit status, and for each class its elements."""
    done = subprocess.run([TIMELINE, name], cwd=folder, capture_output=True, check=False)
    classes = {}
    for element in xml.etree.ElementTree.fromstring(done.stdout).iter():
        classes.setdefault(element.get("class"), []).append(element)
    return done.returncode, classes


def check_timeline(folder):
    status, classes = drawn(folder, "m")
    check(status == 0 and "bad" not in classes, "conclave-timeline draws an SVG")
    check([t.text for t in classes["name"]] == ["Recorder", "Alice", "Bob"], "with a row for each member")
    # 900 pixels are 54,003 seconds; Bob came after 66 and left after 54,000.
    bars = sorted((float(r.get("y")), float(r.get("x")) - 240, float(r.get("width"))) for r in classes["there"])
    want = [(66, 0, 900), (96, 0, 900), (126, 66 / 54003 * 900, 53934 / 54003 * 900)]
    check(all(abs(a - b) < 0.2 for bar, exact in zip(bars, want, strict=True) for a, b in zip(bar, exact, strict=True)),
          "and a bar for the time that each was there")
    check(len(classes["recording"]) == 1 and len(classes["chat"]) == 1 and len(classes["locked"]) == 1,
          "what was recorded, written and locked")
    check(1 <= len(classes["time"]) <= 9, "and times")
    status, classes = drawn(folder, "changed")
    check(status == 1 and len(classes["name"]) == 2 and "was changed" in classes["bad"][0].text,
          "of changed minutes what is in order, and it says so")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="conclave-"))
    try:
        subprocess.run("openssl genpkey -algorithm ed25519 -out i.pem && chmod 600 i.pem", shell=True, cwd=folder, check=True)
        for name, args in (("m", []), ("cut", ["cut"])):
            with open(folder / name, "wb") as out:
                subprocess.run([MAKE, "i.pem", *args], cwd=folder, check=True, stdout=out)
        lines = (folder / "m").read_bytes().splitlines()
        key = verify_by_the_book(folder, lines)
        der = subprocess.run("openssl pkey -in i.pem -pubout -outform DER", shell=True, cwd=folder, check=True,
                             capture_output=True).stdout
        check(key == der[-32:], "OpenSSL verifies each line, with the keeper's key")
        fingerprint = base64.urlsafe_b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
        digest = hashlib.sha256(key).digest()
        short = " ".join(f"{int.from_bytes(digest[5 * i:5 * i + 5], 'big') % 100000:05}" for i in range(4))

        status, words = tool(folder, "verify", "m", "--signer=" + fingerprint)
        check(status == 0 and "15 lines in order" in words and "as asked for" in words, "conclave-minutes verifies them")
        status, words = tool(folder, "verify", "m", "--signer=" + short)
        check(status == 0 and "as asked for" in words, "also by the short fingerprint")
        status, words = tool(folder, "verify", "m", "--signer=" + "A" * 43)
        check(status == 1 and "NOT THE ONE" in words, "another signer's are refused")

        status, words = tool(folder, "print", "m")
        check(status == 0, "they are printed")
        for part in ("Minutes of meet://hub.example/standup", f"kept by Recorder ({short}; {fingerprint})",
                     "2026-11-24 (UTC)", "09:00:00  Alice (", "joined as participant, an admin", "joined as recorder",
                     "Epoch 3, security code 012345 678901", "09:01:05  Bob (", "was admitted", "agreed to be recorded",
                     "wrote: Good morning.\\u000aI am late.", "The meeting was locked.", "2026-11-25 (UTC)",
                     "File alice-1.mkv.css, 123456789 bytes", "00:00:03  The minutes end."):
            check(part in words, f"with \"{part}\"")
        check("\x1b" not in words and "\u202e" not in words, "and nothing in them steers the terminal")

        status, words = tool(folder, "verify", "cut")
        check(status == 1 and "Line 14 is the last, but no end" in words, "a missing end is told")
        changed = (folder / "m").read_bytes().replace(b'"event":"admitted"', b'"event":"denied"', 1)
        (folder / "changed").write_bytes(changed)
        status, words = tool(folder, "print", "changed")
        check(status == 1 and "Line 7 was changed" in words and "6 lines in order" in words and "admitted" not in words,
              "what was changed is told, and nothing from there on printed")
        check_timeline(folder)
        status, words = tool(folder, "verify", "i.pem")
        check(status == 1 and "does not begin minutes" in words, "another file is told")
        status, words = tool(folder, "verify", "nowhere")
        check(status == 2 and "cannot read nowhere" in words, "no file is told")
    finally:
        shutil.rmtree(folder)
    print(f"Checks: {checks}, Failures: 0, Errors: 0")


if __name__ == "__main__":
    main()
