// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/credentials.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "mgmt/config/names.h"
#include "mgmt/ingress/k8s/exec_credentials.h"
#include "mgmt/ingress/model/base64.h"
#include "mgmt/ingress/model/json_access.h"
#include "mgmt/ingress/yaml.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

/// {"name": NAME, KIND: {...}} of a list; null: there is none.
json find_named(const json& document, const char* list, const std::string& name, const char* kind) {
  for (const json& one : member(document, list)) {
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

using Members = std::set<std::string>;
const Members kFileMembers = {"apiVersion", "kind", "preferences", "clusters", "contexts", "users", "current-context",
                              "extensions"};
const Members kContextMembers = {"cluster", "user", "namespace", "extensions"};
const Members kClusterMembers = {"server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify",
                                 "tls-server-name", "proxy-url", "disable-compression", "extensions"};
const Members kUserMembers = {"token", "tokenFile", "client-certificate", "client-certificate-data", "client-key",
                              "client-key-data", "exec", "extensions"};
const Members kExecMembers = {"apiVersion", "command", "args", "env", "installHint", "provideClusterInfo",
                              "interactiveMode"};

/// Empty: all are known.
std::string unknown_member(const json& object, const Members& known) {
  for (const auto& [name, value] : object.items()) {
    if (!known.contains(name)) return name;
  }
  return {};
}

bool is_proxy(const std::string& url) {
  return url.starts_with("http://") || url.starts_with("https://") || url.starts_with("socks5://");
}

/// KUBERNETES_EXEC_INFO: an ExecCredential that says who asks, and for which cluster when the program wants to know.
std::string exec_info(const json& exec, const json& cluster, const Server& server, const std::string& version) {
  json spec = {{"interactive", false}};
  if (exec.value("provideClusterInfo", false)) {
    json about = {{"server", server.url}};
    for (const char* same : {"tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url",
                             "disable-compression"}) {
      if (cluster.contains(same)) about[same] = cluster[same];
    }
    if (!server.ca_file.empty() && server.ca_pem.empty()) {
      std::ifstream in(server.ca_file, std::ios::binary);
      about["certificate-authority-data"] = base64_encode(std::string(std::istreambuf_iterator<char>(in), {}));
    }
    for (const json& one : member(cluster, "extensions")) {
      if (text(one, "name") == "client.authentication.k8s.io/exec") about["config"] = member(one, "extension");
    }
    spec["cluster"] = std::move(about);
  }
  return json{{"apiVersion", version}, {"kind", "ExecCredential"}, {"spec", spec}}.dump();
}

Result<ExecCredentials::Settings> read_exec(const json& exec, const json& cluster, const Server& server,
                                            const std::filesystem::path& folder) {
  if (!exec.is_object()) return Error{"the exec of its user is no object"};
  if (const std::string other = unknown_member(exec, kExecMembers); !other.empty())
    return Error{"the exec of its user has a member \"" + other + "\", which is not supported"};
  ExecCredentials::Settings out;
  out.api_version = text(exec, "apiVersion");
  const bool v1 = out.api_version == "client.authentication.k8s.io/v1";
  if (!v1 && out.api_version != "client.authentication.k8s.io/v1beta1")
    return Error{"the exec of its user is of \"" + out.api_version +
                 "\"; client.authentication.k8s.io/v1 and v1beta1 are supported"};
  const std::string mode = text(exec, "interactiveMode");
  if (mode == "Always") return Error{"the exec of its user needs a person to talk to (interactiveMode: Always)"};
  if (mode != "Never" && mode != "IfAvailable" && (v1 || !mode.empty()))
    return Error{"the exec of its user must say interactiveMode: Never or IfAvailable"};
  std::string command = text(exec, "command");
  if (command.empty()) return Error{"the exec of its user has no command"};
  // With a slash it is a path, from where the file is; else one of PATH.
  if (command.find('/') != command.npos) command = (folder / command).string();
  out.command.push_back(command);
  for (const json& argument : member(exec, "args")) out.command.push_back(argument.get<std::string>());
  for (const json& one : member(exec, "env")) out.environment[one.at("name").get<std::string>()] = one.at("value").get<std::string>();
  out.install_hint = text(exec, "installHint");
  out.info = exec_info(exec, cluster, server, out.api_version);
  return out;
}

Result<Server> read_kubeconfig(const json& document, const std::filesystem::path& folder,
                               std::string context) {
  if (context.empty()) context = document.value("current-context", "");
  const json chosen = find_named(document, "contexts", context, "context");
  if (!chosen.is_object()) return Error{"there is no context \"" + context + "\""};
  const json cluster = find_named(document, "clusters", chosen.value("cluster", ""), "cluster");
  if (!cluster.is_object()) return Error{"context \"" + context + "\" names a cluster that is not there"};
  const bool anonymous = text(chosen, "user").empty();
  const json user = anonymous ? json::object() : find_named(document, "users", text(chosen, "user"), "user");
  if (!user.is_object()) return Error{"context \"" + context + "\" names a user that is not there"};
  for (const auto& [object, what, known] :
       {std::tuple(&document, "the file", &kFileMembers), std::tuple(&chosen, "its context", &kContextMembers),
        std::tuple(&cluster, "its cluster", &kClusterMembers), std::tuple(&user, "its user", &kUserMembers)}) {
    if (const std::string other = unknown_member(*object, *known); !other.empty())
      return Error{what + (" has a member \"" + other + "\", which is not supported")};
  }

  Reader r{folder, {}};
  Server out;
  out.url = text(cluster, "server");
  while (!out.url.empty() && out.url.back() == '/') out.url.pop_back();
  out.ca_file = r.file(cluster, "certificate-authority");
  out.ca_pem = r.data(cluster, "certificate-authority-data");
  out.insecure = cluster.value("insecure-skip-tls-verify", false);
  out.tls_server_name = text(cluster, "tls-server-name");
  out.proxy_url = text(cluster, "proxy-url");
  out.token = text(user, "token");
  out.token_file = r.file(user, "tokenFile");
  out.client_certificate = r.data(user, "client-certificate-data");
  out.client_key = r.data(user, "client-key-data");
  out.client_certificate_file = r.file(user, "client-certificate");
  out.client_key_file = r.file(user, "client-key");
  if (out.url.empty()) return Error{"its cluster has no server"};
  if (!r.problem.empty()) return Error{r.problem};
  if (!out.tls_server_name.empty() && !config::is_host_name(out.tls_server_name))
    return Error{"its tls-server-name is no host name"};
  if (!out.proxy_url.empty() && !is_proxy(out.proxy_url))
    return Error{"its proxy-url must begin with http://, https:// or socks5://"};
  if (!user.contains("exec")) return out;
  auto settings = read_exec(user["exec"], cluster, out, folder);
  if (!settings) return settings.error();
  out.credentials = std::make_shared<ExecCredentials>(std::move(settings).value());
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
