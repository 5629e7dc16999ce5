/* The packet path: what is this packet, which index has it, may it pass.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include "../sodium/reader.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_LIMIT (UINT64_C (1) << 48)
#define RTCP_INDEX_MAX UINT32_C (0x7fffffff)
#define WRAP_MARGIN                                                           \
  0x10000 /* an SRTCP index may begin anew this near to its end */
#define MAX_ATTEMPTS (2 * SRTP_MAX_KEYS)

/* One call, from parse to result. */
typedef struct
{
  SrtpSession *session;
  int kind; /* RTP or RTCP */
  SrtpPacket packet;
  uint16_t seq;
  bool
      wraps; /* the index begins anew, which a key that the stream has not used allows */
  SrtpStream *stream; /* NULL: an SSRC without one */
  SrtpStanding at;    /* before this packet */
  SrtpInfo *info;
} Job;

/* RFC 3550, 5.1 and 5.3.1. */
static bool
parse_rtp (const uint8_t *in, size_t len, SrtpPacket *packet, uint16_t *seq)
{
  Reader r = reader_init (in, len);
  uint8_t first = (uint8_t) reader_uint (&r, 1);
  reader_take (&r, 1);
  *seq = (uint16_t) reader_uint (&r, 2);
  reader_take (&r, 4);
  packet->ssrc = (uint32_t) reader_uint (&r, 4);
  reader_take (&r, 4 * (size_t) (first & 0x0f));
  if (first & 0x10) {
    reader_take (&r, 2);
    reader_take (&r, 4 * (size_t) reader_uint (&r, 2));
  }
  packet->header_len = len - reader_left (&r);
  return !r.failed && first >> 6 == 2 && len <= SRTP_MAX_PACKET;
}

bool
srtp_is_rtcp (const uint8_t *packet, size_t len)
{
  return len >= 2 && packet[0] >> 6 == 2 && packet[1] >= 192
         && packet[1] <= 223;
}

/* RFC 3550, 6.4.1: of a compound packet SRTCP wants the first header and its SSRC only. The types are those that RFC 5761,
 * 4 leaves to RTCP. */
static bool
parse_rtcp (const uint8_t *in, size_t len, SrtpPacket *packet)
{
  Reader r = reader_init (in, len);
  reader_take (&r, 4);
  packet->ssrc = (uint32_t) reader_uint (&r, 4);
  packet->header_len = 8;
  return !r.failed && srtp_is_rtcp (in, len) && len <= SRTP_MAX_PACKET;
}

bool
srtp_packet_ssrc (const uint8_t *packet, size_t len, bool rtcp, uint32_t *ssrc)
{
  SrtpPacket parsed = { 0 };
  uint16_t seq;
  bool ok = rtcp ? parse_rtcp (packet, len, &parsed)
                 : parse_rtp (packet, len, &parsed, &seq);
  *ssrc = ok ? parsed.ssrc : 0;
  return ok;
}

/* Whether one more SSRC may be told to have failed: some at once, and then one of SRTP_TELL_INTERVAL packets, so that
 * made-up SSRCs neither fill a log nor use up the warning that one with another key is for. */
static bool
may_tell (SrtpSession *session)
{
  if (session->tellable == 0)
    return false;
  session->tellable--;
  return true;
}

static void
count_packet (SrtpSession *session, SrtpResult result, size_t octets)
{
  session->counters.results[result]++;
  session->counters.octets += octets;
  if (++session->since_tellable < SRTP_TELL_INTERVAL)
    return;
  session->since_tellable = 0;
  if (session->tellable < SRTP_MAX_STRANGERS)
    session->tellable++;
}

static SrtpResult
finish (Job *job, SrtpResult result, size_t octets)
{
  SrtpSession *session = job->session;
  SrtpAccount *own = job->stream ? &job->stream->account : NULL;

  count_packet (session, result, octets);
  job->info->ssrc = job->packet.ssrc;
  job->info->index = job->packet.index;
  if (!own && result != SRTP_OK && result != SRTP_MALFORMED
      && session->config.direction == SRTP_RECEIVE)
    own = stranger_account (session, job->packet.ssrc);
  if (!own)
    return result;

  own->counters.results[result]++;
  own->counters.octets += octets;
  uint32_t *in_row = &own->refused_in_row[job->kind];
  *in_row = result == SRTP_OK ? 0 : *in_row + (*in_row < UINT32_MAX);
  job->info->refused_in_row = *in_row;
  bool says_something =
      result == SRTP_UNAUTHENTIC
      || (result == SRTP_NO_KEY && srtp_session_has_key (session));
  if (says_something && !own->told && may_tell (session))
    job->info->first_failure = own->told = true;
  job->info->recovered = result == SRTP_OK
                         && own->counters.results[result] == 1
                         && own->counters.results[SRTP_UNAUTHENTIC] > 0;
  return result;
}

