// SFrame (RFC 9605) once more, on Node's own crypto: it shares no line with the project's code, so that a mistake would
// have to be made twice to pass unseen.
//
//     node sframe-peer.mjs encrypt|decrypt IN OUT '{"suite": 5, "kid": "1", "key": "00…", …}'
//
// IN and OUT are files of frames: each a length of 32 bits, big-endian, and its bytes. Settings, beside suite, kid and
// key (hex): ctr, metadata, ratchetBits, ratchetEvery (frames; when encrypting), ssrc (per-SSRC keys), rtp (the frames
// are RTP packets: header in clear, payload an SFrame; per-SSRC keys then take the packet's SSRC if "perSsrc" is set).
// Decrypting, the first frame that does not open ends it with 1 and a sentence.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import crypto from 'node:crypto';
import fs from 'node:fs';

// The IANA registry "SFrame Cipher Suites": Nh, Nk, Nt and what they are made of.
const suites = {
  1: { hash: 'sha256', ctr: 'aes-128-ctr', enc: 16, auth: 32, tag: 10 },
  2: { hash: 'sha256', ctr: 'aes-128-ctr', enc: 16, auth: 32, tag: 8 },
  3: { hash: 'sha256', ctr: 'aes-128-ctr', enc: 16, auth: 32, tag: 4 },
  4: { hash: 'sha256', gcm: 'aes-128-gcm', enc: 16, auth: 0, tag: 16 },
  5: { hash: 'sha512', gcm: 'aes-256-gcm', enc: 32, auth: 0, tag: 16 },
  6: { hash: 'sha512', ctr: 'aes-256-ctr', enc: 32, auth: 64, tag: 10 },
  7: { hash: 'sha512', ctr: 'aes-256-ctr', enc: 32, auth: 64, tag: 8 },
  8: { hash: 'sha512', ctr: 'aes-256-ctr', enc: 32, auth: 64, tag: 4 },
};

const hashLength = { sha256: 32, sha512: 64 };
const nothing = Buffer.alloc (0);

const hkdf = (hash, ikm, salt, info, length) => Buffer.from (crypto.hkdfSync (hash, ikm, salt, info, length));

const u64 = (n) => {
  const b = Buffer.alloc (8);
  b.writeBigUInt64BE (BigInt (n));
  return b;
};

// 4.4.2
function deriveKeys (suiteNumber, kid, baseKey)
{
  const suite = suites[suiteNumber];
  const tail = Buffer.concat ([u64 (kid), Buffer.from ([0, suiteNumber])]);
  const derive = (label, length) =>
    hkdf (suite.hash, baseKey, nothing, Buffer.concat ([Buffer.from (label), tail]), length);
  return { suite, key: derive ('SFrame 1.0 Secret key ', suite.enc + suite.auth), salt: derive ('SFrame 1.0 Secret salt ', 12) };
}

// 5.1
const ratchet = (hash, baseKey) => hkdf (hash, baseKey, nothing, 'SFrame 1.0 Ratchet', hashLength[hash]);

// draft-ietf-avtcore-rtp-sframe
function ssrcKey (hash, baseKey, ssrc)
{
  const salt = Buffer.alloc (4);
  salt.writeUInt32BE (ssrc);
  return hkdf (hash, baseKey, salt, 'SFrame 1.0 RTP Stream', hashLength[hash]);
}

// 4.3: the shortest big-endian form of a field that does not fit three bits
function shortest (value)
{
  let hex = value.toString (16);
  if (hex.length % 2)
    hex = '0' + hex;
  return Buffer.from (hex, 'hex');
}

function makeHeader (kid, ctr)
{
  const k = kid < 8n ? nothing : shortest (kid), c = ctr < 8n ? nothing : shortest (ctr);
  const config = (k.length ? 0x80 | (k.length - 1) << 4 : Number (kid) << 4) | (c.length ? 8 | (c.length - 1) : Number (ctr));
  return Buffer.concat ([Buffer.from ([config]), k, c]);
}

function parseHeader (frame)
{
  let at = 1;
  const field = (nibble) => {
    if (nibble < 8)
      return BigInt (nibble);
    const length = (nibble & 7) + 1, bytes = frame.subarray (at, at + length);
    if (bytes.length < length)
      throw new Error ('the header is cut off');
    at += length;
    return BigInt ('0x' + bytes.toString ('hex'));
  };
  if (frame.length < 1)
    throw new Error ('empty');
  const kid = field (frame[0] >> 4), ctr = field (frame[0] & 15);
  return { kid, ctr, header: frame.subarray (0, at), body: frame.subarray (at) };
}

function nonceOf (salt, ctr)
{
  const nonce = Buffer.from (salt), counter = u64 (ctr);
  for (let i = 0; i < 8; i++)
    nonce[4 + i] ^= counter[i];
  return nonce;
}

// 4.5.1: authentication tag of the CTR-HMAC construction
function ctrTag ({ suite, key }, nonce, aad, ct)
{
  return crypto.createHmac (suite.hash, key.subarray (suite.enc))
    .update (Buffer.concat ([u64 (aad.length), u64 (ct.length), u64 (suite.tag), nonce, aad, ct]))
    .digest ().subarray (0, suite.tag);
}

