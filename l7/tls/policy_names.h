// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::l7::tls {

/// The lists of a Policy.
enum class PolicyList : std::uint8_t { kCiphers, kCiphersuites, kGroups, kSignatureAlgorithms };

/// Why one name may not stand in such a list of somebody's own; empty: it may. Names are OpenSSL's, none of its words for sets
/// of them. It has to be something that this OpenSSL has, that a server with certificates of ours can agree upon, and that is
/// worth 112 bits (NIST SP 800-57; OpenSSL's security level 2). Any thread.
std::string unusable(PolicyList list, std::string_view name);
/// The same of a whole list, in OpenSSL's syntax, whose names are usable each.
std::string unusable_together(PolicyList list, const std::string& names);

}  // namespace sluice::l7::tls
