/* The streams of a session, found by SSRC; those that made room for others; and the SSRCs that only failed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 2

/* --- Tables --- */

static size_t
place_of (const SrtpSession *session, const SsrcTable *table, uint32_t ssrc)
{
  return (size_t) ((ssrc * session->table_key) >> 32) & (table->size - 1);
}

/* The entry's number, or -1. */
static ptrdiff_t
table_find (const SrtpSession *session, const SsrcTable *table, uint32_t ssrc)
{
  if (table->n == 0)
    return -1;
  for (size_t i = place_of (session, table, ssrc); table->slots[i].number != 0;
       i = (i + 1) & (table->size - 1))
    if (table->slots[i].ssrc == ssrc)
      return (ptrdiff_t) table->slots[i].number - 1;
  return -1;
}

/* It is not in it, and there is room. */
static void
table_add (
    const SrtpSession *session, SsrcTable *table, uint32_t ssrc, size_t number)
{
  size_t i = place_of (session, table, ssrc);
  while (table->slots[i].number != 0)
    i = (i + 1) & (table->size - 1);
  table->slots[i] = (SsrcSlot){ ssrc, (uint32_t) number + 1 };
  table->n++;
}

/* It is in it. Those behind that would not be found over the gap move up. */
static void
table_remove (const SrtpSession *session, SsrcTable *table, uint32_t ssrc)
{
  size_t mask = table->size - 1, gap = place_of (session, table, ssrc);

  while (table->slots[gap].ssrc != ssrc || table->slots[gap].number == 0)
    gap = (gap + 1) & mask;
  for (size_t i = (gap + 1) & mask; table->slots[i].number != 0;
       i = (i + 1) & mask) {
    size_t home = place_of (session, table, table->slots[i].ssrc);
    if (((i - home) & mask) >= ((i - gap) & mask)) {
      table->slots[gap] = table->slots[i];
      gap = i;
    }
  }
  table->slots[gap] = (SsrcSlot){ 0, 0 };
  table->n--;
}

/* Room for `entries`. */
static bool
table_reserve (SrtpSession *session, SsrcTable *table, size_t entries)
{
  SsrcTable bigger = { .size = 2 * FIRST_ROOM };

  while (bigger.size < 2 * entries)
    bigger.size *= 2;
  if (bigger.size <= table->size)
    return true;
  if (session->table_key == 0) {
    randombytes_buf (&session->table_key, sizeof session->table_key);
    session->table_key |= 1;
  }
  bigger.slots = calloc (bigger.size, sizeof *bigger.slots);
  if (!bigger.slots)
    return false;
  for (size_t i = 0; i < table->size; i++)
    if (table->slots[i].number != 0)
      table_add (
          session, &bigger, table->slots[i].ssrc, table->slots[i].number - 1);
  free (table->slots);
  *table = bigger;
  return true;
}

static void
table_clear (SsrcTable *table)
{
  free (table->slots);
  *table = (SsrcTable){ 0 };
}

/* --- Streams by their last use --- */

static void
list_append (SrtpSession *session, SrtpStream *stream)
{
  uint32_t number = (uint32_t) (stream - session->streams) + 1;

  stream->before = session->freshest;
  stream->after = 0;
  if (session->freshest != 0)
    session->streams[session->freshest - 1].after = number;
  else
    session->stalest = number;
  session->freshest = number;
  stream->alive = session->newest;
}

static void
list_remove (SrtpSession *session, SrtpStream *stream)
{
  if (stream->before != 0)
    session->streams[stream->before - 1].after = stream->after;
  else
    session->stalest = stream->after;
  if (stream->after != 0)
    session->streams[stream->after - 1].before = stream->before;
  else
    session->freshest = stream->before;
}

/* The stream has had a packet. Moves it once a key, so the list is in the order of `alive`. */
void
stream_touch (SrtpSession *session, SrtpStream *stream)
{
  if (stream->alive == session->newest)
    return;
  list_remove (session, stream);
  list_append (session, stream);
}

/* --- Streams that make room --- */

