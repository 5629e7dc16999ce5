/* The actions of srtpprotect and srtpunprotect: keys, and where a stream stands. What each does and answers is in
 * docs/elements; all may be called from any thread, in any state.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpcommon.h"

static Secret *
secret_from_gbytes (GBytes *bytes)
{
  gsize len = 0;
  gconstpointer data = bytes ? g_bytes_get_data (bytes, &len) : NULL;
  return data ? secret_copy (data, len) : NULL;
}

/* True for no error; else it is on the bus. */
static gboolean
report (ConclaveSrtpBase *self, const GError *error)
{
  if (error)
    srtp_base_post (self, GST_MESSAGE_WARNING, error);
  return error == NULL;
}

static gboolean
give_key (ConclaveSrtpBase *self, GBytes *bytes, GBytes *mki, gboolean next)
{
  SrtpConfig config = srtp_base_config (self);
  g_autoptr (Secret) key = secret_from_gbytes (bytes);
  g_autoptr (GError) error = NULL;

  g_mutex_lock (&self->lock);
  if (next && own_keys_in_force (self->own) > 0) {
    g_set_error_literal (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "Each SSRC has a key of its own here: change it with \"rekey-ssrc\"");
  } else if (srtp_base_ensure_session (self, &config, &error)) {
    SrtpResult result = srtp_base_give_key (self, key, mki, next);
    if (result != SRTP_OK)
      srtp_set_key_error (&error, result, &config, "The key");
  }
  g_mutex_unlock (&self->lock);
  if (!error) {
    GST_OBJECT_LOCK (self);
    self->cleared = FALSE;
    GST_OBJECT_UNLOCK (self);
  }
  return report (self, error);
}

static gboolean
set_key (ConclaveSrtpBase *self, GBytes *key, GBytes *mki)
{
  return give_key (self, key, mki, FALSE);
}

static gboolean
rekey (ConclaveSrtpBase *self, GBytes *key, GBytes *mki)
{
  return give_key (self, key, mki, TRUE);
}

static gboolean
rekey_ssrc (ConclaveSrtpBase *self, guint ssrc, GBytes *bytes, GBytes *mki)
{
  SrtpConfig config = srtp_base_config (self);
  const gchar *problem = srtp_config_problem (&config);
  g_autoptr (Secret) key = secret_from_gbytes (bytes);
  g_autoptr (GError) error = NULL;

  if (problem) {
    g_set_error (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The settings do not go together: %s", problem);
    return report (self, error);
  }
  g_mutex_lock (&self->lock);
  SrtpResult result =
      srtp_base_give_own_key (self, ssrc, &config, key, mki, TRUE, TRUE);
  if (result != SRTP_OK)
    srtp_set_key_error (&error, result, &config, "The key");
  g_mutex_unlock (&self->lock);
  return report (self, error);
}

static void
clear_keys (ConclaveSrtpBase *self)
{
  g_mutex_lock (&self->lock);
  if (self->session)
    srtp_session_retire (self->session);
  own_keys_retire (self->own);
  g_mutex_unlock (&self->lock);
}

static void
remove_key (ConclaveSrtpBase *self, guint ssrc)
{
  g_mutex_lock (&self->lock);
  own_keys_remove (self->own, ssrc);
  g_mutex_unlock (&self->lock);
}

/* --- Indices --- */

static gint64
get_index (ConclaveSrtpBase *self, guint ssrc)
{
  guint64 index = 0;

  g_mutex_lock (&self->lock);
  SrtpSession *session = srtp_base_session_of (self, ssrc);
  gboolean known = session && srtp_session_get_index (session, ssrc, &index);
  g_mutex_unlock (&self->lock);
  return known ? (gint64) index : -1;
}

static gint64
get_roc (ConclaveSrtpBase *self, guint ssrc)
{
  gint64 index = get_index (self, ssrc);
  return index < 0 ? -1 : index >> 16;
}

/* Without a key it may be the SSRC's own session that will want to know it. */
static gboolean
tell (ConclaveSrtpBase *self, guint ssrc, gboolean roc_only, guint64 index)
{
  SrtpConfig config = srtp_base_config (self);
  SrtpResult result = SRTP_FAILED;

  g_mutex_lock (&self->lock);
  SrtpSession *session = srtp_base_session_of (self, ssrc);
  if (session)
    result = roc_only ? srtp_session_set_roc (
                 session, ssrc, (guint32) (index >> 16))
                      : srtp_session_set_index (session, ssrc, index);
  gboolean ok = result == SRTP_OK;
  if (ok && config.direction == SRTP_RECEIVE
      && !srtp_session_has_key (session))
    ok = own_keys_tell (
        self->own, ssrc, (guint) config.max_ssrcs, roc_only, index);
  g_mutex_unlock (&self->lock);
  return ok;
}

static gboolean
set_index (ConclaveSrtpBase *self, guint ssrc, guint64 index)
{
  return tell (self, ssrc, FALSE, index);
}

static gboolean
set_roc (ConclaveSrtpBase *self, guint ssrc, guint roc)
{
  return tell (self, ssrc, TRUE, (guint64) roc << 16);
}

#define ACTION (G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION)

void
srtp_install_actions (GType type)
{
  g_signal_new_class_handler ("set-key", type, ACTION, G_CALLBACK (set_key),
      NULL, NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_BYTES, G_TYPE_BYTES);
  g_signal_new_class_handler ("rekey", type, ACTION, G_CALLBACK (rekey), NULL,
      NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_BYTES, G_TYPE_BYTES);
  g_signal_new_class_handler ("clear-keys", type, ACTION,
      G_CALLBACK (clear_keys), NULL, NULL, NULL, G_TYPE_NONE, 0);
  g_signal_new_class_handler ("get-roc", type, ACTION, G_CALLBACK (get_roc),
      NULL, NULL, NULL, G_TYPE_INT64, 1, G_TYPE_UINT);
  g_signal_new_class_handler ("set-roc", type, ACTION, G_CALLBACK (set_roc),
      NULL, NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_UINT, G_TYPE_UINT);
  g_signal_new_class_handler ("get-index", type, ACTION,
      G_CALLBACK (get_index), NULL, NULL, NULL, G_TYPE_INT64, 1, G_TYPE_UINT);
  g_signal_new_class_handler ("set-index", type, ACTION,
      G_CALLBACK (set_index), NULL, NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_UINT,
      G_TYPE_UINT64);
}

void
srtp_install_ssrc_actions (GType type)
{
  /**
   * ConclaveSrtpUnprotect::remove-key:
   * @self: the element
   * @ssrc: an SSRC
   *
   * Takes away the key that `request-key` or `rekey-ssrc` gave this SSRC, which is asked for again with its next packet.
   * ROC and replay window are kept for when the same key comes back. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("remove-key", type, ACTION,
      G_CALLBACK (remove_key), NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);

  /**
   * ConclaveSrtpUnprotect::rekey-ssrc:
   * @self: the element
   * @ssrc: an SSRC
   * @key: master key and salt
   * @mki: (nullable): the MKI of its packets
   *
   * Gives one SSRC a key of its own; if it has one, the next, and both are taken until its sender has moved. From any thread.
   *
   * Returns: %FALSE with a warning on the bus if the key is refused
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("rekey-ssrc", type, ACTION,
      G_CALLBACK (rekey_ssrc), NULL, NULL, NULL, G_TYPE_BOOLEAN, 3,
      G_TYPE_UINT, G_TYPE_BYTES, G_TYPE_BYTES);
}
