// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct x509_st;

namespace sluice::l7::tls {

class Certificate;

/// What an OCSP responder says of a certificate, to be handed to clients that ask (RFC 6066, 8; RFC 8446, 4.4.2.1).
struct Staple {
  std::shared_ptr<const Certificate> certificate;
  std::string response;          ///< OCSPResponse (RFC 6960, 4.2.1), DER; verified by whoever made this.
  std::int64_t next_update = 0;  ///< Unix seconds; from then on it is worth nothing.
};

/// Staples by certificate. Immutable once published; any thread.
class Staples {
 public:
  explicit Staples(const std::vector<std::shared_ptr<const Staple>>& all);
  /// By the very object that a handshake has chosen. Null: there is none, or it has ended at `now` (Unix seconds).
  const Staple* find(const x509_st* leaf, std::int64_t now) const;
  std::size_t size() const { return by_leaf_.size(); }

 private:
  /// Each holds its certificate, so that an address names the same one as long as it stands here.
  std::unordered_map<const x509_st*, std::shared_ptr<const Staple>> by_leaf_;
};

}  // namespace sluice::l7::tls
