// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "dataplane/base/buf.h"
#include "dataplane/base/clock.h"

namespace sluice::l7::tls {

/// The record layer of one connection after its handshake: opens and seals, between the queues of ciphertext that it was
/// made for and plaintext. OwnRecords is ours; OpensslRecords is slower and knows everything that ours does not.
class Records {
 public:
  enum class Result {
    kDone,       ///< Opened up to the limit, or sealed a record.
    kNeedMore,   ///< No whole record in `in`; at most a part of one waits there.
    kClosed,     ///< The peer's close_notify.
    kNoBuffers,  ///< Call again later; nothing is lost.
    kFailed,     ///< error() says why; an alert may be in `out`.
  };

  virtual ~Records() = default;
  /// Appends about `limit` bytes of plaintext to `plain` (up to a record more), whatever the result is.
  virtual Result open(BufChain& plain, std::size_t limit) = 0;
  /// Seals one record from the front of `plain`, which must not be empty.
  virtual Result seal(BufChain& plain, Instant now) = 0;
  /// Appends close_notify to `out`. Sealing is over; opening goes on (RFC 8446, 6.1).
  virtual Result close() = 0;
  const std::string& error() const { return error_; }

 protected:
  std::string error_;
};

}  // namespace sluice::l7::tls
