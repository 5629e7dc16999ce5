/* Inside a session: what its files share. Each file is one idea:
 *
 *     session.c    life, time, and which file a frame goes to     outputs.c    what goes out
 *     hub.c        the connection, the place, open and attend     knock.c      the door, from outside
 *     host.c       the door, from inside                          budget.c     tokens for replies
 *     order.c      the hub's order: MLS messages, replay, merge   checks.c     what a commit and a Welcome must obey
 *     commits.c    our own commits, from what is wanted           admin.c      acts and duties of admins
 *     roster.c     who is there                                   keys.c       media keys
 *     talk.c       messages among members                         heartbeat.c  stale, split, undelivered
 *     record.c     an owner's sealed record
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "check.h"
#include "session.h"

#include "ext/mls/group.h"

#include <sodium.h>
#include <string.h>

/* ---- Token buckets (budget.c) ---- */

#define BUDGET_TOKEN                                                          \
  UINT64_C (                                                                  \
      43243200000) /* one token: a minute in ms times 720,720, which 1 to 16 divide */

typedef struct
{
  uint64_t level, updated;
} Bucket;

typedef struct
{
  GHashTable
      *sources; /* label, or "key " and a key's fingerprint, to Bucket */
  Bucket meeting;
} Budget;

/* What a reply was paid from, to give it back. */
typedef struct
{
  char *label;
  bool meeting;
} Payment;

void budget_init (Budget *budget, uint64_t now);
void budget_clear (Budget *budget);
bool budget_pay (Budget *budget, const char *source, const uint8_t *member,
    size_t admins, uint64_t now, Payment *out);
void budget_refund (Budget *budget, Payment *payment, size_t admins);
void payment_clear (Payment *payment);

/* ---- Things remembered so that they don't come twice: the last LIMIT_SEEN of 32 bytes ---- */

typedef struct
{
  GHashTable *set;
  GQueue order;
} Seen;

void seen_init (Seen *seen);
void seen_clear (Seen *seen);
bool seen_has (const Seen *seen, const void *what, size_t len);
void seen_add (Seen *seen, const void *what, size_t len);

/* ---- Somebody at our door (host.c) ---- */

typedef enum
{
  GUEST_REPLIED,  /* has our reply, owes a proof */
  GUEST_ASKED,    /* proved, and a person is asked */
  GUEST_ACCEPTED, /* to be added by our next commit */
  GUEST_COMMITTED /* in the commit that is out */
} GuestStage;

typedef struct
{
  uint64_t peer;
  GuestStage stage;
  uint64_t deadline; /* for the proof */
  Cpace *cpace;
  DoorTranscript transcript;
  DoorKnock knock;
  uint16_t suite;
  uint8_t reply_sig[IDENTITY_SIG_LEN];
  uint8_t tag[CPACE_TAG_LEN]; /* Ta */
  Blob box;                   /* boxJ */
  Payment payment;
  Blob key_package;
  uint8_t ref[DOOR_REF_LEN];
  uint8_t key[IDENTITY_KEY_LEN];
  char name[LIMIT_NAME + 1];
  Role role;
  bool decided; /* a rule or a person let it in */
} Guest;

/* Whom we have let in and not heard of since: the answer may be lost with our connection. */
typedef struct
{
  uint64_t peer, at;
  uint8_t key[IDENTITY_KEY_LEN];
} Admitted;

/* ---- The roster (roster.c) ---- */

typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  uint32_t leaf;
  char name[LIMIT_NAME + 1];
  Role role;
  uint64_t since_epoch; /* the first of its leaf that we know of */
  uint64_t since;       /* mono */
  uint64_t
      admin_since; /* mono; when it became an admin, or we came; 0 for none */
  uint64_t peer;
  bool hand;
  RecordingState recording;
  bool consented; /* to our wish to record */

  uint64_t n_highest,
      n_seen; /* of its messages: the highest n, and which of the 64 up to it were seen */
  int64_t track_highest; /* -1 for none */

  /* Its heartbeats, as an admin. */
  bool heard;
  int64_t least_difference; /* the smallest own clock - t */
  uint64_t good;            /* mono of the last good one; 0 for none */
  bool split;               /* was reported */
} Member;

