// The door (docs/protocol/door.md) written a second time, with Node's crypto and the @noble packages: computes every
// value of a run from its inputs and compares it with the vectors that the C tests use.
//
//   node door.mjs FILE...        compare; says what differs, exits 1 if anything does
//   node door.mjs --make         print the vectors of the inputs below
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { xchacha20poly1305 } from '@noble/ciphers/chacha';
import { RistrettoPoint, ed25519 } from '@noble/curves/ed25519';

const hex = bytes => Buffer.from(bytes).toString('hex');
const unhex = text => Buffer.from(text, 'hex');
const cat = (...parts) => Buffer.concat(parts.map(p => Buffer.from(p)));
const sha256 = bytes => crypto.createHash('sha256').update(bytes).digest();
const sha512 = bytes => crypto.createHash('sha512').update(bytes).digest();
const hmac = (key, bytes) => crypto.createHmac('sha512', key).update(bytes).digest();

function uint(value, n) {
  const out = Buffer.alloc(n);
  for (let v = BigInt(value), i = n - 1; i >= 0; i--, v >>= 8n) out[i] = Number(v & 255n);
  return out;
}

function lv(...parts) {
  return cat(...parts.map(part => {
    const bytes = Buffer.from(part), head = [];
    let n = bytes.length;
    do { head.push((n & 127) | (n > 127 ? 128 : 0)); n >>= 7; } while (n > 0);
    return cat(head, bytes);
  }));
}

// RFC 8265, OpaqueString: what enforcement does to a string that preparation lets through.
const prepare = text => Buffer.from(text.replace(/\p{Zs}/gu, ' ').normalize('NFC'), 'utf8');

const littleEndian = bytes => BigInt('0x' + hex(Buffer.from(bytes).reverse()));

// draft-irtf-cfrg-cpace, CPACE-RISTR255-SHA512
function generator(prs, ci, sid) {
  const dsi = 'CPaceRistretto255';
  const pad = Math.max(0, 128 - lv(prs).length - lv(dsi).length - 1);
  return RistrettoPoint.hashToCurve(sha512(lv(dsi, prs, Buffer.alloc(pad), ci, sid)));
}

function cpace(prs, ci, sid, scalarA, adA, scalarB, adB) {
  const g = generator(prs, ci, sid);
  const ya = g.multiply(littleEndian(scalarA)).toRawBytes(), yb = g.multiply(littleEndian(scalarB)).toRawBytes();
  const ka = RistrettoPoint.fromHex(hex(yb)).multiply(littleEndian(scalarA)).toRawBytes();
  const kb = RistrettoPoint.fromHex(hex(ya)).multiply(littleEndian(scalarB)).toRawBytes();
  if (hex(ka) !== hex(kb)) throw new Error('the sides do not agree');
  const isk = sha512(cat(lv('CPaceRistretto255_ISK', sid, ka), lv(ya, adA, yb, adB)));
  const macKey = sha512(cat('CPaceMac', sid, isk));
  return { ya, yb, isk, ta: hmac(macKey, lv(ya, adA)), tb: hmac(macKey, lv(yb, adB)) };
}

// Ed25519 by Node, from a seed in PKCS #8; @noble must say the same.
function keyPair(seed) {
  const der = cat(unhex('302e020100300506032b657004220420'), seed);
  const privateKey = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = Buffer.from(crypto.createPublicKey(privateKey).export({ format: 'jwk' }).x, 'base64url');
  return { privateKey, publicKey, seed };
}

function sign(keys, label, ...parts) {
  const message = lv(label, ...parts), sig = crypto.sign(null, message, keys.privateKey);
  if (!ed25519.verify(sig, message, keys.publicKey)) throw new Error('the signature does not verify');
  return sig;
}

const boxKey = (isk, info) => Buffer.from(crypto.hkdfSync('sha512', isk, '', info, 32));
const box = (key, nonce, aad, content) => cat(nonce, xchacha20poly1305(key, nonce, aad).encrypt(content));

function compute(input) {
  const un = name => unhex(input[name]), meeting = input.meeting;
  const prs = prepare(input.password), sid = un('sid'), ci = lv('conclave/1', meeting);
  const joiner = keyPair(un('joiner_seed')), host = keyPair(un('host_seed')), group = un('group_id');
  const offers = cat(...input.offers.map(o => cat(uint(o.suite, 2), unhex(o.key_package_ref))));
  const ada = lv(offers, un('joiner_nonce'));
  const adb = lv(host.publicKey, uint(input.suite, 2), group, uint(BigInt(input.t), 8), un('host_nonce'));
  const run = cpace(prs, ci, sid, un('ya_scalar'), ada, un('yb_scalar'), adb);
  const t1 = lv(sid, run.ya, ada, run.yb, adb);

  // The root signs the first link, each owner the next.
  const owners = input.chain_seeds.map(s => keyPair(unhex(s)));
  let chain = Buffer.alloc(0);
  if (owners.length > 0) {
    chain = lv(owners[0].publicKey);
    owners.forEach((signer, i) => {
      const last = i + 1 === owners.length, key = last ? host.publicKey : owners[i + 1].publicKey;
      const flag = uint(last && !input.host_is_owner ? 0 : 1, 1);
      chain = cat(chain, lv(key, flag, sign(signer, 'conclave/1 door', meeting, group, key, flag)));
    });
  }
  const root = owners.length > 0 ? owners[0].publicKey : host.publicKey;

  const sigK = sign(joiner, 'conclave/1 knock', ci, sid, run.ya, ada);
  const sigH = sign(host, 'conclave/1 reply', ci, sid, run.ya, ada, run.yb, adb);
  const sigJ = sign(joiner, 'conclave/1 proof', ci, sid, run.ya, ada, run.yb, adb, sigH);
  const keyJ = boxKey(run.isk, 'conclave/1 joiner box'), keyH = boxKey(run.isk, 'conclave/1 host box');
  const proof = lv(un('key_package'), sigJ), aadJ = sha512(cat(t1, lv(sigH)));
  const boxJ = box(keyJ, un('proof_nonce'), aadJ, proof);
  const aadH = sha512(cat(t1, lv(sigH), lv(run.ta), lv(boxJ)));
  const admit = input.refusal
    ? lv([0], [input.refusal], uint(BigInt.asUintN(64, BigInt(input.skew)), 8))
    : lv([1], sha256(un('welcome')), un('tracks'));
  const boxH = box(keyH, un('admit_nonce'), aadH, admit);

  const out = {
    prs, ci, joiner_key: joiner.publicKey, host_key: host.publicKey, ya: run.ya, yb: run.yb, ada, adb, t1,
    isk: run.isk, ta: run.ta, tb: run.tb, chain, pinned_fingerprint: sha256(root), knock_sig: sigK, reply_sig: sigH,
    proof_sig: sigJ, joiner_box_key: keyJ, host_box_key: keyH, proof_aad: aadJ, proof, proof_box: boxJ,
    admit_aad: aadH, admit, admit_box: boxH,
  };
  return Object.fromEntries(Object.entries(out).map(([k, v]) => [k, hex(v)]));
}

