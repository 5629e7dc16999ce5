// The work of tests/bench/bench-mls.c by ts-mls: run by hand where the interop test installed it, in
// tests/interop/mls of the build directory.
//
//     node bench.mjs [MEMBERS…]
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import {
  acceptAll, ciphersuites, createCommit, createGroup, emptyPskIndex, encodeMlsMessage, generateKeyPackage,
  getCiphersuiteFromName, getCiphersuiteImpl, joinGroup, processMessage,
} from 'ts-mls'

const rounds = 3
const capabilities = { versions: ['mls10'], ciphersuites: ['MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
  'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519'], extensions: [], proposals: [], credentials: ['basic'] }
const now = BigInt(Math.floor(Date.now() / 1000))
let next = 0
const person = (suite) => generateKeyPackage({ credentialType: 'basic', identity: new TextEncoder().encode(`member ${next++}`) },
  capabilities, { notBefore: now - 3600n, notAfter: now + 86400n }, [], suite)
const add = (kp) => ({ proposalType: 'add', add: { keyPackage: kp.publicPackage } })

async function cpu (work) {
  const before = process.cpuUsage()
  const result = await work()
  const used = process.cpuUsage(before)
  return [(used.user + used.system) / 1000, result]
}
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)].toFixed(2).padStart(9)

async function run (number, members) {
  const name = Object.keys(ciphersuites).find((n) => ciphersuites[n] === number)
  const suite = await getCiphersuiteImpl(getCiphersuiteFromName(name))
  const host = await person(suite)
  const second = await person(suite)
  let committer = await createGroup(new TextEncoder().encode('bench'), host.publicPackage, host.privatePackage, [], suite)
  const first = await createCommit({ state: committer, cipherSuite: suite }, { extraProposals: [add(second)], ratchetTreeExtension: true })
  committer = first.newState
  let receiver = await joinGroup(first.welcome, second.publicPackage, second.privatePackage, emptyPskIndex, suite)
  const process_ = async (commit) => { receiver = (await processMessage(commit, receiver, emptyPskIndex, acceptAll, suite)).newState }
  if (members > 2) {
    const rest = []
    for (let i = 2; i < members; i++) rest.push(add(await person(suite)))
    const all = await createCommit({ state: committer, cipherSuite: suite }, { extraProposals: rest })
    committer = all.newState
    await process_(all.commit)
  }

  const measure = async (what, proposal, joiner) => {
    const times = [[], [], []]
    let size, welcomeSize = 0
    for (let i = 0; i < rounds; i++) {
      const kp = joiner && await person(suite)
      const [spent, made] = await cpu(() => createCommit({ state: committer, cipherSuite: suite },
        { extraProposals: [joiner ? add(kp) : proposal(i)], ratchetTreeExtension: true }))
      committer = made.newState
      times[0].push(spent)
      times[1].push((await cpu(() => process_(made.commit)))[0])
      times[2].push(joiner ? (await cpu(() => joinGroup(made.welcome, kp.publicPackage, kp.privatePackage, emptyPskIndex, suite)))[0] : 0)
      size = encodeMlsMessage(made.commit).length
      if (made.welcome) welcomeSize = encodeMlsMessage({ welcome: made.welcome, wireformat: 'mls_welcome', version: 'mls10' }).length
    }
    console.log(`${String(members).padStart(5)}  ${what.padEnd(12)}  committer ${median(times[0])} ms   receiver ${median(times[1])} ms   joiner ${median(times[2])} ms   commit ${size} B   welcome ${welcomeSize} B`)
  }
  await measure('add one', undefined, true)
  await measure('remove one', (i) => ({ proposalType: 'remove', remove: { removed: members - 1 - i } }), false)
}

const sizes = process.argv.slice(2).map(Number)
for (const number of [3, 1]) {
  console.log(`cipher suite ${number}`)
  for (const members of sizes.length ? sizes : [10, 100, 1000]) await run(number, members)
}
