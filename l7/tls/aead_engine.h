// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "l7/tls/key_schedule.h"
#include "l7/tls/suite.h"

namespace sluice::l7::tls {

using Tag = std::array<std::uint8_t, kTagSize>;
using Nonce = std::array<std::uint8_t, kNonceSize>;

/// `size` bytes are read at `from` and written at `to`, which may be the same place.
struct Piece {
  const std::uint8_t* from;
  std::uint8_t* to;
  std::size_t size;
};

/// Intel IPsec-MB as one worker uses it: AEAD over pieces of packet memory, and a bounded number of expanded keys.
/// An expanded key of AES-GCM takes 1 KB and 0.13 us: connections that are at work keep theirs here, idle ones need none.
class AeadEngine {
 public:
  AeadEngine();
  ~AeadEngine();
  AeadEngine(const AeadEngine&) = delete;
  AeadEngine& operator=(const AeadEngine&) = delete;
  /// False: the library does not run on this CPU.
  bool ready() const { return impl_ != nullptr; }

  /// Gives the key its number; before its first use, and again whenever its bytes have changed.
  void admit(TrafficKey& key);
  /// Wipes what was made of it.
  void forget(const TrafficKey& key);

  /// Enciphers all pieces as one message.
  void seal(Aead aead, const TrafficKey& key, const Nonce& nonce, std::span<const std::uint8_t> additional,
            std::span<const Piece> pieces, Tag& tag);
  /// Deciphers; `tag` is what the message's own must be equal to, or what was written is worth nothing.
  void open(Aead aead, const TrafficKey& key, const Nonce& nonce, std::span<const std::uint8_t> additional,
            std::span<const Piece> pieces, Tag& tag);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// In constant time.
bool equal(const Tag& a, const Tag& b);

}  // namespace sluice::l7::tls
