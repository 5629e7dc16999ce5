/* What the two sides tell each other. The rules by which they meet stand in agentlinks.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agentpriv.h"

#include <sodium.h>
#include <string.h>

#define GST_CAT_DEFAULT conclave_ice_debug

#define DESCRIPTION_SIZE                                                      \
  (ICE_DESCRIPTION_ROOM + (ICE_MAX_CANDIDATES + 1) * ICE_CANDIDATE_ROOM)

static char *
description_text (const IceDescription *d)
{
  char *text = g_malloc (DESCRIPTION_SIZE);
  Writer out = writer_init (text, DESCRIPTION_SIZE - 1);
  ice_description_write (&out, d);
  text[writer_len (&out)] = '\0';
  return text;
}

static gboolean
was_published (IceAgent *agent, const IceCandidate *c)
{
  for (gsize i = 0; i < agent->n_published; i++)
    if (ice_candidate_same_target (&agent->published[i], c))
      return TRUE;
  return FALSE;
}

static void
write_file (IceAgent *agent, const char *text)
{
  g_autoptr (GError) error = NULL;
  const char *location = agent->config.local_location;
  if (!location || signal_file_write (location, text, &error))
    return;
  g_autofree char *what =
      g_strdup_printf ("Cannot write the ICE description to \"%s\": %s.",
          location, error->message);
  ice_agent_fail (agent, what, NULL);
}

void
ice_agent_publish (IceAgent *agent, IceLink *link)
{
  g_autofree IceDescription *d = g_new (IceDescription, 1);
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_free);

  ice_link_describe (link, d);
  if (d->n_candidates == 0 && !d->end_of_candidates)
    return;
  gboolean renewed = strcmp (d->ufrag, agent->published_ufrag) != 0;
  if (renewed)
    agent->n_published = 0;
  for (gsize i = 0; i < d->n_candidates; i++) {
    char line[ICE_CANDIDATE_ROOM + 1];
    Writer out = writer_init (line, ICE_CANDIDATE_ROOM);
    if (was_published (agent, &d->candidates[i]))
      continue;
    ice_candidate_write (&out, &d->candidates[i]);
    line[writer_len (&out)] = '\0';
    g_ptr_array_add (fresh, g_strdup (line));
  }
  if (!renewed && fresh->len == 0 && d->n_candidates == agent->n_published
      && d->end_of_candidates == agent->published_end)
    return;
  g_strlcpy (agent->published_ufrag, d->ufrag, sizeof agent->published_ufrag);
  memcpy (agent->published, d->candidates, sizeof agent->published);
  agent->n_published = d->n_candidates;
  agent->published_end = d->end_of_candidates;

  char *text = description_text (d);
  g_mutex_lock (&agent->lock);
  char *old = agent->local_description;
  agent->local_description = text;
  g_mutex_unlock (&agent->lock);
  g_free (old);
  g_autofree char *copy = ice_agent_dup_local_description (agent);
  write_file (agent, copy);
  agent->events.described (agent->user);
  for (guint i = 0; i < fresh->len; i++)
    agent->events.candidate (g_ptr_array_index (fresh, i), agent->user);
}

/* A server that gave no candidate is the user's to repair, and the pairs without it may work all the same. */
void
ice_agent_complain_about_servers (IceAgent *agent, IceLink *link)
{
  g_autofree IceDescription *d = g_new (IceDescription, 1);
  gboolean srflx = FALSE, relay = FALSE;
  const IceConfig *config = &agent->config.link;

  if (agent->told_gathered)
    return;
  ice_link_describe (link, d);
  if (!d->end_of_candidates)
    return;
  agent->told_gathered = TRUE;
  for (gsize i = 0; i < d->n_candidates; i++) {
    srflx |= d->candidates[i].type == ICE_SRFLX;
    relay |= d->candidates[i].type == ICE_RELAY;
  }
  if (config->n_turn && !relay)
    agent->events.warned (
        "No TURN server gave a relay address: check their addresses, users and passwords.",
        "the servers in \"turn-servers\" did not answer, or refused us",
        agent->user);
  /* A server that sees us under a local address gives no candidate of its own: libnice drops the duplicate. So this
   * is worth a line in the log, not a warning. */
  if (config->stun.host[0] && !srflx && !config->force_relay)
    GST_INFO (
        "the STUN server gave no address that differs from the local ones");
}

static gboolean
was_seen (IceAgent *agent, const char *ufrag)
{
  for (guint i = 0; i < MIN (agent->n_seen, ICE_MAX_SEEN); i++)
    if (strcmp (agent->seen[i], ufrag) == 0)
      return TRUE;
  return FALSE;
}

static void
remember_seen (IceAgent *agent, const char *ufrag)
{
  g_strlcpy (
      agent->seen[agent->n_seen++ % ICE_MAX_SEEN], ufrag, ICE_MAX_UFRAG + 1);
}

static void
count_skipped (IceAgent *agent, gsize n)
{
  g_mutex_lock (&agent->lock);
  agent->stats.candidates_skipped += n;
  g_mutex_unlock (&agent->lock);
}

