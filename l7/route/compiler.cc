// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>
#include <tuple>
#include <utility>

#include "dataplane/base/ascii.h"
#include "l7/route/compiled_router.h"

namespace sluice::l7::route {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

bool is_wildcard(HostKind kind) { return kind == HostKind::kWildcardOne || kind == HostKind::kWildcardMany; }

std::string field(const char* list, std::size_t i, const char* member) {
  return std::string(list) + "[" + std::to_string(i) + "]." + member;
}

/// Among hosts that fit the same request: exact, the longer suffix, one label before many, any.
std::uint32_t host_precedence(const HostCondition& host) {
  if (host.kind == HostKind::kExact) return 0;
  if (host.kind == HostKind::kAny) return UINT32_MAX;
  return (0x10000u - static_cast<std::uint32_t>(host.value.size())) * 2 +
         (host.kind == HostKind::kWildcardMany ? 1 : 0);
}

/// kAny stands last: it says nothing about the path.
std::uint32_t path_precedence(PathKind kind) {
  switch (kind) {
    case PathKind::kExact:
      return 0;
    case PathKind::kPrefix:
      return 1;
    case PathKind::kStringPrefix:
      return 2;
    case PathKind::kRegex:
      return 3;
    case PathKind::kAny:
      return 4;
  }
  return 4;
}

}  // namespace

/// Makes a CompiledRouter: judge the rules, compile the expressions, place every (host, path), rank them all.
class Compiler {
 public:
  Compiler(std::vector<std::shared_ptr<const Rule>> rules, Order order, const CompiledRouter* previous,
           std::vector<RuleError>& errors)
      : previous_(previous), errors_(errors), router_(new CompiledRouter(order, random_seed())) {
    if (previous_ != nullptr) router_->previous_id_ = previous_->id_;
    for (auto& rule : rules) rules_.push_back({std::move(rule), {}, {}, true});
  }

  std::shared_ptr<const Router> run() {
    for (Draft& draft : rules_) check(draft);
    compile_expressions();
    for (Draft& draft : rules_) {
      if (!draft.is_good) continue;
      router_->rules_.push_back(draft.rule);
      place(draft);
    }
    link_string_prefixes();
    rank_entries();
    return std::shared_ptr<const Router>(std::move(router_));
  }

 private:
  static constexpr std::uint32_t kNone = CompiledRouter::kNone;

  /// A rule with its hosts and paths in the form in which they are compared.
  struct Draft {
    std::shared_ptr<const Rule> rule;
    std::vector<HostCondition> hosts;
    std::vector<PathCondition> paths;
    bool is_good = true;
  };
  struct Entry {
    const Rule* rule;
    std::uint32_t order;  ///< Of the rule in the list.
    std::uint32_t bucket;
    std::uint32_t host_precedence, path_precedence, path_length;
  };
  struct PendingPrefix {
    std::uint32_t host;
    std::string_view text;
    std::uint32_t bucket;
  };

  void refuse(Draft& draft, std::string where, std::string why) {
    errors_.push_back({draft.rule->id, std::move(where), std::move(why)});
    draft.is_good = false;
  }

  void check(Draft& draft);
  void check_host(Draft& draft, std::size_t i);
  void check_path(Draft& draft, std::size_t i);
  void check_condition(Draft& draft, std::size_t i);
  void compile_expressions();
  std::shared_ptr<const ExpressionSet> expression_set(std::vector<Expression> list);
  void place(const Draft& draft);
  std::uint32_t host_index(const HostCondition& host);
  std::uint32_t bucket_of(std::uint32_t host, const PathCondition& path);
  void link_string_prefixes();
  void rank_entries();
  void fill_buckets();

  std::uint32_t new_bucket(std::size_t count = 1) {
    const std::size_t first = router_->buckets_.size();
    router_->buckets_.resize(first + count);
    return static_cast<std::uint32_t>(first);
  }
  std::string_view keep(std::string_view text) { return router_->texts_.emplace_back(text); }

