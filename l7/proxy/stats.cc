// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "l7/proxy/proxy_app.h"

namespace sluice::l7::proxy {

void Stats::visit(MetricSink& sink, std::string_view labels) const {
  sink.counter("sluice_http_connections_total", "Client connections accepted.", labels, connections.get());
  sink.gauge("sluice_http_connections_active", "Client connections open.", labels,
             static_cast<double>(connections_active.get()));
  sink.counter("sluice_http_requests_total", "Requests begun, bad ones included.", labels, requests.get());
  sink.gauge("sluice_http_requests_active", "Requests in flight.", labels,
             static_cast<double>(requests_active.get()));
  static constexpr std::array<std::string_view, 6> kClasses = {"client_closed", "1xx", "2xx",
                                                               "3xx",           "4xx", "5xx"};
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    std::string with_class(labels);
    if (!with_class.empty()) with_class += ',';
    with_class.append("class=\"").append(kClasses[i]).append("\"");
    sink.counter("sluice_http_responses_total", "Requests ended, by class of the status sent.", with_class,
                 responses[i].get());
  }
  sink.counter("sluice_http_bad_requests_total", "Requests refused as malformed.", labels,
               bad_requests.get());
  sink.counter("sluice_http_early_requests_total", "Requests served as TLS early data (0-RTT).", labels,
               early_requests.get());
  sink.counter("sluice_http_upstream_connects_total", "Backend connections opened.", labels,
               upstream_connects.get());
  sink.counter("sluice_http_upstream_connect_failures_total", "Backend connections that could not be opened.",
               labels, upstream_connect_failures.get());
  sink.counter("sluice_http_upstream_reused_total", "Requests sent over a kept-alive backend connection.",
               labels, upstream_reused.get());
  sink.counter("sluice_http_upstream_retries_total", "Requests sent once more.", labels,
               upstream_retries.get());
  sink.counter("sluice_http_upstream_timeouts_total", "Requests for which a backend took too long.", labels,
               upstream_timeouts.get());
  sink.counter("sluice_http_upstream_bad_responses_total", "Responses that were malformed or cut.", labels,
               upstream_bad_responses.get());
  sink.counter("sluice_http_no_route_total", "Requests that no rule matched.", labels, no_route.get());
  sink.counter("sluice_http_no_backend_total", "Requests whose group had no usable member.", labels,
               no_backend.get());
  sink.counter("sluice_passthrough_connections_total", "TLS connections to be passed on unread.", labels, passthrough.get());
  sink.counter("sluice_passthrough_refused_total", "Those that were not: bad hello, no rule, no backend.", labels,
               passthrough_refused.get());
  sink.counter("sluice_http_access_log_dropped_total", "Access records lost because the ring was full.",
               labels, access_log_dropped.get());
  sink.counter("sluice_http_received_bytes_total", "Bytes from clients, plaintext.", labels, bytes_in.get());
  sink.counter("sluice_http_sent_bytes_total", "Bytes to clients, plaintext.", labels, bytes_out.get());
}

}  // namespace sluice::l7::proxy