/* RFC 3711, 3.3.1 and appendix A: the index nearest to the reference. A ROC of -1 does not exist: near the beginning the
 * first half of ROC 0 is meant. It may come out as INDEX_LIMIT or more, for which there is no index any more. */
static uint64_t
nearest_index (uint64_t reference, uint16_t seq)
{
  uint64_t roc = reference >> 16, low = reference & 0xffff;

  if (low < 0x8000) {
    if (seq > low + 0x8000 && roc > 0)
      roc--;
  } else if (low - 0x8000 > seq) {
    roc++;
  }
  return roc << 16 | seq;
}

static uint64_t
estimate_index (const SrtpStanding *at, uint16_t seq)
{
  if (at->knowledge == STREAM_FRESH)
    return seq;
  if (at->knowledge == STREAM_ROC_TOLD)
    return at->reference | seq;
  return nearest_index (at->reference, seq);
}

static void
find_stream (Job *job)
{
  job->stream = stream_find (job->session, job->packet.ssrc);
  job->at = stream_standing (job->session, job->stream, job->packet.ssrc);
}

/* RFC 3711, 3.3.2. Changes nothing. */
static SrtpResult
check_index (const SrtpStream *stream, int kind, uint64_t index)
{
  if (!stream || !stream->seen[kind]
      || replay_window_is_new (stream->seen[kind], index))
    return SRTP_OK;
  uint64_t top = kind == RTP ? stream->top : stream->at.rtcp_top;
  size_t window = kind == RTP ? stream->window : SRTP_RTCP_WINDOW;
  return top - index >= window ? SRTP_TOO_OLD : SRTP_REPLAYED;
}

static void
commit_index (SrtpStream *stream, int kind, uint64_t index)
{
  replay_window_commit (stream->seen[kind], index);
  if (kind == RTCP) {
    if (index > stream->at.rtcp_top)
      stream->at.rtcp_top = (uint32_t) index;
    return;
  }
  if (!stream->any || index > stream->top)
    stream->top = index;
  stream->any = true;
  stream->at.reference = stream->top;
  stream->at.knowledge = STREAM_SEEN;
}

/* RFC 3711, 9.2: counts a packet under `key`, and tells once when few are left. */
static void
count_use (Job *job, SrtpKey *key)
{
  SrtpSession *session = job->session;

  key->left[job->kind]--;
  job->info->soft_limit = key->left[job->kind] == key->soft[job->kind];
  key->used = true;
  key->last_use = ++session->good;
  if (key->serial == session->newest)
    session->under_newest++;
  stream_touch (session, job->stream);
}

/* What the transform knows of this SSRC goes to and comes from the stream. */
static void
load_marks (Job *job, size_t slot)
{
  job->packet.known = job->stream && job->stream->known >> slot & 1;
  job->packet.driven = job->stream && job->stream->driven >> slot & 1;
}

static void
store_marks (Job *job, size_t slot)
{
  if (!job->stream)
    return;
  job->stream->known |= (uint8_t) (job->packet.known << slot);
  job->stream->driven |= (uint8_t) (job->packet.driven << slot);
}

/* The tag of ICM lies behind the MKI; that of GCM belongs to the ciphertext, before it (RFC 7714, 8.2). */
static size_t
trailing_tag (const SrtpSession *session, int kind)
{
  SrtpCipher cipher =
      kind == RTP ? session->config.rtp_cipher : session->config.rtcp_cipher;
  if (srtp_cipher_is_gcm (cipher))
    return 0;
  return session->overhead[kind] - (kind == RTCP ? 4 : 0);
}