/* The ring takes the place of the one that it remembered longest. */
static void
remember_former (SrtpSession *session, const SrtpStream *stream)
{
  if (stream->at.knowledge == STREAM_FRESH && stream->at.rtcp_top == 0)
    return;
  if (session->n_formers == session->former_room
      && session->former_room < session->config.max_ssrcs) {
    size_t room = session->former_room ? 2 * session->former_room : FIRST_ROOM;
    SrtpFormer *formers = realloc (session->formers, room * sizeof *formers);
    if (formers)
      session->formers = formers;
    if (formers && table_reserve (session, &session->former_table, room))
      session->former_room = room;
  }
  if (session->former_room == 0)
    return; /* short of memory */
  if (session->n_formers < session->former_room) {
    session->former_next = session->n_formers++;
  } else {
    session->former_next = (session->former_next + 1) % session->n_formers;
    SrtpFormer *oldest = &session->formers[session->former_next];
    if (oldest->used)
      table_remove (session, &session->former_table, oldest->ssrc);
  }
  session->formers[session->former_next] =
      (SrtpFormer){ .used = true, .ssrc = stream->ssrc, .at = stream->at };
  table_add (
      session, &session->former_table, stream->ssrc, session->former_next);
}

/* Where an SSRC that is back goes on: RFC 3711, 3.3.1 and 3.4 want it so over a change of keys. */
static SrtpStanding
take_former (SrtpSession *session, uint32_t ssrc)
{
  ptrdiff_t number = table_find (session, &session->former_table, ssrc);
  if (number < 0)
    return (SrtpStanding){ 0 };
  SrtpFormer *former = &session->formers[number];
  former->used = false;
  table_remove (session, &session->former_table, ssrc);
  SrtpStanding at = former->at;
  if (at.knowledge == STREAM_SEEN)
    at.knowledge = STREAM_INDEX_TOLD;
  return at;
}

/* The stream that may be given up, or NULL. A receiver's: all keys of its packets are gone, so nobody can replay them. A
 * sender's: it was idle through a whole key, so it seems to have ended, and it has sent nothing under the present one. */
static SrtpStream *
find_finished (SrtpSession *session)
{
  while (session->stalest != 0) {
    SrtpStream *stream = &session->streams[session->stalest - 1];
    bool finished = session->config.direction == SRTP_SEND
                        ? session->newest - stream->alive >= 2
                        : stream->alive < oldest_key (session);
    if (!finished)
      return NULL;
    if (session->config.direction == SRTP_RECEIVE
        || stream->at.rtcp_top <= session->transform->max_rtcp_resumed)
      return stream;
    /* Its SRTCP index could not go on, so it has to stay. */
    list_remove (session, stream);
    list_append (session, stream);
  }
  return NULL;
}

static void
add_to_others (SrtpSession *session, const SrtpCounters *counters)
{
  for (size_t i = 0; i < SRTP_N_RESULTS; i++)
    session->others.results[i] += counters->results[i];
  session->others.octets += counters->octets;
}

static void
free_windows (SrtpStream *stream)
{
  replay_window_free (stream->seen[RTP]);
  replay_window_free (stream->seen[RTCP]);
}

static void
transforms_forget (SrtpSession *session, uint32_t ssrc)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].state && session->transform->forget)
      session->transform->forget (session->keys[i].state, ssrc);
}

static void
give_up (SrtpSession *session, SrtpStream *stream)
{
  remember_former (session, stream);
  add_to_others (session, &stream->account.counters);
  transforms_forget (session, stream->ssrc);
  list_remove (session, stream);
  table_remove (session, &session->stream_table, stream->ssrc);
  free_windows (stream);
}

/* --- Streams --- */

SrtpStream *
stream_find (const SrtpSession *session, uint32_t ssrc)
{
  ptrdiff_t number = table_find (session, &session->stream_table, ssrc);
  return number < 0 ? NULL : &session->streams[number];
}

/* Where `ssrc` stands, whose stream is `stream` or NULL. */
SrtpStanding
stream_standing (
    const SrtpSession *session, const SrtpStream *stream, uint32_t ssrc)
{
  if (stream)
    return stream->at;
  ptrdiff_t number = table_find (session, &session->former_table, ssrc);
  return number < 0 ? (SrtpStanding){ 0 } : session->formers[number].at;
}

