// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mgmt/config/fields.h"
#include "mgmt/config/json.h"

namespace sluice::mgmt::config::detail {

template <class T>
nlohmann::json write(const T& x, Secrets secrets);

/// Visits the members of one resource and makes a JSON object. An empty optional is left out; all else is
/// written, so that a reader sees the defaults too.
class ObjectWriter {
 public:
  explicit ObjectWriter(Secrets secrets) : secrets_(secrets) {}
  template <class T>
  void required(const char* name, const T& value) {
    object_[name] = write(value, secrets_);
  }
  template <class T>
  void optional(const char* name, const T& value) {
    object_[name] = write(value, secrets_);
  }
  template <class T>
  void optional(const char* name, const std::optional<T>& value) {
    if (value) object_[name] = write(*value, secrets_);
  }
  void secret(const char* name, const std::string& value) {
    if (secrets_ == Secrets::kShow) object_[name] = value;
  }
  nlohmann::json take() { return std::move(object_); }

 private:
  Secrets secrets_;
  nlohmann::json object_ = nlohmann::json::object();
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
nlohmann::json write(const T& x, Secrets secrets) {
  if constexpr (std::same_as<T, std::string> || std::integral<T>) {
    return x;
  } else if constexpr (IsVector<T>::value) {
    auto out = nlohmann::json::array();
    for (const auto& item : x) out.push_back(write(item, secrets));
    return out;
  } else if constexpr (std::same_as<T, Action>) {
    auto out = std::visit([&](const auto& action) { return write(action, secrets); }, x);
    out["type"] = kActionTypes[x.index()];
    return out;
  } else {
    if constexpr (std::same_as<T, CertificateRef>) {
      if (!x.hosts) return x.certificate;
    }
    ObjectWriter writer(secrets);
    fields(writer, x);
    return writer.take();
  }
}

}  // namespace sluice::mgmt::config::detail
