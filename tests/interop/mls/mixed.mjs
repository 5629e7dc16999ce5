// Groups of our members (in the process of mls-peer) and of ts-mls's: over a random schedule either side creates the
// group, adds, removes, updates, makes fresh keys, proposes, and sends application messages that arrive out of order;
// after each commit all must agree on epoch, tree, authenticator and SFrame base key.
//
//     node mixed.mjs PEER [SEED [STEPS]]
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import {
  acceptAll, ciphersuites, createApplicationMessage, createCommit, createGroup, createProposal, decodeMlsMessage,
  emptyPskIndex, encodeMlsMessage, generateKeyPackage, getCiphersuiteFromName, getCiphersuiteImpl, joinGroup,
  mlsExporter, processMessage,
} from 'ts-mls'

const [, , peerPath, seedText, stepsText] = process.argv
const seed = seedText ? Number(seedText) : (Date.now() & 0xffffffff) >>> 0
const steps = stepsText ? Number(stepsText) : 30
const hex = (bytes) => (bytes.length ? Buffer.from(bytes).toString('hex') : '-')
const unhex = (text) => (text === '-' ? new Uint8Array() : Uint8Array.from(Buffer.from(text, 'hex')))

// mulberry32
let state = seed
function random () {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
const below = (n) => Math.floor(random() * n)
const chance = (percent) => below(100) < percent
const pick = (list) => list[below(list.length)]
function shuffle (list) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [list[i], list[j]] = [list[j], list[i]]
  }
  return list
}

function demand (holds, what) {
  if (!holds) throw new Error(`${what} (seed ${seed})`)
}

const peer = spawn(peerPath, { stdio: ['pipe', 'pipe', 'inherit'] })
const answers = createInterface({ input: peer.stdout })[Symbol.asyncIterator]()
async function ask (...words) {
  peer.stdin.write(words.join(' ') + '\n')
  const { value, done } = await answers.next()
  demand(!done, `mls-peer ended at: ${words[0]}`)
  return value
}
async function askOk (...words) {
  const answer = await ask(...words)
  demand(!answer.startsWith('error'), `${words[0]} of C member ${words[1]}: ${answer}`)
  return answer
}

class CMember {
  constructor (id) { this.id = id; this.kind = 'C' }
  async init (suite) { await askOk('person', this.id, suite.number, Math.floor(Date.now() / 1000)) }
  async keyPackage () { return unhex(await askOk('key-package', this.id)) }
  async create (groupId) { await askOk('create', this.id, hex(groupId)) }
  async join (welcome) { await askOk('join', this.id, hex(welcome)) }
  async commit ({ adds, removes, path, isPublic }) {
    const answer = await askOk('commit', this.id, path ? 1 : 0, isPublic ? 1 : 0, adds.map(hex).join(',') || '-',
      removes.join(',') || '-')
    const [commit, welcome] = answer.split(' ')
    return { commit: unhex(commit), welcome: unhex(welcome) }
  }
  async merge () { await askOk('merge', this.id) }
  async drop () { await askOk('drop', this.id) }
  async propose (what, isPublic) {
    return unhex(await askOk('propose', this.id, isPublic ? 1 : 0, what.remove === undefined ? 'update' : `remove:${what.remove}`))
  }
  async process (message) {
    const answer = await ask('process', this.id, hex(message))
    const [kind, data] = answer.split(' ')
    if (kind === 'error') throw new Error(answer)
    return { kind, data: data && unhex(data) }
  }
  async send (data) { return unhex(await askOk('send', this.id, hex(data))) }
  async state () {
    const [epoch, authenticator, treeHash, baseKey, leaf] = (await ask('state', this.id)).split(' ')
    return { epoch, authenticator, treeHash, baseKey, leaf: Number(leaf) }
  }
}

const decode = (bytes, wireformat) => {
  const decoded = decodeMlsMessage(bytes, 0)
  demand(decoded && decoded[1] === bytes.length, 'ts-mls cannot decode our message')
  demand(!wireformat || decoded[0].wireformat === wireformat, 'another wire format')
  return decoded[0]
}

