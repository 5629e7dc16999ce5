/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

void
meeting_media_add_member (ConclaveMeetingMedia *media, const uint8_t *identity,
    const char *name, const char *fingerprint)
{
}

void
meeting_media_remove_member (
    ConclaveMeetingMedia *media, const uint8_t *identity)
{
}

void
meeting_media_set_recording (ConclaveMeetingMedia *media, gboolean recording)
{
}
