// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/buf.h"

namespace sluice::l7::tls {

/// What a connection begins with, seen from outside of the handshake.
struct ClientHello {
  enum class Result : std::uint8_t {
    kNeedMore,
    kDone,
    kMalformed,   ///< decode_error.
    kUnexpected,  ///< Another message, or none of TLS: unexpected_message.
    kTooLong,     ///< More bytes or records than bounds allow: record_overflow.
  };
  Result result = Result::kNeedMore;
  /// kNeedMore: nothing new is to be seen with fewer bytes.
  std::size_t wanted = 5;
  /// Lower case, without a dot at the end; empty: none was sent. Valid until the thread's next call.
  std::string_view server_name;
};

/// Bounds of the message, and of the number of records that carry it.
inline constexpr std::size_t kMaxClientHello = 16 * 1024, kMaxHelloRecords = 64;

/// Reads the server name out of a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3) that may be cut into records and segments as
/// its sender likes. `received`: all bytes from the first on.
ClientHello read_client_hello(const BufChain& received);

}  // namespace sluice::l7::tls
