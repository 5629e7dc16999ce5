#!/usr/bin/env python3
"""Meetings as a user has them: a hub and members, each a gst-launch-1.0 process of its own: meeting.py SCENARIO

What a member says is its -m output; frames that come out of it are counted at a fakesink ("last-message = chain"). Waiting
ends when what is awaited has come; limits are for what hangs.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import base64
import os
import pathlib
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
import processes
from processes import check, folder, free_port, until

PASSWORD = "canary-bird 4711 sesame"
COUNT = "fakesink silent=false sync=false async=false"
VIDEO = "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=5/1 ! m."
AUDIO = "audiotestsrc is-live=true ! m."
IS_NOISE = "last-message|state-changed|stream-status|caps = |property-notify|stats = |participants = |latency|tag"


class Process(processes.Process):
    def __init__(self, name, line, environment=None, options="-m -v"):
        # rtpsession's race (tests/check/rtpsessionrace.h) ends no process; other criticals are looked for at the end.
        super().__init__(name, ["bash", "-c", f"exec gst-launch-1.0 {options} {line}"], dict(environment or {}, G_DEBUG=""))

    def frames(self, sink="fakesink"):
        return len(re.findall(rf"{sink}[^ ]*: last-message = chain", self.output()))

    def waits_for_frames(self, number, sink="fakesink"):
        until(lambda: self.frames(sink) >= number or self.child.poll() is not None,
              f"{self.name}: {self.frames(sink)} of {number} frames at {sink}")
        check(self.frames(sink) >= number, f"{self.name} ended after {self.frames(sink)} frames at {sink}")

    def refuses(self, words):
        """Ends with an error that has these words, as gst-launch-1.0 ends then: 1 while it runs, 255 when it can't start."""
        self.ends((1, 255))
        check(self.said("^ERROR: .*" + re.escape(words)), f"{self.name}: no error with \"{words}\"")


class Hub(Process):
    def __init__(self, name="hub", port=None, pem="hub.pem"):
        self.port = port or free_port()
        super().__init__(name, f"meetinghub port={self.port} bind-address=127.0.0.1 certificate-location={pem}")
        self.waits("conclave-hub, ")
        self.pin = self.said(r"pin=\(string\)([\w-]+)").group(1)


def member(hub, name, role, rest="", tail="", password="password-location=pw", certificate="hub-certificate=hub.pem",
           uri=None, **more):
    uri = uri or f"meet://127.0.0.1:{hub.port}/standup"
    return Process(name, f"meetingjoin name=m role={role} uri='{uri}' {certificate} {password} display-name={name} {rest} {tail}",
                   **more)


def host(hub, tail=VIDEO, rest="admission=password", name="Host", **more):
    process = member(hub, name, "host", rest, tail, **more)
    return process


ADMITTED = r"conclave-state, state=\(string\)admitted"


def test_media():
    """Raw video and audio of two go to each other, decoded; a listener gets both."""
    hub = Hub()
    a = host(hub, f"{VIDEO} {AUDIO} m.src_0 ! {COUNT} name=a m.src_1 ! {COUNT} name=b", "admission=password decode=true")
    a.waits(ADMITTED)
    b = member(hub, "Bob", "participant", "decode=true", f"{VIDEO} {AUDIO} m.src_0 ! {COUNT} name=a m.src_1 ! {COUNT} name=b")
    c = member(hub, "Eve", "listener", "decode=true", " ".join(f"m.src_{n} ! {COUNT} name=s{n}" for n in range(4)))
    for process in a, b:
        process.waits_for_frames(10, "a")
        process.waits_for_frames(10, "b")
    for n in range(4):
        c.waits_for_frames(10, f"s{n}")
    check(len(re.findall("caps = video/x-raw", c.output())) > 0, "no raw video came out")
    def last_code(process):
        return re.findall(r"conclave-security-code, (code=.*epoch=.*);", process.output())[-1]
    until(lambda: last_code(a) == last_code(b) == last_code(c), "members of one epoch have different security codes")
    b.ends(0, signal.SIGINT)
    a.waits("conclave-participant-left, name=.string.Bob")
    c.ends(0, signal.SIGINT)
    a.ends(0, signal.SIGINT)
    hub.ends(0, signal.SIGINT)


