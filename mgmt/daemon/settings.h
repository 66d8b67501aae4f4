// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>
#include <libconfig.h++>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/daemon/bootstrap.h"

namespace sluice::mgmt::daemon {

/// Where errors of one file are collected, so that all of them are told at once.
class SettingErrors {
 public:
  explicit SettingErrors(std::string file) : file_(std::move(file)) {}
  void add(const libconfig::Setting& at, const std::string& field, const std::string& message);
  std::vector<BootstrapError> take() { return std::move(errors_); }

 private:
  std::string file_;
  std::vector<BootstrapError> errors_;
};

/// A strict view of one libconfig group: each getter leaves `out` alone when the name is absent, reports a
/// wrong type or value, and remembers the name; finish() reports the names that nobody asked for.
class SettingGroup {
 public:
  SettingGroup(const libconfig::Setting& group, std::string path, SettingErrors& errors);

  bool has(const char* name) const;
  /// Reports the absence.
  void require(std::initializer_list<const char*> names);

  void text(const char* name, std::string& out);
  /// Only the given words.
  void choice(const char* name, std::initializer_list<const char*> words, std::string& out);
  void boolean(const char* name, bool& out);
  template <class T>
  void number(const char* name, long long min, long long max, T& out) {
    if (const auto v = whole_number(name, min, max)) out = static_cast<T>(*v);
  }
  /// `parse` answers false for a wrong text; `expected` says what is right.
  void parsed(const char* name, const std::string& expected,
              const std::function<bool(const std::string&)>& parse);
  void texts(const char* name, const std::string& expected,
             const std::function<bool(const std::string&)>& each);
  void numbers(const char* name, long long min, long long max, std::vector<long long>& out);
  /// Groups: one by name, or a list of them ("ports[0]").
  void group(const char* name, const std::function<void(SettingGroup&)>& read);
  void groups(const char* name, const std::function<void(SettingGroup&)>& read);
  /// Reads a setting by itself: type and value are the caller's.
  const libconfig::Setting* raw(const char* name);

  std::string field(const char* name) const;
  void error(const char* name, const std::string& message);
  void finish();

 private:
  const libconfig::Setting* find(const char* name);
  std::optional<long long> whole_number(const char* name, long long min, long long max);

  const libconfig::Setting& group_;
  std::string path_;
  SettingErrors& errors_;
  std::vector<std::string> known_;
};

/// "a text", "a list ( ... )": for messages.
std::string describe(const libconfig::Setting& s);

}  // namespace sluice::mgmt::daemon
