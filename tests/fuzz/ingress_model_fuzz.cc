// SPDX-License-Identifier: Apache-2.0
// A cluster and an appliance, as a JSON array of objects such as the cases of tests/unit/mgmt_ingress hold. Whatever
// they say: the pure step throws nothing, what it wants is a state that an appliance takes, the order in which objects
// came makes no difference, and no object takes away what another asked for, unless it asked for the same before.
#include <algorithm>
#include <set>

#include "mgmt/config/json.h"
#include "mgmt/config/validate.h"
#include "mgmt/ingress/appliance/diff.h"
#include "mgmt/ingress/model/describe.h"
#include "mgmt/ingress/model/named_appliances.h"
#include "mgmt/ingress/model/read_cluster.h"
#include "mgmt/ingress/model/read_objects.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/json_mutator.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using namespace sluice::mgmt;
using namespace sluice::mgmt::ingress;
using nlohmann::json;
using sluice::fuzz::require;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::size_t kMaxObjects = 60;
constexpr const char* kUrl = "https://appliance.example";

struct World {
  Cluster cluster;
  config::Config appliance;  ///< One that is valid; else an empty one.
  Options options{.appliances = {kUrl}};
  ResolvedNames names;
};

/// Without those that cannot stand in one cluster: a name twice in its kind, and Endpoints beside slices.
std::vector<json> distinct_objects(const json& documents) {
  std::vector<json> all, out;
  for (const json& one : documents) {
    const json* items = one.is_object() && one.value("kind", json()) == "List" && one.contains("items") ? &one["items"] : nullptr;
    if (items != nullptr && items->is_array())
      all.insert(all.end(), items->begin(), items->end());
    else
      all.push_back(one);
  }
  const auto kind = [](const json& one) { return one.is_object() ? one.value("kind", json()) : json(); };
  const bool slices = std::any_of(all.begin(), all.end(), [&](const json& one) { return kind(one) == "EndpointSlice"; });
  std::set<std::string> seen;
  for (json& one : all) {
    if (out.size() == kMaxObjects) break;
    if (kind(one) == "List" || (slices && kind(one) == "Endpoints")) continue;
    const auto meta = read_meta(one);
    if (meta && !seen.insert(kind(one).dump(-1, ' ', false, json::error_handler_t::replace) + "\n" +
                             (meta->key.ns.empty() ? "default" : meta->key.ns) + "\n" + meta->key.name)
                     .second)
      continue;
    out.push_back(std::move(one));
  }
  return out;
}

/// As the command line has them: each once, in one form.
std::vector<std::string> read_urls(const json& list) {
  std::vector<std::string> out;
  for (const json& one : list) {
    const std::string url = one.is_string() ? appliance_url(one.get<std::string>()) : "";
    if (!url.empty() && std::find(out.begin(), out.end(), url) == out.end()) out.push_back(url);
  }
  return out;
}

void add(const json& one, World& world) {
  const json kind = one.is_object() ? one.value("kind", json()) : json();
  if (kind == "Options") {
    if (one.contains("without_class")) world.options.without_class = one["without_class"] == true;
    if (one.contains("external_names")) world.options.external_names = one["external_names"] == true;
    if (one.contains("appliances") && one["appliances"].is_array()) world.options.appliances = read_urls(one["appliances"]);
  } else if (kind == "Names" && one.contains("addresses") && one["addresses"].is_object()) {
    for (const auto& [name, addresses] : one["addresses"].items()) {
      for (const json& a : addresses) world.names[name].push_back(a.is_string() ? a : "");
    }
  } else if (kind == "Appliance" && one.contains("state")) {
    auto state = config::config_from_json(one["state"]);
    for (auto& [id, c] : state.value.certificates) c.private_key = "shown to nobody";
    if (state.ok() && config::validate(state.value).empty()) world.appliance = std::move(state.value);
  } else {
    add_object(one, kNow, world.cluster);
  }
}

