/* The checks that the protocol asks for, by name, so that the simulation can show that it would notice if one were
 * missing.
 *
 * In the product SESSION_CHECK (name, condition) is `condition`, and nothing of this exists. With CONCLAVE_MUTATIONS,
 * which only the simulation's own build of this folder defines, a named check can be switched off while the program runs:
 * its condition is still evaluated and then taken as true. Some conditions are true of everything that ext/mls lets through
 * (a key once in a roster), and are here all the same, so that they don't depend on it. That a removal or a new policy comes
 * with a path is demanded by RFC 9420 itself and has no name here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* X (name, section, what holds when the check passes) */
#define SESSION_CHECKS(X)                                                                          \
  /* The joiner, before it sends Ta */                                                             \
  X (REPLY_SID, "3",                                                                               \
      "the reply belongs to the knock that is out: its transcript has our sid, Ya and ADa")        \
  X (REPLY_SUITE, "3", "the suite in ADb is one that we offered")                                  \
  X (REPLY_OWN_KEY, "3", "the host's key is not our own")                                          \
  X (REPLY_SIGNATURE, "3", "sigH is the host's")                                                   \
  X (REPLY_CHAIN, "3", "the chain leads from the pinned key to the host")                          \
  X (REPLY_GROUP, "4", "after `reopened`, ADb names that group")                                   \
  X (ONE_RUN_PER_ACT, "1",                                                                         \
      "without a pinned host a second proof waits for the person")                                 \
  /* The host */                                                                                   \
  X (KNOCK_SID_ONCE, "3", "a sid comes once")                                                      \
  X (KNOCK_BUDGET, "3",                                                                            \
      "the source, or the member, and the meeting have a reply left")                              \
  X (KNOCK_MEMBER_SIGNATURE, "3",                                                                  \
      "sigK, where a knock claims to be a member's")                                               \
  X (PROOF_TAG, "3", "Ta: the joiner has the password")                                            \
  X (PROOF_IN_TIME, "3", "the proof comes within 30 s and once")                                   \
  X (PROOF_BOX, "3", "boxJ opens")                                                                 \
  X (PROOF_KEY_PACKAGE, "3",                                                                       \
      "the key package is sound, for the group's suite, with our capabilities")                    \
  X (PROOF_LIFETIME, "3",                                                                          \
      "the key package's lifetime holds our clock and is not longer than 48 h either way")         \
  X (PROOF_REF, "3", "the key package is the one that ADa named")                                  \
  X (PROOF_REF_ONCE, "3", "a key package is committed once")                                       \
  X (PROOF_SIGNATURE, "3", "sigJ, by the key package's key")                                       \
  X (PROOF_NAME, "4",                                                                              \
      "the display name is NFC, short, without control or direction characters")                   \
  X (DECISION, "3", "a rule or a person let this joiner in")                                       \
  X (REMOVED_KEY, "4", "a removed key is refused")                                                 \
  X (ADMIT_AFTER_WIN, "3",                                                                         \
      "admit and Welcome leave only when our commit came back as the winner")                      \
  /* The joiner, on admit */                                                                       \
  X (ADMIT_TAG, "3", "Tb: the host has the password")                                              \
  X (ADMIT_BOX, "3", "boxH opens")                                                                 \
  X (WELCOME_HASH, "3", "the Welcome is the one whose SHA-256 is in boxH")                         \
  X (WELCOME_SIGNER, "3", "the GroupInfo was signed by the host's leaf")                           \
  X (WELCOME_GROUP, "3", "group_id and suite are ADb's")                                           \
  X (WELCOME_TREE, "4",                                                                            \
      "every leaf obeys the rules for leaves, no key twice")                                       \
  X (WELCOME_RECORDING, "4",                                                                       \
      "no leaf is a recorder's while recording is nobody's")                                       \
  X (WELCOME_POLICY, "4", "there are no more leaves than the policy allows")                       \
  X (WELCOME_MEETING, "3", "the policy is this meeting's")                                         \
  X (WELCOME_HOST_IS_ADMIN, "3", "owner or admins hold the host")                                  \
  X (WELCOME_OWN_LEAF, "3", "our leaf is the one that we sent")                                    \
  X (WELCOME_NO_EXTERNAL, "3", "the GroupInfo has no external_pub")                                \
  /* Commits */                                                                                    \
  X (COMMIT_BY_ADMIN, "4",                                                                         \
      "the committer's key is owner or in admins, in the old epoch")                               \
  X (COMMIT_MEMBER, "4", "the committer is a member: no external commit")                          \
  X (COMMIT_BY_VALUE, "4", "no proposal by reference")                                             \
  X (COMMIT_CONTENTS, "4", "nothing but Add, Remove, GroupContextExtensions")                      \
  X (COMMIT_PRIVATE, "4", "a PrivateMessage with empty authenticated_data")                        \
  X (COMMIT_LEAF, "4",                                                                             \
      "the committer's new leaf has the old one's key, credential, capabilities and extensions")   \
  X (COMMIT_EXTENSIONS, "4",                                                                       \
      "the extensions stay exactly required_capabilities and the policy")                          \
  X (COMMIT_CONSTANTS, "4",                                                                        \
      "version, meeting, opened, sframe_suite, epoch_bits, index_bits stay")                       \
  X (COMMIT_OWNER, "4", "owner changes only in the owner's own commit")                            \
  X (COMMIT_OWNER_LEAF, "4",                                                                       \
      "the owner's leaf goes only together with an Add of the same key")                           \
  X (COMMIT_LOCKED, "4",                                                                           \
      "no Add while the old policy is locked, save for a key removed here or an admin's")          \
  X (COMMIT_ADDED_LEAF, "4", "an added leaf obeys the rules for leaves")                           \
  X (COMMIT_KEY_ONCE, "4", "no key twice in the roster")                                           \
  X (COMMIT_FULL, "4", "at most max_members leaves")                                               \
  X (COMMIT_AN_ADMIN, "4", "an admin's leaf is among them")                                        \
  X (COMMIT_RECORDING, "4", "no recorder while recording is nobody")                               \
  X (COMMIT_WON, "4",                                                                              \
      "our own commit is merged only when it comes back in the order")                             \
  X (NO_STANDALONE, "4", "standalone proposals are dropped unread")                                \
  X (AHEAD_BY_COMMIT, "4",                                                                         \
      "others are ahead only where an admin sent a commit that we could not read")                 \
  X (ABREAST, "4", "who reads the group in its own epoch is not behind")                           \
  /* Reopening, hub restart */                                                                     \
  X (REOPENED_SIGNATURE, "4", "`reopened` is signed by our policy's owner")                        \
  X (REOPENED_LATER, "4", "with a greater `opened`")                                               \
  X (HERE_LEAF, "4",                                                                               \
      "`here` is of the leaf's member, not of who had it before")                                  \
  X (HERE_PEER, "4",                                                                               \
      "`here` names the place and challenge that ask to be attached")                              \
  /* Media keys */                                                                                 \
  X (KEY_CLOSES, "5", "keys of an old epoch close in time")                                        \
  X (KEY_LOW_BITS, "5", "an epoch with the same low bits closes at once")                          \
  X (KEY_REMOVED_LEAF, "5", "a removed leaf's tracks end with the commit")                         \
  X (TRACK_OF_ROLE, "6",                                                                           \
      "listeners and recorders announce no tracks, and only whom the policy lets shares a screen") \
  X (TRACK_BOUND, "6", "a leaf has at most 64 tracks open")                                        \
  X (TRACK_SSRC, "6", "a track does not claim another leaf's SSRC")                                \
  /* Messages among members */                                                                     \
  X (ADMINS_MESSAGE, "6",                                                                          \
      "`removed`, `end`, `mute-request` and `heartbeat` count only from whom they may come")       \
  X (HEARTBEAT_LAG, "6", "a heartbeat counts only when it is not late")                            \
  X (HEARTBEAT_STALE, "6", "no good heartbeat for 30 s is stale")                                  \
  X (HEARTBEAT_SILENT, "6", "no good heartbeat for 60 s stops sending")                            \
  X (HEARTBEAT_SPLIT, "6",                                                                         \
      "an admin unheard for 30 s while another is heard is a split")                               \
  X (HEARTBEAT_RETURN, "6",                                                                        \
      "whose message does not come back stops its heartbeats")                                     \
  X (MEMBERS_ONLY, "7",                                                                            \
      "transport, SSRCs and keys of the hop are taken only after `admitted`")

typedef enum
{
#define SESSION_CHECK_ENUM(name, section, what) CHECK_##name,
  SESSION_CHECKS (SESSION_CHECK_ENUM)
#undef SESSION_CHECK_ENUM
      SESSION_N_CHECKS
} SessionCheck;

#ifdef CONCLAVE_MUTATIONS

/* Switches the check called `name` ("REPLY_SUITE") off, for the whole process; false when there is none. All are on
 * again with NULL. */
bool session_check_switch_off (const char *name);
bool session_check_is_off (SessionCheck check);

/* For lists: name, section, meaning of check `i`. */
const char *session_check_name (SessionCheck check);
const char *session_check_section (SessionCheck check);
const char *session_check_meaning (SessionCheck check);

#define SESSION_CHECK(name, condition)                                        \
  ((condition) || session_check_is_off (CHECK_##name))

#else

#define SESSION_CHECK(name, condition) (condition)

#endif
