/* Our members, for a test that is not ours: a command on each line of standard input, its answer on one line of standard
 * output. Bytes are hexadecimal, absent ones "-".
 *
 *     person ID SUITE NOW             a person with a fresh key, and what the clock says
 *     key-package ID                  a key package of theirs
 *     create ID GROUP-ID              they create a group
 *     join ID WELCOME                 they join by their last key package
 *     commit ID PATH PUBLIC ADDS REMOVES    a commit that takes up what is pending, too: "COMMIT WELCOME"; ADDS and
 *                                     REMOVES are lists with commas
 *     merge ID                        their own commit has won
 *     drop ID                         it has lost
 *     propose ID PUBLIC (update | remove:LEAF)
 *     process ID MESSAGE              "application DATA", "proposal", "commit", "removed" or "error NAME"
 *     send ID DATA                    an application message
 *     state ID                        "EPOCH AUTHENTICATOR TREE-HASH BASE-KEY LEAF", or "none"
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../check/mls-members.h"

#define MAX_PEOPLE 32
#define MAX_LINE (1 << 23)

typedef struct
{
  Person person;
  uint64_t now;
  MlsKeyPackage *kp;
  MlsGroup *group;
  MlsStaged *own;
} Member;

static Member members[MAX_PEOPLE];

static MlsSlice
unhex (const char *text)
{
  size_t len = 0, room = strlen (text) / 2 + 1;
  uint8_t *out = malloc (room);
  if (strcmp (text, "-") != 0
      && sodium_hex2bin (out, room, text, strlen (text), NULL, &len, NULL)
             != 0)
    exit (2);
  return mls_slice (out, len); /* lives as long as the process: a test */
}

static void
print_hex (MlsSlice bytes, const char *after)
{
  if (bytes.len == 0)
    putchar ('-');
  for (size_t i = 0; i < bytes.len; i++)
    printf ("%02x", bytes.data[i]);
  fputs (after, stdout);
}

static void
answer (MlsResult result, MlsSlice bytes)
{
  if (result == MLS_OK)
    print_hex (bytes, "\n");
  else
    printf ("error %s\n", mls_result_name (result));
}

static void
do_key_package (Member *m)
{
  MlsClient client = person_client (&m->person);
  client.not_before = m->now - 3600;
  client.not_after = m->now + 86400;
  mls_key_package_free (m->kp);
  m->kp = NULL;
  MlsResult result = mls_key_package_new (&client, &m->kp);
  answer (result,
      result == MLS_OK ? mls_key_package_message (m->kp) : (MlsSlice){ 0 });
}

static void
do_create (Member *m, const char *group_id)
{
  MlsClient client = person_client (&m->person);
  client.not_before = m->now - 3600;
  client.not_after = m->now + 86400;
  answer (mls_group_create (
              &client, unhex (group_id), (MlsSlice){ 0 }, NULL, &m->group),
      (MlsSlice){ 0 });
}

static void
do_commit (
    Member *m, bool path, bool public_message, char *adds, char *removes)
{
  MlsSlice add[16];
  uint32_t remove[16];
  MlsCommitRequest request = { .add = add,
    .remove = remove,
    .pending = true,
    .path = path,
    .time = m->now,
    .grease = true,
    .handshake = { public_message, 256, { 0 } } };
  char *at;
  for (char *item = strtok_r (adds, ",", &at); item && strcmp (item, "-") != 0;
       item = strtok_r (NULL, ",", &at))
    add[request.n_add++] = unhex (item);
  for (char *item = strtok_r (removes, ",", &at);
       item && strcmp (item, "-") != 0; item = strtok_r (NULL, ",", &at))
    remove[request.n_remove++] = (uint32_t) strtoul (item, NULL, 10);
  mls_staged_free (m->own);
  m->own = NULL;
  MlsResult result = mls_group_commit (m->group, &request, &m->own);
  if (result != MLS_OK) {
    answer (result, (MlsSlice){ 0 });
    return;
  }
  print_hex (mls_staged_message (m->own), " ");
  print_hex (mls_staged_welcome (m->own), "\n");
}

static void
do_propose (Member *m, bool public_message, const char *what)
{
  MlsProposalRequest request = { .type = MLS_PROPOSAL_UPDATE };
  MlsHandshake how = { public_message, 64, { 0 } };
  MlsBuffer message = { 0 };
  if (strncmp (what, "remove:", 7) == 0) {
    request.type = MLS_PROPOSAL_REMOVE;
    request.removed = (uint32_t) strtoul (what + 7, NULL, 10);
  }
  MlsResult result = mls_group_propose (m->group, &request, &how, &message);
  answer (result, mls_buffer_slice (&message));
  mls_buffer_free (&message);
}

