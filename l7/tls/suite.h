// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::l7::tls {

enum class Aead : std::uint8_t { kAes128Gcm, kAes256Gcm, kChaCha20Poly1305 };
enum class Hash : std::uint8_t { kSha256, kSha384 };

inline constexpr std::size_t kTagSize = 16, kNonceSize = 12;
inline constexpr std::size_t kMaxSecret = 48;  ///< Of SHA-384.
inline constexpr std::size_t kMaxKey = 32;

inline constexpr std::size_t hash_size(Hash h) { return h == Hash::kSha256 ? 32 : 48; }
inline constexpr std::size_t key_size(Aead a) { return a == Aead::kAes128Gcm ? 16 : 32; }

/// A cipher suite whose records we protect ourselves.
struct Suite {
  std::uint16_t id;  ///< IANA's.
  Aead aead;
  Hash hash;
  bool tls13;

  /// Bytes of the nonce that stand in each record: TLS 1.2 with GCM (RFC 5288, 3); else none (RFC 7905, 2; RFC 8446, 5.3).
  constexpr std::size_t explicit_nonce() const { return !tls13 && aead != Aead::kChaCha20Poly1305 ? 8 : 0; }
  /// The content type at the end of the plaintext (RFC 8446, 5.2).
  constexpr std::size_t inner_type() const { return tls13 ? 1 : 0; }
};

/// Null: none of ours, its records stay with OpenSSL.
const Suite* find_suite(std::uint16_t id);

}  // namespace sluice::l7::tls