  using HostKey = std::pair<HostKind, std::string>;

  std::vector<Draft> rules_;
  const CompiledRouter* previous_;
  std::vector<RuleError>& errors_;
  std::unique_ptr<CompiledRouter> router_;
  std::map<HostKey, std::shared_ptr<const ExpressionSet>> sets_;
  KeyTable string_prefix_buckets_{0};
  std::vector<PendingPrefix> pending_prefixes_;
  std::vector<Entry> entries_;
};

void Compiler::check(Draft& draft) {
  draft.hosts = draft.rule->hosts;
  if (draft.hosts.empty()) draft.hosts.push_back({});
  draft.paths = draft.rule->paths;
  if (draft.paths.empty()) draft.paths.push_back({});
  for (std::size_t i = 0; i < draft.hosts.size(); ++i) check_host(draft, i);
  for (std::size_t i = 0; i < draft.paths.size(); ++i) check_path(draft, i);
  for (std::size_t i = 0; i < draft.rule->conditions.size(); ++i) check_condition(draft, i);
}

void Compiler::check_host(Draft& draft, std::size_t i) {
  HostCondition& host = draft.hosts[i];
  host.value = ascii_lower(std::move(host.value));
  if (host.kind == HostKind::kAny) return;
  if (host.value.empty()) return refuse(draft, field("hosts", i, "value"), "is empty");
  if (host.value.size() > CompiledRouter::kMaxHost) {
    return refuse(draft, field("hosts", i, "value"), "longer than 255 characters");
  }
  if (is_wildcard(host.kind) && (host.value.size() < 2 || host.value.front() != '.')) {
    refuse(draft, field("hosts", i, "value"), "a wildcard needs a domain behind \"*.\"");
  }
}

/// Brings literals to the form that normalise_path() gives to requests: another spelling would never match.
void Compiler::check_path(Draft& draft, std::size_t i) {
  PathCondition& path = draft.paths[i];
  if (path.kind == PathKind::kAny) {
    path.value.clear();
    return;
  }
  if (path.kind == PathKind::kRegex) {
    if (path.value.empty()) refuse(draft, field("paths", i, "value"), "is empty");
    return;
  }
  if (path.value.empty() || path.value.front() != '/') {
    return refuse(draft, field("paths", i, "value"), "must begin with \"/\"");
  }
  char buffer[kMaxPath];
  const NormalPath normal = path.kind == PathKind::kStringPrefix ? normalise_encoding(path.value, buffer)
                                                                 : normalise_path(path.value, buffer);
  switch (normal.error) {
    case PathError::kNone:
      path.value = std::string(normal.path);
      return;
    case PathError::kTooLong:
      return refuse(draft, field("paths", i, "value"), "longer than 8192 characters");
    default:
      return refuse(draft, field("paths", i, "value"), "is not a path: bad percent-encoding");
  }
}

void Compiler::check_condition(Draft& draft, std::size_t i) {
  using Kind = ValueCondition::Kind;
  const ValueCondition& c = draft.rule->conditions[i];
  if (c.kind == Kind::kSource && c.sources.empty())
    refuse(draft, field("conditions", i, "sources"), "is empty");
  const bool has_name = c.kind == Kind::kHeader || c.kind == Kind::kQuery || c.kind == Kind::kCookie;
  if (has_name && c.name.empty()) refuse(draft, field("conditions", i, "name"), "is empty");
}

