/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy.h"

#include "ext/mls/codec.h"
#include "ext/sodium/sframe.h"

#include <string.h>
#include <stdlib.h>
#include <uninorm.h>
#include <unistr.h>

static const char *const role_names[] = { "participant", "listener",
  "recorder" };
static const char *const admission_names[] = { "waiting-room", "password",
  "allow-list", "open" };

Policy
policy_default (void)
{
  return (Policy){ .version = POLICY_VERSION,
    .admission = ADMISSION_WAITING_ROOM,
    .screen_share = WHO_EVERYONE,
    .recording = WHO_ADMINS,
    .consent = true,
    .hand_over = HAND_OVER_END,
    .sframe_suite = SFRAME_AES_256_GCM_SHA512_128,
    .epoch_bits = 8,
    .index_bits = 10,
    .max_members = 1000 };
}

/* The project takes no 32-bit tags for a meeting's media. */
static bool
suite_is_fit (uint16_t suite)
{
  return suite >= SFRAME_FIRST_SUITE && suite <= SFRAME_LAST_SUITE
         && sframe_suite_tag_len ((SFrameSuite) suite) >= 8;
}

static bool
admins_are_in_order (const Policy *policy)
{
  if (policy->n_admins > LIMIT_ADMINS)
    return false;
  for (size_t i = 0; i < policy->n_admins; i++) {
    if (key_equal (policy->admins[i], policy->owner))
      return false;
    if (i > 0 && key_order (policy->admins[i - 1], policy->admins[i]) >= 0)
      return false;
  }
  return true;
}

bool
policy_is_sound (const Policy *policy)
{
  return policy->version == POLICY_VERSION
         && door_meeting_is_valid (policy->meeting, strlen (policy->meeting))
         && policy->admission >= ADMISSION_WAITING_ROOM
         && policy->admission <= ADMISSION_OPEN
         && policy->screen_share >= WHO_EVERYONE
         && policy->screen_share <= WHO_NOBODY
         && policy->recording >= WHO_EVERYONE
         && policy->recording <= WHO_NOBODY
         && policy->hand_over >= HAND_OVER_END
         && policy->hand_over <= HAND_OVER_LONGEST_PRESENT
         && suite_is_fit (policy->sframe_suite) && policy->epoch_bits >= 1
         && policy->epoch_bits <= LIMIT_MAX_EPOCH_BITS
         && policy->index_bits <= LIMIT_MAX_INDEX_BITS
         && policy->max_members >= 1
         && policy->max_members <= UINT32_C (1) << policy->index_bits
         && policy->max_members <= LIMIT_MEMBERS
         && admins_are_in_order (policy);
}

static void
write_varint (Writer *w, size_t value)
{
  if (value < 64)
    writer_uint (w, value, 1);
  else
    writer_uint (w, 0x4000 | value, 2);
}

void
policy_write (Writer *w, const Policy *policy)
{
  size_t meeting_len = strlen (policy->meeting);

  if (!policy_is_sound (policy)) {
    w->failed = true;
    return;
  }
  writer_uint (w, policy->version, 1);
  write_varint (w, meeting_len);
  writer_bytes (w, policy->meeting, meeting_len);
  writer_uint (w, policy->opened, 8);
  writer_bytes (w, policy->owner, IDENTITY_KEY_LEN);
  write_varint (w, policy->n_admins * IDENTITY_KEY_LEN);
  writer_bytes (w, policy->admins, policy->n_admins * IDENTITY_KEY_LEN);
  writer_uint (w, policy->admission, 1);
  writer_uint (w, policy->locked, 1);
  writer_uint (w, policy->screen_share, 1);
  writer_uint (w, policy->recording, 1);
  writer_uint (w, policy->consent, 1);
  writer_uint (w, policy->hand_over, 1);
  writer_uint (w, policy->sframe_suite, 2);
  writer_uint (w, policy->epoch_bits, 1);
  writer_uint (w, policy->index_bits, 1);
  writer_uint (w, policy->max_members, 2);
}

static bool
read_flag (Reader *in)
{
  uint64_t value = reader_uint (in, 1);
  if (value > 1)
    in->failed = true;
  return value == 1;
}

PolicyResult
policy_parse (Reader in, Policy *out)
{
  Policy policy = { .version = (uint8_t) reader_uint (&in, 1) };
  if (!in.failed && policy.version != POLICY_VERSION)
    return POLICY_OTHER_VERSION;

  MlsSlice meeting = mls_read_opaque (&in);
  if (meeting.len > DOOR_MAX_MEETING
      || !door_meeting_is_valid ((const char *) meeting.data, meeting.len))
    return POLICY_MALFORMED;
  memcpy (policy.meeting, meeting.data, meeting.len);
  policy.opened = reader_uint (&in, 8);
  const uint8_t *owner = reader_take (&in, IDENTITY_KEY_LEN);
  MlsSlice admins = mls_read_opaque (&in);
  if (in.failed || admins.len % IDENTITY_KEY_LEN != 0
      || admins.len / IDENTITY_KEY_LEN > LIMIT_ADMINS)
    return POLICY_MALFORMED;
  memcpy (policy.owner, owner, IDENTITY_KEY_LEN);
  policy.n_admins = admins.len / IDENTITY_KEY_LEN;
  if (admins.len > 0)
    memcpy (policy.admins, admins.data, admins.len);
  policy.admission = (Admission) reader_uint (&in, 1);
  policy.locked = read_flag (&in);
  policy.screen_share = (Who) reader_uint (&in, 1);
  policy.recording = (Who) reader_uint (&in, 1);
  policy.consent = read_flag (&in);
  policy.hand_over = (HandOver) reader_uint (&in, 1);
  policy.sframe_suite = (uint16_t) reader_uint (&in, 2);
  policy.epoch_bits = (uint8_t) reader_uint (&in, 1);
  policy.index_bits = (uint8_t) reader_uint (&in, 1);
  policy.max_members = (uint16_t) reader_uint (&in, 2);
  if (!reader_done (&in) || !policy_is_sound (&policy))
    return POLICY_MALFORMED;
  *out = policy;
  return POLICY_OK;
}

