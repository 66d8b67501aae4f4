// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "mgmt/ocsp/response.h"

namespace sluice::mgmt::ocsp {

enum class OcspState : std::uint8_t {
  kStapled,
  kMissing,      ///< Asked for, and none is there (yet).
  kOff,          ///< By the certificate or by sluice.conf.
  kUnused,       ///< No listener presents it.
  kNoResponder,  ///< The certificate names none.
  kNoIssuer,     ///< The chain does not hold the issuer.
};
std::string_view to_string(OcspState s);

/// How things stand with the status of one certificate, for people. Times are Unix seconds; 0: none.
struct CertificateOcsp {
  OcspState state = OcspState::kOff;
  std::string responder;
  bool must_staple = false;
  bool revoked = false;  ///< By the response that is stapled.
  std::int64_t this_update = 0, next_update = 0, revoked_at = 0, next_request = 0;
  unsigned failures = 0;  ///< In a row.
  std::string reason, error;
};

/// Since the start.
struct Totals {
  std::uint64_t requests = 0;
  std::array<std::uint64_t, kFailures> failures{};
};

}  // namespace sluice::mgmt::ocsp
