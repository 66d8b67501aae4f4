// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/json.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <unordered_map>

#include "dataplane/base/ascii.h"
#include "mgmt/config/json_reader.h"
#include "mgmt/config/json_writer.h"
#include "mgmt/config/names.h"

namespace sluice::mgmt::config {

using nlohmann::json;

namespace {

std::string generated_id(std::string_view kind) {
  std::random_device source;
  const std::uint64_t number = std::uint64_t{source()} << 32 | source();
  char digits[17] = {};
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
  std::string id = ascii_lower(std::string(kind));
  std::replace(id.begin(), id.end(), ' ', '-');
  return id + "-" + digits;
}

template <class T>
void read_collection(const json& document, const Pointer& root, ErrorList& errors, Config& config) {
  const auto found = document.find(KindOf<T>::kMember);
  if (found == document.end()) return;
  const Pointer at = root / KindOf<T>::kMember;
  if (!found->is_array()) return errors.add(at, "must be an array");

  std::unordered_map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < found->size() && !errors.full(); ++i) {
    const Pointer item_at = at / i;
    T item;
    detail::read((*found)[i], item_at, errors, item);
    if (!(*found)[i].is_object() || !(*found)[i].contains("id")) continue;  // Reported by read().
    if (!is_id(item.id)) errors.add(item_at / "id", kIdRule);
    if (const auto [entry, added] = first.emplace(item.id, i); !added) {
      errors.add(item_at / "id", "is the id of " + (at / entry->second).to_string() + " already");
    }
    std::string id = item.id;
    (config.*KindOf<T>::kMap).insert_or_assign(std::move(id), std::move(item));
  }
}

template <class T>
json write_collection(const Config& config, Secrets secrets) {
  auto out = json::array();
  for (const auto& [id, item] : config.*KindOf<T>::kMap) out.push_back(detail::write(item, secrets));
  return out;
}

}  // namespace

Parsed<Config> config_from_json(const json& document) {
  Parsed<Config> out;
  ErrorList errors;
  const Pointer root;
  if (!document.is_object()) {
    errors.add(root, "must be an object");
  } else {
    detail::ObjectReader reader(document, root, errors);
    read_collection<AddressPool>(document, root, errors, out.value);
    read_collection<AccessControlList>(document, root, errors, out.value);
    read_collection<LoadBalancer>(document, root, errors, out.value);
    read_collection<Listener>(document, root, errors, out.value);
    read_collection<Rule>(document, root, errors, out.value);
    read_collection<ServerGroup>(document, root, errors, out.value);
    read_collection<Certificate>(document, root, errors, out.value);
    read_collection<CertificateAuthority>(document, root, errors, out.value);
    read_collection<TlsPolicy>(document, root, errors, out.value);
    for (const char* name :
         {"address_pools", "access_control_lists", "load_balancers", "listeners", "rules", "server_groups",
          "certificates", "certificate_authorities", "tls_policies"}) {
      reader.known(name);
    }
    reader.finish();
  }
  out.errors = errors.take();
  return out;
}

json to_json(const Config& config, Secrets secrets) {
  json out = json::object();
  out[KindOf<AddressPool>::kMember] = write_collection<AddressPool>(config, secrets);
  out[KindOf<AccessControlList>::kMember] = write_collection<AccessControlList>(config, secrets);
  out[KindOf<LoadBalancer>::kMember] = write_collection<LoadBalancer>(config, secrets);
  out[KindOf<Listener>::kMember] = write_collection<Listener>(config, secrets);
  out[KindOf<Rule>::kMember] = write_collection<Rule>(config, secrets);
  out[KindOf<ServerGroup>::kMember] = write_collection<ServerGroup>(config, secrets);
  out[KindOf<Certificate>::kMember] = write_collection<Certificate>(config, secrets);
  out[KindOf<CertificateAuthority>::kMember] = write_collection<CertificateAuthority>(config, secrets);
  out[KindOf<TlsPolicy>::kMember] = write_collection<TlsPolicy>(config, secrets);
  return out;
}

