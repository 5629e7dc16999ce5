/* What mls-vectors.c and mls-vectors-group.c share: a case of an official file is a JSON object; a check that fails
 * says what and where, and the case goes on to fail.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "ext/mls/codec.h"

typedef struct
{
  MlsSuite suite; /* of the case, when it names one */
  JsonNode *node; /* the case */
  JsonObject *object;
  gboolean failed;
  const char *file;
  guint index;
} Case;

/* Ran or skipped: FALSE when the case has nothing for us, as another suite's. */
typedef gboolean (*CaseFunc) (Case *c);

/* Bytes of a hexadecimal string; freed with the arena at the end of the case. */
MlsSlice hex (Case *c, const char *text);
MlsSlice hex_of (Case *c, JsonObject *object, const char *member);
gboolean has (JsonObject *object, const char *member);
void check (Case *c, gboolean holds, const char *what, ...)
    G_GNUC_PRINTF (3, 4);
void check_bytes (
    Case *c, const void *got, gsize len, MlsSlice want, const char *what);

/* A 64-byte signature key from the 32-byte seed that the files hold. */
void secret_key_from_seed (MlsSlice seed, guint8 *secret_key);

gboolean run_tree_validation (Case *c);
gboolean run_treekem (Case *c);
gboolean run_welcome (Case *c);
gboolean run_tree_operations (Case *c);
gboolean run_passive_client (Case *c);
