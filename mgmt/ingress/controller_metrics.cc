// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "mgmt/ingress/controller.h"

namespace sluice::mgmt::ingress {
namespace {

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::string Controller::metrics() const {
  std::string out;
  const auto head = [&](const char* name, const char* type, const char* help) {
    out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  };
  const auto one = [&](const char* name, const char* type, const char* help, double value) {
    head(name, type, help);
    out += fmt::format("{} {}\n", name, value);
  };
  one("sluice_ingress_leader", "gauge", "Whether this controller writes.",
      leads() ? 1 : 0);
  one("sluice_ingress_ready", "gauge", "Whether cluster and appliances are known.", ready() ? 1 : 0);
  const bool pending = pending_ || !cluster_.secrets_settled();  // Of a Secret so far the name was seen.
  one("sluice_ingress_pending", "gauge", "Whether a leader has seen changes that it has not acted upon yet.",
      pending && leads() ? 1 : 0);
  one("sluice_ingress_reconciles_total", "counter", "Translations of the whole cluster.",
      static_cast<double>(reconciles_));
  one("sluice_ingress_member_updates_total", "counter", "Changes of endpoints that needed no translation.",
      static_cast<double>(member_updates_));
  one("sluice_ingress_reconcile_seconds", "gauge", "Duration of the last one.", last_seconds_);
  one("sluice_ingress_resident_bytes", "gauge", "Resident memory.", static_cast<double>(resident_bytes()));
  one("sluice_ingress_secrets_read_total", "counter", "Secrets read.",
      static_cast<double>(cluster_.secrets_read()));
  one("sluice_ingress_events_sent_total", "counter", "Events recorded.", static_cast<double>(events_.sent()));
  one("sluice_ingress_events_dropped_total", "counter", "Events that could not be recorded.",
      static_cast<double>(events_.dropped()));
  one("sluice_ingress_status_writes_total", "counter", "Status and finalizer updates.",
      static_cast<double>(status_.written()));
  one("sluice_ingress_status_failures_total", "counter", "Those that failed.",
      static_cast<double>(status_.failed()));
  one("sluice_ingress_name_failures_total", "counter", "ExternalNames that the DNS did not answer for.",
      names_ ? static_cast<double>(names_->failures()) : 0);
  one("sluice_ingress_ingresses", "gauge", "Ingresses that are ours.",
      plan_ ? static_cast<double>(plan_->ingresses.size()) : 0);
  head("sluice_ingress_notices", "gauge", "What is wrong with objects now, by reason.");
  for (const auto& [reason, n] : notices_)
    out += fmt::format("sluice_ingress_notices{{reason=\"{}\"}} {}\n", reason, n);
  const auto watch = [&](const char* name, const char* help, auto value) {
    head(name, "counter", help);
    for (const Reflector& r : cluster_.reflectors())
      out += fmt::format("{}{{kind=\"{}\"}} {}\n", name, r.source().name, r.counters().*value);
  };
  head("sluice_ingress_watch_version", "gauge", "The resourceVersion that everything was seen up to.");
  for (const Reflector& r : cluster_.reflectors()) {
    // Meant to be opaque, but a number wherever etcd is behind it.
    if (!r.version().empty() && r.version().find_first_not_of("0123456789") == std::string::npos)
      out += fmt::format("sluice_ingress_watch_version{{kind=\"{}\"}} {}\n", r.source().name, r.version());
  }
  watch("sluice_ingress_lists_total", "Pages of lists asked for.", &Reflector::Counters::lists);
  watch("sluice_ingress_watches_total", "Watches started.", &Reflector::Counters::watches);
  watch("sluice_ingress_watch_events_total", "Events of watches.", &Reflector::Counters::events);
  watch("sluice_ingress_resyncs_total", "Watches that lost their place.", &Reflector::Counters::resyncs);
  watch("sluice_ingress_watch_failures_total", "Lists and watches that failed.",
        &Reflector::Counters::failures);
  const auto appliances = appliances_.all();
  const auto appliance = [&](const char* name, const char* type, const char* help, auto value) {
    head(name, type, help);
    for (const Appliance* a : appliances)
      out += fmt::format("{}{{appliance=\"{}\"}} {}\n", name, a->name(), value(*a));
  };
  appliance("sluice_ingress_appliance_reachable", "gauge", "Whether the last request was answered.",
            [](const Appliance& a) { return a.reachable() ? 1 : 0; });
  appliance("sluice_ingress_appliance_in_sync", "gauge", "Whether it has what is wanted.",
            [](const Appliance& a) { return a.in_sync() ? 1 : 0; });
  appliance("sluice_ingress_appliance_changes_total", "counter", "Changes sent.",
            [](const Appliance& a) { return a.counters().changes; });
  appliance("sluice_ingress_appliance_refusals_total", "counter", "Objects refused.",
            [](const Appliance& a) { return a.counters().refusals; });
  appliance("sluice_ingress_appliance_failures_total", "counter", "Requests that failed.",
            [](const Appliance& a) { return a.counters().failures; });
  return out;
}

}  // namespace sluice::mgmt::ingress