/* Commits of an admin that were its own and could not be followed: remembered beyond the group, which we leave for each. */
typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  uint64_t at[LIMIT_BAD_PATHS]; /* mono, the latest first; 0 for none */
} BadPaths;

/* A track somebody announced, ours too. */
typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  uint32_t leaf;
  Track track;
  uint64_t since_epoch;
  GArray *keys; /* TrackKey, oldest first */
} OpenTrack;

typedef struct
{
  uint64_t epoch, kid;
  uint64_t closes; /* mono; UINT64_MAX while nothing says when */
} TrackKey;

typedef struct
{
  uint64_t epoch;
  Secret *base_key;
  uint64_t closes;
} OpenEpoch;

/* ---- What an admin wants of the group (commits.c) ---- */

typedef enum
{
  WISH_LOCK,
  WISH_POLICY,
  WISH_PROMOTE,
  WISH_DEMOTE,
  WISH_HAND_OVER, /* and stay, as an admin */
  WISH_GIVE_UP    /* hand over and leave */
} WishType;

typedef struct
{
  WishType type;
  bool locked;
  Policy policy;
  uint8_t key[IDENTITY_KEY_LEN];
  bool in_candidate;
} Wish;

/* A member to be removed. */
typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  uint64_t due; /* mono */
  bool person;  /* a person decided */
  bool bye; /* it said so itself; else the hub says that its place lapsed */
  uint32_t
      leaf; /* without a person: only while the member has this leaf, for it may have come back */
} Removal;

/* One of our messages that has not come back. */
typedef struct
{
  Message message;
  uint8_t hash[DOOR_HASH_LEN]; /* of the MLS message */
  Blob bytes;
  uint64_t sent; /* mono; 0 while it is not sent in this connection */
  bool
      again; /* it had come back before: a hub that forgot may not have given it to all */
} OwnMessage;

/* One that has come back. */
typedef struct
{
  Blob text;   /* JSON */
  uint64_t at; /* mono */
} SaidMessage;

typedef struct
{
  Blob bytes;
  uint64_t merged; /* mono */
  uint64_t epoch;  /* that it ended */
  bool seen;       /* in the order of the room that we are in */
  bool
      joined; /* the commit that added us, of which we have not the bytes: the first that comes */
} KeptCommit;

/* ---- Our own knock (knock.c) ---- */

typedef enum
{
  KNOCK_NONE,
  KNOCK_WISHED,  /* to be sent when there is a connection, or at `at` */
  KNOCK_SENT,    /* no reply yet */
  KNOCK_PROVED,  /* proof sent */
  KNOCK_ADMITTED /* boxH said yes; the Welcome is to come */
} KnockStage;

typedef struct
{
  KnockStage stage;
  uint64_t at;
  DoorTranscript transcript;
  DoorKnock offers;
  Cpace *cpace;
  MlsKeyPackage *key_packages[2];
  uint8_t reply_sig[IDENTITY_SIG_LEN];
  DoorReply reply;
  int64_t reply_difference; /* own clock - t */
  bool verified;            /* the host is pinned, or named by a chain */
  uint8_t tag[CPACE_TAG_LEN];
  Blob box;
  uint8_t welcome_hash[DOOR_HASH_LEN];
  Blob tracks;
  Blob welcome; /* came before the admit did */
  uint64_t welcome_seq;
  bool have_seq; /* `admitted` came */
  uint64_t seq;
  unsigned
      proofs; /* since the last act of the user, towards a host that nothing pins */
} Knock;

/* ---- The hub (hub.c) ---- */

typedef enum
{
  HUB_AWAY,      /* no connection; one is asked for at `connect_at` */
  HUB_ASKED,     /* the caller makes one */
  HUB_CONNECTED, /* `hello` is to come */
  HUB_RETURNING, /* `return` sent */
  HUB_GUEST,     /* has a place, but no member's */
  HUB_MEMBER     /* sends and gets frames */
} HubStage;

