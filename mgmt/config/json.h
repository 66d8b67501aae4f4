// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mgmt/config/model.h"

/// Strict JSON <-> model. Reading judges shape only: unknown, missing or twice-given members, wrong types, numbers
/// that do not fit; validate.h judges meaning. Errors hold JSON pointers into the document that was given.
namespace sluice::mgmt::config {

/// What was read, and what was wrong with it. `value` is whole only when ok().
template <class T>
struct Parsed {
  T value{};
  std::vector<FieldError> errors;
  bool ok() const { return errors.empty(); }
};

enum class Secrets : std::uint8_t {
  kHide,  ///< Private keys are left out: whatever leaves the process.
  kShow,  ///< The store's own form.
};

/// Bytes to JSON. Refuses a member given twice in one object (the plain parser would keep the last), nesting deeper
/// than 32, and anything that is not one JSON text (RFC 8259); the error's path is "" and its message has the place.
Parsed<nlohmann::json> json_from_text(std::string_view text);

/// The whole desired state: {"address_pools": [...], "access_control_lists": [...], "load_balancers": [...], "listeners": [...], "rules": [...],
/// "server_groups": [...], "certificates": [...], "certificate_authorities": [...], "tls_policies": [...]}. An absent array is an empty one. Each object has its "id".
Parsed<Config> config_from_json(const nlohmann::json& document);
nlohmann::json to_json(const Config& config, Secrets secrets);

/// One resource. `id`: from the request's path; the body may leave "id" out, and must not name another one. Empty (a
/// POST): the body's own, or a generated one ("rule-5f0c9d41a2b37e68").
/// T: AddressPool, AccessControlList, LoadBalancer, Listener, Rule, ServerGroup, Certificate, CertificateAuthority, TlsPolicy.
template <class T>
Parsed<T> resource_from_json(const nlohmann::json& document, std::string_view id = {});

nlohmann::json to_json(const AddressPool& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const AccessControlList& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const LoadBalancer& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const Listener& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const Rule& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const ServerGroup& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const Certificate& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const CertificateAuthority& x, Secrets secrets = Secrets::kHide);
nlohmann::json to_json(const TlsPolicy& x, Secrets secrets = Secrets::kHide);

/// How a kind is called: `kMember` in the config document, `kPath` in the REST path, `kMap` in Config. REST handlers
/// are templates over T and take these, so that they need no more of a new kind than one specialisation here (README.md says what else does).
template <class T>
struct KindOf;
template <>
struct KindOf<AddressPool> {
  static constexpr std::string_view kMember = "address_pools", kPath = "address-pools", kOne = "address pool";
  static constexpr auto kMap = &Config::address_pools;
};
template <>
struct KindOf<AccessControlList> {
  static constexpr std::string_view kMember = "access_control_lists", kPath = "access-control-lists",
                                    kOne = "access control list";
  static constexpr auto kMap = &Config::access_control_lists;
};
template <>
struct KindOf<LoadBalancer> {
  static constexpr std::string_view kMember = "load_balancers", kPath = "load-balancers", kOne = "load balancer";
  static constexpr auto kMap = &Config::load_balancers;
};
template <>
struct KindOf<Listener> {
  static constexpr std::string_view kMember = "listeners", kPath = "listeners", kOne = "listener";
  static constexpr auto kMap = &Config::listeners;
};
template <>
struct KindOf<Rule> {
  static constexpr std::string_view kMember = "rules", kPath = "rules", kOne = "rule";
  static constexpr auto kMap = &Config::rules;
};
template <>
struct KindOf<ServerGroup> {
  static constexpr std::string_view kMember = "server_groups", kPath = "server-groups", kOne = "server group";
  static constexpr auto kMap = &Config::server_groups;
};
template <>
struct KindOf<Certificate> {
  static constexpr std::string_view kMember = "certificates", kPath = "certificates", kOne = "certificate";
  static constexpr auto kMap = &Config::certificates;
};
template <>
struct KindOf<CertificateAuthority> {
  static constexpr std::string_view kMember = "certificate_authorities", kPath = "certificate-authorities",
                                    kOne = "certificate authority";
  static constexpr auto kMap = &Config::certificate_authorities;
};
template <>
struct KindOf<TlsPolicy> {
  static constexpr std::string_view kMember = "tls_policies", kPath = "tls-policies", kOne = "TLS policy";
  static constexpr auto kMap = &Config::tls_policies;
};

/// The engine names fields by id ("/rules/shop/paths/0/value"), because it sees the model and not what was sent.
/// These turn such paths into pointers of what the client sent; paths that are not in it stay as they are (a
/// server group that a rule still needs: "/rules/shop/action/server_groups/0/server_group").
/// For a whole config: ids become array indices, "/rules/3/paths/0/value". `at`: where it stands in what was sent ("/put").
std::vector<FieldError> errors_for_document(std::vector<FieldError> errors, const nlohmann::json& document,
                                            std::string_view at = {});
/// For one resource of T: "/paths/0/value".
std::vector<FieldError> errors_for_resource(std::vector<FieldError> errors, std::string_view kind_member,
                                            std::string_view id);

}  // namespace sluice::mgmt::config
