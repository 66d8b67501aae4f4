// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "l7/tls/chain_bio.h"

namespace sluice::l7::tls {

inline constexpr std::size_t kMaxRecord = 16384;  ///< Plaintext bytes (RFC 8446, 5.1).

/// A worker's memory in which small segments become one record.
using RecordScratch = std::array<std::uint8_t, kMaxRecord>;

/// The record layer of one connection after its handshake: opens and seals. This one is OpenSSL's; everything that
/// knows so is in records.cc.
class Records {
 public:
  enum class Result {
    kDone,       ///< Opened up to the limit, or sealed a record.
    kNeedMore,   ///< No whole record in `in`.
    kClosed,     ///< The peer's close_notify.
    kNoBuffers,  ///< Call again later; nothing is lost.
    kFailed,     ///< error() says why; an alert may be in `out`.
  };

  explicit Records(CipherQueues& queues) : queues_(queues) {}
  void start(SslPtr ssl) { ssl_ = std::move(ssl); }
  const SSL* ssl() const { return ssl_.get(); }
  /// Forgets the keys.
  void stop() { ssl_.reset(); }

  /// Appends up to `limit` bytes of plaintext to `plain`, whatever the result is.
  Result open(BufChain& plain, std::size_t limit);
  /// True: open() may yield something although no more bytes have come.
  bool has_input() const;
  /// Seals one record from the front of `plain`, which must not be empty.
  Result seal(BufChain& plain, RecordScratch& scratch);
  /// Appends close_notify to `out`. Sealing is over; opening goes on (RFC 8446, 6.1).
  Result close();
  const std::string& error() const { return error_; }

 private:
  Result verdict(int returned, const char* what);

  CipherQueues& queues_;
  SslPtr ssl_;
  std::size_t repeat_ = 0;  ///< Bytes of the record that found no buffers: OpenSSL has sealed them already.
  std::string error_;
};

}  // namespace sluice::l7::tls
