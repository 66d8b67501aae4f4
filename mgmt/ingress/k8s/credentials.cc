// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/credentials.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/model/base64.h"
#include "mgmt/ingress/model/json_access.h"
#include "mgmt/ingress/yaml.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

/// {"name": NAME, KIND: {...}} of a list; null: there is none.
json find_named(const json& document, const char* list, const std::string& name, const char* kind) {
  for (const json& one : document.value(list, json::array())) {
    if (one.is_object() && one.value("name", "") == name) return one.value(kind, json::object());
  }
  return nullptr;
}

struct Reader {
  std::filesystem::path folder;
  std::string problem;

  std::string file(const json& from, const char* name) {
    const std::string path = text(from, name);
    return path.empty() || path.front() == '/' ? path : (folder / path).string();
  }
  std::string data(const json& from, const char* name) {
    const std::string encoded = text(from, name);
    const auto decoded = base64_decode(encoded);
    if (!decoded) problem = std::string(name) + " is no base64";
    return decoded.value_or("");
  }
};

Result<Server> read_kubeconfig(const json& document, const std::filesystem::path& folder,
                               std::string context) {
  if (context.empty()) context = document.value("current-context", "");
  const json chosen = find_named(document, "contexts", context, "context");
  if (!chosen.is_object()) return Error{"there is no context \"" + context + "\""};
  const json cluster = find_named(document, "clusters", chosen.value("cluster", ""), "cluster");
  if (!cluster.is_object()) return Error{"context \"" + context + "\" names a cluster that is not there"};
  json user = find_named(document, "users", chosen.value("user", ""), "user");
  if (!user.is_object()) user = json::object();
  if (user.contains("exec") || user.contains("auth-provider"))
    return Error{"the user of context \"" + context +
                 "\" calls a program for its credentials; give a token or a client certificate"};

  Reader r{folder, {}};
  Server out;
  out.url = text(cluster, "server");
  while (!out.url.empty() && out.url.back() == '/') out.url.pop_back();
  out.ca_file = r.file(cluster, "certificate-authority");
  out.ca_pem = r.data(cluster, "certificate-authority-data");
  out.insecure = cluster.value("insecure-skip-tls-verify", false);
  out.token = text(user, "token");
  out.token_file = r.file(user, "tokenFile");
  out.client_certificate = r.data(user, "client-certificate-data");
  out.client_key = r.data(user, "client-key-data");
  out.client_certificate_file = r.file(user, "client-certificate");
  out.client_key_file = r.file(user, "client-key");
  if (out.url.empty()) return Error{"its cluster has no server"};
  if (!r.problem.empty()) return Error{r.problem};
  return out;
}

}  // namespace

Result<Server> server_from_kubeconfig(const std::string& file, const std::string& context) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{file + ": cannot be read"};
  auto documents = json_from_yaml(std::string(std::istreambuf_iterator<char>(in), {}));
  if (!documents) return Error{file + ": " + documents.error().message};
  if (documents->empty() || !documents->front().is_object()) return Error{file + ": is no kubeconfig"};
  try {
    auto out = read_kubeconfig(documents->front(), std::filesystem::path(file).parent_path(), context);
    if (!out) return Error{file + ": " + out.error().message};
    return out;
  } catch (const json::exception&) {  // a member of another type than asked for
    return Error{file + ": is no kubeconfig"};
  }
}

Result<Server> server_in_cluster() {
  const std::string folder = "/var/run/secrets/kubernetes.io/serviceaccount/";
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || ::access((folder + "token").c_str(), R_OK) != 0)
    return Error{"not in a pod with a service account; give --kubeconfig"};
  Server out;
  const std::string name = host;
  out.url = "https://" + (name.find(':') == name.npos ? name : "[" + name + "]") + ":" + port;
  out.token_file = folder + "token";
  out.ca_file = folder + "ca.crt";
  return out;
}

}  // namespace sluice::mgmt::ingress