bool
stream_can_be_made (SrtpSession *session)
{
  return session->n_streams < session->config.max_ssrcs
         || find_finished (session) != NULL;
}

static bool
grow (SrtpSession *session)
{
  size_t room = session->room ? 2 * session->room : FIRST_ROOM;
  if (room > session->config.max_ssrcs)
    room = session->config.max_ssrcs;
  SrtpStream *streams = realloc (session->streams, room * sizeof *streams);
  if (!streams)
    return false;
  session->streams = streams;
  if (!table_reserve (session, &session->stream_table, room))
    return false;
  session->room = room;
  return true;
}

static void
take_over_stranger (SrtpSession *session, SrtpStream *stream)
{
  ptrdiff_t number =
      table_find (session, &session->stranger_table, stream->ssrc);
  if (number < 0)
    return;
  stream->account = session->strangers[number].account;
  session->strangers[number].used = false;
  table_remove (session, &session->stranger_table, stream->ssrc);
}

SrtpResult
stream_make (SrtpSession *session, uint32_t ssrc, SrtpStream **out)
{
  ReplayWindow *seen = replay_window_new (session->window);
  SrtpStream *finished = NULL;
  SrtpResult result = SRTP_OK;

  if (session->n_streams >= session->config.max_ssrcs) {
    finished = find_finished (session);
    if (!finished)
      result = SRTP_TOO_MANY_SSRCS;
  } else if (session->n_streams == session->room && !grow (session)) {
    result = SRTP_FAILED;
  }
  if (!seen)
    result = SRTP_FAILED;
  if (result != SRTP_OK) {
    replay_window_free (seen);
    return result;
  }

  /* Before another one is remembered in its place. */
  SrtpStanding at = take_former (session, ssrc);
  if (finished)
    give_up (session, finished);
  SrtpStream *stream =
      finished ? finished : &session->streams[session->n_streams++];
  *stream = (SrtpStream){ .ssrc = ssrc,
    .at = at,
    .driven = at.knowledge == STREAM_FRESH ? 0 : 0xff,
    .window = session->window,
    .seen = { seen, NULL } };
  list_append (session, stream);
  table_add (session, &session->stream_table, ssrc,
      (size_t) (stream - session->streams));
  take_over_stranger (session, stream);
  *out = stream;
  return SRTP_OK;
}

/* RFC 3711, 3.3.1 and 3.4: indices count modulo 2^48 and 2^31, and under a new key may begin anew. What came before was
 * under older keys, which this stream may not use any more. */
void
stream_wrap (SrtpSession *session, SrtpStream *stream, int kind)
{
  if (stream->seen[kind])
    replay_window_clear (stream->seen[kind]);
  stream->key_since[kind] = 0;
  if (kind == RTP) {
    stream->any = false;
    stream->top = 0;
    stream->at.knowledge = STREAM_FRESH;
    stream->driven = 0; /* libsrtp2 counts on by itself */
    return;
  }
  stream->at.rtcp_top = 0;
  if (session->config.direction == SRTP_SEND) {
    transforms_forget (session, stream->ssrc); /* it would not count on */
    stream->known = 0;
    stream->driven = 0xff;
  }
}

/* What the transform of a key slot knows of streams is gone with the key. */
void
streams_forget_key (SrtpSession *session, size_t slot)
{
  for (size_t i = 0; i < session->n_streams; i++) {
    session->streams[i].known &= (uint8_t) ~(1u << slot);
    session->streams[i].driven &= (uint8_t) ~(1u << slot);
  }
}

void
streams_clear (SrtpSession *session)
{
  for (size_t i = 0; i < session->n_streams; i++)
    free_windows (&session->streams[i]);
  free (session->streams);
  free (session->formers);
  table_clear (&session->stream_table);
  table_clear (&session->former_table);
  session->streams = NULL;
  session->formers = NULL;
  session->n_streams = session->room = session->n_formers = 0;
  session->former_room = session->former_next = 0;
  session->stalest = session->freshest = 0;
}

