// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/ip.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {

/// Sessions that servers gave us, to be resumed: the newest of each server. One worker's. Bounded: a new one takes the place
/// of one of four, that which was put there longest ago.
class SessionCache {
 public:
  static constexpr std::size_t kSets = 256, kWays = 4;

  /// Whom a session is with. It was verified then, by these rules and for this name, and is not again.
  struct Key {
    std::uint64_t context;  ///< BackendContext::serial()
    Endpoint server;
    std::string_view name;
  };

  /// Null: none, or one that must not be resumed any more, because its server's certificate has expired. Valid until the
  /// next call.
  SSL_SESSION* find(const Key& key);
  void put(const Key& key, SessionPtr session);
  void forget(const Key& key);
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t context = 0;  ///< 0: free.
    Endpoint server;
    std::string name;
    std::uint64_t put_at = 0;
    SessionPtr session;
    bool is(const Key& k) const { return session && context == k.context && server == k.server && name == k.name; }
  };
  Entry* set_of(const Key& key);
  Entry* entry_of(const Key& key);

  std::vector<Entry> entries_;  ///< Empty until the first one.
  std::uint64_t puts_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sluice::l7::tls