static void
insert_mki (const SrtpSession *session, const SrtpKey *key, int kind,
    uint8_t *out, size_t len)
{
  if (session->mki_len == 0)
    return;
  size_t tag = trailing_tag (session, kind);
  uint8_t *at = out + len - tag;
  memmove (at + session->mki_len, at, tag);
  memcpy (at, key->mki, session->mki_len);
}

/* What must be there before a packet is sent: nothing can fail between encryption and commit. */
static SrtpResult
prepare_sending (Job *job, size_t len, size_t room)
{
  SrtpSession *session = job->session;
  size_t gain = session->overhead[job->kind] + session->mki_len;

  if (len > SRTP_MAX_PACKET - gain)
    return SRTP_MALFORMED;
  if (room < gain || len > room - gain)
    return SRTP_NO_ROOM;
  if (session->keys[0].left[job->kind] == 0)
    return SRTP_KEY_SPENT;
  if (!job->stream) {
    SrtpResult made = stream_make (session, job->packet.ssrc, &job->stream);
    if (made != SRTP_OK)
      return made;
  }
  if (!job->stream->seen[job->kind])
    job->stream->seen[job->kind] = replay_window_new (SRTP_RTCP_WINDOW);
  return job->stream->seen[job->kind] ? SRTP_OK : SRTP_FAILED;
}

/* Sending, once the index is decided. */
static SrtpResult
protect (Job *job, const uint8_t *in, size_t len, uint8_t *out, size_t room,
    size_t *out_len)
{
  SrtpSession *session = job->session;
  SrtpKey *key = &session->keys[0];
  const SrtpTransform *transform = session->transform;
  size_t gain = session->overhead[job->kind];

  SrtpResult result = prepare_sending (job, len, room);
  if (result != SRTP_OK)
    return result;

  /* Before the attempt: an index that a library failed with may have made key stream all the same. */
  if (job->wraps)
    stream_wrap (session, job->stream, job->kind);
  load_marks (job, 0);
  job->packet.rtcp_before = job->stream->at.rtcp_top;
  job->info->new_stream = !job->stream->authentic;
  commit_index (job->stream, job->kind, job->packet.index);
  job->stream->key_serial[job->kind] = key->serial;
  job->stream->authentic = true;
  count_use (job, key);
  bool ok =
      job->kind == RTP
          ? transform->protect_rtp (key->state, &job->packet, in, len, out)
          : transform->protect_rtcp (key->state, &job->packet, in, len, out);
  job->packet.known |= ok;
  store_marks (job, 0);
  if (!ok)
    return SRTP_FAILED;
  insert_mki (session, key, job->kind, out, len + gain);
  *out_len = len + gain + session->mki_len;
  return SRTP_OK;
}

/* Whether the sender's key is newer than all that this stream has sent under: then its indices may begin anew. */
static bool
may_wrap (const Job *job)
{
  return !job->stream
         || job->stream->key_serial[job->kind] < job->session->keys[0].serial;
}

/* Decides the index of a packet to send. `index`: NULL to estimate it. */
static SrtpResult
choose_index (Job *job, const uint64_t *index)
{
  uint64_t estimate = estimate_index (&job->at, job->seq);

  job->packet.index = index ? *index : estimate;
  if (estimate >= INDEX_LIMIT && (!index || *index == estimate - INDEX_LIMIT)
      && may_wrap (job)) {
    job->packet.index = estimate - INDEX_LIMIT;
    job->wraps = true;
    return SRTP_OK;
  }
  if (job->packet.index >= INDEX_LIMIT)
    return SRTP_KEY_SPENT;
  if (job->packet.index != estimate) {
    if (!job->stream) {
      SrtpResult made =
          stream_make (job->session, job->packet.ssrc, &job->stream);
      if (made != SRTP_OK)
        return made;
    }
    job->stream->driven = 0xff;
  }
  return check_index (job->stream, RTP, job->packet.index);
}

/* `index`: NULL to estimate it. */
static SrtpResult
protect_rtp (SrtpSession *session, const uint64_t *index, const uint8_t *in,
    size_t len, uint8_t *out, size_t room, size_t *out_len, SrtpInfo *info)
{
  SrtpInfo unused;
  Job job = { .session = session, .kind = RTP, .info = info ? info : &unused };

  *job.info = (SrtpInfo){ 0 };
  if (session->config.direction != SRTP_SEND || !session->keys[0].state)
    return finish (&job, SRTP_NO_KEY, 0);
  if (!parse_rtp (in, len, &job.packet, &job.seq)
      || (index && (*index & 0xffff) != job.seq))
    return finish (&job, SRTP_MALFORMED, 0);

  find_stream (&job);
  SrtpResult result = choose_index (&job, index);
  if (result == SRTP_OK)
    result = protect (&job, in, len, out, room, out_len);
  return finish (&job, result, result == SRTP_OK ? len : 0);
}