const ctrCipher = ({ suite, key }, nonce) =>
  crypto.createCipheriv (suite.ctr, key.subarray (0, suite.enc), Buffer.concat ([nonce, Buffer.alloc (4)]));

function seal (keys, nonce, aad, plain)
{
  if (keys.suite.ctr) {
    const ct = ctrCipher (keys, nonce).update (plain);
    return Buffer.concat ([ct, ctrTag (keys, nonce, aad, ct)]);
  }
  const gcm = crypto.createCipheriv (keys.suite.gcm, keys.key, nonce).setAAD (aad);
  return Buffer.concat ([gcm.update (plain), gcm.final (), gcm.getAuthTag ()]);
}

function open (keys, nonce, aad, body)
{
  const end = body.length - keys.suite.tag;
  if (end < 0)
    throw new Error ('shorter than its tag');
  const ct = body.subarray (0, end), tag = body.subarray (end);
  if (keys.suite.ctr) {
    if (!crypto.timingSafeEqual (ctrTag (keys, nonce, aad, ct), tag))
      throw new Error ('not authentic');
    return ctrCipher (keys, nonce).update (ct);
  }
  const gcm = crypto.createDecipheriv (keys.suite.gcm, keys.key, nonce).setAAD (aad).setAuthTag (tag);
  return Buffer.concat ([gcm.update (ct), gcm.final ()]);
}

// The keys of each KID and SSRC. With a ratchet, KID = generation << R | step, and steps are counted from the base key's.
class Keyring
{
  constructor (settings)
  {
    this.settings = settings;
    this.kid = BigInt (settings.kid);
    this.known = new Map ();
  }

  of (kid, ssrc)
  {
    const name = `${kid}/${ssrc}`;
    if (!this.known.has (name))
      this.known.set (name, this.derive (kid, ssrc));
    return this.known.get (name);
  }

  derive (kid, ssrc)
  {
    const { suite, key, ratchetBits = 0 } = this.settings, { hash } = suites[suite];
    const bits = BigInt (ratchetBits), mask = (1n << bits) - 1n;
    let base = Buffer.from (key, 'hex');
    if (kid >> bits !== this.kid >> bits)
      throw new Error (`KID ${kid} has no key`);
    // "derive once and ratchet each stream"
    if (ssrc !== undefined)
      base = ssrcKey (hash, base, ssrc);
    for (let step = this.kid; (step & mask) !== (kid & mask); step++)
      base = ratchet (hash, base);
    return deriveKeys (suite, kid, base);
  }
}

function splitRtp (packet)
{
  let at = 12 + 4 * (packet[0] & 15);
  if (packet[0] & 0x10)
    at += 4 + 4 * packet.readUInt16BE (at + 2);
  return { header: packet.subarray (0, at), payload: packet.subarray (at), ssrc: packet.readUInt32BE (8) };
}

function readFrames (path)
{
  const all = fs.readFileSync (path), frames = [];
  for (let at = 0; at < all.length;) {
    const length = all.readUInt32BE (at);
    frames.push (all.subarray (at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}

function writeFrames (path, frames)
{
  fs.writeFileSync (path, Buffer.concat (frames.flatMap ((frame) => {
    const head = Buffer.alloc (4);
    head.writeUInt32BE (frame.length);
    return [head, frame];
  })));
}

const [verb, inPath, outPath, json] = process.argv.slice (2);
const settings = JSON.parse (json);
const metadata = Buffer.from (settings.metadata ?? '');
const keyring = new Keyring (settings);
let kid = BigInt (settings.kid), ctr = BigInt (settings.ctr ?? 0);
const kids = new Set ();

function encrypt (plain, ssrc)
{
  const header = makeHeader (kid, ctr), keys = keyring.of (kid, ssrc);
  const nonce = nonceOf (keys.salt, ctr++);
  return Buffer.concat ([header, seal (keys, nonce, Buffer.concat ([header, metadata]), plain)]);
}

function decrypt (frame, ssrc)
{
  const parsed = parseHeader (frame), keys = keyring.of (parsed.kid, ssrc);
  kids.add (parsed.kid);
  return open (keys, nonceOf (keys.salt, parsed.ctr), Buffer.concat ([parsed.header, metadata]), parsed.body);
}

const one = verb === 'encrypt' ? encrypt : decrypt;
const frames = readFrames (inPath).map ((frame, i) => {
  try {
    if (verb === 'encrypt' && settings.ratchetEvery && i > 0 && i % settings.ratchetEvery === 0) {
      const mask = (1n << BigInt (settings.ratchetBits)) - 1n;
      kid = kid & ~mask | (kid + 1n) & mask;
    }
    if (!settings.rtp)
      return one (frame, settings.ssrc);
    const { header, payload, ssrc } = splitRtp (frame);
    return Buffer.concat ([header, one (payload, settings.perSsrc ? ssrc : undefined)]);
  } catch (error) {
    console.error (`frame ${i}: ${error.message}`);
    process.exit (1);
  }
});
writeFrames (outPath, frames);
console.log (JSON.stringify ({ frames: frames.length, kids: kids.size }));
