// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::l7::tls {

/// RFC 8446, 5.1.
enum class ContentType : std::uint8_t { kChangeCipherSpec = 20, kAlert = 21, kHandshake = 22, kApplicationData = 23 };

/// Of handshake messages (RFC 8446, 4; RFC 5246, 7.4), as the byte that they begin with.
enum HandshakeType : std::uint8_t { kHelloRequest = 0, kClientHello = 1, kNewSessionTicket = 4, kFinished = 20, kKeyUpdate = 24 };

/// RFC 8446, 6.
enum class Alert : std::uint8_t {
  kCloseNotify = 0,
  kUnexpectedMessage = 10,
  kBadRecordMac = 20,
  kRecordOverflow = 22,
  kIllegalParameter = 47,
  kDecodeError = 50,
  kProtocolVersion = 70,
  kInternalError = 80,
  kUserCanceled = 90,
  kNoRenegotiation = 100,
  kUnrecognizedName = 112,
};

/// Type, version and length, which stand before each record.
inline constexpr std::size_t kRecordHeader = 5;

}  // namespace sluice::l7::tls
