// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/secrets.h"

#include <array>
#include <cstring>

#include "l4/tcp/siphash.h"

namespace sluice::l4::tcp {

std::uint64_t Secrets::hash(Purpose p, const FlowKey& flow, std::uint64_t more) const {
  std::array<std::uint64_t, 6> words;
  std::memcpy(words.data(), flow.local.address.bytes().data(), 16);
  std::memcpy(words.data() + 2, flow.remote.address.bytes().data(), 16);
  words[4] = static_cast<std::uint64_t>(p) << 32 | static_cast<std::uint64_t>(flow.local.port) << 16 |
             flow.remote.port;
  words[5] = more;
  return siphash(k0_, k1_, words);
}

SeqNum Secrets::isn(const FlowKey& flow, Instant now) const {
  const auto m = static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::microseconds(4));
  return SeqNum(static_cast<std::uint32_t>(m + hash(Purpose::kIsn, flow)));
}

std::uint32_t Secrets::cookie(const FlowKey& flow, std::uint64_t said) const {
  return static_cast<std::uint32_t>(hash(Purpose::kCookie, flow, said));
}

std::uint32_t Secrets::timestamp_offset(const FlowKey& flow) const {
  return static_cast<std::uint32_t>(hash(Purpose::kTimestamp, flow));
}

std::uint32_t Secrets::port_offset(const IpAddr& local, const Endpoint& remote) const {
  return static_cast<std::uint32_t>(hash(Purpose::kPort, {{local, 0}, remote}));
}

std::uint32_t Secrets::port_table_index(const IpAddr& local, const Endpoint& remote) const {
  return static_cast<std::uint32_t>(hash(Purpose::kPortTable, {{local, 0}, remote}));
}

std::uint64_t Secrets::table_seed() const { return hash(Purpose::kTable, {}); }

}  // namespace sluice::l4::tcp
