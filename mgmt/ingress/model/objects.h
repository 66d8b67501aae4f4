// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/config/model.h"

/// The parts of Kubernetes objects that decide something here, as plain values. All else of an object is
/// forgotten when it is read, which bounds memory.
namespace sluice::mgmt::ingress {

struct ObjectKey {
  std::string ns;  ///< Empty: cluster-scoped.
  std::string name;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

struct Meta {
  ObjectKey key;
  std::string uid, resource_version;
  std::string created;    ///< RFC 3339 in UTC: order of text is order of time.
  bool deleting = false;  ///< Has a deletionTimestamp.
  std::map<std::string, std::string> annotations;
  std::vector<std::string> finalizers;
};

/// spec.defaultBackend or a path's backend.
struct Backend {
  std::string service;
  std::string port_name;          ///< Either this,
  std::uint32_t port_number = 0;  ///< or this.
  std::string resource;           ///< "StorageBucket/icons": a backend that is no Service.
  friend bool operator==(const Backend&, const Backend&) = default;
};

struct IngressPath {
  std::string path, type;
  Backend backend;
  friend bool operator==(const IngressPath&, const IngressPath&) = default;
};

struct IngressRule {
  std::string host;  ///< Empty: all.
  std::vector<IngressPath> paths;
  friend bool operator==(const IngressRule&, const IngressRule&) = default;
};

struct IngressTls {
  std::vector<std::string> hosts;
  std::string secret;
  friend bool operator==(const IngressTls&, const IngressTls&) = default;
};

struct Ingress {
  Meta meta;
  std::optional<std::string> class_name;
  std::optional<Backend> default_backend;
  std::vector<IngressRule> rules;
  std::vector<IngressTls> tls;
  std::vector<std::string> addresses;  ///< status.loadBalancer.ingress[].ip
};

struct IngressClass {
  Meta meta;
  std::string controller;
  std::string parameters_kind;  ///< "sluice.dev/SluiceConfig"; empty: none.
  ObjectKey parameters;
};

/// An appliance that the parameters of a class name.
struct NamedAppliance {
  std::string url;   ///< As appliance_url() has it.
  ObjectKey secret;  ///< What opens it, without a namespace in the controller's own; no name: none is given.
  friend bool operator==(const NamedAppliance&, const NamedAppliance&) = default;
};

/// The parameters of a class: templates of what its Ingresses become, in the REST API's own terms.
struct SluiceConfig {
  Meta meta;
  bool names_appliances = false;           ///< Right or wrong: no others serve its classes.
  std::vector<NamedAppliance> appliances;  ///< Those that are right.
  std::string load_balancer_id;        ///< An existing one.
  config::LoadBalancer load_balancer;  ///< Name, scheme, addresses or pool, IP version.
  config::Listener listener;           ///< Timeouts, limits, TLS policy, access control.
  config::ServerGroup server_group;    ///< Scheduler, health check, stickiness, timeouts.
  std::optional<config::AccessControlList> access_list;  ///< Made for the class.
  std::string access_type;                               ///< What it means: "allow", "deny".
  bool force_override = false, preserve_on_delete = false;
  std::vector<std::string> problems;  ///< What was wrong with it; those parts are defaults.
};

struct Service {
  struct Port {
    std::string name;
    std::uint32_t number = 0;
  };
  Meta meta;
  std::string type, external_name;
  std::vector<Port> ports;
  std::string primary_family;  ///< "IPv4", "IPv6"; empty: unknown.
};

struct EndpointSlice {
  struct Port {
    std::string name;
    std::uint32_t number = 0;  ///< 0: none is given.
  };
  struct Endpoint {
    std::vector<std::string> addresses;
    bool ready = true, serving = true, terminating = false;
  };
  Meta meta;
  std::string service;  ///< Label kubernetes.io/service-name.
  std::string address_type;
  std::vector<Port> ports;
  std::vector<Endpoint> endpoints;
};

struct Secret {
  Meta meta;
  std::string certificate, private_key;  ///< PEM
  std::string problem;                   ///< Why it cannot be used; empty: it can.
  bool expired = false;
  std::vector<std::string> names;  ///< Of the certificate, lower case.
};

/// A Secret that opens appliances.
struct ApplianceSecret {
  std::string token, ca;  ///< `ca`: PEM; empty: the system's CAs vouch for the appliance.
  bool missing = false;   ///< There is none of that name.
  bool unread = false;    ///< There may be one, which could not be read.
  std::string problem;    ///< Why it cannot be used; empty: it can.
  friend bool operator==(const ApplianceSecret&, const ApplianceSecret&) = default;
};

/// What the controller knows of the cluster. Owned by its one thread.
struct Cluster {
  std::map<ObjectKey, Ingress> ingresses;
  std::map<ObjectKey, IngressClass> classes;
  std::map<ObjectKey, SluiceConfig> configs;
  std::map<ObjectKey, Service> services;
  std::map<ObjectKey, std::map<std::string, EndpointSlice>> slices;  ///< By Service, then by their own names.
  std::map<ObjectKey, Secret> secrets;                               ///< Only those that an Ingress names.
  /// Only those that classes name. One that is not there is not known yet.
  std::map<ObjectKey, ApplianceSecret> appliance_secrets;
};

}  // namespace sluice::mgmt::ingress