typedef enum
{
  ASKING_NOTHING,
  ASKING_OPEN,  /* `open` sent */
  ASKING_ATTEND /* `attend` sent */
} HubAsking;

typedef struct
{
  HubStage stage;
  uint64_t connect_at, backoff;
  uint64_t
      away_since; /* the connection was lost; 0 once it is back and what was unsaid is said */
  uint8_t spki_hash[LIMIT_SPKI_HASH];
  uint8_t challenge[LIMIT_CHALLENGE];
  bool
      have_place; /* that we hold; and this connection's, unless we return to the other */
  uint64_t peer, fresh_peer;
  uint8_t token[LIMIT_TOKEN], fresh_token[LIMIT_TOKEN];
  bool have_room;
  uint8_t room[LIMIT_ROOM];
  uint64_t seq, acked, ack_at; /* the last frame read; of `ack` */
  uint64_t replay_at,
      gap_since; /* frames left out: when to ask for them again, since when; 0 for none */

  uint64_t
      answer_by; /* `hello` or `returned` is to come; then the connection is given up */

  HubAsking asking;
  bool is_member; /* this place is a member's, for the hub */
  bool attending,
      is_owner; /* this place attends the door; it owns the meeting at the hub */
  uint64_t reopened_at; /* `reopened` was last said; 0 for never */
  uint64_t attend_at;   /* ask again; UINT64_MAX for never */
  unsigned attend_tries;
  bool attaching;
  uint64_t attach_at, attach_since;
  unsigned
      turned_away; /* our own knocks, as an owner whose group others are in */
  uint64_t knocks,
      credits; /* that the hub passed on since `opened`; that it may */
} Hub;

struct Session
{
  /* From the configuration; never changes. */
  Link link;
  bool owner;
  Role role;
  char name[LIMIT_NAME + 1];
  Identity *identity;
  Secret *seed;
  Secret *password;
  const Known *known;
  MlsSuite suite;
  Policy wanted;
  uint8_t (*allow_list)[IDENTITY_FINGERPRINT_LEN];
  size_t n_allow_list;
  uint8_t (*recorders)[IDENTITY_FINGERPRINT_LEN];
  size_t n_recorders;
  uint64_t rekey_interval;
  bool
      pinned; /* a host key's fingerprint, from the link, the known identities, or our own as the owner */
  uint8_t pin[IDENTITY_FINGERPRINT_LEN];

  uint64_t mono, wall;
  SessionState state;
  SessionStats stats;
  GQueue outputs, events;
  Hub hub;
  Knock knock;

  /* The group; NULL in none. */
  MlsGroup *group;
  Policy policy;
  char code[SECURITY_CODE_SIZE];
  GPtrArray *members; /* Member, by leaf */
  GPtrArray *
      admins; /* those of them that are owner or admin: looked at in each turn */
  Member *by_leaf[LIMIT_MEMBERS];
  uint64_t
      behind_since; /* others follow a commit that we can't read; 0: they don't */
  GArray *bad_paths; /* BadPaths */
  uint64_t rejoins[LIMIT_REJOINS];
  size_t n_rejoins;
  GQueue kept;         /* KeptCommit, oldest first */
  uint64_t expire_at;  /* when the oldest past epoch's keys go */
  uint64_t room_since; /* mono: this room has been here for us */
  uint64_t
      absent_at; /* mono: who has not come into a new room by then has gone */
  bool
      unread_commit; /* an admin sent a commit that we can't read, or frames are missing: others may be ahead */
  uint64_t probe_at; /* mono; the next word against a false alarm */
  bool
      fork_suspected; /* in this room another commit came first in an epoch that we left by ours: some have followed it */
  bool removed_by_person; /* `removed` named us */
  bool was_member;        /* of a group, whose last policy is in `policy` */
  bool reopening;         /* knocks for the group that `reopened` named */
  uint8_t reopened_group[DOOR_GROUP_ID_LEN];
  bool have_host;
  uint8_t host[IDENTITY_FINGERPRINT_LEN];
  bool host_verified;

