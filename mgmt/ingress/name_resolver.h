// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/model/translate.h"

namespace sluice::mgmt::ingress {

/// Addresses of names, by the system's resolver, asked again and again. It blocks, so it has a thread of its
/// own; all else belongs to the loop's. What was known stays when the DNS does not answer.
class NameResolver {
 public:
  /// `interval`: between two questions for a name. `changed`: an answer is there that differs from the one before.
  NameResolver(HttpLoop& loop, std::chrono::seconds interval, std::function<void()> changed);
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  /// Those that are wanted from now on; others are forgotten.
  void want(const std::set<std::string>& names);
  const ResolvedNames& known() const { return known_; }
  std::uint64_t failures() const { return failures_; }

 private:
  struct Shared;
  void ask();
  void collect();

  HttpLoop& loop_;
  const std::chrono::seconds interval_;
  std::function<void()> changed_;
  std::set<std::string> wanted_, asked_;
  ResolvedNames known_;
  std::uint64_t failures_ = 0;
  HttpLoop::Id next_round_ = 0, next_look_ = 0;
  std::shared_ptr<Shared> shared_;
};

}  // namespace sluice::mgmt::ingress
