// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// What validate() holds sizes and counts to; for those, too, who make what is to pass it.
namespace sluice::mgmt::config {

inline constexpr std::size_t kMaxBody = 64 * 1024;     ///< Fixed response, bytes.
inline constexpr std::size_t kMaxPem = 256 * 1024;     ///< A certificate chain or key, bytes.
inline constexpr std::size_t kMaxTrust = 8 << 20;      ///< Certificates or CRLs of an authority, bytes.
inline constexpr std::size_t kMaxText = 1024;          ///< Names, content types, bytes.
inline constexpr std::size_t kMaxPath = 4096;          ///< Paths, expressions, queries, bytes.
inline constexpr std::size_t kMaxAlternatives = 1000;  ///< Hosts, paths, values of a rule; addresses, ranges.
inline constexpr std::size_t kMaxCertificates = 10000;  ///< Of one listener.
inline constexpr std::size_t kMaxServerNames = 4096;   ///< Of one certificate of a listener.
inline constexpr std::size_t kMaxAclEntries = 10000;   ///< Of one access control list.
inline constexpr std::size_t kMaxAcls = 16;            ///< Of one listener.
inline constexpr std::size_t kMaxPolicyNames = 64;     ///< Of each list of a TLS policy.
inline constexpr std::size_t kMaxMembers = 4096;       ///< Of one group.
inline constexpr std::uint64_t kMaxWeight = 65535;
inline constexpr std::uint64_t kMaxLimit = 1'000'000'000;   ///< Connections, or anything a second.
inline constexpr std::uint64_t kMaxSourceRate = 100'000;    ///< Connections a second of one source.
inline constexpr std::uint64_t kDayMs = 24ull * 3600 * 1000;

}  // namespace sluice::mgmt::config
