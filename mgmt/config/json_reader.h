// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "mgmt/config/fields.h"
#include "mgmt/config/pointer.h"

namespace sluice::mgmt::config::detail {

void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, std::string& out);
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, bool& out);
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, HostMatch& out);
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, CertificateRef& out);
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, Action& out);
/// An integer from 0 to `max`; anything else is an error and 0.
std::uint64_t read_unsigned(const nlohmann::json& j, const Pointer& at, ErrorList& errors, std::uint64_t max);

template <std::unsigned_integral T>
requires(!std::same_as<T, bool>) void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors,
                                           T& out) {
  out = static_cast<T>(read_unsigned(j, at, errors, std::numeric_limits<T>::max()));
}
template <class T>
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, std::vector<T>& out);
template <class T>
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, std::optional<T>& out);
/// A resource or part of one.
template <class T>
requires std::is_class_v<T>
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, T& out);

/// Visits the members of one JSON object. finish() reports those that nobody asked for.
class ObjectReader {
 public:
  ObjectReader(const nlohmann::json& object, const Pointer& at, ErrorList& errors)
      : object_(object), at_(at), errors_(errors) {}

  template <class T>
  void required(const char* name, T& out) {
    if (!member(name, out)) errors_.add(at_ / name, "is required");
  }
  template <class T>
  void optional(const char* name, T& out) {
    member(name, out);
  }
  void secret(const char* name, std::string& out) { member(name, out); }
  /// A member that is read elsewhere.
  void known(const char* name) { ++known_, names_.push_back(name); }
  void finish();

 private:
  template <class T>
  bool member(const char* name, T& out) {
    names_.push_back(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return false;
    ++known_;
    read(*found, at_ / name, errors_, out);
    return true;
  }

  const nlohmann::json& object_;
  const Pointer& at_;
  ErrorList& errors_;
  std::vector<std::string_view> names_;
  std::size_t known_ = 0;
};

template <class T>
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, std::vector<T>& out) {
  if (!j.is_array()) return errors.add(at, "must be an array");
  out.clear();
  out.reserve(j.size());
  for (std::size_t i = 0; i < j.size() && !errors.full(); ++i) read(j[i], at / i, errors, out.emplace_back());
}

template <class T>
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, std::optional<T>& out) {
  if (j.is_null()) {
    out.reset();
  } else {
    read(j, at, errors, out.emplace());
  }
}

template <class T>
requires std::is_class_v<T>
void read(const nlohmann::json& j, const Pointer& at, ErrorList& errors, T& out) {
  if (!j.is_object()) return errors.add(at, "must be an object");
  ObjectReader reader(j, at, errors);
  fields(reader, out);
  reader.finish();
}

}  // namespace sluice::mgmt::config::detail