  /* Media keys */
  GPtrArray *tracks; /* OpenTrack */
  GArray *epochs;    /* OpenEpoch, oldest first */
  uint32_t next_track;

  /* Messages */
  uint64_t n;
  GQueue own;  /* OwnMessage, oldest first */
  GQueue said; /* SaidMessage, oldest first: of the last minute */
  uint64_t heartbeat_at;
  uint64_t resend_at; /* while undelivered: say it all again */
  uint64_t
      stale_base; /* mono from which silence is counted when no heartbeat was good */
  bool stale, silenced, undelivered;

  /* As an admin */
  Budget budget;
  Seen sids, refs;
  GPtrArray *guests;   /* Guest */
  GArray *admitted;    /* Admitted */
  uint64_t batch_at;   /* commit what joins; 0 for nothing */
  bool commit_now;     /* a person waits for it */
  GPtrArray *wishes;   /* Wish */
  GPtrArray *removals; /* Removal */
  bool rekey_wished;
  uint64_t rekey_at;
  MlsStaged *candidate; /* our commit, on its way */
  uint64_t
      candidate_sent; /* mono; 0 while it is not sent in this connection */
  GPtrArray *removed; /* keys that a person removed */
  GArray *dismissed;  /* peers, of those whom our commits removed */
  bool held;          /* password and open admission */
  DoorChain chain;    /* ours */
  GHashTable *
      chains; /* of all admins, key to chain: how each shows that it was named; both GBytes */
  bool leaving; /* a hand-over first, then `bye` */
  bool
      heir_awaited; /* until who takes over is heard: it needs what we have signed for it */
  uint64_t leave_at; /* give up waiting */

  /* As the owner: the record */
  uint64_t record_opened;
  GHashTable *record_admitted; /* key to role */
  Blob record_content;         /* what was last given out, unsealed */
};

static inline const uint8_t *
self_key (const Session *session)
{
  return identity_public_key (session->identity);
}

/* ---- outputs.c ---- */

void out_connect (Session *session);
void out_disconnect (Session *session);
void out_text (Session *session, const WireMessage *message);
void out_frame (Session *session, WireKind kind, uint64_t seq,
    const void *message, size_t len);
void out_error (Session *session, uint64_t peer, WireCode code);
SessionEvent *out_event (
    Session *session, SessionEventType type); /* queued; fill it */
void out_member_event (
    Session *session, SessionEventType type, const Member *member);
void out_flag (Session *session, SessionEventType type, bool on);
void session_enter (
    Session *session, SessionState state, WireCode code, int64_t skew);

/* The end: wipes all but what the accessors tell. */
void session_finish (
    Session *session, SessionState state, WireCode code, int64_t skew);
bool session_is_over (const Session *session);

/* ---- hub.c ---- */

void hub_ask (Session *session, uint64_t at);
void hub_hello (Session *session, const WireMessage *m);
void hub_returned (Session *session, const WireMessage *m);
void hub_opened (Session *session, const WireMessage *m);
void hub_attached (Session *session, const WireMessage *m);
void hub_error (Session *session, const WireMessage *m);
void hub_reopened (Session *session, const WireMessage *m);
void hub_waiting (Session *session);
void hub_pass_time (Session *session);
uint64_t hub_due (const Session *session);
void hub_attend (
    Session *session); /* becomes, or is again, an admin at the hub */
void hub_tell_admins (
    Session *session); /* an owner at the hub: who may attend, who owns */
void hub_credits (Session *session);
void hub_dismiss (Session *session, uint64_t peer);
void hub_gone (Session *session, uint64_t peer);
void hub_attach_request (Session *session,
    const WireMessage *m); /* an admin: a member asks to be attached */
