// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/live_appliance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>

#include "mgmt/daemon/version.h"
#include "mgmt/rest/group_status.h"
#include "mgmt/rest/metric_text.h"

namespace sluice::mgmt::daemon {

using rest::metric_label;

LiveAppliance::LiveAppliance(l7::proxy::Shared& shared, const Engine& engine, const RecordWriter& records,
                             const ocsp::Keeper& keeper)
    : shared_(shared), engine_(engine), records_(records), ocsp_(keeper), started_(std::time(nullptr)) {}

std::uint32_t LiveAppliance::workers() const {
  const Runtime* r = runtime_.load(std::memory_order_acquire);
  return r != nullptr ? r->workers() : 0;
}

std::vector<Runtime::PortStatus> LiveAppliance::ports() const {
  const Runtime* r = runtime_.load(std::memory_order_acquire);
  return r != nullptr ? r->ports() : std::vector<Runtime::PortStatus>{};
}

void LiveAppliance::visit(MetricSink& sink) const {
  if (const Runtime* r = runtime_.load(std::memory_order_acquire)) {
    r->visit(sink);
    visit_workers(sink);
  }
  visit_backends(sink);
  visit_meters(sink);
  visit_management(sink);
  visit_process(sink, started_);
}

void LiveAppliance::visit_workers(MetricSink& sink) const {
  const Runtime& runtime = *runtime_.load(std::memory_order_acquire);
  for (std::uint32_t w = 0; w < runtime.workers(); ++w) {
    const auto* app = dynamic_cast<const l7::proxy::ProxyApp*>(&runtime.app(WorkerId{w}));
    if (app == nullptr) continue;
    const std::string labels = metric_label("worker", std::to_string(w));
    app->stats().visit(sink, labels);
    app->tcp_stats().visit(sink, labels);
    app->tls_stats().visit(sink, labels);
    app->backend_tls_stats().visit(sink, labels);
  }
}

TlsEngineState LiveAppliance::tls_engine() const {
  TlsEngineState out;
  out.in_place = shared_.tls_engine == nullptr || shared_.tls_engine->watched();
  const Runtime* runtime = runtime_.load(std::memory_order_acquire);
  for (std::uint32_t w = 0; runtime != nullptr && w < runtime->workers(); ++w) {
    const auto* app = dynamic_cast<const l7::proxy::ProxyApp*>(&runtime->app(WorkerId{w}));
    if (app == nullptr) continue;
    const l7::tls::Stats& s = app->tls_stats();
    ++out.workers;
    out.failures += s.engine_failures.get();
    out.stalls += s.engine_stalls.get();
    out.suspended += s.engine_suspended.get() != 0 ? 1 : 0;
  }
  return out;
}

void LiveAppliance::visit_backends(MetricSink& sink) const {
  using Row = l7::BackendTable::PerWorker;
  const l7::BackendTable& table = shared_.backends;
  const auto config = engine_.current();
  for (const auto& [id, group] : config->server_groups) {
    for (const auto& member : group.members) {
      const std::string name = rest::member_id(member);
      const auto slot = engine_.slot_of(id, name);
      if (!slot) continue;
      const auto total = [&](Counter Row::*counter) {
        std::uint64_t sum = 0;
        for (std::uint32_t w = 0; w < table.workers(); ++w)
          sum += (table.at(*slot, WorkerId{w}).*counter).get();
        return sum;
      };
      const std::string labels = metric_label("server_group", id) + "," + metric_label("member", name);
      sink.gauge("sluice_backend_up", "Whether the member may get requests: 0 after failed health checks.",
                 labels, table.usable(*slot) ? 1 : 0);
      sink.gauge("sluice_backend_requests_active", "Requests in flight.", labels,
                 static_cast<double>(table.active(*slot)));
      sink.counter("sluice_backend_requests_total", "Requests sent to the member.", labels,
                   total(&Row::requests));
      sink.counter("sluice_backend_connections_total", "Connections opened.", labels,
                   total(&Row::connections));
      sink.counter("sluice_backend_connect_failures_total", "Connections that could not be opened.", labels,
                   total(&Row::connect_failures));
      sink.counter("sluice_backend_failures_total",
                   "Requests that ended in 502 or 504 by the member's doing.", labels, total(&Row::failures));
    }
  }
}

void LiveAppliance::visit_meters(MetricSink& sink) const {
  using Row = l7::limits::MeterTable::PerWorker;
  using l7::limits::Refusal;
  const l7::limits::MeterTable& table = shared_.meters;
  const auto total = [&](l7::MeterSlot slot, auto counter) {
    std::uint64_t sum = 0;
    for (std::uint32_t w = 0; w < table.workers(); ++w) sum += std::invoke(counter, table.at(slot, WorkerId{w})).get();
    return sum;
  };
  const auto visit = [&](l7::MeterSlot slot, const std::string& prefix, const std::string& labels,
                         std::initializer_list<Refusal> refusals) {
    sink.gauge(prefix + "_connections_active", "Client connections open.", labels,
               static_cast<double>(table.active(slot)));
    sink.counter(prefix + "_connections_total", "Client connections accepted.", labels,
                 total(slot, &Row::connections));
    for (const Refusal why : refusals) {
      sink.counter(prefix + "_refused_total", "Connections or requests refused by a limit.",
                   labels + "," + metric_label("limit", to_string(why)),
                   total(slot, [&](const Row& r) -> const Counter& { return r.refused[static_cast<std::size_t>(why)]; }));
    }
  };
  const auto config = engine_.current();
  for (const auto& [id, lb] : config->load_balancers) {
    const auto slot = engine_.meter_of_load_balancer(id);
    if (!slot) continue;
    const std::string labels = metric_label("load_balancer", id);
    visit(*slot, "sluice_load_balancer", labels,
          {Refusal::kMaxConnections, Refusal::kConnectionRate, Refusal::kRequestRate});
    sink.counter("sluice_load_balancer_requests_total", "Requests of clients, refused ones included.", labels,
                 total(*slot, &Row::requests));
  }
  for (const auto& [id, listener] : config->listeners) {
    const auto slot = engine_.meter_of_listener(id);
    if (!slot) continue;
    visit(*slot, "sluice_listener", metric_label("listener", id),
          {Refusal::kMaxConnections, Refusal::kSourceRate, Refusal::kHandshakeRate});
  }
}

void LiveAppliance::visit_management(MetricSink& sink) const {
  const auto config = engine_.current();
  sink.gauge("sluice_build_info", "Always 1; the version is the label.", metric_label("version", kVersion),
             1);
  sink.gauge("sluice_config_revision", "Number of the running revision.", "",
             static_cast<double>(engine_.revision()));
  const auto count = [&](std::string_view kind, std::size_t n) {
    sink.gauge("sluice_config_resources", "Configured resources.", metric_label("kind", kind),
               static_cast<double>(n));
  };
  count("load_balancer", config->load_balancers.size());
  count("listener", config->listeners.size());
  count("rule", config->rules.size());
  count("server_group", config->server_groups.size());
  count("certificate", config->certificates.size());
  count("certificate_authority", config->certificate_authorities.size());
  count("tls_policy", config->tls_policies.size());
  sink.counter("sluice_access_log_lines_total", "Lines written to the access log.", "",
               records_.lines_written());
  sink.counter("sluice_access_log_lines_lost_total",
               "Lines that could not be written (disk full, reader gone).", "", records_.lines_lost());
  const std::int64_t now = std::time(nullptr);
  const TicketKeyring::Info tickets = engine_.ticket_keys();
  sink.gauge("sluice_tls_ticket_keys", "Keys that open session tickets, by who made them.",
             metric_label("source", tickets.configured ? "configured" : "generated"), static_cast<double>(tickets.keys.size()));
  sink.gauge("sluice_tls_ticket_key_age_seconds", "Since when the key that seals session tickets is there.", "",
             static_cast<double>(now - tickets.keys.front().since));
  for (const CertificateExpiry& c : engine_.certificate_expiries()) {
    sink.gauge("sluice_certificate_expires_in_seconds",
               "Until the certificate's notAfter; negative afterwards.", metric_label("certificate", c.id),
               static_cast<double>(c.not_after - now));
  }
  for (const CertificateExpiry& c : engine_.revocation_expiries()) {
    sink.gauge("sluice_revocation_list_expires_in_seconds",
               "Until the first nextUpdate of a certificate authority's lists of revoked certificates; negative afterwards.",
               metric_label("certificate_authority", c.id), static_cast<double>(c.not_after - now));
  }
  visit_ocsp(sink, now);
}

void LiveAppliance::visit_ocsp(MetricSink& sink, std::int64_t now) const {
  using ocsp::OcspState;
  for (const auto& [id, status] : ocsp_.all()) {
    if (status.state != OcspState::kStapled && status.state != OcspState::kMissing) continue;
    const std::string labels = metric_label("certificate", id);
    const bool stapled = status.state == OcspState::kStapled;
    sink.gauge("sluice_ocsp_stapled", "Whether a valid OCSP response is there to staple.", labels, stapled ? 1 : 0);
    if (!stapled) continue;
    sink.gauge("sluice_ocsp_response_age_seconds", "Since the thisUpdate of the OCSP response that is stapled.", labels,
               static_cast<double>(now - status.this_update));
    sink.gauge("sluice_ocsp_next_update_in_seconds", "Until the nextUpdate of the OCSP response that is stapled.", labels,
               static_cast<double>(status.next_update - now));
    sink.gauge("sluice_ocsp_certificate_revoked", "Whether the OCSP response that is stapled says so.", labels,
               status.revoked ? 1 : 0);
  }
  const ocsp::Totals totals = ocsp_.totals();
  sink.counter("sluice_ocsp_requests_total", "Requests to OCSP responders.", "", totals.requests);
  for (std::size_t i = 0; i < totals.failures.size(); ++i) {
    sink.counter("sluice_ocsp_failures_total", "Requests to OCSP responders that gave nothing to staple.",
                 metric_label("reason", to_string(static_cast<ocsp::Failure>(i))), totals.failures[i]);
  }
}

void visit_process(MetricSink& sink, std::int64_t started) {
  sink.gauge("process_start_time_seconds", "Unix time of the start.", "", static_cast<double>(started));
  std::uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  const auto page_size = static_cast<double>(::sysconf(_SC_PAGESIZE));
  sink.gauge("process_virtual_memory_bytes", "Virtual memory.", "", static_cast<double>(pages) * page_size);
  sink.gauge("process_resident_memory_bytes", "Resident memory, huge pages not counted.", "",
             static_cast<double>(resident) * page_size);
  std::error_code ec;
  std::size_t files = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", ec);
       !ec && it != std::filesystem::directory_iterator(); it.increment(ec))
    ++files;
  sink.gauge("process_open_fds", "Open file descriptors.", "", static_cast<double>(files));
}

}  // namespace sluice::mgmt::daemon
