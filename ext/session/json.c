/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <json-glib/json-glib.h>
#include <sodium.h>
#include <string.h>

#define MAX_DIGITS 16 /* of 2^53 - 1 */
#define MAX_TEXT_ITEM 512

Blob
blob_copy (const void *data, size_t len)
{
  Blob blob = { g_malloc (len > 0 ? len : 1), len };
  if (len > 0)
    memcpy (blob.data, data, len);
  return blob;
}

void
blob_clear (Blob *blob)
{
  g_free (blob->data);
  *blob = (Blob){ NULL, 0 };
}

/* ---- base64url ---- */

char *
b64_write (const void *data, size_t len)
{
  size_t room = sodium_base64_encoded_len (
      len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  char *text = g_malloc (room);
  return sodium_bin2base64 (
      text, room, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool
b64_read (const char *text, size_t len, size_t max, Blob *out)
{
  size_t room = len / 4 * 3 + 3, got = 0;
  const char *end = NULL;

  if (room > max + 3)
    return false;
  /* libsodium 1.0.18 takes some bytes above 127 for letters of the alphabet. */
  for (size_t i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return false;
  uint8_t *data = g_malloc (room);
  /* libsodium refuses bits behind the last byte that are not 0, so that bytes have one text. */
  if (sodium_base642bin (data, room, text, len, NULL, &got, &end,
          sodium_base64_VARIANT_URLSAFE_NO_PADDING)
          != 0
      || end != text + len || got > max) {
    g_free (data);
    return false;
  }
  *out = (Blob){ data, got };
  return true;
}

/* ---- What json-glib must not see ---- */

typedef struct
{
  const char *at, *end;
  unsigned depth;
} Scan;

/* A string, from its opening quote; leaves `at` behind the closing one. */
static bool
scan_string (Scan *scan)
{
  for (scan->at++; scan->at < scan->end; scan->at++) {
    unsigned char c = (unsigned char) *scan->at;
    if (c == '"') {
      scan->at++;
      return true;
    }
    if (c < 0x20)
      return false;
    if (c != '\\')
      continue;
    if (++scan->at == scan->end)
      return false;
    if (*scan->at == 'u'
        && (scan->end - scan->at < 5 || memcmp (scan->at + 1, "0000", 4) == 0))
      return false;
  }
  return false;
}

static bool
scan_digits (Scan *scan)
{
  size_t digits = 0;
  while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
    scan->at++;
    digits++;
  }
  return digits <= MAX_DIGITS;
}

bool
json_scan (const char *text, size_t len)
{
  Scan scan = { text, text + len, 0 };

  if (len == 0 || *text != '{' || !g_utf8_validate (text, (gssize) len, NULL))
    return false;
  while (scan.at < scan.end) {
    char c = *scan.at;
    if (c == '"') {
      if (!scan_string (&scan))
        return false;
      continue;
    }
    if (c >= '0' && c <= '9') {
      if (!scan_digits (&scan))
        return false;
      continue;
    }
    if (c == '{' || c == '[') {
      if (++scan.depth > LIMIT_NESTING)
        return false;
    } else if (c == '}' || c == ']') {
      if (--scan.depth == 0)
        return scan.at + 1 == scan.end;
    } else if (!strchr ("+-.,: \t\r\n", c) && !g_ascii_isalpha (c)) {
      /* Comments and quotes of other kinds, which json-glib would take. */
      return false;
    }
    scan.at++;
  }
  return false;
}

/* ---- Reading fields ---- */

static bool
read_number (JsonNode *node, uint64_t min, uint64_t max, uint64_t *out)
{
  if (!JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return false;
  gint64 value = json_node_get_int (node);
  if (value < 0 || (uint64_t) value < min || (uint64_t) value > max
      || (uint64_t) value > LIMIT_NUMBER)
    return false;
  *out = (uint64_t) value;
  return true;
}

/* In place; NULL for another kind of value, or text that escapes made invalid. */
static const char *
read_text (JsonNode *node, uint64_t min, uint64_t max)
{
  if (!JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  const char *text = json_node_get_string (node);
  size_t len = strlen (text);
  return len >= min && len <= max && g_utf8_validate (text, -1, NULL) ? text
                                                                      : NULL;
}

static bool
read_blob (JsonNode *node, uint64_t min, uint64_t max, Blob *out)
{
  const char *text = read_text (node, 0, max / 3 * 4 + 4);
  if (!text || !b64_read (text, strlen (text), (size_t) max, out))
    return false;
  if (out->len >= min)
    return true;
  blob_clear (out);
  return false;
}

static bool
read_bytes (JsonNode *node, uint64_t len, uint8_t *out)
{
  Blob blob;
  if (!read_blob (node, len, len, &blob))
    return false;
  memcpy (out, blob.data, blob.len);
  blob_clear (&blob);
  return true;
}

static bool
read_name (JsonNode *node, const char *const *names, int *out)
{
  const char *text = read_text (node, 1, 64);
  for (int i = 0; text && names[i]; i++)
    if (strcmp (names[i], text) == 0) {
      *out = i + 1;
      return true;
    }
  return false;
}

static bool
read_stream (JsonNode *node, Stream *out)
{
  static const char *const names[] = { "ssrc", "rtx", "roc" };
  uint64_t values[3] = { 0 };

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return false;
  JsonObject *object = json_node_get_object (node);
  for (size_t i = 0; i < 3; i++) {
    JsonNode *member = json_object_get_member (object, names[i]);
    if (!member && i == 1)
      continue;
    if (!member || !read_number (member, 0, UINT32_MAX, &values[i]))
      return false;
  }
  *out = (Stream){ (uint32_t) values[0], (uint32_t) values[1],
    (uint32_t) values[2] };
  return true;
}

static bool
read_list (JsonNode *node, const Field *field, void *place)
{
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return false;
  JsonArray *array = json_node_get_array (node);
  guint count = json_array_get_length (array);
  if (count < field->min || count > field->max)
    return false;
  NumberList numbers = { 0 };
  KeyList keys = { 0 };
  TextList texts = { 0 };
  StreamList streams = { 0 };
  bool ok = true;

  switch (field->kind) {
    case FIELD_NUMBERS:
      numbers = (NumberList){ count, g_new (uint32_t, count) };
      for (guint i = 0; i < count && ok; i++) {
        uint64_t value = 0;
        ok = read_number (
            json_array_get_element (array, i), 0, UINT32_MAX, &value);
        numbers.at[i] = (uint32_t) value;
      }
      *(NumberList *) place = numbers;
      break;
    case FIELD_KEYS:
      keys = (KeyList){ count, g_malloc_n (count, sizeof *keys.at) };
      for (guint i = 0; i < count && ok; i++)
        ok = read_bytes (
            json_array_get_element (array, i), IDENTITY_KEY_LEN, keys.at[i]);
      *(KeyList *) place = keys;
      break;
    case FIELD_TEXTS:
      texts = (TextList){ count, g_new0 (char *, count) };
      for (guint i = 0; i < count && ok; i++) {
        const char *text =
            read_text (json_array_get_element (array, i), 1, MAX_TEXT_ITEM);
        ok = text != NULL;
        texts.at[i] = g_strdup (text);
      }
      *(TextList *) place = texts;
      break;
    default:
      streams = (StreamList){ count, g_new (Stream, count) };
      for (guint i = 0; i < count && ok; i++)
        ok = read_stream (json_array_get_element (array, i), &streams.at[i]);
      *(StreamList *) place = streams;
      break;
  }
  return ok; /* what was allocated is in the message, and freed with it */
}

static bool
read_field (JsonObject *object, const Field *field, void *message)
{
  void *place = (char *) message + field->offset;
  JsonNode *node = json_object_get_member (object, field->name);
  const char *text;

  if (!node)
    return field->optional;
  switch (field->kind) {
    case FIELD_NUMBER:
      return read_number (node, field->min, field->max, place);
    case FIELD_FLAG:
      if (!JSON_NODE_HOLDS_VALUE (node)
          || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
        return false;
      *(bool *) place = json_node_get_boolean (node);
      return true;
    case FIELD_TEXT:
      text = read_text (node, field->min, field->max);
      *(char **) place = g_strdup (text);
      return text != NULL;
    case FIELD_BYTES:
      return read_bytes (node, field->max, place);
    case FIELD_BLOB:
      return read_blob (node, field->min, field->max, place);
    case FIELD_NAME:
      return read_name (node, field->names, place);
    default:
      return read_list (node, field, place);
  }
}

static const Shape *
find_shape (
    const Shape *shapes, size_t n, unsigned from, const char *type, int number)
{
  for (size_t i = 0; i < n; i++)
    if ((shapes[i].from & from)
        && (type ? strcmp (shapes[i].type, type) == 0
                 : shapes[i].number == number))
      return &shapes[i];
  return NULL;
}

static void
clear_fields (const Shape *shape, void *message)
{
  for (size_t i = 0; i < shape->n_fields; i++) {
    const Field *field = &shape->fields[i];
    void *place = (char *) message + field->offset;
    switch (field->kind) {
      case FIELD_TEXT:
        g_clear_pointer ((char **) place, g_free);
        break;
      case FIELD_BLOB:
        blob_clear (place);
        break;
      case FIELD_NUMBERS:
        g_free (((NumberList *) place)->at);
        *(NumberList *) place = (NumberList){ 0 };
        break;
      case FIELD_KEYS:
        g_free (((KeyList *) place)->at);
        *(KeyList *) place = (KeyList){ 0 };
        break;
      case FIELD_TEXTS:
        for (size_t k = 0; k < ((TextList *) place)->count; k++)
          g_free (((TextList *) place)->at[k]);
        g_free (((TextList *) place)->at);
        *(TextList *) place = (TextList){ 0 };
        break;
      case FIELD_STREAMS:
        g_free (((StreamList *) place)->at);
        *(StreamList *) place = (StreamList){ 0 };
        break;
      default:
        break;
    }
  }
}

static JsonResult
read_object (JsonObject *object, const Shape *shapes, size_t n_shapes,
    unsigned from, void *message, int *type)
{
  JsonNode *node = json_object_get_member (object, "type");
  const char *name = node ? read_text (node, 1, 64) : NULL;
  if (!name)
    return JSON_MALFORMED;
  const Shape *shape = find_shape (shapes, n_shapes, from, name, 0);
  if (!shape)
    return JSON_UNKNOWN_TYPE;
  for (size_t i = 0; i < shape->n_fields; i++)
    if (!read_field (object, &shape->fields[i], message)) {
      clear_fields (shape, message);
      return JSON_MALFORMED;
    }
  *type = shape->number;
  return JSON_OK;
}

JsonResult
json_read (const char *text, size_t len, const Shape *shapes, size_t n_shapes,
    unsigned from, void *message, int *type)
{
  JsonResult result = JSON_MALFORMED;

  if (!json_scan (text, len))
    return JSON_MALFORMED;
  JsonParser *parser = json_parser_new_immutable ();
  if (json_parser_load_from_data (parser, text, (gssize) len, NULL)) {
    JsonNode *root = json_parser_get_root (parser);
    if (root && JSON_NODE_HOLDS_OBJECT (root))
      result = read_object (
          json_node_get_object (root), shapes, n_shapes, from, message, type);
  }
  g_object_unref (parser);
  return result;
}

void
json_clear (const Shape *shapes, size_t n_shapes, unsigned from, int type,
    void *message)
{
  const Shape *shape = find_shape (shapes, n_shapes, from, NULL, type);
  if (shape)
    clear_fields (shape, message);
}

/* ---- Writing ---- */

static void
write_base64 (GString *out, const void *data, size_t len)
{
  char *text = b64_write (data, len);
  g_string_append_c (out, '"');
  g_string_append (out, text);
  g_string_append_c (out, '"');
  g_free (text);
}

static bool
write_text (GString *out, const char *text, uint64_t min, uint64_t max)
{
  size_t len = strlen (text);
  if (len < min || len > max || !g_utf8_validate (text, -1, NULL))
    return false;
  g_string_append_c (out, '"');
  for (; *text; text++)
    if (*text == '"' || *text == '\\')
      g_string_append_printf (out, "\\%c", *text);
    else if ((unsigned char) *text < 0x20)
      g_string_append_printf (out, "\\u%04x", (unsigned) *text);
    else
      g_string_append_c (out, *text);
  g_string_append_c (out, '"');
  return true;
}

static bool
write_list (GString *out, const Field *field, const void *place)
{
  /* All lists begin alike. */
  size_t count = ((const NumberList *) place)->count;
  bool ok = count >= field->min && count <= field->max;

  g_string_append_c (out, '[');
  for (size_t i = 0; i < count && ok; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    if (field->kind == FIELD_NUMBERS) {
      g_string_append_printf (out, "%u", ((const NumberList *) place)->at[i]);
    } else if (field->kind == FIELD_KEYS) {
      write_base64 (out, ((const KeyList *) place)->at[i], IDENTITY_KEY_LEN);
    } else if (field->kind == FIELD_TEXTS) {
      ok = write_text (
          out, ((const TextList *) place)->at[i], 1, MAX_TEXT_ITEM);
    } else {
      const Stream *stream = &((const StreamList *) place)->at[i];
      g_string_append_printf (out, "{\"ssrc\":%u,", stream->ssrc);
      if (stream->rtx != 0)
        g_string_append_printf (out, "\"rtx\":%u,", stream->rtx);
      g_string_append_printf (out, "\"roc\":%u}", stream->roc);
    }
  }
  g_string_append_c (out, ']');
  return ok;
}

/* Whether an optional field is left out. */
static bool
is_absent (const Field *field, const void *place)
{
  switch (field->kind) {
    case FIELD_NUMBER:
      return *(const uint64_t *) place == 0;
    case FIELD_FLAG:
      return !*(const bool *) place;
    case FIELD_TEXT:
      return *(char *const *) place == NULL;
    case FIELD_BLOB:
      return ((const Blob *) place)->data == NULL;
    case FIELD_NAME:
      return *(const int *) place == 0;
    case FIELD_BYTES:
      return false;
    default:
      return ((const NumberList *) place)->count == 0;
  }
}

static bool
write_value (GString *out, const Field *field, const void *place)
{
  uint64_t number;
  const Blob *blob;
  int name;

  switch (field->kind) {
    case FIELD_NUMBER:
      number = *(const uint64_t *) place;
      g_string_append_printf (out, "%" G_GUINT64_FORMAT, number);
      return number >= field->min && number <= field->max
             && number <= LIMIT_NUMBER;
    case FIELD_FLAG:
      g_string_append (out, *(const bool *) place ? "true" : "false");
      return true;
    case FIELD_TEXT:
      return *(char *const *) place
             && write_text (
                 out, *(char *const *) place, field->min, field->max);
    case FIELD_BYTES:
      write_base64 (out, place, (size_t) field->max);
      return true;
    case FIELD_BLOB:
      blob = place;
      if (!blob->data || blob->len < field->min || blob->len > field->max)
        return false;
      write_base64 (out, blob->data, blob->len);
      return true;
    case FIELD_NAME:
      name = *(const int *) place;
      for (int i = 0; field->names[i]; i++)
        if (i + 1 == name)
          return write_text (out, field->names[i], 1, 64);
      return false;
    default:
      return write_list (out, field, place);
  }
}

char *
json_write (const Shape *shapes, size_t n_shapes, unsigned from, int type,
    const void *message, size_t *len)
{
  const Shape *shape = find_shape (shapes, n_shapes, from, NULL, type);
  if (!shape)
    return NULL;
  GString *out = g_string_sized_new (256);
  bool ok = true;

  g_string_append_printf (out, "{\"type\":\"%s\"", shape->type);
  for (size_t i = 0; i < shape->n_fields && ok; i++) {
    const Field *field = &shape->fields[i];
    const void *place = (const char *) message + field->offset;
    if (field->optional && is_absent (field, place))
      continue;
    g_string_append_printf (out, ",\"%s\":", field->name);
    ok = write_value (out, field, place);
  }
  g_string_append_c (out, '}');
  if (!ok) {
    g_string_free (out, TRUE);
    return NULL;
  }
  *len = out->len;
  return g_string_free (out, FALSE);
}
