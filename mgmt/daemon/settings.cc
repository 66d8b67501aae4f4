// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::mgmt::daemon {

using libconfig::Setting;

namespace {

bool is_whole(const Setting& s) {
  return s.getType() == Setting::TypeInt || s.getType() == Setting::TypeInt64;
}

long long whole(const Setting& s) {
  return s.getType() == Setting::TypeInt ? int(s) : static_cast<long long>(s);
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::string range_text(long long min, long long max) {
  return fmt::format("expected a whole number from {} to {}", min, max);
}

}  // namespace

std::string describe(const Setting& s) {
  switch (s.getType()) {
    case Setting::TypeInt:
    case Setting::TypeInt64:
      return fmt::format("{}", whole(s));
    case Setting::TypeFloat:
      return fmt::format("{}", double(s));
    case Setting::TypeString:
      return fmt::format("\"{}\"", s.c_str());
    case Setting::TypeBoolean:
      return bool(s) ? "true" : "false";
    case Setting::TypeGroup:
      return "a group { ... }";
    case Setting::TypeArray:
      return "an array [ ... ]";
    case Setting::TypeList:
      return "a list ( ... )";
    default:
      return "nothing";
  }
}

std::string BootstrapError::to_string() const {
  std::string out = file;
  if (line != 0) out += fmt::format(":{}", line);
  if (!field.empty()) out += ": " + field;
  return out + ": " + message;
}

void SettingErrors::add(const Setting& at, const std::string& field, const std::string& message) {
  const char* included = at.getSourceFile();  // @include: the line belongs to that file
  const std::string file = included != nullptr && *included != '\0' ? included : file_;
  errors_.push_back({file, at.isRoot() ? 0 : at.getSourceLine(), field, message});
}

SettingGroup::SettingGroup(const Setting& group, std::string path, SettingErrors& errors)
    : group_(group), path_(std::move(path)), errors_(errors) {}

std::string SettingGroup::field(const char* name) const { return path_.empty() ? name : path_ + "." + name; }

bool SettingGroup::has(const char* name) const { return group_.exists(name); }

const Setting* SettingGroup::find(const char* name) {
  if (std::find(known_.begin(), known_.end(), name) == known_.end()) known_.emplace_back(name);
  return group_.exists(name) ? &group_[name] : nullptr;
}

const Setting* SettingGroup::raw(const char* name) { return find(name); }

void SettingGroup::error(const char* name, const std::string& message) {
  errors_.add(group_.exists(name) ? group_[name] : group_, field(name), message);
}

void SettingGroup::require(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!has(name)) errors_.add(group_, field(name), "is missing");
  }
}

void SettingGroup::text(const char* name, std::string& out) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (s->getType() != Setting::TypeString)
    return error(name, "expected a text in quotes, not " + describe(*s));
  out = s->c_str();
}

void SettingGroup::choice(const char* name, std::initializer_list<const char*> words, std::string& out) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  const bool known = s->getType() == Setting::TypeString &&
                     std::any_of(words.begin(), words.end(),
                                 [&](const char* w) { return std::string_view(w) == s->c_str(); });
  if (known) {
    out = s->c_str();
    return;
  }
  std::vector<std::string> quoted;
  for (const char* w : words) quoted.push_back(fmt::format("\"{}\"", w));
  error(name, fmt::format("expected one of {}, not {}", join(quoted), describe(*s)));
}

void SettingGroup::boolean(const char* name, bool& out) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (s->getType() != Setting::TypeBoolean) return error(name, "expected true or false, not " + describe(*s));
  out = bool(*s);
}

std::optional<long long> SettingGroup::whole_number(const char* name, long long min, long long max) {
  const Setting* s = find(name);
  if (s == nullptr) return std::nullopt;
  if (is_whole(*s) && whole(*s) >= min && whole(*s) <= max) return whole(*s);
  error(name, fmt::format("{}, not {}", range_text(min, max), describe(*s)));
  return std::nullopt;
}

void SettingGroup::parsed(const char* name, const std::string& expected,
                          const std::function<bool(const std::string&)>& parse) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (s->getType() == Setting::TypeString && parse(s->c_str())) return;
  error(name, fmt::format("expected {}, not {}", expected, describe(*s)));
}

void SettingGroup::texts(const char* name, const std::string& expected,
                         const std::function<bool(const std::string&)>& each) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (!s->isArray() && !s->isList()) {
    return error(name, fmt::format("expected an array [ ... ] of {}, not {}", expected, describe(*s)));
  }
  for (int i = 0; i < s->getLength(); ++i) {
    const Setting& item = (*s)[i];
    if (item.getType() == Setting::TypeString && each(item.c_str())) continue;
    errors_.add(item, fmt::format("{}[{}]", field(name), i),
                fmt::format("expected {}, not {}", expected, describe(item)));
  }
}

void SettingGroup::numbers(const char* name, long long min, long long max, std::vector<long long>& out) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (!s->isArray() && !s->isList()) {
    return error(name, "expected an array [ ... ] of whole numbers, not " + describe(*s));
  }
  out.clear();
  for (int i = 0; i < s->getLength(); ++i) {
    const Setting& item = (*s)[i];
    if (is_whole(item) && whole(item) >= min && whole(item) <= max) {
      out.push_back(whole(item));
    } else {
      errors_.add(item, fmt::format("{}[{}]", field(name), i),
                  fmt::format("{}, not {}", range_text(min, max), describe(item)));
    }
  }
}

void SettingGroup::group(const char* name, const std::function<void(SettingGroup&)>& read) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (!s->isGroup()) return error(name, "expected a group { ... }, not " + describe(*s));
  SettingGroup inner(*s, field(name), errors_);
  read(inner);
  inner.finish();
}

void SettingGroup::groups(const char* name, const std::function<void(SettingGroup&)>& read) {
  const Setting* s = find(name);
  if (s == nullptr) return;
  if (!s->isList()) return error(name, "expected a list ( { ... }, ... ) of groups, not " + describe(*s));
  for (int i = 0; i < s->getLength(); ++i) {
    const Setting& item = (*s)[i];
    const std::string path = fmt::format("{}[{}]", field(name), i);
    if (!item.isGroup()) {
      errors_.add(item, path, "expected a group { ... }, not " + describe(item));
      continue;
    }
    SettingGroup inner(item, path, errors_);
    read(inner);
    inner.finish();
  }
}

void SettingGroup::finish() {
  for (int i = 0; i < group_.getLength(); ++i) {
    const Setting& s = group_[i];
    if (std::find(known_.begin(), known_.end(), s.getName()) != known_.end()) continue;
    errors_.add(s, field(s.getName()), "unknown name, expected one of " + join(known_));
  }
}

}  // namespace sluice::mgmt::daemon