bool
policy_is_owner (const Policy *policy, const uint8_t *key)
{
  return key_equal (policy->owner, key);
}

/* Where `key` is, or would be. */
static size_t
find_admin (const Policy *policy, const uint8_t *key, bool *there)
{
  size_t i = 0;
  while (i < policy->n_admins && key_order (policy->admins[i], key) < 0)
    i++;
  *there = i < policy->n_admins && key_equal (policy->admins[i], key);
  return i;
}

bool
policy_is_admin (const Policy *policy, const uint8_t *key)
{
  bool there;
  find_admin (policy, key, &there);
  return there || policy_is_owner (policy, key);
}

bool
policy_add_admin (Policy *policy, const uint8_t *key)
{
  bool there;
  size_t i = find_admin (policy, key, &there);
  if (there || policy_is_owner (policy, key)
      || policy->n_admins == LIMIT_ADMINS)
    return false;
  memmove (policy->admins[i + 1], policy->admins[i],
      (policy->n_admins - i) * IDENTITY_KEY_LEN);
  memcpy (policy->admins[i], key, IDENTITY_KEY_LEN);
  policy->n_admins++;
  return true;
}

bool
policy_drop_admin (Policy *policy, const uint8_t *key)
{
  bool there;
  size_t i = find_admin (policy, key, &there);
  if (!there)
    return false;
  policy->n_admins--;
  memmove (policy->admins[i], policy->admins[i + 1],
      (policy->n_admins - i) * IDENTITY_KEY_LEN);
  return true;
}

bool
policy_equal (const Policy *a, const Policy *b)
{
  return policy_same_constants (a, b) && key_equal (a->owner, b->owner)
         && a->n_admins == b->n_admins
         && memcmp (a->admins, b->admins, a->n_admins * IDENTITY_KEY_LEN) == 0
         && a->admission == b->admission && a->locked == b->locked
         && a->screen_share == b->screen_share && a->recording == b->recording
         && a->consent == b->consent && a->hand_over == b->hand_over
         && a->max_members == b->max_members;
}

bool
policy_same_constants (const Policy *a, const Policy *b)
{
  return a->version == b->version && strcmp (a->meeting, b->meeting) == 0
         && a->opened == b->opened && a->sframe_suite == b->sframe_suite
         && a->epoch_bits == b->epoch_bits && a->index_bits == b->index_bits;
}

void
role_write (Writer *w, Role role)
{
  writer_uint (w, role, 1);
}

bool
role_parse (Reader in, Role *out)
{
  uint64_t role = reader_uint (&in, 1);
  if (!reader_done (&in) || role < ROLE_PARTICIPANT || role > ROLE_RECORDER)
    return false;
  *out = (Role) role;
  return true;
}

const char *
role_name (Role role)
{
  return role >= ROLE_PARTICIPANT && role <= ROLE_RECORDER
             ? role_names[role - 1]
             : NULL;
}

const char *
admission_name (Admission admission)
{
  return admission >= ADMISSION_WAITING_ROOM && admission <= ADMISSION_OPEN
             ? admission_names[admission - 1]
             : NULL;
}

bool
admission_from_name (const char *name, Admission *out)
{
  for (int i = 0; i < 4; i++)
    if (strcmp (admission_names[i], name) == 0) {
      *out = (Admission) (i + 1);
      return true;
    }
  return false;
}

/* ---- Display names ---- */

/* Bidi_Control (UAX #9), written down here: a property from a library would be another one in another version. */
static bool
is_forbidden (ucs4_t c)
{
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e
         || c == 0x200f || (c >= 0x2028 && c <= 0x202e)
         || (c >= 0x2066 && c <= 0x2069);
}

bool
name_is_valid (const char *name, size_t len)
{
  const uint8_t *at = (const uint8_t *) name;

  if (len == 0 || len > LIMIT_NAME || u8_check (at, len))
    return false;
  for (size_t left = len; left > 0;) {
    ucs4_t c;
    int n = u8_mbtoucr (&c, at, left);
    if (n <= 0 || is_forbidden (c))
      return false;
    at += n;
    left -= (size_t) n;
  }
  return true;
}

bool
name_is_normal (const char *name, size_t len)
{
  uint8_t room[3 * LIMIT_NAME * 4];
  size_t got = sizeof room;

  if (len > LIMIT_NAME)
    return false;
  uint8_t *normal =
      u8_normalize (UNINORM_NFC, (const uint8_t *) name, len, room, &got);
  bool same = normal && got == len && memcmp (normal, name, len) == 0;
  if (normal && normal != room)
    free (normal);
  return same;
}