SrtpResult
srtp_session_protect_rtp (SrtpSession *session, const uint8_t *in, size_t len,
    uint8_t *out, size_t room, size_t *out_len, SrtpInfo *info)
{
  return protect_rtp (session, NULL, in, len, out, room, out_len, info);
}

SrtpResult
srtp_session_protect_rtp_at (SrtpSession *session, uint64_t index,
    const uint8_t *in, size_t len, uint8_t *out, size_t room, size_t *out_len,
    SrtpInfo *info)
{
  return protect_rtp (session, &index, in, len, out, room, out_len, info);
}

SrtpResult
srtp_session_protect_rtcp (SrtpSession *session, const uint8_t *in, size_t len,
    uint8_t *out, size_t room, size_t *out_len, SrtpInfo *info)
{
  SrtpInfo unused;
  Job job = {
    .session = session, .kind = RTCP, .info = info ? info : &unused
  };

  *job.info = (SrtpInfo){ 0 };
  if (session->config.direction != SRTP_SEND || !session->keys[0].state)
    return finish (&job, SRTP_NO_KEY, 0);
  if (!parse_rtcp (in, len, &job.packet))
    return finish (&job, SRTP_MALFORMED, 0);
  find_stream (&job);
  job.packet.index = (uint64_t) job.at.rtcp_top + 1;
  job.wraps = job.packet.index > RTCP_INDEX_MAX && may_wrap (&job);
  if (job.wraps)
    job.packet.index = 1;
  SrtpResult result = job.packet.index > RTCP_INDEX_MAX
                          ? SRTP_KEY_SPENT
                          : protect (&job, in, len, out, room, out_len);
  return finish (&job, result, result == SRTP_OK ? len : 0);
}

/* One way to read a packet. */
typedef struct
{
  SrtpKey *key;
  uint64_t index;
} Attempt;

/* An SSRC that has moved to a newer key may send under the older one only what came before (late packets): who holds
 * the old key cannot speak for it any more. */
static bool
key_may_still (const Job *job, const SrtpKey *key, uint64_t index)
{
  const SrtpStream *stream = job->stream;
  if (!stream)
    return true;
  if (job->wraps)
    return key->serial > stream->key_serial[job->kind];
  return key->serial >= stream->key_serial[job->kind]
         || index < stream->key_since[job->kind];
}

static size_t
add_attempts (const Job *job, SrtpKey *key, Attempt *out)
{
  uint64_t index = job->packet.index, neighbour = INDEX_LIMIT;
  size_t n = 0;

  if (index < INDEX_LIMIT && key_may_still (job, key, index))
    out[n++] = (Attempt){ key, index };
  /* The ROC was told, but the sequence number may have wrapped between that and this packet. */
  if (job->kind == RTP && job->at.knowledge == STREAM_ROC_TOLD) {
    if (job->seq < 0x8000)
      neighbour = index + 0x10000;
    else if (index >= 0x10000)
      neighbour = index - 0x10000;
  }
  if (neighbour < INDEX_LIMIT && key_may_still (job, key, neighbour)
      && check_index (job->stream, RTP, neighbour) == SRTP_OK)
    out[n++] = (Attempt){ key, neighbour };
  return n;
}

/* The keys to try: the one that the MKI names, or all, first the one that the stream used last, then the newest. */
static size_t
list_attempts (const Job *job, const uint8_t *mki, Attempt *out)
{
  SrtpSession *session = job->session;
  uint32_t last = job->stream ? job->stream->key_serial[job->kind] : 0;
  SrtpKey *sorted[SRTP_MAX_KEYS];
  size_t n_keys = 0, n = 0;

  for (size_t i = 0; i < SRTP_MAX_KEYS; i++) {
    SrtpKey *key = &session->keys[i];
    if (!key->state
        || (session->mki_len > 0
            && memcmp (key->mki, mki, session->mki_len) /* public bytes */
                   != 0))
      continue;
    size_t at = n_keys++;
    while (at > 0 && sorted[at - 1]->serial != last
           && (key->serial == last || key->serial > sorted[at - 1]->serial)) {
      sorted[at] = sorted[at - 1];
      at--;
    }
    sorted[at] = key;
  }
  for (size_t i = 0; i < n_keys; i++)
    n += add_attempts (job, sorted[i], out + n);
  return n;
}

