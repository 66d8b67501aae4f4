// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "l7/http/message.h"
#include "l7/route/rule.h"

namespace sluice::l7::route {

/// How rules are ranked.
enum class Order : std::uint8_t {
  /// Kubernetes: the most specific host that any rule names decides first (exact, then wildcard - the narrower
  /// first - then any) and there is no way back to another host; inside it the smaller priority, then the longer
  /// path, then Exact before Prefix before string prefix before regex, then more conditions, then the older rule.
  kSpecific,
  /// Strictly by priority over all rules that match; ties as in kSpecific (host, path, conditions, age).
  kPriority,
};

/// What the router looks at.
struct RequestView {
  std::string_view host;  ///< Any case, no port, no trailing dot.
  std::string_view path;  ///< In normal form (normalise_path() of path.h), without query.
  std::string_view query;
  std::string_view method;
  const http::FieldList* fields = nullptr;
  IpAddr source;
};

/// Working memory for matching; one a thread. Grows to what the router needs in prepare().
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;

 private:
  friend class Router;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Which rules are wrong and why (a regular expression that does not compile...).
struct RuleError {
  std::string rule_id;
  std::string field;  ///< "paths[0].value"
  std::string message;
};

/// The rules of one listener, compiled. Immutable and shared by threads. Literals by hash and sorted
/// prefixes, expressions by one Hyperscan database a host.
class Router {
 public:
  /// Hosts whose expressions did not change share their database with `previous`. Rules with errors are left
  /// out and reported; the router is made of the others. Literal paths are brought to the normal form of
  /// path.h first. Rules that tie in everything are ranked by id.
  static std::shared_ptr<const Router> compile(std::vector<std::shared_ptr<const Rule>> rules, Order order,
                                               const Router* previous, std::vector<RuleError>& errors);
  virtual ~Router() = default;

  /// Control path or first use on a worker: grows `scratch` (allocates). Cheap when it fits already.
  virtual bool prepare(Scratch& scratch) const = 0;
  /// The rule that decides, or null: also when the path is longer than kMaxPath. No allocation. `scratch`
  /// must have been prepared for this router.
  virtual const Rule* match(const RequestView& request, Scratch& scratch) const = 0;
  virtual std::size_t rules() const = 0;

 protected:
  static Scratch::Impl* impl(Scratch& s) { return s.impl_.get(); }
};

}  // namespace sluice::l7::route