static gboolean
merge_candidate (IceAgent *agent, const IceCandidate *c)
{
  IceDescription *remote = &agent->remote;
  for (gsize i = 0; i < remote->n_candidates; i++)
    if (ice_candidate_same_target (&remote->candidates[i], c))
      return FALSE;
  if (remote->n_candidates == ICE_MAX_CANDIDATES) {
    count_skipped (agent, 1);
    return FALSE;
  }
  remote->candidates[remote->n_candidates++] = *c;
  return TRUE;
}

static void
keep_early_candidate (IceAgent *agent, const IceCandidate *c)
{
  for (guint i = 0; i < agent->n_early; i++)
    if (ice_candidate_same_target (&agent->early[i], c)
        && strcmp (agent->early[i].ufrag, c->ufrag) == 0)
      return;
  if (agent->n_early < ICE_MAX_EARLY)
    agent->early[agent->n_early++] = *c;
  else
    count_skipped (agent, 1);
}

static void
take_early_candidates (IceAgent *agent)
{
  for (guint i = 0; i < agent->n_early; i++) {
    const IceCandidate *c = &agent->early[i];
    if (c->ufrag[0] == '\0' || strcmp (c->ufrag, agent->remote.ufrag) == 0)
      merge_candidate (agent, c);
    else
      count_skipped (agent, 1);
  }
  agent->n_early = 0;
}

/* The remote description has more candidates, or has become another one while nothing is connected. */
static void
check_remote (IceAgent *agent)
{
  IceLink *link = agent->pending ? agent->pending : agent->active;

  if (agent->pending
      && ((ice_agent_wants_loopback (agent)
              && !ice_link_has_loopback (agent->pending))
          || (agent->remote.lite
              && !ice_link_is_controlling (agent->pending)))) {
    ice_agent_make_pending (agent, TRUE);
    link = agent->pending;
  }
  if (link && !agent->answer)
    ice_agent_hand_remote (agent, link);
  ice_agent_update_sources (agent);
  ice_agent_sync_links (agent);
}

/* Counts what was skipped in a description of the same far end. It grows, and so comes whole again; or what is new comes
 * alone. */
static void
count_skipped_again (IceAgent *agent, const IceDescription *d)
{
  gboolean whole = d->n_candidates == 0;

  for (gsize i = 0; i < d->n_candidates; i++)
    for (gsize k = 0; k < agent->remote.n_candidates; k++)
      whole |= ice_candidate_same_target (
          &d->candidates[i], &agent->remote.candidates[k]);
  if (!whole) {
    count_skipped (agent, d->skipped);
    agent->remote.skipped += d->skipped;
  } else if (d->skipped > agent->remote.skipped) {
    count_skipped (agent, d->skipped - agent->remote.skipped);
    agent->remote.skipped = d->skipped;
  }
}

static void
apply_description (IceAgent *agent, const IceDescription *d)
{
  if (strcmp (d->ufrag, agent->remote.ufrag) == 0
      && strcmp (d->pwd, agent->remote.pwd) == 0) {
    count_skipped_again (agent, d);
    for (gsize i = 0; i < d->n_candidates; i++)
      merge_candidate (agent, &d->candidates[i]);
    agent->remote.end_of_candidates |= d->end_of_candidates;
    check_remote (agent);
    return;
  }
  if (was_seen (agent, d->ufrag)) {
    GST_INFO ("a description of before came late; left out");
    return;
  }
  count_skipped (agent, d->skipped);
  remember_seen (agent, d->ufrag);
  agent->remote = *d;
  take_early_candidates (agent);
  ice_clear_source (&agent->answer);
  if (agent->active && !agent->pending) {
    g_mutex_lock (&agent->lock);
    agent->stats.restarts++;
    g_mutex_unlock (&agent->lock);
    GST_INFO ("the far end restarts");
    ice_agent_renew_link (agent);
  }
  check_remote (agent);
}

void
ice_agent_take_description (const char *text, gsize len, gpointer user)
{
  IceAgent *agent = user;
  if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  g_autofree IceDescription *d = g_new (IceDescription, 1);
  IceParseResult result = ice_description_parse (text, len, d);
  if (result != ICE_PARSE_OK) {
    g_autofree char *why =
        g_strdup_printf ("The far end's ICE description was left out: %s.",
            ice_parse_result_text (result));
    g_mutex_lock (&agent->lock);
    gboolean first = agent->stats.descriptions_refused++ == 0;
    g_mutex_unlock (&agent->lock);
    GST_DEBUG ("%s", why);
    if (first)
      agent->events.warned (why,
          "it should be an application/trickle-ice-sdpfrag of RFC 8840",
          agent->user);
    return;
  }
  apply_description (agent, d);
  sodium_memzero (d, sizeof *d);
}

void
ice_agent_take_candidate (IceAgent *agent, const char *text)
{
  IceCandidate c;

  if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  /* A whole fragment is as good, and says which credentials it belongs to. */
  if (strstr (text, "ice-ufrag:")) {
    ice_agent_take_description (text, strlen (text), agent);
    return;
  }
  if (ice_candidate_parse (text, strlen (text), &c) != ICE_PARSE_OK) {
    count_skipped (agent, 1);
    return;
  }
  if (!agent->remote.ufrag[0]
      || (c.ufrag[0] && strcmp (c.ufrag, agent->remote.ufrag) != 0)) {
    keep_early_candidate (agent, &c);
    return;
  }
  if (merge_candidate (agent, &c))
    check_remote (agent);
}