static SrtpResult
try_attempt (Job *job, const Attempt *attempt, const uint8_t *in, size_t len,
    uint8_t *out)
{
  SrtpKey *key = attempt->key;
  const SrtpTransform *transform = job->session->transform;
  size_t slot = (size_t) (key - job->session->keys);

  if (key->left[job->kind] == 0)
    return SRTP_KEY_SPENT;
  job->packet.index = attempt->index;
  load_marks (job, slot);
  SrtpResult result =
      job->kind == RTP
          ? transform->unprotect_rtp (key->state, &job->packet, in, len, out)
          : transform->unprotect_rtcp (key->state, &job->packet, in, len, out);
  if (result != SRTP_OK && !job->stream && job->packet.known
      && transform->forget)
    transform->forget (key->state, job->packet.ssrc);
  job->packet.known |= result == SRTP_OK && job->kind == RTP;
  store_marks (job, slot);
  return result;
}

/* The packet is authentic: only now does anything change. */
static SrtpResult
accept (Job *job, const Attempt *attempt)
{
  SrtpSession *session = job->session;
  SrtpKey *key = attempt->key;
  int kind = job->kind;

  if (!job->stream) {
    bool known = job->packet.known;
    SrtpResult made = stream_make (session, job->packet.ssrc, &job->stream);
    if (made != SRTP_OK)
      return made;
    job->packet.known = known;
    store_marks (job, (size_t) (key - session->keys));
  }
  SrtpStream *stream = job->stream;
  if (!stream->seen[kind])
    stream->seen[kind] = replay_window_new (SRTP_RTCP_WINDOW);
  if (!stream->seen[kind])
    return SRTP_FAILED;

  job->info->new_stream = !stream->authentic;
  stream->authentic = true;
  if (job->wraps)
    stream_wrap (session, stream, kind);
  commit_index (stream, kind, job->packet.index);
  if (key->serial > stream->key_serial[kind]) {
    stream->key_serial[kind] = key->serial;
    stream->key_since[kind] = job->wraps ? 0 : job->packet.index;
  } else if (key->serial == stream->key_serial[kind]
             && job->packet.index < stream->key_since[kind]) {
    stream->key_since[kind] = job->packet.index;
  }
  count_use (job, key);
  if (key->serial == session->newest
      && session->under_newest == SRTP_KEY_LINGER)
    for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
      if (&session->keys[i] != key)
        key_drop (session, &session->keys[i]);
  return SRTP_OK;
}

/* What several attempts come to: a library that failed, or a key that could not be tried any more, is told first; that
 * another key does not fit says nothing then. */
static SrtpResult
worse (SrtpResult a, SrtpResult b)
{
  static const uint8_t rank[SRTP_N_RESULTS] = {
    [SRTP_UNAUTHENTIC] = 1, [SRTP_KEY_SPENT] = 2, [SRTP_FAILED] = 3
  };
  return rank[b] > rank[a] ? b : a;
}

/* Receiving, once the packet is parsed: `in`, `len` bytes, are without MKI. */
static SrtpResult
unprotect (Job *job, const Attempt *attempts, size_t n, const uint8_t *in,
    size_t len, uint8_t *out)
{
  SrtpSession *session = job->session;
  SrtpResult result = SRTP_NO_KEY;

  if (!job->stream && !stream_can_be_made (session))
    return SRTP_TOO_MANY_SSRCS;
  /* A failed attempt in place leaves nothing for the next one. */
  if (n > 1 && in == out) {
    if (!session->scratch)
      session->scratch = malloc (SRTP_MAX_PACKET);
    if (!session->scratch)
      return SRTP_FAILED;
    memcpy (session->scratch, in, len);
    in = session->scratch;
  }
  for (size_t i = 0; i < n; i++) {
    SrtpResult attempt = try_attempt (job, &attempts[i], in, len, out);
    if (attempt == SRTP_OK)
      return accept (job, &attempts[i]);
    result = worse (result, attempt);
  }
  return result;
}

