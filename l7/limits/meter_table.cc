// SPDX-License-Identifier: Apache-2.0
#include "l7/limits/meter_table.h"

namespace sluice::l7::limits {

std::string_view to_string(Refusal r) {
  static constexpr std::array<std::string_view, kRefusals> kNames = {
      "max_connections", "connection_rate", "source_rate", "handshake_rate", "request_rate"};
  return kNames[static_cast<std::size_t>(r)];
}

MeterTable::MeterTable(std::uint32_t workers) : rows_(workers), rates_(kCapacity / kChunk) {
  for (auto& chunks : rows_) chunks.resize(kCapacity / kChunk);
  reset(MeterSlot{0});
}

std::uint64_t MeterTable::active(MeterSlot s) const {
  std::uint64_t sum = 0;
  for (std::uint32_t w = 0; w < workers(); ++w) sum += at(s, WorkerId{w}).active.get();
  return sum;
}

void MeterTable::reset(MeterSlot s) {
  const std::uint32_t chunk = s.value / kChunk;
  if (rates_[chunk] == nullptr) {
    rates_[chunk] = std::make_unique<Rates[]>(kChunk);
    for (auto& chunks : rows_) chunks[chunk] = std::make_unique<PerWorker[]>(kChunk);
  }
  for (SharedRate* r : {&rates(s).connections, &rates(s).handshakes, &rates(s).requests}) r->reset();
  for (std::uint32_t w = 0; w < workers(); ++w) {
    PerWorker& row = at(s, WorkerId{w});
    row.connections.set(0);
    row.requests.set(0);
    for (Counter& c : row.refused) c.set(0);
    row.connection_tokens = row.request_tokens = row.handshake_tokens = {};
  }
}

}  // namespace sluice::l7::limits
