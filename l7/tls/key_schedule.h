// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "l7/tls/openssl_util.h"
#include "l7/tls/suite.h"

namespace sluice::l7::tls {

/// A secret of a key schedule. Wipes itself.
struct Secret {
  Secret() = default;
  explicit Secret(std::span<const std::uint8_t> from)
      : size(static_cast<std::uint8_t>(std::min(from.size(), bytes.size()))) {
    std::copy_n(from.begin(), size, bytes.begin());
  }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

  std::array<std::uint8_t, kMaxSecret> bytes{};
  std::uint8_t size = 0;
};

/// What protects the records of one direction. Wipes itself.
struct TrafficKey {
  TrafficKey() = default;
  TrafficKey(const TrafficKey&) = default;
  TrafficKey& operator=(const TrafficKey&) = default;
  ~TrafficKey() { OPENSSL_cleanse(this, sizeof *this); }

  std::array<std::uint8_t, kMaxKey> key{};
  std::array<std::uint8_t, kNonceSize> iv{};  ///< TLS 1.2 with GCM: the salt, 4 bytes.
  std::uint64_t id = 0;                       ///< Of its expanded form in AeadEngine.
};

/// Derives keys, by an HMAC that was fetched once. One worker's. All return false when OpenSSL has no memory.
class KeySchedule {
 public:
  KeySchedule();
  bool ready() const { return macs_[0] != nullptr && macs_[1] != nullptr; }

  /// RFC 8446, 7.1: HKDF-Expand-Label with an empty context; `out` is no longer than the hash.
  bool expand_label(Hash hash, const Secret& secret, std::string_view label, std::span<std::uint8_t> out);
  /// RFC 8446, 7.3; `out.id` is not touched.
  bool traffic_key(const Suite& suite, const Secret& secret, TrafficKey& out);
  /// RFC 8446, 7.2
  bool next_secret(const Suite& suite, Secret& secret);

  /// RFC 5246, 5: PRF(secret, label, seed)
  bool prf(Hash hash, const Secret& secret, std::string_view label, std::span<const std::uint8_t> seed,
           std::span<std::uint8_t> out);
  struct KeyBlock {
    TrafficKey client, server;
  };
  /// RFC 5246, 6.3; RFC 5288, 3; RFC 7905, 2. `randoms`: the server's, then the client's.
  bool key_block(const Suite& suite, const Secret& master, std::span<const std::uint8_t> randoms, KeyBlock& out);

 private:
  using Digest = std::array<std::uint8_t, kMaxSecret>;
  bool hmac(Hash hash, const Secret& key, std::initializer_list<std::span<const std::uint8_t>> parts, Digest& out);

  using MacPtr = std::unique_ptr<EVP_MAC_CTX, Freer<EVP_MAC_CTX_free>>;
  std::array<MacPtr, 2> macs_;  ///< By Hash.
};

}  // namespace sluice::l7::tls