bool hub_is_member (const Session *session);
void hub_enter_room (Session *session); /* this place is a member's */
void hub_new_room (Session *session, const uint8_t *room, uint64_t seq);
bool hub_turned_away (
    Session *session); /* our knock was not answered; true: then we open */
void hub_open_group (Session *session); /* an owner's new group */

/* ---- knock.c ---- */

void knock_begin (Session *session, uint64_t at);
void knock_send (Session *session);
void knock_reply (Session *session, const WireMessage *m);
void knock_admit (Session *session, const WireMessage *m);
void knock_admitted (Session *session, const WireMessage *m);
void knock_welcome (Session *session, uint64_t seq, MlsSlice welcome);
void knock_again (Session *session, uint64_t after);
void knock_refused (Session *session, WireCode code, int64_t skew);
void knock_clear (Session *session);
void knock_tick (Session *session);
uint64_t knock_deadline (const Session *session);
MlsClient session_mls_client (const Session *session, MlsSuite suite,
    MlsExtension *role, uint8_t *role_byte);

/* ---- host.c ---- */

void host_knock (Session *session, const WireMessage *m);
void host_proof (Session *session, const WireMessage *m);
void host_gone (Session *session, uint64_t peer);
bool host_decide (Session *session, uint64_t peer, bool admit);
void host_refuse (Session *session, Guest *guest, DoorRefusal refusal,
    int64_t skew); /* frees the guest */
void host_admit_all (
    Session *session, uint64_t seq, MlsSlice welcome); /* our commit has won */
void host_heard_of (
    Session *session, const uint8_t *key); /* a member has said where it is */
void host_resend (
    Session *session); /* our connection is back: what the hub may not have */
void host_drop_guests (
    Session *session); /* we attend no more: each is sent `again` */
void host_recheck (Session
        *session); /* a new epoch: those accepted that it does not let in */
void host_tick (Session *session);
uint64_t host_deadline (const Session *session);
size_t host_replied (const Session *session);
void guest_free (Guest *guest);

/* ---- order.c ---- */

void order_frame (Session *session, const uint8_t *data, size_t len);
void order_take_group (Session *session, MlsGroup *group,
    const Policy *policy); /* joined or created */
void order_drop_group (Session *session);
void order_message (
    Session *session, WireKind kind, MlsSlice message, uint64_t seq);
void order_resend (Session *session, bool new_room);
void order_rejoin (Session *session);
void order_tick (Session *session);
uint64_t order_deadline (const Session *session);
void order_won (Session *session, uint64_t seq); /* our candidate */

/* ---- checks.c ---- */

typedef struct
{
  const uint8_t *key; /* in place */
  char name[LIMIT_NAME + 1];
  Role role;
} LeafFacts;

/* The rules for leaves of section 4; `out` gets what the leaf says. */
bool leaf_read (const MlsLeafNode *leaf, LeafFacts *out);

/* The GroupContext's extensions: exactly the two, the policy sound. POLICY_OTHER_VERSION is told apart. */
PolicyResult extensions_read (MlsSlice extensions, Policy *out);
bool extensions_write (const Policy *policy, MlsBuffer *out);

/* Whether `staged`, of the epoch that ends, obeys section 4; `out` gets the policy that it leads to. `removed_somebody`:
 * a key that is not in the roster afterwards. */
bool commit_is_valid (const MlsEpoch *epoch, const Policy *policy,
    const MlsStaged *staged, Policy *out, bool *removed_somebody);

/* A Welcome's group, as section 3 and 4 want it, in the checks' order. */
WireCode welcome_check (const Session *session, const MlsGroup *group,
    const Knock *knock, Policy *out, bool *ok);

/* ---- commits.c ---- */

void commits_want (
    Session *session, bool now); /* something is wanted; `now`: by a person */
void commits_tick (Session *session);
uint64_t commits_deadline (const Session *session);
void commits_drop_candidate (Session *session);
void commits_won (
    Session *session); /* before the merge: the candidate is taken */
void commits_resend (Session *session, uint64_t away);
void commits_cleanup (
    Session *session); /* after a merge: what is no longer to be done */