static void
do_process (Member *m, const char *text)
{
  MlsEvent event;
  MlsResult result = mls_group_process (m->group, unhex (text), 0, &event);
  if (result != MLS_OK) {
    printf ("error %s\n", mls_result_name (result));
  } else if (event.type == MLS_EVENT_APPLICATION) {
    fputs ("application ", stdout);
    print_hex (event.data, "\n");
  } else if (event.type == MLS_EVENT_PROPOSAL) {
    puts ("proposal");
  } else {
    MlsStaged *staged = event.commit;
    bool removed = mls_staged_info (staged).removes_us;
    event.commit = NULL;
    mls_staged_free (m->own);
    m->own = NULL;
    result = mls_group_merge (m->group, staged, 0);
    if (result != MLS_OK)
      printf ("error %s\n", mls_result_name (result));
    else
      puts (removed ? "removed" : "commit");
  }
  mls_event_clear (&event);
  if (mls_group_is_closed (m->group)) {
    mls_group_free (m->group);
    m->group = NULL;
  }
}

static void
do_state (const Member *m)
{
  if (!m->group) {
    puts ("none");
    return;
  }
  const MlsEpoch *epoch = mls_group_epoch (m->group);
  Secret *base_key =
      mls_epoch_export (epoch, "SFrame 1.0 Base Key", (MlsSlice){ 0 }, 32);
  printf ("%llu ", (unsigned long long) mls_epoch_number (epoch));
  print_hex (mls_slice (mls_epoch_authenticator (epoch), 32), " ");
  print_hex (mls_slice (mls_epoch_tree_hash (epoch), 32), " ");
  print_hex (mls_slice (secret_bytes (base_key), 32), " ");
  printf ("%u\n", mls_epoch_own_leaf (epoch));
  secret_unref (base_key);
}

static void
obey (char **word, int n)
{
  uint32_t id = n > 1 ? (uint32_t) strtoul (word[1], NULL, 10) : MAX_PEOPLE;
  if (id >= MAX_PEOPLE)
    exit (2);
  Member *m = &members[id];

  if (strcmp (word[0], "person") == 0 && n == 4) {
    m->person = person_new ((MlsSuite) strtoul (word[2], NULL, 10), id, NULL);
    m->now = strtoull (word[3], NULL, 10);
    puts ("ok");
  } else if (strcmp (word[0], "key-package") == 0) {
    do_key_package (m);
  } else if (strcmp (word[0], "create") == 0 && n == 3) {
    do_create (m, word[2]);
  } else if (strcmp (word[0], "join") == 0 && n == 3) {
    answer (mls_group_join (m->kp, unhex (word[2]), (MlsSlice){ 0 }, NULL, 0,
                NULL, &m->group),
        (MlsSlice){ 0 });
  } else if (strcmp (word[0], "commit") == 0 && n == 6) {
    do_commit (m, word[2][0] == '1', word[3][0] == '1', word[4], word[5]);
  } else if (strcmp (word[0], "merge") == 0) {
    MlsStaged *own = m->own;
    m->own = NULL;
    answer (mls_group_merge (m->group, own, 0), (MlsSlice){ 0 });
  } else if (strcmp (word[0], "drop") == 0) {
    mls_staged_free (m->own);
    m->own = NULL;
    puts ("ok");
  } else if (strcmp (word[0], "propose") == 0 && n == 4) {
    do_propose (m, word[2][0] == '1', word[3]);
  } else if (strcmp (word[0], "process") == 0 && n == 3) {
    do_process (m, word[2]);
  } else if (strcmp (word[0], "send") == 0 && n == 3) {
    MlsBuffer message = { 0 };
    MlsResult result = mls_group_protect (
        m->group, unhex (word[2]), (MlsSlice){ 0 }, 128, &message);
    answer (result, mls_buffer_slice (&message));
    mls_buffer_free (&message);
  } else if (strcmp (word[0], "state") == 0) {
    do_state (m);
  } else {
    exit (2);
  }
}

int
main (void)
{
  static char line[MAX_LINE];
  if (!core_init ())
    return 1;
  while (fgets (line, sizeof line, stdin)) {
    char *word[8], *at;
    int n = 0;
    for (char *w = strtok_r (line, " \n", &at); w && n < 8;
         w = strtok_r (NULL, " \n", &at))
      word[n++] = w;
    if (n > 0)
      obey (word, n);
    fflush (stdout);
  }
  return 0;
}
