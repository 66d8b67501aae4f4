// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/json_reader.h"

#include <algorithm>

namespace sluice::mgmt::config::detail {

using nlohmann::json;

void read(const json& j, const Pointer& at, ErrorList& errors, std::string& out) {
  if (!j.is_string()) return errors.add(at, "must be a string");
  out = j.get_ref<const std::string&>();
}

void read(const json& j, const Pointer& at, ErrorList& errors, bool& out) {
  if (!j.is_boolean()) return errors.add(at, "must be true or false");
  out = j.get<bool>();
}

std::uint64_t read_unsigned(const json& j, const Pointer& at, ErrorList& errors, std::uint64_t max) {
  const bool natural = j.is_number_unsigned() || (j.is_number_integer() && j.get<std::int64_t>() >= 0);
  if (natural && j.get<std::uint64_t>() <= max) return j.get<std::uint64_t>();
  errors.add(at, "must be an integer between 0 and " + std::to_string(max));
  return 0;
}

namespace {

/// An object, or its one necessary member as a plain string.
template <class T>
void read_short(const json& j, const Pointer& at, ErrorList& errors, std::string& plain, T& out) {
  if (j.is_string()) {
    plain = j.get_ref<const std::string&>();
    return;
  }
  if (!j.is_object()) return errors.add(at, "must be a string or an object");
  ObjectReader reader(j, at, errors);
  fields(reader, out);
  reader.finish();
}

}  // namespace

void read(const json& j, const Pointer& at, ErrorList& errors, HostMatch& out) {
  read_short(j, at, errors, out.value, out);
}

void read(const json& j, const Pointer& at, ErrorList& errors, CertificateRef& out) {
  read_short(j, at, errors, out.certificate, out);
}

namespace {

template <class A>
void read_action(const json& j, const Pointer& at, ErrorList& errors, Action& out) {
  ObjectReader reader(j, at, errors);
  reader.known("type");
  fields(reader, out.emplace<A>());
  reader.finish();
}

}  // namespace

void read(const json& j, const Pointer& at, ErrorList& errors, Action& out) {
  if (!j.is_object()) return errors.add(at, "must be an object");
  const Pointer type_at = at / "type";
  const auto type = j.find("type");
  if (type == j.end()) return errors.add(type_at, "is required");
  if (*type == kActionTypes[0]) return read_action<ForwardAction>(j, at, errors, out);
  if (*type == kActionTypes[1]) return read_action<RedirectAction>(j, at, errors, out);
  if (*type == kActionTypes[2]) return read_action<FixedResponseAction>(j, at, errors, out);
  errors.add(type_at, "must be \"forward\", \"redirect\" or \"fixed_response\"");
}

void ObjectReader::finish() {
  if (known_ == object_.size()) return;
  for (const auto& [name, value] : object_.items()) {
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) {
      errors_.add(at_ / name, "is not a known member");
    }
  }
}

}  // namespace sluice::mgmt::config::detail
