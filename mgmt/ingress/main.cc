// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <sys/random.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "mgmt/daemon/version.h"
#include "mgmt/ingress/controller.h"
#include "mgmt/ingress/dry_run.h"
#include "mgmt/ingress/k8s/credentials.h"
#include "mgmt/ingress/log.h"
#include "mgmt/ingress/metrics_server.h"
#include "mgmt/ingress/model/named_appliances.h"

namespace {

using namespace sluice::mgmt::ingress;

std::atomic<bool> stop_asked{false};

void on_signal(int) { stop_asked = true; }

struct Arguments {
  Settings settings;
  std::string kubeconfig, context, folder;
  std::vector<std::string> appliances;
  unsigned linger = 10, dns_interval = 30;
  bool once = false, dry_run = false, no_election = false;
};

/// "url=https://10.0.0.2:8443,token-file=/etc/sluice/token,ca-file=/etc/sluice/ca.crt,name=edge-1"
bool read_appliance(const std::string& text, ApplianceSettings& out) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string one = text.substr(at, comma - at);
    at = comma + 1;
    const std::size_t equals = one.find('=');
    const std::string key = one.substr(0, equals), value = equals == one.npos ? "" : one.substr(equals + 1);
    if (key == "url") {
      out.server.url = value;
    } else if (key == "name") {
      out.name = value;
    } else if (key == "token-file") {
      out.server.token_file = value;
    } else if (key == "ca-file") {
      out.server.ca_file = value;
    } else if (key == "insecure") {
      out.server.insecure = true;
    } else {
      return false;
    }
  }
  out.server.url = appliance_url(out.server.url);
  if (out.server.url.empty()) return false;
  if (out.name.empty()) out.name = appliance_name(out.server.url);
  return true;
}

void add_options(CLI::App& cli, Arguments& a) {
  Settings& s = a.settings;
  cli.add_option("--kubeconfig", a.kubeconfig,
                 "How to reach the API server (default: the pod's service account)")
      ->envname("KUBECONFIG");
  cli.add_option("--context", a.context, "Of the kubeconfig, instead of its current one");
  cli.add_option(
         "--appliance", a.appliances,
         "url=https://ADDRESS:PORT,token-file=FILE,ca-file=FILE[,name=NAME]; once for each of the fleet that serves "
         "classes which name none")
      ->take_all()
      ->delimiter('\n');
  cli.add_option("--cluster", s.options.cluster, "Name of this cluster: begins the ids of all that it makes")
      ->capture_default_str();
  cli.add_option("--controller", s.options.controllers, "spec.controller of the classes to serve")
      ->capture_default_str();
  cli.add_flag("--without-class", s.options.without_class, "Serve Ingresses that name no class, too");
  cli.add_flag("--external-names", s.options.external_names,
               "Follow Services of type ExternalName: who may write one decides where the appliance connects to");
  cli.add_option("--dns-interval", a.dns_interval, "Seconds between two questions for the same name")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  cli.add_option("--namespace", s.watch_namespace, "Watch this one only");
  cli.add_option("--linger", a.linger,
                 "Seconds that a server which is gone stays, drained, until it is removed")
      ->capture_default_str();
  cli.add_flag("--no-leader-election", a.no_election, "There is only this controller");
  cli.add_option("--lease-namespace", s.lease_namespace, "Where the Lease of the leader is, and Secrets that classes name without a namespace")
      ->envname("POD_NAMESPACE")
      ->capture_default_str();
  cli.add_option("--lease-name", s.lease_name, "Its name")->capture_default_str();
  cli.add_option("--identity", s.identity,
                 "Who we are, for the Lease (default: host name and a random number)");
  cli.add_option("--listen", s.listen, "Address and port of /metrics, /healthz and /readyz; empty: none")
      ->capture_default_str();
  cli.add_flag("--once", a.once, "With --dry-run");
  cli.add_flag("--dry-run", a.dry_run, "Prints what appliances would hold, and ends");
  cli.add_option("FOLDER", a.folder, "With --dry-run: YAML or JSON files instead of a cluster");
}

std::string default_identity() {
  char host[256] = "sluice-ingress";
  ::gethostname(host, sizeof host - 1);
  std::uint32_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    number = static_cast<std::uint32_t>(::getpid());
  return std::string(host) + "-" + std::to_string(number);
}

int run(const Settings& settings) {
  std::unique_ptr<MetricsServer> metrics;
  if (!settings.listen.empty()) {
    auto opened = MetricsServer::open(settings.listen);
    if (!opened) return std::fprintf(stderr, "%s\n", opened.error().message.c_str()), 1;
    metrics = std::move(opened).value();
  }
  HttpLoop loop;
  Controller controller(loop, settings);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  log_line("info", "start",
           {{"version", sluice::mgmt::daemon::kVersion},
            {"cluster", settings.options.cluster},
            {"identity", settings.identity}});
  if (settings.appliances.empty())
    log_line("info", "start", {{"message", "no --appliance: classes are served where their parameters say"}});
  controller.start();
  auto next_update = HttpLoop::Clock::now();
  while (!stop_asked) {
    if (metrics && HttpLoop::Clock::now() >= next_update) {
      metrics->update(controller.metrics(), controller.ready());
      next_update = HttpLoop::Clock::now() + std::chrono::milliseconds(200);
    }
    loop.poll(std::chrono::milliseconds(250));
  }
  bool done = false;
  controller.stop([&done] { done = true; });
  const auto end = HttpLoop::Clock::now() + std::chrono::seconds(4);
  while (!done && HttpLoop::Clock::now() < end) loop.poll(std::chrono::milliseconds(50));
  log_line("info", "stop");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("sluice-ingress: keeps Sluice appliances in the state that a cluster's Ingresses ask for");
  Arguments a;
  add_options(cli, a);
  cli.set_version_flag("--version", std::string("sluice-ingress ") + sluice::mgmt::daemon::kVersion);
  CLI11_PARSE(cli, argc, argv);
  Settings& s = a.settings;
  s.linger = std::chrono::seconds(a.linger);
  s.dns_interval = std::chrono::seconds(a.dns_interval);
  s.leader_election = !a.no_election;
  if (s.identity.empty()) s.identity = default_identity();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  for (const std::string& text : a.appliances) {
    ApplianceSettings& one = s.appliances.emplace_back();
    auto& urls = s.options.appliances;
    if (!read_appliance(text, one) || std::find(urls.begin(), urls.end(), one.server.url) != urls.end()) {
      std::fprintf(stderr,
                   "--appliance \"%s\": expected url=https://ADDRESS:PORT,token-file=FILE,ca-file=FILE, each url once\n",
                   text.c_str());
      return 2;
    }
    urls.push_back(one.server.url);
  }
  s.options.own_namespace = s.lease_namespace;
  if (a.once && !a.dry_run) return std::fprintf(stderr, "--once goes with --dry-run\n"), 2;
  if (a.dry_run && !a.folder.empty()) return dry_run(s, a.folder);

  auto server = a.kubeconfig.empty() ? server_in_cluster() : server_from_kubeconfig(a.kubeconfig, a.context);
  if (!server) return std::fprintf(stderr, "%s\n", server.error().message.c_str()), 2;
  s.api_server = std::move(server).value();
  if (a.dry_run) return dry_run(s, "");
  const int status = run(s);
  curl_global_cleanup();
  return status;
}
