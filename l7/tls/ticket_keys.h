// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::l7::tls {

/// What seals session tickets (RFC 5077, 4): AES-256-CBC, then HMAC-SHA-256. Wipes itself. Values; any thread.
struct TicketKey {
  static constexpr std::size_t kMinSecret = 32, kMaxSecret = 256;  ///< Bytes.

  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey();

  /// The same of the same secret everywhere (HKDF, RFC 5869), so that appliances which share the secret open each
  /// other's tickets.
  static Result<TicketKey> derive(std::span<const std::uint8_t> secret);
  /// Of a fresh secret that nobody else knows.
  static Result<TicketKey> generate();
  /// In hex. It travels in the clear in each ticket and tells nothing of the secret.
  std::string name_text() const;

  std::array<std::uint8_t, 16> name{};
  std::array<std::uint8_t, 32> mac{}, cipher{};
};

/// The first seals, all open. Immutable once published.
using TicketKeys = std::vector<TicketKey>;

/// Seconds for which a ticket is good, and a key has to open what it has sealed (RFC 8446, 4.6.1: at most a week).
inline constexpr long kTicketLifetime = 7200;

}  // namespace sluice::l7::tls
