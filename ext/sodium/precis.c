/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "precis.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <unigbrk.h>
#include <uninorm.h>
#include <unistr.h>

#define ZWNJ 0x200c
#define ZWJ 0x200d

/* Normalization form C needs at most three times the code points (UAX #15, "Maximum Expansion Factor"). */
#define MAX_GROWTH 3

typedef struct
{
  const uint32_t *cp;
  size_t len;
} String;

static bool
in_range (uint32_t cp, uint32_t first, uint32_t last)
{
  return cp >= first && cp <= last;
}

static bool
has_script (uint32_t cp, const char *name)
{
  const uc_script_t *script = uc_script (cp);
  return script && strcmp (script->name, name) == 0;
}

static bool
has_any_in (String s, uint32_t first, uint32_t last)
{
  for (size_t i = 0; i < s.len; i++)
    if (in_range (s.cp[i], first, last))
      return true;
  return false;
}

/* RFC 5892, A.1: a joining letter before and after, with only transparent ones between. */
static bool
joins_cursively (String s, size_t at)
{
  size_t before = at, after = at + 1;

  while (before > 0 && uc_joining_type (s.cp[before - 1]) == UC_JOINING_TYPE_T)
    before--;
  while (after < s.len && uc_joining_type (s.cp[after]) == UC_JOINING_TYPE_T)
    after++;
  if (before == 0 || after == s.len)
    return false;
  int left = uc_joining_type (s.cp[before - 1]),
      right = uc_joining_type (s.cp[after]);
  return (left == UC_JOINING_TYPE_L || left == UC_JOINING_TYPE_D)
         && (right == UC_JOINING_TYPE_R || right == UC_JOINING_TYPE_D);
}

/* RFC 5892, A.1 and A.2: the joiners (class JoinControl, CONTEXTJ) */
static bool
joiner_is_in_place (String s, size_t at)
{
  if (at > 0 && uc_combining_class (s.cp[at - 1]) == UC_CCC_VR)
    return true;
  return s.cp[at] == ZWNJ && joins_cursively (s, at);
}

/* RFC 5892, A.7 */
static bool
has_japanese (String s)
{
  for (size_t i = 0; i < s.len; i++)
    if (has_script (s.cp[i], "Hiragana") || has_script (s.cp[i], "Katakana")
        || has_script (s.cp[i], "Han"))
      return true;
  return false;
}

/* RFC 5892, 2.6: the exceptions, and A.3 to A.9: the rules of those that depend on their neighbours. True when `cp` is
 * one, and then `allowed` tells. */
static bool
is_exception (String s, size_t at, bool *allowed)
{
  uint32_t cp = s.cp[at], before = at > 0 ? s.cp[at - 1] : 0,
           after = at + 1 < s.len ? s.cp[at + 1] : 0;

  if (in_range (cp, 0x0660, 0x0669)) { /* Arabic-Indic digits and */
    *allowed = !has_any_in (s, 0x06f0, 0x06f9);
    return true;
  }
  if (in_range (cp, 0x06f0, 0x06f9)) { /* the extended ones are not mixed */
    *allowed = !has_any_in (s, 0x0660, 0x0669);
    return true;
  }
  switch (cp) {
    case 0x00df:
    case 0x03c2:
    case 0x06fd:
    case 0x06fe:
    case 0x0f0b:
    case 0x3007:
      *allowed = true;
      return true;
    case 0x00b7: /* middle dot, as in Catalan */
      *allowed = before == 'l' && after == 'l';
      return true;
    case 0x0375: /* Greek keraia */
      *allowed = after && has_script (after, "Greek");
      return true;
    case 0x05f3: /* Hebrew geresh */
    case 0x05f4: /* and gershayim */
      *allowed = before && has_script (before, "Hebrew");
      return true;
    case 0x30fb: /* Katakana middle dot */
      *allowed = has_japanese (s);
      return true;
    case 0x0640:
    case 0x07fa:
    case 0x302e:
    case 0x302f:
    case 0x3031:
    case 0x3032:
    case 0x3033:
    case 0x3034:
    case 0x3035:
    case 0x303b:
      *allowed = false;
      return true;
    default:
      return false;
  }
}