def test_door():
    """Who must not come in does not, is told why, and ends with an error; nothing is received."""
    hub = Hub()
    a = host(hub)
    a.waits(ADMITTED)
    tail = f"m.src_0 ! {COUNT}"
    (folder / "wrong").write_text("not the password\n")
    wrong = member(hub, "Mallory", "participant", tail=tail, password="password-location=wrong")
    wrong.refuses("The password is wrong")
    none = member(hub, "Nobody", "participant", tail=tail, password="")
    none.refuses("there is no password: it could be anybody's meeting")
    from_environment = member(hub, "Env", "participant", password="", environment={"CONCLAVE_PASSWORD": PASSWORD})
    from_environment.waits(ADMITTED)
    pin = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    pinned = member(hub, "Pinned", "participant", tail=tail, uri=f"meet://127.0.0.1:{hub.port}/standup?pin={pin}")
    pinned.refuses(f"the fingerprint of its key is {hub.pin}, expected {pin}")
    other = Hub("other", pem="other.pem")
    mismatch = member(hub, "Mismatch", "participant", tail=tail, certificate="hub-certificate=other.pem")
    mismatch.refuses(f"the fingerprint of its key is {hub.pin}, expected {other.pin}")
    untrusted = member(hub, "Untrusted", "participant", tail=tail, certificate="")
    untrusted.refuses("cannot be trusted")
    other.ends(0, signal.SIGINT)
    gone = member(other, "Gone", "participant", "connect-timeout=500000000", tail, certificate="hub-certificate=other.pem")
    gone.refuses("cannot be reached")
    second = member(hub, "Second", "host", "admission=password")
    second.refuses("Another host has opened a meeting of this name")
    good = member(hub, "Good", "participant", tail=tail, certificate="",
                  uri=f"meet://127.0.0.1:{hub.port}/standup?pin={hub.pin}")
    good.waits_for_frames(5)
    for process in wrong, none, pinned, mismatch, untrusted, gone:
        check(process.frames() == 0, f"{process.name} received something")
    check(not a.said("Mallory"), "the name of who does not know the password was shown")


def test_settings():
    """What can't work is refused before anything is said to anybody, with a sentence that helps."""
    hub = Hub()
    (folder / "list").write_text("# nobody\nnot-a-fingerprint Bob\n")
    (folder / "open.pem").write_text("x")
    os.chmod(folder / "open.pem", 0o644)
    for rest, password, words in (
            ("", "", "The host has no password: set password-location"),
            ("admission=password", "", "admission=password needs a password"),
            ("admission=allow-list", "", "lets nobody in without fingerprints"),
            ("admission=allow-list allow-list-location=list", "", "Line 2 of allow-list-location=list"),
            ("admission=open", "password-location=missing", "cannot be read from password-location=missing"),
            ("admission=open hub-certificate=missing.pem", "", "cannot be read from hub-certificate=missing.pem"),
            ("admission=open identity-location=open.pem", "", "There is no identity: open.pem"),
            ("admission=open uri=http://x/y", "", "The link does not begin with meet://"),
            ("admission=open role=king", "", "king"),
    ):
        process = member(hub, "Host", "host", rest, password=password)
        process.refuses(words)


def test_waiting():
    """Who comes before the host waits, and is let in when it is there."""
    hub = Hub()
    b = member(hub, "Bob", "participant", tail=f"m.src_0 ! {COUNT}")
    b.waits(r"conclave-state, state=\(string\)waiting")
    time.sleep(2)
    check(b.child.poll() is None and not b.said("ERROR"), "an absent host is an error")
    a = host(hub)
    b.waits(ADMITTED)
    b.waits_for_frames(10)
    # The host's end is the meeting's: no error, and EOS.
    a.ends(0, signal.SIGINT)
    b.ends(0)
    check(b.said(r"detail=.string..The.{1,2}meeting.{1,2}has.{1,2}ended"), "the end is not told")


def test_hub_restart():
    """The hub is killed and comes back: so do members and media, and nobody is there twice."""
    hub = Hub()
    a = host(hub, f"{VIDEO} m.src_0 ! {COUNT}", "admission=password identity-location=host.pem")
    a.waits(ADMITTED)
    b = member(hub, "Bob", "participant", tail=f"{VIDEO} m.src_0 ! {COUNT}")
    b.waits_for_frames(10)
    a.waits_for_frames(10)
    hub.child.send_signal(signal.SIGKILL)
    hub.child.wait()
    for process in a, b:
        process.waits(r"conclave-connection, connected=\(boolean\)false")
    time.sleep(3)
    check(a.child.poll() is None and b.child.poll() is None, "a lost hub ends a member")
    back = time.monotonic()
    Hub("hub2", port=hub.port)
    for process in a, b:
        until(lambda p=process: len(re.findall(r"element .m. .element.: conclave-media, connected=.boolean.true", p.output())) > 1,
              f"{process.name}: no media again")
    print(f"media again {time.monotonic() - back:.1f} s after the hub")
    # New SSRCs are new tracks: what was src_0 has ended.
    for process in a, b:
        until(lambda p=process: len(re.findall(r"conclave-key-state, .*state=.string.ready", p.output())) > 1,
              f"{process.name}: no frame of the other's new track")
        check("conclave-participant-left" not in process.output(), f"{process.name}: somebody left")
        check(process.output().count("conclave-participant-joined") == 1, f"{process.name}: somebody is there twice")


