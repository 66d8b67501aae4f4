// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// The user's calls (RFC 9293, 3.10.2 to 3.10.5). None tells the user anything; output() follows.
void user_send(Connection& c, BufChain data);
std::size_t user_send_space(const Connection& c);
void user_consumed(Connection& c, std::size_t n);
void user_shutdown(Connection& c, Instant now);
void user_abort(Connection& c, Instant now);

}  // namespace sluice::l4::tcp
