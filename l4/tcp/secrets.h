// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"
#include "dataplane/base/ip.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

/// Numbers that an outsider must not guess, all from one key of the process.
class Secrets {
 public:
  Secrets(std::uint64_t k0, std::uint64_t k1) : k0_(k0), k1_(k1) {}

  /// RFC 6528: ISN = M + F(flow, key), M a clock of 4 us: grows for one flow, says nothing about another.
  SeqNum isn(const FlowKey& flow, Instant now) const;
  /// RFC 4987, 3.6: 32 bits that prove that we have said `said` to the flow's peer.
  std::uint32_t cookie(const FlowKey& flow, std::uint64_t said) const;
  /// RFC 7323, 5.4: where a flow's timestamps start. Without the time, so that they grow over connections of
  /// one flow.
  std::uint32_t timestamp_offset(const FlowKey& flow) const;
  /// RFC 6056, 3.3.4: F and G of the double-hash port selection.
  std::uint32_t port_offset(const IpAddr& local, const Endpoint& remote) const;
  std::uint32_t port_table_index(const IpAddr& local, const Endpoint& remote) const;
  /// Seed of the connection table's hash.
  std::uint64_t table_seed() const;

 private:
  enum class Purpose : std::uint64_t { kIsn = 1, kTimestamp, kPort, kPortTable, kTable, kCookie };
  std::uint64_t hash(Purpose p, const FlowKey& flow, std::uint64_t more = 0) const;

  std::uint64_t k0_, k1_;
};

}  // namespace sluice::l4::tcp
