// SPDX-License-Identifier: Apache-2.0
#include "l7/route/compiled_router.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "dataplane/base/ascii.h"
#include "l7/route/conditions.h"

namespace sluice::l7::route {

struct Scratch::Impl {
  hs_scratch_t* memory = nullptr;
  std::uint64_t last = 0;            ///< Router it was prepared for most recently.
  std::vector<std::uint64_t> ready;  ///< All of them.
  ~Impl() { hs_free_scratch(memory); }
};

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

CompiledRouter::CompiledRouter(Order order, std::uint64_t seed)
    : order_(order), id_(next_id()), host_table_(seed), exact_(seed + 1), prefixes_(seed + 2) {}

bool CompiledRouter::prepare(Scratch& scratch) const {
  auto& s = *impl(scratch);
  if (s.last == id_ || expression_sets_.empty()) return true;
  const auto is_ready = [&](std::uint64_t id) {
    return std::find(s.ready.begin(), s.ready.end(), id) != s.ready.end();
  };
  if (!is_ready(id_)) {
    if (is_ready(previous_id_)) {
      for (const ExpressionSet* set : new_sets_) {
        if (!set->grow(s.memory)) return false;
      }
    } else {
      for (const auto& [list, set] : expression_sets_) {
        if (!set->grow(s.memory)) return false;
      }
    }
    // Routers come with every update; forgetting one only means to look again.
    constexpr std::size_t kRemembered = 256;
    if (s.ready.size() == kRemembered) s.ready.clear();
    s.ready.push_back(id_);
  }
  s.last = id_;
  return true;
}

/// The walk through one request's buckets. Keeps the best rank; buckets may come in any order.
class CompiledRouter::Search {
 public:
  Search(const CompiledRouter& router, const RequestView& request, hs_scratch_t* memory)
      : router_(router), request_(request), memory_(memory) {}

  /// False: the expressions could not be asked.
  bool visit(std::uint32_t host_index) {
    const Host& host = router_.hosts_[host_index];
    const std::string_view path = request_.path;
    if (host.has_exact) look_at(router_.exact_.find(host_index, path));
    if (host.has_prefixes) look_at_prefixes(host_index, path);
    if (host.string_prefixes != 0) walk_string_prefixes(host, path);
    look_at(host.any_path);
    if (best_ <= host.best_expression_rank) return true;
    return host.expressions->scan(path, memory_,
                                  [&](std::uint32_t i) { look_at(host.first_expression + i); });
  }

  const Rule* result() const { return best_ == kNone ? nullptr : router_.ranked_[best_].rule; }

 private:
  void look_at(std::uint32_t bucket_index) {
    if (bucket_index == kNone) return;
    const Bucket& bucket = router_.buckets_[bucket_index];
    for (std::uint32_t i = 0; i < bucket.count; ++i) {
      const std::uint32_t rank = router_.ranks_[bucket.first + i];
      if (rank >= best_) return;
      const Ranked& candidate = router_.ranked_[rank];
      if (candidate.has_conditions && !conditions_hold(*candidate.rule, request_)) continue;
      best_ = rank;
      return;
    }
  }

  /// Kubernetes' Prefix: by elements, a slash at the end ignored. "" is the prefix "/".
  void look_at_prefixes(std::uint32_t host_index, std::string_view path) {
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!path.empty() && path.front() != '/') return;
    const std::size_t longest = std::min<std::size_t>(path.size(), router_.hosts_[host_index].longest_prefix);
    for (std::size_t end = 0; end <= longest; end = std::min(path.find('/', end + 1), path.size())) {
      if (router_.prefix_lengths_[end]) look_at(router_.prefixes_.find(host_index, path.substr(0, end)));
      if (end == path.size()) return;
    }
  }

  /// All prefixes of the path among the sorted texts are the last text that is not behind the path, or texts
  /// that it begins with.
  void walk_string_prefixes(const Host& host, std::string_view path) {
    const auto begin = router_.string_prefixes_.begin() + host.first_string_prefix;
    const auto end = begin + host.string_prefixes;
    const auto behind = std::upper_bound(
        begin, end, path, [](std::string_view p, const StringPrefix& entry) { return p < entry.text; });
    if (behind == begin) return;
    const std::string_view nearest = std::prev(behind)->text;
    const auto differs = std::mismatch(nearest.begin(), nearest.end(), path.begin(), path.end()).first;
    const auto common = static_cast<std::size_t>(differs - nearest.begin());
    for (auto i = static_cast<std::uint32_t>(std::prev(behind) - router_.string_prefixes_.begin());
         i != kNone;) {
      const StringPrefix& prefix = router_.string_prefixes_[i];
      if (prefix.text.size() <= common) look_at(prefix.bucket);
      i = prefix.parent;
    }
  }

  const CompiledRouter& router_;
  const RequestView& request_;
  hs_scratch_t* memory_;
  std::uint32_t best_ = kNone;
};

/// Hosts of the rules that fit, the most specific first, until f says true.
template <class F>
void CompiledRouter::for_each_host(std::string_view lower, F f) const {
  const auto offer = [&](HostKind kind, std::string_view text) {
    const std::uint32_t host = host_table_.find(static_cast<std::uint32_t>(kind), text);
    return host != kNone && f(host);
  };
  if (!lower.empty() && lower.size() <= kMaxHost) {
    if (offer(HostKind::kExact, lower)) return;
    bool is_first = true;
    for (std::size_t dot = lower.find('.'); dot != std::string_view::npos; dot = lower.find('.', dot + 1)) {
      const std::string_view suffix = lower.substr(dot);
      if (dot != 0 && suffix_lengths_[suffix.size()]) {
        if (is_first && offer(HostKind::kWildcardOne, suffix)) return;
        if (offer(HostKind::kWildcardMany, suffix)) return;
      }
      is_first = false;
    }
  }
  if (any_host_ != kNone) f(any_host_);
}

const Rule* CompiledRouter::match(const RequestView& request, Scratch& scratch) const {
  if (request.path.size() > kMaxPath) return nullptr;
  std::array<char, kMaxHost + 1> buffer;
  const std::string_view host = request.host.substr(0, buffer.size());
  std::transform(host.begin(), host.end(), buffer.begin(), [](char c) { return ascii_lower(c); });

  Search search(*this, request, impl(scratch)->memory);
  bool is_sound = true;
  for_each_host({buffer.data(), host.size()}, [&](std::uint32_t h) {
    is_sound = search.visit(h);
    return !is_sound || order_ == Order::kSpecific;
  });
  // Half an answer could pass a request by the rule that guards its path.
  return is_sound ? search.result() : nullptr;
}

const ExpressionSet* CompiledRouter::expressions_of(const HostCondition& host) const {
  const std::uint32_t h = host.kind == HostKind::kAny
                              ? any_host_
                              : host_table_.find(static_cast<std::uint32_t>(host.kind), host.value);
  return h == kNone ? nullptr : hosts_[h].expressions.get();
}

}  // namespace sluice::l7::route
