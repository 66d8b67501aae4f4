// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/model.h"

namespace sluice::mgmt::config {

/// A JSON pointer (RFC 6901) that is only spelled out when something is wrong: a step that knows its parent.
/// Lives on the stack of whoever walks down a document; names must outlive it.
class Pointer {
 public:
  Pointer() = default;
  Pointer operator/(std::string_view name) const& { return Pointer(this, name, 0, false); }
  Pointer operator/(std::size_t index) const& { return Pointer(this, {}, index, true); }
  // A child of a temporary would point into nothing.
  Pointer operator/(std::string_view) const&& = delete;
  Pointer operator/(std::size_t) const&& = delete;

  /// "/rules/3/paths/0"; "" for the root.
  std::string to_string() const;

 private:
  Pointer(const Pointer* parent, std::string_view name, std::size_t index, bool indexed)
      : parent_(parent), name_(name), index_(index), indexed_(indexed) {}
  const Pointer* parent_ = nullptr;
  std::string_view name_;
  std::size_t index_ = 0;
  bool indexed_ = false;
};

/// "~" and "/" of a name written as "~0" and "~1" (RFC 6901, 3), and back.
std::string escape_token(std::string_view token);
std::string unescape_token(std::string_view token);

/// Collects what is wrong, up to kMax: who sends 100,000 wrong rules is helped by the first hundred.
class ErrorList {
 public:
  static constexpr std::size_t kMax = 100;
  void add(const Pointer& at, std::string message);
  void add(std::string path, std::string message);
  bool full() const { return errors_.size() >= kMax; }
  bool empty() const { return errors_.empty(); }
  std::vector<FieldError> take() { return std::move(errors_); }

 private:
  std::vector<FieldError> errors_;
};

}  // namespace sluice::mgmt::config