class TsMember {
  constructor (id) { this.id = id; this.kind = 'TS' }
  async init (suite) { this.suite = suite.impl; this.signKey = undefined }
  async keyPackage () {
    const now = BigInt(Math.floor(Date.now() / 1000))
    this.kp = await generateKeyPackage({ credentialType: 'basic', identity: new TextEncoder().encode(`ts ${this.id}`) },
      { versions: ['mls10'], ciphersuites: ['MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
        'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519'], extensions: [0x1a1a], proposals: [], credentials: ['basic'] },
      { notBefore: now - 3600n, notAfter: now + 86400n }, [], this.suite)
    return encodeMlsMessage({ keyPackage: this.kp.publicPackage, wireformat: 'mls_key_package', version: 'mls10' })
  }
  async create (groupId) {
    await this.keyPackage()
    this.group = await createGroup(groupId, this.kp.publicPackage, this.kp.privatePackage, [], this.suite)
  }
  async join (welcome) {
    const message = decode(welcome, 'mls_welcome')
    this.group = await joinGroup(message.welcome, this.kp.publicPackage, this.kp.privatePackage, emptyPskIndex, this.suite)
  }
  async commit ({ adds, removes, isPublic }) {
    const extraProposals = [
      ...removes.map((removed) => ({ proposalType: 'remove', remove: { removed } })),
      ...adds.map((bytes) => ({ proposalType: 'add', add: { keyPackage: decode(bytes, 'mls_key_package').keyPackage } })),
    ]
    const result = await createCommit({ state: this.group, cipherSuite: this.suite },
      { extraProposals, wireAsPublicMessage: isPublic, ratchetTreeExtension: true })
    this.next = result.newState
    return {
      commit: encodeMlsMessage(result.commit),
      welcome: result.welcome
        ? encodeMlsMessage({ welcome: result.welcome, wireformat: 'mls_welcome', version: 'mls10' })
        : new Uint8Array(),
    }
  }
  async merge () { this.group = this.next }
  async drop () { this.next = undefined }
  async propose (what, isPublic) {
    const result = await createProposal(this.group, isPublic,
      { proposalType: 'remove', remove: { removed: what.remove } }, this.suite)
    this.group = result.newState
    return encodeMlsMessage(result.message)
  }
  async process (bytes) {
    const result = await processMessage(decode(bytes), this.group, emptyPskIndex, acceptAll, this.suite)
    const before = this.group.groupContext.epoch
    this.group = result.newState
    if (result.kind === 'applicationMessage') return { kind: 'application', data: result.message }
    if (this.group.groupActiveState.kind === 'removedFromGroup') return { kind: 'removed' }
    return { kind: this.group.groupContext.epoch > before ? 'commit' : 'proposal' }
  }
  async send (data) {
    const result = await createApplicationMessage(this.group, data, this.suite)
    this.group = result.newState
    return encodeMlsMessage({ privateMessage: result.privateMessage, wireformat: 'mls_private_message', version: 'mls10' })
  }
  async state () {
    const { groupContext, keySchedule, privatePath } = this.group
    return {
      epoch: String(groupContext.epoch),
      authenticator: hex(keySchedule.epochAuthenticator),
      treeHash: hex(groupContext.treeHash),
      baseKey: hex(await mlsExporter(keySchedule.exporterSecret, 'SFrame 1.0 Base Key', new Uint8Array(), 32, this.suite)),
      leaf: privatePath.leafIndex,
    }
  }
}

const count = { commits: { C: 0, TS: 0 }, joins: { C: 0, TS: 0 }, removed: { C: 0, TS: 0 }, messages: 0, proposals: 0, lost: 0, avoided: 0 }

async function agree (members) {
  const states = []
  for (const m of members) states.push(await m.state())
  for (let i = 1; i < states.length; i++)
    for (const what of ['epoch', 'authenticator', 'treeHash', 'baseKey'])
      demand(states[i][what] === states[0][what], `${what} of ${members[i].kind} ${members[i].id} differs from ${members[0].kind} ${members[0].id}`)
  return states
}

// ts-mls 1.6.4 derives the commit secret one step too far when the root is not on the filtered direct path, that is when
// one half of the tree is empty (RFC 9420, 12.4.1: from "the last path secret value"). No member is removed who leaves
// the left half so.
function leavesLeftHalf (members, states, gone) {
  const leaves = states.filter((_, i) => !gone.includes(members[i])).map((s) => s.leaf)
  let n = 1
  while (n <= Math.max(...leaves)) n *= 2
  return n === 1 || leaves.some((leaf) => leaf < n / 2)
}

// ts-mls 1.6.4 takes no tree in which two nodes above a leaf have different lists of unmerged leaves; RFC 9420,
// 12.4.3.1, asks only that each lists that leaf. Such a commit is not made.
async function acceptable (joiners, welcome) {
  try {
    for (const p of joiners) if (p.kind === 'TS') await p.join(welcome)
    return true
  } catch (error) {
    demand(error.message.includes('must list leaf node in its unmerged_leaves'), error.message)
    count.avoided++
    return false
  }
}

