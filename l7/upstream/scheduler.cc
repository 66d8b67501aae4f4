// SPDX-License-Identifier: Apache-2.0
#include "l7/upstream/scheduler.h"

#include <algorithm>
#include <array>

namespace sluice::l7::upstream {
namespace {

bool may_serve(const Member& m, const BackendTable& backends, std::span<const BackendSlot> tried) {
  return m.weight != 0 && backends.usable(m.slot) &&
         std::find(tried.begin(), tried.end(), m.slot) == tried.end();
}

/// Requests in flight, weighted. A fraction, so that comparing needs no division.
struct Load {
  std::uint64_t active = 0;
  std::uint64_t weight = 1;
  friend bool operator<(Load a, Load b) { return a.active * b.weight < b.active * a.weight; }
};

}  // namespace

std::uint64_t Picker::next_random() {
  // SplitMix64: a counter, mixed. Good enough to draw lots; nothing secret depends on it.
  std::uint64_t z = (random_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

void Picker::adopt(std::span<const Member> members) {
  const auto same = [](const Turn& t, const Member& m) { return t.slot == m.slot; };
  if (std::equal(turns_.begin(), turns_.end(), members.begin(), members.end(), same)) return;

  std::vector<Turn> next;
  std::vector<std::uint32_t> kept;  // Indexes into `next`.
  next.reserve(members.size());
  std::int64_t sum = 0;
  // Members mostly stay in order: looking on from the last find makes this linear then.
  std::size_t from = 0;
  for (const Member& m : members) {
    std::size_t n = 0;
    while (n < turns_.size() && turns_[(from + n) % turns_.size()].slot != m.slot) ++n;
    if (n < turns_.size()) {
      const Turn& old = turns_[(from + n) % turns_.size()];
      from += n + 1;
      sum += old.current;
      kept.push_back(static_cast<std::uint32_t>(next.size()));
      next.push_back(old);
    } else {
      // Somewhere in the first round, so that not every worker begins with the same member.
      next.push_back({m.slot, m.weight == 0 ? 0 : static_cast<std::int64_t>(next_random() % m.weight)});
    }
  }
  // The turns of those who left are missing from the sum: bring the rest back to around zero, where the new
  // ones are.
  for (const std::uint32_t i : kept) next[i].current -= sum / static_cast<std::int64_t>(kept.size());
  turns_ = std::move(next);
}

std::optional<std::uint32_t> Picker::pick(const ServerGroup& group, const BackendTable& backends,
                                          std::span<const BackendSlot> tried) {
  const std::span<const Member> members = group.members;
  const bool least = group.scheduler == Scheduler::kLeastConnections;
  if (least && members.size() > kExactScan) return two_choices(group, backends, tried);
  adopt(members);

  // For least connections only the least loaded are candidates, so equals take turns. Other workers change
  // counts and health meanwhile: each is read once.
  constexpr Load kNoCandidate{UINT32_MAX, 1};
  std::array<Load, kExactScan> loads;
  Load lowest = kNoCandidate;
  for (std::uint32_t i = 0; least && i < members.size(); ++i) {
    loads[i] = kNoCandidate;
    if (may_serve(members[i], backends, tried))
      loads[i] = {backends.active(members[i].slot), members[i].weight};
    lowest = std::min(lowest, loads[i]);
  }
  if (least && !(lowest < kNoCandidate)) return std::nullopt;
  // Smooth weighted round robin: each candidate gains its weight, the highest goes and pays the sum.
  std::int64_t total = 0;
  std::optional<std::uint32_t> best;
  for (std::uint32_t i = 0; i < members.size(); ++i) {
    if (least ? lowest < loads[i] : !may_serve(members[i], backends, tried)) continue;
    turns_[i].current += members[i].weight;
    total += members[i].weight;
    if (!best || turns_[i].current > turns_[*best].current) best = i;
  }
  if (best) turns_[*best].current -= total;
  return best;
}

std::optional<std::uint32_t> Picker::two_choices(const ServerGroup& group, const BackendTable& backends,
                                                 std::span<const BackendSlot> tried) {
  const std::span<const Member> members = group.members;
  const auto draw = [&]() -> std::optional<std::uint32_t> {
    const std::uint64_t start = next_random() % members.size();
    for (std::size_t n = 0; n < members.size(); ++n) {
      const auto i = static_cast<std::uint32_t>((start + n) % members.size());
      if (may_serve(members[i], backends, tried)) return i;
    }
    return std::nullopt;
  };
  const auto a = draw();
  if (!a) return std::nullopt;
  const auto b = draw();
  // The request that is being placed counts, so that of two idle members the heavier is taken.
  const Load load_a{backends.active(members[*a].slot) + 1, members[*a].weight};
  const Load load_b{backends.active(members[*b].slot) + 1, members[*b].weight};
  return load_b < load_a ? b : a;
}

const WeightedGroup* pick_group(std::span<const WeightedGroup> groups, std::uint64_t random) {
  std::uint64_t total = 0;
  for (const WeightedGroup& g : groups) total += g.weight;
  if (total == 0) return nullptr;
  std::uint64_t at = random % total;
  for (const WeightedGroup& g : groups) {
    if (at < g.weight) return &g;
    at -= g.weight;
  }
  return nullptr;
}

}  // namespace sluice::l7::upstream
