#!/bin/bash
# icetransport across networks that this script makes: network namespaces, veth pairs, NATs by nftables, a STUN and
# TURN server (coturn), broken links. VP8 flows both ways and decoded frames are counted.
#
#     ice-netns.sh ICE-PEER SCENARIO [ICE-CYCLES]
#
# Exit code 77, with the reason, where namespaces cannot be made or a tool is missing.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
peer=$1
scenario=$2

skip () { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
for tool in ip nft; do
  command -v "$tool" > /dev/null || skip "$tool is missing (Debian: iproute2, nftables)"
done
tag=cv$$
ip netns add $tag-probe 2> /dev/null || skip "this system (a container?) does not let us make network namespaces"
ip netns del $tag-probe

work=$(mktemp -d)
pids=()
spaces=()
cleanup () {
  trap - EXIT INT TERM
  for p in "${pids[@]}"; do kill "$p" 2> /dev/null; kill -CONT "$p" 2> /dev/null; done
  for p in "${pids[@]}"; do wait "$p" 2> /dev/null; done
  for n in "${spaces[@]}"; do ip netns del "$n" 2> /dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail () {
  echo "FAILED: $*"
  for log in "$work"/*.log; do echo "--- $log"; cut -c1-600 "$log" | grep -v ' frames ' | tail -40; done
  exit 1
}

space () { # NAME: a namespace with loopback up
  ip netns add "$tag-$1" && spaces+=("$tag-$1") && ip -n "$tag-$1" link set lo up
  # Duplicate address detection would keep IPv6 addresses unusable for a second or two.
  ip netns exec "$tag-$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}
in_space () { local n=$1; shift; ip netns exec "$tag-$n" "$@"; }
start () { # SPACE LOG COMMAND…: in the background, as $started
  local n=$1 log=$2; shift 2
  ip netns exec "$tag-$n" "$@" > "$work/$log.log" 2>&1 &
  started=$!
  pids+=($started)
}
wire () { # A IF-A B IF-B: a cable
  ip link add "$2" netns "$tag-$1" type veth peer name "$4" netns "$tag-$3"
  ip -n "$tag-$1" link set "$2" up
  ip -n "$tag-$3" link set "$4" up
}
address () { ip -n "$tag-$1" addr add "$3" dev "$2" ${4:-}; }
gateway () { ip -n "$tag-$1" route add default via "$2"; }

ipv4_only () { in_space "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1; }
two_hosts () { # c1 and c2 on one cable; IPv4 alone, so that it is known what is used
  space c1; space c2
  ipv4_only c1; ipv4_only c2
  wire c1 eth0 c2 eth0
  address c1 eth0 10.1.0.1/24
  address c2 eth0 10.1.0.2/24
}

nat () { # NAME OUTSIDE-ADDRESS INSIDE-ADDRESS KIND: KIND is empty for port-restricted, or fully-random for symmetric
  in_space "$1" sysctl -qw net.ipv4.ip_forward=1
  address "$1" out0 "$2/24"
  address "$1" in0 "$3/24"
  gateway "$1" 203.0.113.1
  in_space "$1" nft -f - << RULES
table ip nat {
  chain post {
    type nat hook postrouting priority 100;
    oifname "out0" masquerade ${4:-}
  }
}
table ip filt {
  chain inp {
    type filter hook input priority 0;
    iifname "out0" ct state new drop
  }
  chain f_w {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "in0" accept
  }
}
RULES
}

# c1 - n1 - pub (a bridge) - n2 - c2, and a server on the bridge. $1 and $2: the kinds of the two NATs, "none" for a host
# that has a public address.
internet () {
  local i kind
  for n in c1 c2 pub srv; do space $n; done
  ip -n "$tag-pub" link add br0 type bridge
  ip -n "$tag-pub" link set br0 up
  # What nobody has is dropped here and not refused: otherwise relays get errors for private addresses.
  address pub br0 203.0.113.1/24
  for i in 1 2; do
    kind=${!i}
    if [ "$kind" = none ]; then
      wire c$i eth0 pub p$i
      address c$i eth0 203.0.113.1$i/24
      gateway c$i 203.0.113.1
    else
      space n$i
      wire c$i eth0 n$i in0
      wire n$i out0 pub p$i
      address c$i eth0 10.$i.0.2/24
      gateway c$i 10.$i.0.1
      nat n$i 203.0.113.2$i 10.$i.0.1 "${kind#restricted}"
    fi
    ip -n "$tag-pub" link set p$i master br0
  done
  wire srv eth0 pub p3
  ip -n "$tag-pub" link set p3 master br0
  address srv eth0 203.0.113.3/24
  gateway srv 203.0.113.1
}

server () { # [tls]: over TLS alone, with $work/cert.pem
  local how="--no-tls --no-dtls"
  [ "${1:-}" = tls ] && how="--no-udp --no-tcp --no-dtls --cert=$work/cert.pem --pkey=$work/key.pem"
  command -v turnserver > /dev/null || skip "turnserver is missing (Debian: coturn)"
  start srv turn turnserver -n --listening-ip=203.0.113.3 --relay-ip=203.0.113.3 --min-port=50000 --max-port=50100 \
    --realm=conclave --user=alice:sesame --lt-cred-mech --fingerprint $how --no-cli --no-multicast-peers \
    --pidfile="$work/turn.pid" --userdb="$work/turn.db" --log-file=stdout --simple-log
  local i
  for i in $(seq 100); do
    in_space srv ss -luntp | grep -qE '203.0.113.3:(3478|5349)' && return
    sleep 0.1
  done
  fail "the TURN server did not start"
}

side () { # c1|c2 MORE-PROPERTIES…
  local n=$1 own=a other=b; shift
  if [ $n = c2 ]; then own=b; other=a; fi
  # As sources that a hub would have: one side nominates.
  start $n $n "$peer" "controlling=$([ $n = c1 ] && echo true || echo false) \
    local-description-location=$work/$own.sdp remote-description-location=$work/$other.sdp $*"
  eval "pid_$n=$started"
}

await () { # LOG PATTERN SECONDS WHAT
  local i
  for i in $(seq $(($3 * 10))); do
    grep -Eq -- "$2" "$work/$1.log" && return
    sleep 0.1
  done
  fail "$1: no $4 within $3 s"
}
frames () { awk '$2 == "frames" { n = $3 } END { print n + 0 }' "$work/$1.log"; }
more_frames () { # SIDE SECONDS: 20 more decoded frames than now
  local have want i
  have=$(frames $1)
  want=$((have + 20))
  for i in $(seq $(($2 * 10))); do
    [ "$(frames $1)" -ge $want ] && return
    sleep 0.1
  done
  fail "$1: $(frames $1) frames, not $want within $2 s"
}
media_flows () { # SECONDS
  await c1 'state (connected|ready)' $1 connection
  await c2 'state (connected|ready)' $1 connection
  more_frames c1 30
  more_frames c2 30
}
back () { # SIDE SECONDS: its last state is a connected one again
  local i
  for i in $(seq $(($2 * 10))); do
    grep ' state ' "$work/$1.log" | tail -1 | grep -qE 'state (connected|ready)$' && return
    sleep 0.1
  done
  fail "$1 did not come back within $2 s"
}
deaf () { in_space c2 nft 'add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }'; }
hearing () { in_space c2 nft delete table ip t; }
when () { # SIDE PATTERN: ms of the last line that matches
  grep -E -- "$2" "$work/$1.log" | tail -1 | cut -d' ' -f1
}
finish () {
  kill -TERM $pid_c1 $pid_c2
  wait $pid_c1 || fail "c1 ended with an error"
  wait $pid_c2 || fail "c2 ended with an error"
  grep -hE ' (state connected|pair|stats)' "$work"/c?.log | cut -c1-300
  [ ! -e "$work/a.sdp" ] && [ ! -e "$work/b.sdp" ] || fail "a description file was left behind"
}
turn='turn-servers-location='

case $scenario in
  host-host)
    two_hosts
    side c1; side c2
    media_flows 40
    grep -q 'pair host .* -> host .*(udp)' "$work/c1.log" || fail "not a pair of hosts"
    ;;

  ipv6-only)
    space c1; space c2
    wire c1 eth0 c2 eth0
    address c1 eth0 2001:db8::1/64 nodad
    address c2 eth0 2001:db8::2/64 nodad
    side c1 bind-address=2001:db8::1; side c2 bind-address=2001:db8::2
    media_flows 40
    grep -q 'pair host \[2001:db8::1\].* -> host \[2001:db8::2\]' "$work/c1.log" || fail "not the IPv6 pair"
    ;;

  nat-stun)
    # A public host that calls and one behind a port-restricted NAT, then both behind one.
    internet none restricted
    server
    side c1; side c2 stun-server=stun://203.0.113.3:3478
    media_flows 40
    grep -q 'pair .* -> (srflx|prflx) 203.0.113.22' -E "$work/c1.log" || fail "c1 does not send to the NAT's address"
    ;;

  nat-nat-stun)
    internet restricted restricted
    server
    side c1 stun-server=stun://203.0.113.3:3478; side c2 stun-server=203.0.113.3
    media_flows 40
    grep -q 'pair .* -> (srflx|prflx) 203.0.113.22' -E "$work/c1.log" || fail "c1 does not send to the NAT's address"
    ;;

  turn-udp | turn-tcp)
    internet fully-random fully-random
    server
    echo "# the relay
turn://alice:sesame@203.0.113.3:3478?transport=${scenario#turn-}" > "$work/turn.uri"
    side c1 ${turn}$work/turn.uri; side c2 ${turn}$work/turn.uri
    media_flows 40
    grep -qE 'pair (relay .*|.* -> relay )' "$work/c1.log" || fail "not through the relay"
    # libnice drops the answers to checks that are not its own: no round trip time is better than a wrong one.
    sleep 3
    kill -USR2 $pid_c1
    await c1 ' stats ' 20 "statistics"
    for n in $(seq 2); do
      grep -q 'pair relay' "$work/c$n.log" && grep ' stats ' "$work/c$n.log" | grep -q round-trip-time && fail "a round trip time"
    done
    ;;

  turn-tls)
    # The relay takes TLS only, as where a firewall lets nothing else out.
    command -v openssl > /dev/null || skip "openssl is missing"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=relay \
      -addext subjectAltName=IP:203.0.113.3 -keyout "$work/key.pem" -out "$work/cert.pem" 2> /dev/null
    internet fully-random fully-random
    server tls
    echo "turns://alice:sesame@203.0.113.3" > "$work/turn.uri"
    side c1 ${turn}$work/turn.uri turn-certificates-location=$work/cert.pem
    side c2 ${turn}$work/turn.uri turn-certificates-location=$work/cert.pem
    media_flows 40
    grep -qE 'pair (relay .*|.* -> relay )' "$work/c1.log" || fail "not through the relay"
    ;;

  turn-tls-untrusted)
    command -v openssl > /dev/null || skip "openssl is missing"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=relay \
      -addext subjectAltName=IP:203.0.113.3 -keyout "$work/key.pem" -out "$work/cert.pem" 2> /dev/null
    internet none none
    server tls
    echo "turns://alice:sesame@203.0.113.3" > "$work/turn.uri"
    side c1 ${turn}$work/turn.uri force-relay=true connect-timeout=8
    await c1 'warning The TURN server could not be reached over TLS' 25 "warning"
    exit 0
    ;;

  turn-wrong-password)
    internet fully-random fully-random
    server
    echo "turn://alice:wrong@203.0.113.3:3478" > "$work/turn.uri"
    side c1 ${turn}$work/turn.uri force-relay=true connect-timeout=6; side c2 connect-timeout=12
    await c1 'warning No TURN server gave a relay address' 25 "warning about the server"
    await c1 'error No connection|error No description' 25 "error"
    ! grep -q wrong "$work/c1.log" || fail "the password was printed"
    echo "c1: $(grep -E 'warning|error' "$work/c1.log" | cut -c1-300)"
    exit 0
    ;;

  no-route)
    # Addresses, but no way between them.
    space c1; space c2
    ipv4_only c1; ipv4_only c2
    wire c1 d0 c1 d1; address c1 d0 10.1.0.1/32
    wire c2 d0 c2 d1; address c2 d0 10.2.0.1/32
    side c1 connect-timeout=8; side c2 connect-timeout=16
    await c1 'error No connection to the far end within 8 s.*10.1.0.1:[0-9]+ -> host 10.2.0.1:[0-9]+ \(udp\): Network is unreachable' 25 \
      "error that names the pair and the reason"
    grep ' error ' "$work/c1.log" | cut -c1-300
    exit 0
    ;;

  no-interface)
    # Not even an address: loopback is all there is, and the far end is not there.
    ip netns add "$tag-c1" && spaces+=("$tag-c1")
    in_space c1 "$peer" "connect-timeout=2 remote-description-location=$work/b.sdp" > "$work/c1.log" 2>&1
    [ $? = 1 ] || fail "no error"
    grep -q 'this machine has no interface that is up' "$work/c1.log" || fail "the reason is not named"
    grep ' error ' "$work/c1.log" | cut -c1-300
    exit 0
    ;;

  link-loss | link-loss-fixed-port)
    # The cable is pulled for 10 s and put back. With one port, the lost link has to leave it to the next.
    two_hosts
    ports=
    [ $scenario = link-loss ] || ports="port-min=5000 port-max=5000"
    side c1 $ports; side c2 $ports
    media_flows 40
    ip -n "$tag-c1" link set eth0 down
    await c1 'state disconnected' 20 "loss seen"
    sleep 10
    ip -n "$tag-c1" link set eth0 up
    back c1 40; back c2 40
    more_frames c1 30; more_frames c2 30
    [ -z "$ports" ] || grep -q '10.1.0.1 5000 typ host' "$work/a.sdp" || fail "another port"
    ;;

  consent | consent-fixed-port)
    # Nothing passes, and the addresses stay: RFC 7675 ends it after some 10 s. Then everything passes again.
    two_hosts
    ports=
    [ $scenario = consent ] || ports="port-min=5000 port-max=5000"
    side c1 $ports; side c2 $ports
    media_flows 40
    in_space c1 nft 'add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }'
    deaf
    ms=$(when c1 .)
    await c1 'state disconnected' 25 "end of consent"
    await c2 'state disconnected' 25 "end of consent"
    took=$(($(when c1 'state disconnected') - ms))
    # libnice asks every 4 to 6 s and gives up 10 s after the last answer, which may be 6 s old.
    [ $took -ge 3500 ] || fail "disconnected after $took ms already"
    in_space c1 nft delete table ip t
    hearing
    back c1 40; back c2 40
    more_frames c1 30; more_frames c2 30
    [ -z "$ports" ] || grep -q '10.1.0.1 5000 typ host' "$work/a.sdp" || fail "another port"
    echo "disconnected after $took ms"
    ;;

  disconnect-timeout)
    two_hosts
    side c1 disconnect-timeout=3; side c2
    media_flows 40
    ip -n "$tag-c1" link set eth0 down
    await c1 'state disconnected' 25 "loss seen"
    await c1 'error The connection was lost and did not come back within 3 s' 25 "error"
    took=$(($(when c1 'error The connection') - $(when c1 'state disconnected')))
    [ $took -ge 2900 ] || fail "given up after $took ms"
    grep ' error ' "$work/c1.log" | cut -c1-300
    exit 0
    ;;

  both-restart)
    # Both sides restart at once, ten times; media goes on.
    two_hosts
    side c1; side c2
    media_flows 40
    for i in $(seq 10); do
      kill -USR1 $pid_c1 $pid_c2
      sleep 0.3
    done
    more_frames c1 30; more_frames c2 30
    back c1 30; back c2 30
    ! grep -q 'state disconnected' "$work/c1.log" "$work/c2.log" || fail "the path was lost"
    kill -USR2 $pid_c1
    await c1 'restarts=\(guint64\)[1-9]' 20 "restart"
    ;;

  short-loss)
    # Packets are lost for 3 s, consent outlives it: nothing restarts, media goes on. (libnice gives up 10 s after the last
    # answer, which may be 6 s old when the loss begins.)
    two_hosts
    side c1; side c2
    media_flows 40
    deaf
    sleep 3
    hearing
    more_frames c1 30; more_frames c2 30
    ! grep -q disconnected "$work/c1.log" "$work/c2.log" || fail "restarted without need"
    kill -USR2 $pid_c1
    await c1 'stats .*round-trip-time' 20 "round trip time"
    ;;

  new-address)
    # The address is another one from one moment to the next, as after a change of network.
    two_hosts
    side c1; side c2
    media_flows 40
    ip -n "$tag-c1" addr del 10.1.0.1/24 dev eth0
    ip -n "$tag-c1" addr add 10.1.0.77/24 dev eth0
    await c1 'pair host 10.1.0.77:' 25 "pair with the new address"
    await c2 'pair .* -> (host|prflx) 10.1.0.77:' 25 "pair with the new address"
    more_frames c1 30; more_frames c2 30
    ;;

  ice-tcp)
    # No UDP passes, TCP does.
    two_hosts
    in_space c2 nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c meta l4proto udp drop'
    side c1 ice-tcp=true bind-address=10.1.0.1; side c2 ice-tcp=true bind-address=10.1.0.2
    media_flows 40
    grep -q 'pair .*(tcp)' "$work/c1.log" || fail "not over TCP"
    ;;

  turn-silent-udp | turn-silent-tcp)
    # The relay falls silent while both sides end: they end all the same, and leave nothing behind.
    internet none none
    server
    echo "turn://alice:sesame@203.0.113.3:3478?transport=${scenario#turn-silent-}" > "$work/turn.uri"
    in_space c1 "$3" 15 "bind-address=203.0.113.11 force-relay=true ${turn}$work/turn.uri" "$started" || fail "see above"
    exit 0
    ;;

  cycles-turn-tcp)
    # 200 calls through the relay, one after the other, in one process.
    internet none none
    server
    echo "turn://alice:sesame@203.0.113.3:3478?transport=tcp" > "$work/turn.uri"
    in_space c1 "$3" 200 "bind-address=203.0.113.11 force-relay=true ${turn}$work/turn.uri" || fail "see above"
    # The server has them back: allocations that were only forgotten would stand for ten minutes.
    exit 0
    ;;

  *)
    echo "no scenario $scenario"
    exit 2
    ;;
esac
finish
echo "ok: $scenario"