template <class T>
Parsed<T> resource_from_json(const json& document, std::string_view id) {
  Parsed<T> out;
  ErrorList errors;
  const Pointer root;
  const Pointer id_at = root / "id";
  if (!document.is_object()) {
    errors.add(root, "must be an object");
  } else if (document.contains("id")) {
    detail::read(document, root, errors, out.value);
    if (document["id"].is_string()) {
      if (!id.empty() && out.value.id != id)
        errors.add(id_at, "must be \"" + std::string(id) + "\", as in the path");
      if (!is_id(out.value.id)) errors.add(id_at, kIdRule);
    }
  } else {
    json named = document;
    named["id"] = id.empty() ? generated_id(KindOf<T>::kOne) : std::string(id);
    detail::read(named, root, errors, out.value);
    if (!is_id(out.value.id)) errors.add(id_at, kIdRule);
  }
  out.errors = errors.take();
  return out;
}
template Parsed<AddressPool> resource_from_json(const json&, std::string_view);
template Parsed<AccessControlList> resource_from_json(const json&, std::string_view);
template Parsed<LoadBalancer> resource_from_json(const json&, std::string_view);
template Parsed<Listener> resource_from_json(const json&, std::string_view);
template Parsed<Rule> resource_from_json(const json&, std::string_view);
template Parsed<ServerGroup> resource_from_json(const json&, std::string_view);
template Parsed<Certificate> resource_from_json(const json&, std::string_view);
template Parsed<CertificateAuthority> resource_from_json(const json&, std::string_view);
template Parsed<TlsPolicy> resource_from_json(const json&, std::string_view);

json to_json(const AddressPool& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const AccessControlList& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const LoadBalancer& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const Listener& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const Rule& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const ServerGroup& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const Certificate& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const CertificateAuthority& x, Secrets secrets) { return detail::write(x, secrets); }
json to_json(const TlsPolicy& x, Secrets secrets) { return detail::write(x, secrets); }

namespace {

/// "/rules/shop/paths/0" -> {"rules", "shop", "/paths/0"}; empty kind: not of that form.
struct SplitPath {
  std::string_view kind;
  std::string id;
  std::string_view rest;
};

SplitPath split(std::string_view path) {
  if (path.empty() || path[0] != '/') return {};
  const std::size_t second = path.find('/', 1);
  if (second == path.npos) return {};
  const std::size_t third = path.find('/', second + 1);
  const std::size_t end = third == path.npos ? path.size() : third;
  return {path.substr(1, second - 1), unescape_token(path.substr(second + 1, end - second - 1)),
          path.substr(end)};
}

}  // namespace

std::vector<FieldError> errors_for_document(std::vector<FieldError> errors, const json& document,
                                            std::string_view at) {
  for (FieldError& e : errors) {
    const SplitPath path = split(e.path);
    if (path.kind.empty() || !document.is_object()) continue;
    const auto array = document.find(path.kind);
    if (array == document.end() || !array->is_array()) continue;
    for (std::size_t i = 0; i < array->size(); ++i) {
      const json& item = (*array)[i];
      if (!item.is_object()) continue;
      const auto id = item.find("id");
      if (id == item.end() || !id->is_string() || id->get_ref<const std::string&>() != path.id) continue;
      e.path =
          std::string(at) + "/" + std::string(path.kind) + "/" + std::to_string(i) + std::string(path.rest);
      break;
    }
  }
  return errors;
}

std::vector<FieldError> errors_for_resource(std::vector<FieldError> errors, std::string_view kind_member,
                                            std::string_view id) {
  for (FieldError& e : errors) {
    const SplitPath at = split(e.path);
    if (at.kind == kind_member && at.id == id) e.path = std::string(at.rest);
  }
  return errors;
}

}  // namespace sluice::mgmt::config
