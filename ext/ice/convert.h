/* Addresses and candidates between this code, libnice and the socket API.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "description.h"

#include <glib.h>
#include <nice/agent.h>
#include <sys/socket.h>

/* FALSE for an address without a family. */
gboolean ice_address_to_nice (const IceAddress *address, NiceAddress *out);
void ice_address_from_nice (const NiceAddress *address, IceAddress *out);

/* Gives the length of `out`, 0 for an address without a family. */
socklen_t ice_address_to_sockaddr (
    const IceAddress *address, struct sockaddr_storage *out);
void ice_address_from_sockaddr (
    const struct sockaddr_storage *address, IceAddress *out);

void ice_candidate_from_nice (const NiceCandidate *c, IceCandidate *out);

/* To be freed by nice_candidate_free(). */
NiceCandidate *ice_candidate_to_nice (const IceCandidate *c, guint stream);
