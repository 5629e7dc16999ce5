// The far end of a call: werift's ICE, which sends back what it receives. Descriptions by files, as icetransport's; lines
// on standard output as ice-peer's ("frames" counts packets).
//
//     node far-end.mjs OWN-FILE OTHER-FILE controlling|controlled|lite
//
// SPDX-License-Identifier: LGPL-2.1-or-later
import fs from 'node:fs';
import ice from 'werift-ice';

const [own, other, role] = process.argv.slice(2);
const start = Date.now();
const say = (text) => console.log(`${Date.now() - start} ${text}`);

const connection = new ice.Connection(role === 'controlling', {
  useIpv4: true, useIpv6: false, iceLite: role === 'lite', additionalHostAddresses: ['127.0.0.1'],
});

let packets = 0;
connection.onData.subscribe((data) => {
  packets++;
  if (packets % 10 === 0) say(`frames ${packets}`);
  connection.send(data).catch(() => {});
});
connection.stateChanged.subscribe((state) => say(`state ${state}`));

await connection.gatherCandidates();
const lines = [];
if (role === 'lite') lines.push('a=ice-lite');
lines.push(`a=ice-ufrag:${connection.localUsername}`, `a=ice-pwd:${connection.localPassword}`, 'm=audio 9 RTP/AVP 0', 'a=mid:0');
for (const candidate of connection.localCandidates)
  if (candidate.host === '127.0.0.1') lines.push(`a=candidate:${candidate.toSdp()}`);
lines.push('a=end-of-candidates', '');
fs.writeFileSync(`${own}.new`, lines.join('\r\n'));
fs.renameSync(`${own}.new`, own);

let theirs;
for (;;) {
  if (fs.existsSync(other)) {
    theirs = fs.readFileSync(other, 'utf8').split(/\r?\n/);
    if (theirs.includes('a=end-of-candidates')) break;
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const value = (name) => theirs.find((line) => line.startsWith(name)).slice(name.length);
connection.setRemoteParams({ iceLite: false, usernameFragment: value('a=ice-ufrag:'), password: value('a=ice-pwd:') });
for (const line of theirs)
  if (line.startsWith('a=candidate:'))
    await connection.addRemoteCandidate(ice.Candidate.fromSdp(line.slice('a=candidate:'.length)));
await connection.addRemoteCandidate(undefined);
await connection.connect();
say('state connected');
process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1000);