async function run (suite) {
  let next = 0
  const people = []
  const add = async (Kind) => {
    const p = new Kind(next++)
    await p.init(suite)
    people.push(p)
    return p
  }
  const first = await add(chance(50) ? CMember : TsMember)
  await first.create(new TextEncoder().encode(`mixed ${suite.number} ${below(1e9)}`))
  let members = [first]

  for (let step = 0; step < steps; step++) {
    // something pending, by somebody who will not commit
    let committer = pick(members)
    let proposed, updating
    if (members.length > 2 && chance(40)) {
      const author = pick(members.filter((m) => m !== committer))
      const states = await agree(members)
      const target = pick(members.filter((m) => m !== committer))
      const isPublic = chance(50)
      // ts-mls has no call that makes an Update of its own leaf
      const mayGo = leavesLeftHalf(members, states, [target])
      if (author.kind === 'TS' && !mayGo) continue
      const what = author.kind === 'C' && (!mayGo || chance(60)) ? {} : { remove: states[members.indexOf(target)].leaf }
      const message = await author.propose(what, isPublic)
      for (const m of members.filter((x) => x !== author)) {
        const got = await m.process(message)
        demand(got.kind === 'proposal', `a proposal is ${got.kind} to ${m.kind}`)
      }
      proposed = what.remove === undefined ? undefined : target
      updating = what.remove === undefined ? author : undefined
      count.proposals++
    }

    // the commit
    const states = await agree(members)
    const leaving = []
    if (members.length > 2 && chance(25)) {
      const target = pick(members.filter((m) => m !== committer && m !== proposed && m !== updating))
      if (target && leavesLeftHalf(members, states, [target, proposed])) leaving.push(target)
    }
    const gone = [...leaving, ...(proposed ? [proposed] : [])]
    const adds = []
    const joiners = []
    // ts-mls 1.6.4 doesn't see that it was removed when the same commit gives its leaf to somebody else
    const room = gone.some((m) => m.kind === 'TS') ? 0 : below(3)
    for (let i = room; i > 0 && next < 24 && members.length < 12; i--) {
      const p = await add(chance(50) ? CMember : TsMember)
      joiners.push(p)
      adds.push(await p.keyPackage())
    }
    // ts-mls makes a path exactly when the proposals ask for one, and for no proposals
    const how = { adds, removes: leaving.map((m) => states[members.indexOf(m)].leaf), path: chance(50), isPublic: chance(40) }
    let { commit, welcome } = await committer.commit(how)
    if (!await acceptable(joiners, welcome)) {
      await committer.drop()
      joiners.length = adds.length = 0
      ;({ commit, welcome } = await committer.commit(how))
    }

    // another member's commit of the same epoch, which loses
    if (members.length > 1 && chance(25)) {
      const rival = pick(members.filter((m) => m.kind === 'C' && m !== committer && m !== proposed && !leaving.includes(m)))
      if (rival) {
        await rival.commit({ adds: [], removes: [], path: true, isPublic: false })
        await rival.drop()
        count.lost++
      }
    }

    // application messages of the old epoch, out of order, before and after the commit
    const talker = pick(members)
    const texts = ['one', 'two', 'three', 'four'].map((t) => new TextEncoder().encode(`${t} at ${step}`))
    const canTalk = !proposed && (talker.kind === 'C' || Object.keys(talker.group.unappliedProposals).length === 0)
    const late = []
    if (canTalk && members.length > 1) {
      const messages = []
      for (const text of texts) messages.push({ text, bytes: await talker.send(text) })
      shuffle(messages)
      late.push(...messages.splice(0, 2))
      for (const { text, bytes } of messages)
        for (const m of members.filter((x) => x !== talker)) {
          const got = await m.process(bytes)
          demand(got.kind === 'application' && hex(got.data) === hex(text), `an application message is ${got.kind} to ${m.kind}`)
          count.messages++
        }
    }

    for (const m of members.filter((x) => x !== committer)) {
      const got = await m.process(commit)
      demand(got.kind === (gone.includes(m) ? 'removed' : 'commit'), `a commit of ${committer.kind} is ${got.kind} to ${m.kind}`)
    }
    await committer.merge()
    count.commits[committer.kind]++
    for (const m of gone) count.removed[m.kind]++
    const stayed = members.filter((m) => !gone.includes(m))
    members = [...stayed]
    for (const p of joiners) {
      if (p.kind === 'C') await p.join(welcome)
      count.joins[p.kind]++
      members.push(p)
    }
    await agree(members)
    for (const { text, bytes } of late)
      for (const m of stayed.filter((x) => x !== talker)) {
        const got = await m.process(bytes)
        demand(got.kind === 'application' && hex(got.data) === hex(text), `a late application message is ${got.kind} to ${m.kind}`)
        count.messages++
      }
  }
}

console.log(`seed ${seed}`)
try {
  for (const number of [1, 3]) {
    const name = Object.keys(ciphersuites).find((n) => ciphersuites[n] === number)
    await run({ number, impl: await getCiphersuiteImpl(getCiphersuiteFromName(name)) })
  }
} catch (error) {
  console.error(error)
  process.exit(1)
}
demand(count.commits.C > 0 && count.commits.TS > 0 && count.joins.C > 0 && count.joins.TS > 0, 'one side did nothing')
console.log(JSON.stringify(count))
peer.stdin.end()
