// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/suite.h"

#include <algorithm>
#include <array>

namespace sluice::l7::tls {
namespace {

constexpr std::array<Suite, 11> kSuites = {{
    {0x1301, Aead::kAes128Gcm, Hash::kSha256, true},
    {0x1302, Aead::kAes256Gcm, Hash::kSha384, true},
    {0x1303, Aead::kChaCha20Poly1305, Hash::kSha256, true},
    {0xc02b, Aead::kAes128Gcm, Hash::kSha256, false},         // ECDHE-ECDSA
    {0xc02f, Aead::kAes128Gcm, Hash::kSha256, false},         // ECDHE-RSA
    {0xc02c, Aead::kAes256Gcm, Hash::kSha384, false},         // ECDHE-ECDSA
    {0xc030, Aead::kAes256Gcm, Hash::kSha384, false},         // ECDHE-RSA
    {0x009c, Aead::kAes128Gcm, Hash::kSha256, false},         // RSA key exchange, as is the next
    {0x009d, Aead::kAes256Gcm, Hash::kSha384, false},
    {0xcca9, Aead::kChaCha20Poly1305, Hash::kSha256, false},  // ECDHE-ECDSA
    {0xcca8, Aead::kChaCha20Poly1305, Hash::kSha256, false},  // ECDHE-RSA
}};

}  // namespace

const Suite* find_suite(std::uint16_t id) {
  const auto* at = std::find_if(kSuites.begin(), kSuites.end(), [id](const Suite& s) { return s.id == id; });
  return at == kSuites.end() ? nullptr : at;
}

}  // namespace sluice::l7::tls