void Compiler::compile_expressions() {
  std::map<HostKey, std::vector<Expression>> lists;
  for (const Draft& draft : rules_) {
    if (!draft.is_good) continue;
    for (const PathCondition& path : draft.paths) {
      if (path.kind != PathKind::kRegex) continue;
      for (const HostCondition& host : draft.hosts) {
        lists[{host.kind, host.value}].push_back({path.value, path.ignore_case});
      }
    }
  }
  for (auto& [host, list] : lists) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    sets_[host] = expression_set(std::move(list));
  }
  for (Draft& draft : rules_) {
    if (!draft.is_good) continue;
    for (std::size_t i = 0; i < draft.paths.size(); ++i) {
      if (draft.paths[i].kind != PathKind::kRegex) continue;
      for (const HostCondition& host : draft.hosts) {
        const ExpressionSet& set = *sets_.at({host.kind, host.value});
        const std::string& error = set.error(set.index({draft.paths[i].value, draft.paths[i].ignore_case}));
        if (error.empty()) continue;
        refuse(draft, field("paths", i, "value"), error);
        break;  // The other hosts would say the same again.
      }
    }
  }
}

std::shared_ptr<const ExpressionSet> Compiler::expression_set(std::vector<Expression> list) {
  std::shared_ptr<const ExpressionSet>& set = router_->expression_sets_[list];
  if (set == nullptr && previous_ != nullptr) {
    const auto known = previous_->expression_sets_.find(list);
    if (known != previous_->expression_sets_.end()) set = known->second;
  }
  if (set == nullptr) {
    set = std::make_shared<const ExpressionSet>(std::move(list));
    router_->new_sets_.push_back(set.get());
  }
  return set;
}

void Compiler::place(const Draft& draft) {
  const auto order = static_cast<std::uint32_t>(router_->rules_.size() - 1);
  for (const HostCondition& host : draft.hosts) {
    const std::uint32_t h = host_index(host);
    for (const PathCondition& path : draft.paths) {
      entries_.push_back({draft.rule.get(), order, bucket_of(h, path), host_precedence(host),
                          path_precedence(path.kind), static_cast<std::uint32_t>(path.value.size())});
    }
  }
}

std::uint32_t Compiler::host_index(const HostCondition& host) {
  CompiledRouter& r = *router_;
  const auto kind = static_cast<std::uint32_t>(host.kind);
  std::uint32_t h = host.kind == HostKind::kAny ? r.any_host_ : r.host_table_.find(kind, host.value);
  if (h != kNone) return h;
  h = static_cast<std::uint32_t>(r.hosts_.size());
  r.hosts_.emplace_back();
  if (host.kind == HostKind::kAny) {
    r.any_host_ = h;
  } else {
    r.host_table_.insert(kind, keep(host.value), h);
    if (is_wildcard(host.kind)) r.suffix_lengths_.set(host.value.size());
  }
  const auto set = sets_.empty() ? sets_.end() : sets_.find({host.kind, host.value});
  if (set != sets_.end()) {
    r.hosts_[h].expressions = set->second;
    r.hosts_[h].first_expression = new_bucket(set->second->list().size());
  }
  return h;
}

std::uint32_t Compiler::bucket_of(std::uint32_t h, const PathCondition& path) {
  CompiledRouter& r = *router_;
  CompiledRouter::Host& host = r.hosts_[h];
  switch (path.kind) {
    case PathKind::kAny:
      if (host.any_path == kNone) host.any_path = new_bucket();
      return host.any_path;
    case PathKind::kExact: {
      host.has_exact = true;
      const std::uint32_t found = r.exact_.find(h, path.value);
      return found != kNone ? found : r.exact_.insert(h, keep(path.value), new_bucket());
    }
    case PathKind::kPrefix: {
      const std::string_view text =
          std::string_view(path.value).substr(0, path.value.size() - path.value.ends_with('/'));
      const std::uint32_t found = r.prefixes_.find(h, text);
      if (found != kNone) return found;
      host.has_prefixes = true;
      host.longest_prefix = std::max(host.longest_prefix, static_cast<std::uint32_t>(text.size()));
      r.prefix_lengths_.set(text.size());
      return r.prefixes_.insert(h, keep(text), new_bucket());
    }
    case PathKind::kStringPrefix: {
      const std::uint32_t found = string_prefix_buckets_.find(h, path.value);
      if (found != kNone) return found;
      pending_prefixes_.push_back({h, keep(path.value), new_bucket()});
      return string_prefix_buckets_.insert(h, pending_prefixes_.back().text, pending_prefixes_.back().bucket);
    }
    case PathKind::kRegex:
      return host.first_expression +
             static_cast<std::uint32_t>(host.expressions->index({path.value, path.ignore_case}));
  }
  return kNone;
}

