// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/policy.h"

#include <algorithm>
#include <array>

namespace sluice::l7::tls {
namespace {

// The order is by speed on a server with AES instructions; 128 bits are enough. A client that puts ChaCha20 first has
// none, and gets it (SSL_OP_PRIORITIZE_CHACHA).
const std::string kAead =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
const std::string kForwardSecretCbc =
    ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384"
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA";
// Whoever gets hold of the key can read what was recorded. The cloud's 3DES is left out: no OpenSSL of ours has it.
const std::string kRsaKeyExchange =
    ":AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA";
const std::string kSuites13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
const std::string kAllSuites13 = kSuites13 + ":TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256";
const std::string kGroups = "X25519MLKEM768:X25519:P-256:P-384";
// At security level 0 OpenSSL would sign with SHA-1 in TLS 1.2 too. (1.0 and 1.1 know nothing else and have no list.)
const std::string kNoSha1 =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512";

using enum TlsVersion;

const std::array<Policy, 8> kPolicies = {{
    {"default", kTls12, kTls13, kAead, kSuites13, kGroups, "", 2},
    {"modern", kTls13, kTls13, "", kSuites13, kGroups, "", 2},
    // Without its finite-field DHE, which no client has needed since ECDHE is everywhere.
    {"intermediate", kTls12, kTls13, kAead, kSuites13, kGroups, "", 2},
    {"tls_cipher_policy_1_0", kTls10, kTls12, kAead + kForwardSecretCbc + kRsaKeyExchange, "", kGroups, kNoSha1, 0},
    {"tls_cipher_policy_1_1", kTls11, kTls12, kAead + kForwardSecretCbc + kRsaKeyExchange, "", kGroups, kNoSha1, 0},
    {"tls_cipher_policy_1_2", kTls12, kTls12, kAead + kForwardSecretCbc + kRsaKeyExchange, "", kGroups, "", 2},
    {"tls_cipher_policy_1_2_strict", kTls12, kTls12, kAead + kForwardSecretCbc, "", kGroups, "", 2},
    {"tls_cipher_policy_1_2_strict_with_1_3", kTls12, kTls13, kAead + kForwardSecretCbc, kAllSuites13, kGroups, "", 2},
}};

}  // namespace

std::span<const Policy> policies() { return kPolicies; }

const Policy* find_policy(std::string_view name) {
  const auto found = std::find_if(kPolicies.begin(), kPolicies.end(), [&](const Policy& p) { return p.name == name; });
  return found == kPolicies.end() ? nullptr : &*found;
}

const Policy& default_policy() { return kPolicies.front(); }

}  // namespace sluice::l7::tls
