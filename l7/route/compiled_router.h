// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "l7/route/expressions.h"
#include "l7/route/key_table.h"
#include "l7/route/path.h"
#include "l7/route/router.h"

namespace sluice::l7::route {

/// How a router looks inside. compiler.cc fills it, compiled_router.cc reads it.
///
/// Every (host, path) of every rule is an entry; all entries are sorted once by precedence, and the place in
/// that order is the entry's rank (smaller wins). Entries with the same host and the same path condition
/// share a bucket, which lists their ranks in order. Matching is: find all buckets whose host and path fit,
/// and in them the lowest rank whose further conditions hold.
class CompiledRouter final : public Router {
 public:
  bool prepare(Scratch& scratch) const override;
  const Rule* match(const RequestView& request, Scratch& scratch) const override;
  std::size_t rules() const override { return rules_.size(); }

  /// The expressions of a host, shared with other routers; null when it has none.
  const ExpressionSet* expressions_of(const HostCondition& host) const;

 private:
  friend class Compiler;
  class Search;

  static constexpr std::uint32_t kNone = KeyTable::kNone;
  static constexpr std::size_t kMaxHost = 255;  ///< RFC 1035, 2.3.4. A longer host is no rule's.

  /// Ranks of a bucket: ranks_[first .. first + count). Cut behind the first entry without conditions:
  /// nothing behind that can win.
  struct Bucket {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  struct Ranked {
    const Rule* rule = nullptr;
    bool has_conditions = false;
  };
  /// One of the string prefixes of a host, which lie sorted side by side.
  struct StringPrefix {
    std::string_view text;
    std::uint32_t parent = kNone;  ///< The longest other one that `text` begins with.
    std::uint32_t bucket = kNone;
  };
  struct Host {
    std::uint32_t any_path = kNone;  ///< Bucket.
    bool has_exact = false;
    std::uint32_t longest_prefix = 0;  ///< Of its element prefixes.
    bool has_prefixes = false;
    std::uint32_t first_string_prefix = 0, string_prefixes = 0;
    std::shared_ptr<const ExpressionSet> expressions;
    std::uint32_t first_expression = 0;          ///< Bucket of expression 0; the others follow.
    std::uint32_t best_expression_rank = kNone;  ///< Better than this, and Hyperscan need not be asked.
  };

  explicit CompiledRouter(Order order, std::uint64_t seed);

  template <class F>
  void for_each_host(std::string_view lower, F f) const;

  Order order_;
  std::uint64_t id_;  ///< Unique in the process: what Scratch remembers.
  std::vector<std::shared_ptr<const Rule>> rules_;
  std::deque<std::string> texts_;  ///< Keys that no rule holds in this form.

  KeyTable host_table_;                       ///< (HostKind, lower-case text) -> index into hosts_.
  std::bitset<kMaxHost + 1> suffix_lengths_;  ///< Of wildcards: which suffixes are worth a look.
  std::uint32_t any_host_ = kNone;
  std::vector<Host> hosts_;

  KeyTable exact_;  ///< (host, path) -> bucket
  /// (host, element prefix without the slash at its end) -> bucket. A path has few beginnings that end with
  /// an element, and the lookups do not wait for each other as the steps down a trie do.
  KeyTable prefixes_;
  std::bitset<kMaxPath + 1> prefix_lengths_;  ///< Which beginnings are worth a look.
  std::vector<StringPrefix> string_prefixes_;

  std::vector<Bucket> buckets_;
  std::vector<std::uint32_t> ranks_;
  std::vector<Ranked> ranked_;  ///< By rank.

  /// All sets, by what was asked for, so that equal lists share one; also over generations of routers.
  std::map<std::vector<Expression>, std::shared_ptr<const ExpressionSet>> expression_sets_;
  /// Those that the previous router did not have: a scratch that was prepared for it needs to grow for these
  /// only.
  std::vector<const ExpressionSet*> new_sets_;
  std::uint64_t previous_id_ = 0;
};

}  // namespace sluice::l7::route