void Compiler::link_string_prefixes() {
  std::sort(pending_prefixes_.begin(), pending_prefixes_.end(),
            [](const PendingPrefix& a, const PendingPrefix& b) {
              return std::tie(a.host, a.text) < std::tie(b.host, b.text);
            });
  std::vector<CompiledRouter::StringPrefix>& out = router_->string_prefixes_;
  std::vector<std::uint32_t> open;  // Prefixes of the last text, longest at the end.
  std::uint32_t host = kNone;
  for (const PendingPrefix& p : pending_prefixes_) {
    const auto at = static_cast<std::uint32_t>(out.size());
    if (p.host != host) {
      open.clear();
      host = p.host;
      router_->hosts_[host].first_string_prefix = at;
    }
    while (!open.empty() && !p.text.starts_with(out[open.back()].text)) open.pop_back();
    out.push_back({p.text, open.empty() ? kNone : open.back(), p.bucket});
    open.push_back(at);
    ++router_->hosts_[host].string_prefixes;
  }
}

void Compiler::rank_entries() {
  // Order of router.h. Inside one host (kSpecific) host_precedence is the same for all.
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    const auto key = [](const Entry& e) {
      return std::make_tuple(e.rule->priority, e.host_precedence, ~e.path_length, e.path_precedence,
                             ~e.rule->conditions.size(), e.rule->age);
    };
    const auto ka = key(a), kb = key(b);
    if (ka != kb) return ka < kb;
    if (a.rule->id != b.rule->id) return a.rule->id < b.rule->id;
    return std::tie(a.order, a.bucket) < std::tie(b.order, b.bucket);
  });
  for (const Entry& e : entries_) router_->ranked_.push_back({e.rule, !e.rule->conditions.empty()});
  fill_buckets();
  for (CompiledRouter::Host& host : router_->hosts_) {
    if (host.expressions == nullptr) continue;
    for (std::size_t i = 0; i < host.expressions->list().size(); ++i) {
      const CompiledRouter::Bucket& bucket = router_->buckets_[host.first_expression + i];
      if (bucket.count != 0)
        host.best_expression_rank = std::min(host.best_expression_rank, router_->ranks_[bucket.first]);
    }
  }
}

void Compiler::fill_buckets() {
  // Once to count, once to fill. A bucket is closed by its first entry without conditions.
  std::vector<CompiledRouter::Bucket>& buckets = router_->buckets_;
  std::vector<bool> closed(buckets.size());
  std::vector<bool> wanted(entries_.size());
  for (std::size_t rank = 0; rank < entries_.size(); ++rank) {
    const std::uint32_t b = entries_[rank].bucket;
    if (closed[b]) continue;
    wanted[rank] = true;
    ++buckets[b].count;
    closed[b] = !router_->ranked_[rank].has_conditions;
  }
  std::uint32_t total = 0;
  for (CompiledRouter::Bucket& bucket : buckets) {
    bucket.first = total;
    total += std::exchange(bucket.count, 0);
  }
  router_->ranks_.resize(total);
  for (std::size_t rank = 0; rank < entries_.size(); ++rank) {
    if (!wanted[rank]) continue;
    CompiledRouter::Bucket& bucket = buckets[entries_[rank].bucket];
    router_->ranks_[bucket.first + bucket.count++] = static_cast<std::uint32_t>(rank);
  }
}

std::shared_ptr<const Router> Router::compile(std::vector<std::shared_ptr<const Rule>> rules, Order order,
                                              const Router* previous, std::vector<RuleError>& errors) {
  return Compiler(std::move(rules), order, dynamic_cast<const CompiledRouter*>(previous), errors).run();
}

}  // namespace sluice::l7::route