void commits_clear (Session *session);
bool commits_is_candidate (const Session *session, MlsSlice message);
Wish *commits_wish (Session *session, WishType type);
bool commits_is_leaving (const Session *session, const uint8_t *key);
Removal *commits_remove (Session *session, const Member *member, uint64_t due);

/* ---- admin.c ---- */

bool admin_is (
    const Session *session); /* we are owner or admin of the current policy */
size_t admin_count (const Session *session); /* admins in the roster */
size_t admin_rank (
    const Session *session); /* admins with a lower leaf than ours */
bool admin_removed_key (const Session *session, const uint8_t *key);
void admin_remember_removed (Session *session, const uint8_t *key);
void admin_leaver (Session *session, const Member *member, bool bye);
void admin_is_back (
    Session *session, const Member *member); /* whose place had lapsed */
void admin_epoch (Session *session, const Policy *before,
    bool own); /* what a new epoch asks of us */
void admin_chain (Session *session, const uint8_t *key, const Blob *chain);
GBytes *admin_find_chain (
    const Session *session, const uint8_t *key); /* borrowed, or NULL */
bool admin_can_show (const Session
        *session); /* that we were named, to who is pinned to another key */
void admin_name_all (
    Session *session); /* as the owner: whom no chain is known of */
void admin_enforce (
    Session *session); /* whom a person removed goes, wherever it came from */
void admin_heard (Session *session, const Member *member, uint64_t epoch);
void admin_hold (Session *session, bool held);
void admin_tick (Session *session);
uint64_t admin_deadline (const Session *session);

/* ---- roster.c ---- */

Member *roster_find (const Session *session, const uint8_t *key);
Member *roster_by_peer (const Session *session, uint64_t peer);
void roster_fill (Session *session); /* from the group that we came into */
void roster_apply (
    Session *session, const MlsStaged *staged); /* before the merge */
void roster_policy (Session *session); /* who is an admin since when */
void roster_clear (Session *session, bool tell);
void roster_describe (
    const Session *session, const Member *member, SessionMember *out);
void roster_describe_guest (
    const Session *session, const Guest *guest, SessionMember *out);

/* ---- keys.c ---- */

void keys_epoch (Session *session, bool removed_somebody);
bool keys_add_track (
    Session *session, const Member *member, const Track *track);
void keys_drop_track (Session *session, const uint8_t *key, uint32_t number);
void keys_drop_member (Session *session, const uint8_t *key);
void keys_clear (Session *session);
void keys_tick (Session *session);
uint64_t keys_deadline (const Session *session);
OpenTrack *keys_find_track (
    const Session *session, const uint8_t *key, uint32_t number);

/* ---- talk.c ---- */

bool talk_say (
    Session *session, Message *message); /* takes what `message` holds */
void talk_take (
    Session *session, uint32_t leaf, uint64_t epoch, Message *message);
void talk_content (
    Session *session, Member *member, Message *message, bool snapshot);
bool talk_returned (Session *session, MlsSlice message);
void talk_merged (
    Session *session); /* a new epoch: says again what has not come back */
void talk_resend (Session *session, uint64_t away);
void talk_repeat (Session *session); /* in a new room */
void talk_clear (Session *session);
void talk_announce (
    Session *session); /* present and our tracks, in a group we came into */
Blob talk_snapshot (Session *session);
void talk_read_snapshot (Session *session, const Blob *tracks);
Blob talk_here (Session *session);

/* ---- heartbeat.c ---- */

void beat_take (Session *session, Member *member, uint64_t t);
void beat_start (Session *session); /* in a group from now on */
void beat_now (Session *session);   /* an admin shows that it is there */
const Member *beat_reference (const Session *
        session); /* whose word counts about where the group is; NULL for nobody's */
void beat_first (Session *session, Member *host, int64_t difference);
void beat_tick (Session *session);
uint64_t beat_deadline (const Session *session);

/* ---- record.c ---- */

bool record_open (Session *session, const void *record, size_t len);
void record_update (Session *session);