/* Takes the MKI out, as `in` or in `out`; gives the bytes to read and their number. */
static const uint8_t *
strip_mki (const SrtpSession *session, int kind, const uint8_t *in,
    size_t *len, uint8_t *out)
{
  size_t tag = trailing_tag (session, kind),
         rest = *len - tag - session->mki_len;

  if (session->mki_len == 0)
    return in;
  *len -= session->mki_len;
  if (tag == 0)
    return in;
  if (in != out)
    memcpy (out, in, rest);
  memmove (out + rest, in + rest + session->mki_len, tag);
  return out;
}

/* The index of a packet received, in job->packet, and whether it may pass. `word` is where RTCP has E and index. With
 * job->wraps set it may pass all the same under a newer key than the stream has used. */
static SrtpResult
find_index (Job *job, const uint8_t *word)
{
  const SrtpStream *stream = job->stream;

  if (job->kind == RTP) {
    job->packet.index = estimate_index (&job->at, job->seq);
    if (job->packet.index < INDEX_LIMIT)
      return check_index (stream, RTP, job->packet.index);
    job->packet.index -= INDEX_LIMIT;
    job->wraps = true;
    return SRTP_KEY_SPENT;
  }
  /* RFC 3711, 3.4: it comes with the packet. */
  Reader r = reader_init (word, 4);
  job->packet.index = reader_uint (&r, 4) & RTCP_INDEX_MAX;
  SrtpResult result = check_index (stream, RTCP, job->packet.index);
  job->wraps = result != SRTP_OK && job->packet.index < WRAP_MARGIN
               && stream->at.rtcp_top > RTCP_INDEX_MAX - WRAP_MARGIN;
  return result;
}

static SrtpResult
receive (SrtpSession *session, int kind, const uint8_t *in, size_t len,
    uint8_t *out, size_t room, size_t *out_len, SrtpInfo *info)
{
  SrtpInfo unused;
  Attempt attempts[MAX_ATTEMPTS];
  Job job = {
    .session = session, .kind = kind, .info = info ? info : &unused
  };
  size_t gain = session->overhead[kind], tag = trailing_tag (session, kind);

  *job.info = (SrtpInfo){ 0 };
  if (!(kind == RTP ? parse_rtp (in, len, &job.packet, &job.seq)
                    : parse_rtcp (in, len, &job.packet)))
    return finish (&job, SRTP_MALFORMED, 0);
  find_stream (&job);
  if (session->config.direction != SRTP_RECEIVE
      || !srtp_session_has_key (session))
    return finish (&job, SRTP_NO_KEY, 0);
  if (len - job.packet.header_len < gain + session->mki_len)
    return finish (&job, SRTP_MALFORMED, 0);
  if (room < len)
    return finish (&job, SRTP_NO_ROOM, 0);

  const uint8_t *mki = in + len - tag - session->mki_len;
  SrtpResult refusal = find_index (&job, mki - 4), result = refusal;
  if (result == SRTP_OK || job.wraps) {
    size_t n = list_attempts (&job, mki, attempts);
    if (result == SRTP_OK)
      result = SRTP_NO_KEY;
    if (n > 0) {
      const uint8_t *bytes = strip_mki (session, kind, in, &len, out);
      result = unprotect (&job, attempts, n, bytes, len, out);
    }
    /* An index that begins anew is a guess, which only an authentic packet makes true. */
    if (result == SRTP_UNAUTHENTIC && job.wraps && kind == RTCP)
      result = refusal;
  }
  if (result == SRTP_OK)
    *out_len = len - gain;
  return finish (&job, result, result == SRTP_OK ? len - gain : 0);
}

SrtpResult
srtp_session_unprotect_rtp (SrtpSession *session, const uint8_t *in,
    size_t len, uint8_t *out, size_t room, size_t *out_len, SrtpInfo *info)
{
  return receive (session, RTP, in, len, out, room, out_len, info);
}

SrtpResult
srtp_session_unprotect_rtcp (SrtpSession *session, const uint8_t *in,
    size_t len, uint8_t *out, size_t room, size_t *out_len, SrtpInfo *info)
{
  return receive (session, RTCP, in, len, out, room, out_len, info);
}
