/* The streams of a session, found by SSRC.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 2

static size_t
place_of (const SrtpSession *session, uint32_t ssrc)
{
  return (size_t) ((ssrc * session->table_key) >> 32)
         & (session->table_size - 1);
}

SrtpStream *
stream_find (const SrtpSession *session, uint32_t ssrc)
{
  if (session->n_streams == 0)
    return NULL;
  for (size_t i = place_of (session, ssrc); session->table[i] != 0;
       i = (i + 1) & (session->table_size - 1)) {
    SrtpStream *stream = &session->streams[session->table[i] - 1];
    if (stream->ssrc == ssrc)
      return stream;
  }
  return NULL;
}

static void
enter (SrtpSession *session, size_t number)
{
  size_t i = place_of (session, session->streams[number].ssrc);
  while (session->table[i] != 0)
    i = (i + 1) & (session->table_size - 1);
  session->table[i] = (uint32_t) number + 1;
}

static void
enter_all (SrtpSession *session)
{
  memset (session->table, 0, session->table_size * sizeof *session->table);
  for (size_t i = 0; i < session->n_streams; i++)
    enter (session, i);
}

static bool
grow (SrtpSession *session)
{
  size_t room = session->room ? 2 * session->room : FIRST_ROOM,
         size = 2 * FIRST_ROOM;
  if (room > session->config.max_ssrcs)
    room = session->config.max_ssrcs;
  while (size < 2 * room)
    size *= 2;

  SrtpStream *streams = realloc (session->streams, room * sizeof *streams);
  if (!streams)
    return false;
  session->streams = streams;
  uint32_t *table = calloc (size, sizeof *table);
  if (!table)
    return false;
  free (session->table);
  session->table = table;
  session->table_size = size;
  session->room = room;
  if (session->table_key == 0) {
    randombytes_buf (&session->table_key, sizeof session->table_key);
    session->table_key |= 1;
  }
  enter_all (session);
  return true;
}

static void
free_windows (SrtpStream *stream)
{
  replay_window_free (stream->seen[RTP]);
  replay_window_free (stream->seen[RTCP]);
}

/* A stream whose packets were all under keys that are gone: nobody can replay them, no index of it can repeat. The
 * longest unused cannot be told without a clock; the first of the table is as good. */
static SrtpStream *
find_finished (const SrtpSession *session)
{
  uint32_t oldest = oldest_key (session);
  for (size_t i = 0; i < session->n_streams; i++) {
    SrtpStream *stream = &session->streams[i];
    if (stream->key_serial[RTP] < oldest && stream->key_serial[RTCP] < oldest
        && (stream->key_serial[RTP] | stream->key_serial[RTCP]) != 0)
      return stream;
  }
  return NULL;
}

bool
stream_can_be_made (const SrtpSession *session)
{
  return session->n_streams < session->config.max_ssrcs
         || find_finished (session) != NULL;
}

SrtpResult
stream_make (SrtpSession *session, uint32_t ssrc, SrtpStream **out)
{
  ReplayWindow *seen = replay_window_new (session->window);
  SrtpStream *stream;

  if (!seen)
    return SRTP_FAILED;
  if (session->n_streams >= session->config.max_ssrcs) {
    stream = find_finished (session);
    if (!stream) {
      replay_window_free (seen);
      return SRTP_TOO_MANY_SSRCS;
    }
    free_windows (stream);
  } else {
    if (session->n_streams == session->room && !grow (session)) {
      replay_window_free (seen);
      return SRTP_FAILED;
    }
    stream = &session->streams[session->n_streams++];
  }

  *stream = (SrtpStream){
    .ssrc = ssrc, .window = session->window, .seen = { seen, NULL }
  };
  enter_all (session);
  SrtpStranger *stranger = stranger_find (session, ssrc);
  if (stranger) {
    stream->counters = stranger->counters;
    stranger->used = false;
  }
  *out = stream;
  return SRTP_OK;
}

void
streams_clear (SrtpSession *session)
{
  for (size_t i = 0; i < session->n_streams; i++)
    free_windows (&session->streams[i]);
  free (session->streams);
  free (session->table);
  session->streams = NULL;
  session->table = NULL;
  session->n_streams = session->room = session->table_size = 0;
}

SrtpStranger *
stranger_find (const SrtpSession *session, uint32_t ssrc)
{
  for (size_t i = 0; session->strangers && i < SRTP_MAX_STRANGERS; i++)
    if (session->strangers[i].used && session->strangers[i].ssrc == ssrc)
      return &session->strangers[i];
  return NULL;
}

/* NULL when there is no place left: a flood of SSRCs costs the first few of them a name, and nothing more. */
SrtpStranger *
stranger_make (SrtpSession *session, uint32_t ssrc)
{
  if (!session->strangers)
    session->strangers =
        calloc (SRTP_MAX_STRANGERS, sizeof *session->strangers);
  for (size_t i = 0; session->strangers && i < SRTP_MAX_STRANGERS; i++) {
    SrtpStranger *stranger = &session->strangers[i];
    if (!stranger->used) {
      *stranger = (SrtpStranger){ .used = true, .ssrc = ssrc };
      return stranger;
    }
  }
  return NULL;
}
