// Both directions between the project's elements and sframe-peer.mjs, for every suite, with frames of a real VP8 and
// Opus clip: node run.mjs FRAMES CLIP, where FRAMES is the program of frames.c.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const [program, clip] = process.argv.slice (2);
const peer = path.join (path.dirname (fileURLToPath (import.meta.url)), 'sframe-peer.mjs');
const dir = fs.mkdtempSync (path.join (os.tmpdir (), 'conclave-interop-'));
const at = (name) => path.join (dir, name);
process.on ('exit', () => fs.rmSync (dir, { recursive: true, force: true }));

const names = ['', 'aes-128-ctr-hmac-sha256-80', 'aes-128-ctr-hmac-sha256-64', 'aes-128-ctr-hmac-sha256-32',
  'aes-128-gcm-sha256-128', 'aes-256-gcm-sha512-128', 'aes-256-ctr-hmac-sha512-80', 'aes-256-ctr-hmac-sha512-64',
  'aes-256-ctr-hmac-sha512-32'];

function run (what, ...args)
{
  const done = spawnSync (what, args, { encoding: 'utf8', timeout: 60000, stdio: ['ignore', 'pipe', 'pipe'] });
  if (done.status !== 0)
    throw new Error (`${path.basename (args[0])}: ${done.stderr || done.error || done.signal}`);
  return done.stdout.trim ();
}

const frames = (...args) => run (program, ...args);
const node = (verb, from, to, settings) =>
  JSON.parse (run (process.execPath, peer, verb, from, to, JSON.stringify (settings)));

function same (a, b)
{
  const x = fs.readFileSync (a), y = fs.readFileSync (b);
  if (x.length < 10000)
    throw new Error (`only ${x.length} bytes: nothing was compared`);
  if (!x.equals (y))
    throw new Error ('what came out is not what went in');
}

// The clip's frames, as their encoders made them, and the RTP packets of its video.
const media = {};
for (const [name, tail] of Object.entries ({
  video: 'd.video_0 ! queue ! fakesink name=out d.audio_0 ! queue ! fakesink',
  audio: 'd.audio_0 ! queue ! fakesink name=out d.video_0 ! queue ! fakesink',
  rtp: 'd.video_0 ! queue ! rtpvp8pay mtu=1160 ssrc=305419896 ! fakesink name=out d.audio_0 ! queue ! fakesink',
})) {
  const file = at (`${name}.clear`);
  const caps = frames ('capture', file, `filesrc location=${clip} ! matroskademux name=d ${tail}`);
  media[name] = { file, caps };
}

const cases = [];
for (let suite = 1; suite <= 8; suite++) {
  cases.push ({ media: 'video', suite, kid: 1n, refuse: true });
  // steps 14, 15, 0, 1, …
  cases.push ({ media: 'audio', suite, kid: 0x1234567895en, metadata: 'who speaks', ratchetBits: 4, ratchetEvery: 40 });
  cases.push ({ media: 'audio', suite, kid: 7n, ssrc: 0xcafe0102 });
  cases.push ({ media: 'rtp', suite, kid: 18446744073709551615n });
  cases.push ({ media: 'rtp', suite, kid: 8n, perSsrc: true });
}

function bothWays ({ media: kind, suite, kid, metadata, ratchetBits, ratchetEvery, ssrc, perSsrc, refuse })
{
  const { file, caps } = media[kind];
  const key = crypto.randomBytes (suite === 4 ? 16 : 32).toString ('hex');
  const settings = { suite, kid: `${kid}`, key, metadata, ratchetBits, ratchetEvery, ssrc, perSsrc, rtp: kind === 'rtp',
    ctr: `${crypto.randomBytes (8).readBigUInt64BE () >> 1n}` };
  const properties = `cipher-suite=${names[suite]} kid=${kid} key-location=${at ('key')}`
    + (metadata ? ` metadata="${metadata}"` : '') + (ratchetBits ? ` ratchet-bits=${ratchetBits}` : '')
    + (ssrc || perSsrc ? ' per-ssrc-keys=true' : '') + (ssrc ? ` ssrc=${ssrc}` : '');
  fs.writeFileSync (at ('key'), key + '\n');

  const theirCaps = frames ('pass', file, at ('ours'), caps, `${ratchetEvery ?? 0}`, `sframeenc ${properties}`);
  if (!theirCaps.startsWith ('application/x-sframe'))
    throw new Error (`sframeenc gave ${theirCaps}`);
  const seen = node ('decrypt', at ('ours'), at ('ours.clear'), settings);
  same (file, at ('ours.clear'));
  if (ratchetEvery && seen.kids < 3)
    throw new Error ('sframeenc did not ratchet');

  node ('encrypt', file, at ('theirs'), settings);
  const back = frames ('pass', at ('theirs'), at ('theirs.clear'), theirCaps, '0', `sframedec ${properties}`);
  same (file, at ('theirs.clear'));
  if (back.split (',')[0] !== caps.split (',')[0])
    throw new Error (`sframedec gave ${back}`);

  if (!refuse)
    return;
  // And its no: another key opens nothing of either.
  const wrong = { ...settings, key: crypto.randomBytes (32).toString ('hex') };
  let opened = true;
  try {
    node ('decrypt', at ('ours'), at ('none'), wrong);
  } catch {
    opened = false;
  }
  if (opened)
    throw new Error ('a wrong key opened the frames of sframeenc');
  fs.writeFileSync (at ('key'), wrong.key);
  frames ('pass', at ('theirs'), at ('none'), theirCaps, '0', `sframedec ${properties}`);
  if (fs.statSync (at ('none')).size !== 0)
    throw new Error ('a wrong key opened the frames of the peer');
}

let failures = 0;
for (const one of cases) {
  const title = JSON.stringify (one, (k, v) => typeof v === 'bigint' ? `${v}` : v);
  try {
    bothWays (one);
    console.log (`ok ${title}`);
  } catch (error) {
    failures++;
    console.log (`not ok ${title}: ${error.message}`);
  }
}
console.log (`Checks: ${cases.length}, Failures: ${failures}, Errors: 0`);
process.exit (failures ? 1 : 0);
