#!/usr/bin/env python3
"""Reads encrypted files, written from docs/protocol/secretstream.md and not from the project's code.

    secretstream-reader.py MEDIA

It writes files with secretstreamenc by gst-launch-1.0, in several ways, and reads them with libsodium (through ctypes) and Python's
own HMAC: from the begin, and from the middle by the index. Skipped (77) without libsodium's shared library or gst-launch-1.0.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

NAME = ctypes.util.find_library("sodium")
if not NAME or not shutil.which("gst-launch-1.0") or not shutil.which("openssl"):
    print("skipped: libsodium, gst-launch-1.0 or openssl is not installed")
    sys.exit(77)
SODIUM = ctypes.CDLL(NAME)
if SODIUM.sodium_init() < 0:
    sys.exit("libsodium does not start")
MESSAGE, FINAL = 0, 3


def expand(prk, info, length):
    return hmac.new(prk, info + b"\x01", hashlib.sha512).digest()[:length]


def u64(n):
    return n.to_bytes(8, "big")


class Stream:
    def __init__(self, head, key):
        self.state = ctypes.create_string_buffer(SODIUM.crypto_secretstream_xchacha20poly1305_statebytes())
        assert SODIUM.crypto_secretstream_xchacha20poly1305_init_pull(self.state, head, key) == 0

    def pull(self, sealed, ad):
        plain, tag = ctypes.create_string_buffer(max(1, len(sealed) - 17)), ctypes.c_ubyte()
        done = SODIUM.crypto_secretstream_xchacha20poly1305_pull(
            self.state, plain, None, ctypes.byref(tag), sealed, ctypes.c_ulonglong(len(sealed)), ad,
            ctypes.c_ulonglong(len(ad)))
        assert done == 0, "a message is not authentic"
        return plain.raw[:len(sealed) - 17], tag.value


class File:
    def __init__(self, data, key=None, seed=None):
        self.data = data
        assert data[:8] == bytes.fromhex("894353530d0a1a0a") and data[8] == 1
        kind, recipients = data[9], int.from_bytes(data[10:12], "big")
        self.chunk_size = int.from_bytes(data[12:16], "big")
        end = 48 + 80 * recipients
        keys = [key] if kind == 0 else [k for k in (self.unseal(data[i:i + 80], seed) for i in range(48, end, 80)) if k]
        self.header = end + 32
        for candidate in keys:
            self.prk = hmac.new(data[:end], candidate, hashlib.sha512).digest()
            if expand(self.prk, b"conclave secretstream 1 check", 32) == data[end:self.header]:
                return
        sys.exit("no key opens the file")

    @staticmethod
    def unseal(sealed, seed):
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_seed_keypair(public, secret, seed)
        box_public, box_secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
        SODIUM.crypto_sign_ed25519_pk_to_curve25519(box_public, public)
        SODIUM.crypto_sign_ed25519_sk_to_curve25519(box_secret, secret)
        key = ctypes.create_string_buffer(32)
        done = SODIUM.crypto_box_seal_open(key, sealed, ctypes.c_ulonglong(80), box_public, box_secret)
        return key.raw if done == 0 else None

    def read(self, segment=0, plain_before=0):
        """All plain bytes from a segment on, and where the index begins."""
        chunk, out, stream = 16 * segment, [], None
        at = self.header + 24 * segment + 21 * chunk + plain_before
        while True:
            if chunk % 16 == 0:
                key = expand(self.prk, b"conclave secretstream 1 segment" + u64(chunk // 16), 32)
                stream = Stream(self.data[at:at + 24], key)
                at += 24
            length = int.from_bytes(self.data[at:at + 4], "big")
            assert length <= self.chunk_size
            plain, tag = stream.pull(self.data[at + 4:at + 4 + length + 17], u64(chunk) + u64(plain_before))
            assert tag in (MESSAGE, FINAL)
            out.append(plain)
            at += 4 + length + 17
            chunk += 1
            plain_before += length
            if tag == FINAL:
                return b"".join(out), at

    def index(self):
        assert self.data[-8:] == b"CSS-end\n"
        at = int.from_bytes(self.data[-16:-8], "big")
        stream = Stream(self.data[at:at + 24], expand(self.prk, b"conclave secretstream 1 index", 32))
        length = int.from_bytes(self.data[at + 24:at + 28], "big")
        assert at + 28 + length + 17 + 16 == len(self.data)
        plain, tag = stream.pull(self.data[at + 28:-16], u64(at) + u64(0))
        assert tag == FINAL
        numbers = [int.from_bytes(plain[i:i + 8], "big") for i in range(0, length, 8)]
        return at, numbers[0], numbers[1], numbers[2:]


def launch(folder, line):
    env = dict(os.environ)
    if env.get("CONCLAVE_PRELOAD"):
        env["LD_PRELOAD"] = env["CONCLAVE_PRELOAD"]
    subprocess.run(["gst-launch-1.0", "-q"] + line.split(), cwd=folder, env=env, check=True, timeout=60)


def main():
    media = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="conclave-"))
    checks = 0
    try:
        key, plain = os.urandom(32), media.read_bytes()
        (folder / "k").write_text(key.hex() + "\n", encoding="ascii")
        subprocess.run("openssl genpkey -algorithm ed25519 -out b.pem && openssl genpkey -algorithm ed25519 -out a.pem && "
                       "for i in b a; do openssl pkey -in $i.pem -pubout; done > r", shell=True, cwd=folder, check=True)
        der = subprocess.run(["openssl", "pkey", "-in", "a.pem", "-outform", "DER"], cwd=folder, check=True,
                             capture_output=True).stdout
        for settings in ("key-location=k", "key-location=k chunk-size=4096", "recipients-location=r chunk-size=5000"):
            launch(folder, f"filesrc location={media} blocksize=3000 ! secretstreamenc {settings} ! filesink location=x")
            file = File((folder / "x").read_bytes(), key=key, seed=der[-32:])
            got, end = file.read()
            at, chunks, size, starts = file.index()
            assert got == plain, "other bytes came out than went in"
            assert (at, size, len(starts)) == (end, len(plain), (chunks + 15) // 16), "the index does not fit"
            for segment, start in enumerate(starts):
                assert file.read(segment, start)[0] == plain[start:], f"segment {segment} differs"
            checks += 1
            print(f"ok {settings}: {chunks} chunks, {len(starts)} segments")
    finally:
        shutil.rmtree(folder)
    print(f"Checks: {checks}, Failures: 0, Errors: 0")


if __name__ == "__main__":
    main()