static bool
is_told (const SrtpStream *stream)
{
  return stream->at.knowledge == STREAM_ROC_TOLD
         || stream->at.knowledge == STREAM_INDEX_TOLD;
}

/* What `from` was told of SSRCs and has not had a packet for yet. */
bool
streams_carry_told (SrtpSession *session, const SrtpSession *from)
{
  SrtpStream *stream;

  for (size_t i = 0; i < from->n_streams; i++) {
    const SrtpStream *old = &from->streams[i];
    if (!is_told (old) || session->n_streams >= session->config.max_ssrcs)
      continue;
    if (stream_make (session, old->ssrc, &stream) != SRTP_OK)
      return false;
    stream->at.knowledge = old->at.knowledge;
    stream->at.reference = old->at.reference;
    stream->driven = 0xff;
  }
  return true;
}

/* A new cryptographic context: what was told of streams since their last packet is about what comes, and stays. */
void
streams_start_anew (SrtpSession *session)
{
  SrtpSession before = *session;

  for (size_t i = 0; i < before.n_streams; i++)
    add_to_others (session, &before.streams[i].account.counters);
  session->streams = NULL;
  session->formers = NULL;
  session->stream_table = session->former_table = (SsrcTable){ 0 };
  session->n_streams = 0;
  streams_clear (session);
  (void) streams_carry_told (session, &before); /* as far as memory goes */
  streams_clear (&before);
}

size_t
streams_memory (const SrtpSession *session)
{
  size_t bytes =
      session->room * sizeof (SrtpStream)
      + session->former_room * sizeof (SrtpFormer)
      + (session->stream_table.size + session->former_table.size
            + session->stranger_table.size)
            * sizeof (SsrcSlot)
      + (session->strangers ? SRTP_MAX_STRANGERS * sizeof (SrtpStranger) : 0);

  for (size_t i = 0; i < session->n_streams; i++)
    bytes += session->streams[i].window / 8
             + (session->streams[i].seen[RTCP] ? SRTP_RTCP_WINDOW / 8 : 0);
  return bytes;
}

/* --- Strangers --- */

/* The hand goes round and takes the first place whose SSRC has not failed again since it came by: a source with another
 * key keeps its place in a flood of SSRCs that come once. */
static SrtpStranger *
place_for_stranger (SrtpSession *session)
{
  for (;;) {
    SrtpStranger *stranger = &session->strangers[session->stranger_hand];
    session->stranger_hand = (session->stranger_hand + 1) % SRTP_MAX_STRANGERS;
    if (!stranger->used)
      return stranger;
    if (!stranger->again) {
      add_to_others (session, &stranger->account.counters);
      table_remove (session, &session->stranger_table, stranger->ssrc);
      return stranger;
    }
    stranger->again = false;
  }
}

/* The account of an SSRC without a stream; NULL when memory is short. */
SrtpAccount *
stranger_account (SrtpSession *session, uint32_t ssrc)
{
  ptrdiff_t number = table_find (session, &session->stranger_table, ssrc);
  if (number >= 0) {
    session->strangers[number].again = true;
    return &session->strangers[number].account;
  }
  if (!session->strangers) {
    if (!table_reserve (session, &session->stranger_table, SRTP_MAX_STRANGERS))
      return NULL;
    session->strangers =
        calloc (SRTP_MAX_STRANGERS, sizeof *session->strangers);
  }
  if (!session->strangers)
    return NULL;
  SrtpStranger *stranger = place_for_stranger (session);
  *stranger = (SrtpStranger){ .used = true, .ssrc = ssrc };
  table_add (session, &session->stranger_table, ssrc,
      (size_t) (stranger - session->strangers));
  return &stranger->account;
}

void
strangers_clear (SrtpSession *session)
{
  for (size_t i = 0; session->strangers && i < SRTP_MAX_STRANGERS; i++)
    if (session->strangers[i].used)
      add_to_others (session, &session->strangers[i].account.counters);
  free (session->strangers);
  session->strangers = NULL;
  session->stranger_hand = 0;
  table_clear (&session->stranger_table);
}