def test_many_ends():
    """Ctrl-C, with and without -e, ends each of them, in the middle of whatever it does."""
    hub = Hub()
    a = host(hub, f"{VIDEO} {AUDIO}")
    a.waits(ADMITTED)
    for i in range(10):
        b = member(hub, f"Bob{i}", "participant",
                   tail=f"{VIDEO} {AUDIO} m.video_mix ! {COUNT} name=v m.audio_mix ! {COUNT} name=a",
                   options="-e -m -v" if i % 2 == 0 else "-m -v")
        if i % 3 == 0:
            b.waits(r"state=\(string\)(waiting|admitted)")
        elif i % 3 == 1:
            b.waits(ADMITTED)
        else:
            b.waits_for_frames(5, "v")
        b.ends(0, signal.SIGINT)


def test_recording():
    """The lines of the README: a recorder that everyone sees leaves a file that plays."""
    hub = Hub()
    a = host(hub, f"{VIDEO} audiotestsrc is-live=true wave=ticks ! m. m.video_mix ! videoconvert ! {COUNT}")
    a.waits(ADMITTED)
    r = member(hub, "Recorder", "recorder", tail="m.video_mix ! videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast ! mux. "
               "m.audio_mix ! audioconvert ! opusenc ! mux. matroskamux name=mux ! filesink location=meeting.mkv",
               options="-e -m -v")
    r.waits(ADMITTED)
    a.waits(r"conclave-recording, name=\(string\)Recorder.*state=\(string\)on")
    r.waits(r"conclave-key-state, .*state=\(string\)ready")
    time.sleep(3)
    r.ends(0, signal.SIGINT)
    p = Process("play", f"filesrc location=meeting.mkv ! matroskademux name=d d. ! h264parse ! avdec_h264 ! {COUNT} name=v "
                f"d. ! opusdec ! {COUNT} name=a")
    p.ends(0)
    check(p.frames("v") > 20 and p.frames("a") > 20, f"the recording holds {p.frames('v')} pictures, {p.frames('a')} of sound")


def test_five():
    """Five participants: each gets the pictures of the four others."""
    hub = Hub()
    tail = f"{VIDEO} " + " ".join(f"m.src_{n} ! {COUNT} name=s{n}" for n in range(4))
    members = [host(hub, tail)]
    members[0].waits(ADMITTED)
    members += [member(hub, f"P{i}", "participant", tail=tail) for i in range(4)]
    for process in members:
        for n in range(4):
            process.waits_for_frames(10, f"s{n}")
    for process in reversed(members):
        process.ends(0, signal.SIGINT)


def test_secrets():
    """The password is in no log of any level, no dot file, no output, no argument list."""
    hub = Hub()
    loud = {"GST_DEBUG": "*:9", "GST_DEBUG_NO_COLOR": "1", "GST_DEBUG_DUMP_DOT_DIR": "."}
    a = host(hub, "audiotestsrc is-live=true ! m.", environment=dict(loud, GST_DEBUG_FILE="a.debug"))
    a.waits(ADMITTED)
    b = member(hub, "Bob", "participant", tail=f"m.src_0 ! {COUNT}", environment=dict(loud, GST_DEBUG_FILE="b.debug"))
    b.waits_for_frames(5)
    arguments = b"".join(pathlib.Path(f"/proc/{p.child.pid}/cmdline").read_bytes() for p in (a, b))
    a.ends(0, signal.SIGINT)
    b.ends(0)
    raw = PASSWORD.encode()
    encoded = base64.b64encode(raw).rstrip(b"=")[:-1]
    for text in (raw, raw.hex().encode(), encoded):
        check(text not in arguments, "the password is an argument")
        for path in folder.iterdir():
            if path.name != "pw" and path.is_file():
                check(text not in path.read_bytes(), f"the password is in {path.name}")
    check((folder / "pw").read_bytes().startswith(raw) and b"meetingjoin" in (folder / "a.debug").read_bytes()
          and list(folder.glob("*.dot")), "the search looks at nothing")


def run_scenario():
    processes.write_password(PASSWORD)
    globals()["test_" + sys.argv[1].replace("-", "_")]()
    for process in processes.processes:
        critical = process.said("CRITICAL \\*\\*: (?!.*g_hash_table_foreach: assertion 'version ==).*")
        check(not critical, f"{process.name}: {critical and critical.group(0)}")


sys.exit(processes.run(run_scenario, IS_NOISE))
