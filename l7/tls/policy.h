// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice::l7::tls {

/// As on the wire (RFC 8446, 4.2.1).
enum class TlsVersion : std::uint16_t { kTls10 = 0x0301, kTls11 = 0x0302, kTls12 = 0x0303, kTls13 = 0x0304 };

/// What a listener offers and takes. Lists are in OpenSSL's syntax and in our order of preference; a suite or group
/// that this OpenSSL lacks is not offered.
struct Policy {
  std::string name;
  TlsVersion min_version = TlsVersion::kTls12, max_version = TlsVersion::kTls13;
  std::string ciphers;       ///< Up to TLS 1.2; empty only where 1.3 alone is spoken.
  std::string ciphersuites;  ///< TLS 1.3.
  std::string groups;
  std::string signature_algorithms;  ///< Empty: all that the security level lets through.
  int security_level = 2;    ///< SSL_CTX_set_security_level(3); 0 is what TLS 1.0 and 1.1 need.
  friend auto operator<=>(const Policy&, const Policy&) = default;
};

/// The sets that have a name: "default", Mozilla's "modern" and "intermediate" (Server Side TLS 5.7), and the five of the
/// cloud's SLB, "tls_cipher_policy_1_0" to "tls_cipher_policy_1_2_strict_with_1_3". Any thread.
std::span<const Policy> policies();
const Policy* find_policy(std::string_view name);
/// TLS 1.2 with forward secrecy and AEAD, and TLS 1.3.
const Policy& default_policy();

}  // namespace sluice::l7::tls
