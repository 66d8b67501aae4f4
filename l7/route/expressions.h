// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hs.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::l7::route {

struct Expression {
  std::string text;
  bool ignore_case = false;
  friend auto operator<=>(const Expression&, const Expression&) = default;
};

/// A set of regular expressions in one Hyperscan database, anchored at the start of the path and open at its
/// end. Immutable, shared by routers and threads. Expressions are known by their place in the list.
class ExpressionSet {
 public:
  static constexpr std::size_t kMaxLength = 4096;

  /// `list` is sorted, without doubles. Never fails as a whole: expressions that do not compile are left out,
  /// each with its reason.
  explicit ExpressionSet(std::vector<Expression> list);
  ~ExpressionSet() { hs_free_database(database_); }
  ExpressionSet(const ExpressionSet&) = delete;
  ExpressionSet& operator=(const ExpressionSet&) = delete;

  const std::vector<Expression>& list() const { return list_; }
  /// Place of one that is in the list.
  std::size_t index(const Expression& e) const {
    return static_cast<std::size_t>(std::lower_bound(list_.begin(), list_.end(), e) - list_.begin());
  }
  /// Why the expression is left out; empty when it is not.
  const std::string& error(std::size_t i) const { return errors_[i]; }

  /// Grows the scratch so that scan() can use it. False: no memory.
  bool grow(hs_scratch_t*& scratch) const {
    return database_ == nullptr || hs_alloc_scratch(database_, &scratch) == HS_SUCCESS;
  }

  /// Calls on_match(index) once for each expression that matches, in no order. False: it could not look (the
  /// scratch does not fit), so nothing is known. No allocation; time linear in the text.
  template <class F>
  bool scan(std::string_view text, hs_scratch_t* scratch, F on_match) const {
    if (database_ == nullptr) return true;
    const auto handler = [](unsigned id, unsigned long long, unsigned long long, unsigned, void* f) {
      (*static_cast<F*>(f))(static_cast<std::uint32_t>(id));
      return 0;
    };
    return hs_scan(database_, text.data(), static_cast<unsigned>(text.size()), 0, scratch, handler,
                   &on_match) == HS_SUCCESS;
  }

 private:
  void check(std::size_t i);
  /// Compiles those without an error; notes which one is to blame when that fails. True: done.
  bool build();

  std::vector<Expression> list_;
  std::vector<std::string> errors_;
  hs_database_t* database_ = nullptr;
};

}  // namespace sluice::l7::route