/// For the appliance whose state is known, those of the command line, and all that classes name besides.
Plan plan(const World& world) {
  const Assignment assignment = assign_appliances(world.cluster, world.options);
  std::set<std::string> urls = all_appliances(assignment);
  urls.insert(kUrl);
  urls.insert(world.options.appliances.begin(), world.options.appliances.end());
  auto fleets = find_fleets(assignment, urls);
  for (Fleet& fleet : fleets) {
    if (fleet.appliances.contains(kUrl)) fleet.states = {&world.appliance};
  }
  return make_plan(world.cluster, assignment, std::move(fleets), world.options, world.names);
}

Translation translate(const World& world) {
  Fleet fleet;
  for (const auto& [name, served_by] : assign_appliances(world.cluster, world.options).classes) {
    if (std::find(served_by.begin(), served_by.end(), kUrl) != served_by.end()) fleet.classes.insert(name);
  }
  fleet.states = {&world.appliance};
  return ingress::translate(world.cluster, fleet, world.options, world.names);
}

std::string text(const World& world, const Plan& p) {
  json out = describe(p, world.options);
  for (const auto& part : p.parts) out["whole"].push_back(config::to_json(part.translation.model, config::Secrets::kShow));
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// An appliance is in one fleet, and holds nothing but what is of Ingresses of ours; each that is not served has a reason.
void check_fleets(const Plan& p) {
  std::set<std::string> seen;
  for (const auto& part : p.parts) {
    for (const std::string& url : part.fleet.appliances) require(seen.insert(url).second, url + " is in one fleet");
    for (const auto& [object, key] : part.translation.origins) require(p.ingresses.contains(key), object + " is of " + key.text());
  }
  for (const auto& [key, outcome] : p.ingresses) {
    const bool said = std::any_of(p.notices.begin(), p.notices.end(), [&, at = &key](const Notice& n) { return n.object == *at; });
    require(!outcome.load_balancer.empty() || outcome.deleting || said, key.text() + " is not served, and nothing says why");
  }
}

/// What the appliance holds after the change that follows is valid, and nobody else's objects were touched.
void check_state(const World& world, const Translation& t) {
  Lingering lingering{std::chrono::seconds(0)};
  config::Config after = world.appliance;
  const std::string mark = world.options.mark();
  const Change change = diff(world.appliance, t, mark, {}, lingering, {});
  apply(change, after);
  for (auto& [id, c] : after.certificates) {
    if (c.private_key.empty()) c.private_key = "kept by the appliance";
  }
  for (const auto& e : config::validate(after)) {
    // A port that another took meanwhile is refused by the appliance, by itself.
    const bool taken = e.path.starts_with("/listeners/") && e.path.ends_with("/port");
    require(taken, e.path + " " + e.message);
  }
  for (const auto& [id, listener] : world.appliance.listeners) {
    const bool others = listener.managed_by != mark && !t.taken_over.contains(id) && !t.model.listeners.contains(id);
    if (others) require(after.listeners.contains(id) && after.listeners.at(id) == listener, "listener " + id + " is another's");
  }
  for (const auto& [id, rule] : world.appliance.rules) {
    const bool others = rule.managed_by != mark && !t.taken_over.contains(rule.listener) && !t.model.rules.contains(id);
    if (others) require(after.rules.contains(id) && after.rules.at(id) == rule, "rule " + id + " is another's");
  }
  for (const auto& [id, lb] : world.appliance.load_balancers) {
    if (lb.managed_by != mark && !t.model.load_balancers.contains(id))
      require(after.load_balancers.contains(id), "load balancer " + id + " is another's");
  }
}

/// What a rule is asked for, without what becomes of the request: a default backend may decide that.
std::string condition(const config::Rule& r) {
  config::Rule bare;
  bare.listener = r.listener;
  bare.hosts = r.hosts;
  bare.paths = r.paths;
  return config::to_json(bare).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::set<std::string> conditions(const Translation& t, const ObjectKey& ingress, bool its) {
  std::set<std::string> out;
  for (const auto& [id, rule] : t.model.rules) {
    if ((t.origins.at("rules/" + id) == ingress) == its) out.insert(condition(rule));
  }
  return out;
}

/// Without one Ingress the others have what they had, and besides only what was its before.
void check_isolation(World& world, const Translation& t, const ObjectKey& key) {
  auto node = world.cluster.ingresses.extract(key);
  const Translation without = translate(world);
  world.cluster.ingresses.insert(std::move(node));
  const auto others = conditions(t, key, false), its = conditions(t, key, true), left = conditions(without, key, false);
  for (const std::string& c : others) require(left.contains(c), "with " + key.text() + " only: " + c);
  for (const std::string& c : left) require(others.contains(c) || its.contains(c), key.text() + " took away: " + c);
}

std::set<std::string> rule_ids(const Translation& t) {
  std::set<std::string> out;
  for (const auto& [id, rule] : t.model.rules) out.insert(id);
  return out;
}

template <class Map>
void check_rules_do_not_need(World& world, const Translation& t, Map& objects) {
  Map held;
  held.swap(objects);
  const Translation without = translate(world);
  require(rule_ids(without) == rule_ids(t), "rules stand without Services, endpoints and Secrets");
  check_state(world, without);
  held.swap(objects);
}

bool forces(const Ingress& ingress) {
  return std::any_of(ingress.meta.annotations.begin(), ingress.meta.annotations.end(),
                     [](const auto& a) { return a.first.ends_with("-force-override-listeners"); });
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> kWords = {
      "", "/", "/foo", "/foo/", "/bar?x", "*", "*.shop.example", "shop.example", "SHOP.example", "a.b.shop.example",
      "Exact", "Prefix", "ImplementationSpecific", "ExternalName", "localhost", "127.0.0.1", "169.254.1.1", "10.0.0.1",
      "2001:db8::1", "10.0.0.0/8", "::/0", "IPv4", "IPv6", "default", "web", "http", "sluice", "sluice.dev/ingress", "true",
      "false", "on", "off", "dual", "ipv6", "internet", "intranet", "internal", "white", "black", "insert", "server", "1", "0",
      "86400", "-520", "2024-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "kubernetes.io/ingress.class", "metadata", "annotations",
      "spec", "rules", "tls", "hosts", "secretName", "k8s_sluice_internet", "sluice-ingress/k8s", "UDP", "TCP", "\xff\xfe",
      "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id", "service.beta.kubernetes.io/alicloud-loadbalancer-name",
      "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-force-override-listeners",
      "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-sticky-session",
      "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-acl-id",
      "appliances", "url", "credentialsSecret", kUrl, "https://other.example:8443", "https://OTHER.example:8443/"};
  return kWords;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  auto document = config::json_from_text({reinterpret_cast<const char*>(data), size});
  if (!document.ok() || seed % 64 == 0) return LLVMFuzzerMutate(data, size, max_size);
  sluice::fuzz::JsonMutator(seed, words()).mutate(document.value);
  const std::string out = document.value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (out.size() > max_size) return size;
  std::copy(out.begin(), out.end(), data);
  return out.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto document = config::json_from_text({reinterpret_cast<const char*>(data), size});
  if (!document.ok() || !document.value.is_array()) return 0;
  std::vector<json> objects = distinct_objects(document.value);
  World world, backwards;
  for (const json& one : objects) add(one, world);
  const Translation t = translate(world);
  check_state(world, t);
  const Plan whole = plan(world);
  check_fleets(whole);

  std::reverse(objects.begin(), objects.end());
  for (const json& one : objects) add(one, backwards);
  if (world.appliance == backwards.appliance && world.options.without_class == backwards.options.without_class &&
      world.options.external_names == backwards.options.external_names &&
      world.options.appliances == backwards.options.appliances && world.names == backwards.names)
    require(text(world, whole) == text(backwards, plan(backwards)), "order makes no difference");

  check_rules_do_not_need(world, t, world.cluster.services);
  check_rules_do_not_need(world, t, world.cluster.slices);
  check_rules_do_not_need(world, t, world.cluster.secrets);
  std::vector<ObjectKey> keys;
  for (const auto& [key, ingress] : world.cluster.ingresses) {
    if (!forces(ingress)) keys.push_back(key);  // One that forces gives the others their ports.
  }
  for (const ObjectKey& key : keys) check_isolation(world, t, key);
  return 0;
}