/* RFC 8264, 9.17: a code point that compatibility normalization changes. */
static bool
has_compat (uint32_t cp)
{
  uint32_t room[32]; /* the longest decomposition has 18 */
  size_t len = sizeof room / sizeof room[0];
  uint32_t *form = u32_normalize (UNINORM_NFKC, &cp, 1, room, &len);
  bool changed = form && (len != 1 || form[0] != cp);
  if (form && form != room)
    free (form);
  return changed;
}

static bool
is_old_hangul_jamo (uint32_t cp)
{
  int type = uc_graphemeclusterbreak_property (
      cp); /* for these three, the same as Hangul_Syllable_Type */
  return type == GBP_L || type == GBP_V || type == GBP_T;
}

/* RFC 8264, section 8: the order in which a code point's class is found, for the FreeformClass. */
static bool
is_allowed (String s, size_t at)
{
  static const uint32_t valid = UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M
                                | UC_CATEGORY_MASK_N | UC_CATEGORY_MASK_P
                                | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_Zs;
  uint32_t cp = s.cp[at];
  bool allowed;

  if (is_exception (s, at, &allowed))
    return allowed;
  if (uc_is_general_category_withtable (cp, UC_CATEGORY_MASK_Cn))
    return false;
  if (in_range (cp, 0x21, 0x7e))
    return true;
  if (cp == ZWNJ || cp == ZWJ)
    return joiner_is_in_place (s, at);
  if (is_old_hangul_jamo (cp)
      || uc_is_property_default_ignorable_code_point (cp)
      || uc_is_property_not_a_character (cp)
      || uc_is_general_category_withtable (cp, UC_CATEGORY_MASK_Cc))
    return false;
  return uc_is_general_category_withtable (cp, valid) || has_compat (cp);
}

/* RFC 8265, 4.2.2, on `s` of `len` code points: the additional mapping rule in place, then normalization to `nfc`,
 * which has room for MAX_GROWTH times as many. */
static PrecisResult
enforce (uint32_t *s, size_t len, uint32_t *nfc, uint8_t *utf8,
    size_t utf8_room, Secret **out)
{
  size_t nfc_len = MAX_GROWTH * len, out_len = utf8_room;
  PrecisResult result = PRECIS_FAILED;

  for (size_t i = 0; i < len; i++)
    if (uc_is_general_category_withtable (s[i], UC_CATEGORY_MASK_Zs))
      s[i] = ' ';

  /* Given enough room, both write to ours and allocate nothing. */
  if (u32_normalize (UNINORM_NFC, s, len, nfc, &nfc_len) == nfc
      && u32_to_u8 (nfc, nfc_len, utf8, &out_len) == utf8) {
    result = out_len > SECRET_MAX ? PRECIS_TOO_LONG : PRECIS_FAILED;
    *out = secret_copy (utf8, out_len);
    if (*out)
      result = PRECIS_OK;
  }
  sodium_stackzero (4096); /* libunistring's own buffers */
  return result;
}

PrecisResult
precis_opaque_string (const char *text, size_t len, Secret **out, size_t *bad)
{
  const uint8_t *utf8 = (const uint8_t *) text;

  *out = NULL;
  if (len == 0)
    return PRECIS_EMPTY;
  if (len > PRECIS_MAX_INPUT)
    return PRECIS_TOO_LONG;
  if (u8_check (utf8, len))
    return PRECIS_NOT_UTF8;

  /* One guarded block: the code points, their normal form, and that in UTF-8. */
  size_t utf8_room = 4 * MAX_GROWTH * len;
  uint32_t *s = sodium_malloc ((1 + MAX_GROWTH) * len * sizeof *s + utf8_room);
  if (!s)
    return PRECIS_FAILED;
  uint32_t *nfc = s + len;
  size_t count = len;
  PrecisResult result =
      u8_to_u32 (utf8, len, s, &count) == s ? PRECIS_OK : PRECIS_FAILED;

  for (size_t i = 0; result == PRECIS_OK && i < count; i++)
    if (!is_allowed ((String){ s, count }, i)) {
      result = PRECIS_DISALLOWED;
      if (bad)
        *bad = i + 1;
    }
  if (result == PRECIS_OK)
    result = enforce (
        s, count, nfc, (uint8_t *) (nfc + MAX_GROWTH * len), utf8_room, out);
  sodium_free (s); /* wipes */
  return result;
}

size_t
precis_trim_newline (const char *text, size_t len)
{
  if (len > 0 && text[len - 1] == '\n')
    len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
  return len;
}
