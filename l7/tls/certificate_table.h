// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "l7/tls/certificate_handles.h"

namespace sluice::l7::tls {

/// The certificates for one name, by kind of key: the client's signature algorithms choose among them.
using CertificateSet = std::array<std::shared_ptr<const Certificate>, kKeyKinds>;

/// Which certificates answer a server name: the exact name, then the wildcard one label up (RFC 9525, 6.3), then the
/// default. Filled once, then read by all workers.
class CertificateTable {
 public:
  /// Under each of these names; of two with the same name and kind of key the first added stays.
  void add(const std::shared_ptr<const Certificate>& certificate, const std::vector<std::string>& names);
  void set_default(const std::shared_ptr<const Certificate>& certificate);
  /// `server_name` as the client sent it (any case, perhaps a final dot); empty: none.
  const CertificateSet& find(std::string_view server_name) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  /// Wildcards stand under ".example.com".
  std::unordered_map<std::string, CertificateSet, Hash, std::equal_to<>> by_name_;
  CertificateSet default_;
};

}  // namespace sluice::l7::tls