function groups(bytes, count, size, digits) {
  const out = [];
  for (let i = 0; i < count; i++)
    out.push((BigInt('0x' + hex(bytes.subarray(i * size, (i + 1) * size))) % 10n ** BigInt(digits)).toString().padStart(digits, '0'));
  return out.join(' ');
}

function computeIdentity(input) {
  const keys = keyPair(unhex(input.seed)), print = sha256(keys.publicKey);
  return {
    public_key: hex(keys.publicKey),
    pem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    fingerprint: print.toString('base64url'),
    fingerprint_short: groups(print, 4, 5, 5),
    security_code: groups(sha512(lv('conclave/1 code', unhex(input.epoch_authenticator))), 5, 6, 6),
  };
}

// Recognisable inputs: nothing here is random, and no two are equal.
const fill = (n, label) => hex(crypto.createHash('shake256', { outputLength: n }).update('conclave/1 test ' + label).digest());

function scalar(label) {
  const bytes = unhex(fill(32, label));
  bytes[31] &= 0x0f; // below the group's order
  return hex(bytes);
}

function runInput(name, more) {
  const f = (n, what) => fill(n, name + ' ' + what);
  return {
    name, meeting: 'standup', password: 'correct horse battery staple', sid: f(16, 'sid'),
    ya_scalar: scalar(name + ' ya'), yb_scalar: scalar(name + ' yb'), joiner_seed: f(32, 'joiner'),
    host_seed: f(32, 'host'), offers: [{ suite: 3, key_package_ref: f(32, 'ref 3') }, { suite: 1, key_package_ref: f(32, 'ref 1') }],
    joiner_nonce: f(32, 'joiner nonce'), suite: 3, group_id: f(32, 'group'), t: '123456789', host_nonce: f(32, 'host nonce'),
    chain_seeds: [], host_is_owner: false, key_package: f(300, 'key package'), proof_nonce: f(24, 'proof nonce'),
    welcome: f(500, 'welcome'), tracks: f(40, 'tracks'), refusal: 0, skew: '0', admit_nonce: f(24, 'admit nonce'), ...more,
  };
}

function make() {
  const seed = label => fill(32, 'owner ' + label);
  const runs = [
    runInput('plain', {}),
    runInput('no password', { password: '', meeting: 'a' }),
    runInput('password of other scripts', { password: 'A\u030angstro\u0308m\u00a0\u6f22\u5b57', meeting: 'x'.repeat(64) }),
    runInput('long password', { password: 'p'.repeat(200), suite: 1, tracks: '', t: '18446744073709551615' }),
    runInput('one suite, co-host', { offers: [{ suite: 1, key_package_ref: fill(32, 'one') }], suite: 1, chain_seeds: [seed('0')] }),
    runInput('four links, new owner', { chain_seeds: ['0', '1', '2', '3'].map(seed), host_is_owner: true }),
    runInput('denied', { refusal: 2 }),
    runInput('clock', { refusal: 7, skew: '-86400000' }),
  ];
  const identities = ['0', '1', '2'].map((n, i) => ({ seed: seed('identity ' + n), epoch_authenticator: fill(i < 2 ? 32 : 64, 'epoch ' + n) }));
  return {
    comment: 'Made and checked by tests/interop/door/door.mjs; bytes in hexadecimal.',
    runs: runs.map(input => ({ input, output: compute(input) })),
    identities: identities.map(input => ({ input, output: computeIdentity(input) })),
  };
}

if (process.argv[2] === '--make') {
  console.log(JSON.stringify(make(), null, 1));
  process.exit(0);
}

let checked = 0, wrong = 0;
for (const file of process.argv.slice(2)) {
  const vectors = JSON.parse(readFileSync(file));
  const rows = [...vectors.runs.map(v => [v, compute]), ...vectors.identities.map(v => [v, computeIdentity])];
  rows.forEach(([v, how], row) => {
    const want = how(v.input);
    for (const name of new Set([...Object.keys(want), ...Object.keys(v.output)])) {
      checked++;
      if (want[name] === v.output[name]) continue;
      wrong++;
      console.log(`${file}: row ${row} (${v.input.name ?? 'identity'}): "${name}" differs`);
    }
  });
}
console.log(`${checked} values computed, ${wrong} differ`);
process.exit(checked === 0 || wrong > 0 ? 1 : 0);
