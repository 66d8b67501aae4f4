// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/tls_stream.h"

namespace sluice::l7::tls {

void Stats::visit(MetricSink& sink, std::string_view labels) const {
  sink.counter("sluice_tls_handshakes_total", "Full TLS handshakes completed.", labels, handshakes.get());
  sink.counter("sluice_tls_handshakes_resumed_total", "TLS handshakes that resumed a session.", labels,
               handshakes_resumed.get());
  sink.counter("sluice_tls_tickets_unknown_total",
               "Session tickets offered that no key opens: of another appliance, or of a retired key.", labels,
               tickets_unknown.get());
  sink.counter("sluice_tls_early_data_accepted_total", "TLS connections whose client sent early data (0-RTT) that was taken.",
               labels, early_data_accepted.get());
  sink.counter("sluice_tls_early_data_rejected_total",
               "TLS connections whose client sent early data (0-RTT) in vain, and sends it again.", labels,
               early_data_rejected.get());
  sink.counter("sluice_tls_early_data_replayed_total", "Part of the rejected ones: the ClientHello had come before.", labels,
               early_data_replayed.get());
  sink.counter("sluice_tls_early_data_crowded_out_total", "Part of the rejected ones: there was no room to remember it.", labels,
               early_data_crowded_out.get());
  sink.counter("sluice_tls_early_data_too_soon_total",
               "Part of the rejected ones: within 14 seconds of the start, or the clock was set back.", labels,
               early_data_too_soon.get());
  sink.counter("sluice_tls_ocsp_stapled_total", "TLS handshakes whose client asked for the certificate's status and got it.",
               labels, statuses_stapled.get());
  sink.counter("sluice_tls_ocsp_missing_total",
               "TLS handshakes whose client asked for the certificate's status, of which there was none.", labels,
               statuses_missing.get());
  sink.counter("sluice_tls_handshakes_failed_total", "TLS handshakes that failed.", labels, handshakes_failed.get());
  sink.counter("sluice_tls_handshake_timeouts_total", "TLS handshakes that took too long.", labels,
               handshake_timeouts.get());
  sink.counter("sluice_tls_clients_refused_total",
               "TLS handshakes that failed because the client's certificate was missing or did not verify.", labels,
               peers_refused.get());
  sink.gauge("sluice_tls_handshakes_waiting", "TLS handshakes that wait for their turn.", labels,
             static_cast<double>(handshakes_waiting.get()));
  sink.counter("sluice_tls_handshakes_crowded_out_total", "Connections reset because too many handshakes waited.", labels,
               handshakes_crowded_out.get());
  sink.counter("sluice_tls_handshakes_limited_total", "Connections reset by a listener's handshakes_per_second.", labels,
               handshakes_limited.get());
  sink.counter("sluice_tls_engine_jobs_total", "Pauses of TLS handshakes for an operation of the engine.", labels,
               engine_jobs.get());
  sink.gauge("sluice_tls_engine_jobs_in_flight", "TLS handshakes whose operation the engine has now.", labels,
             static_cast<double>(engine_jobs_in_flight.get()));
  sink.counter("sluice_tls_engine_jobs_finished_total", "Pauses of TLS handshakes that the engine has ended.", labels,
               engine_jobs_finished.get());
  sink.counter("sluice_tls_engine_jobs_held_back_total", "Turns of TLS handshakes put off because of engine_jobs.", labels,
               engine_jobs_held_back.get());
  sink.counter("sluice_tls_engine_failures_total", "Operations that the engine failed, done again in software; handshakes that providers failed.", labels,
               engine_failures.get());
  sink.counter("sluice_tls_engine_stalls_total", "Times that the engine had jobs and finished none for a second.", labels,
               engine_stalls.get());
  sink.gauge("sluice_tls_engine_suspended", "1 while the engine is out of service for failures or a stall.", labels,
             static_cast<double>(engine_suspended.get()));
  sink.counter("sluice_tls_engine_bypassed_total", "TLS handshakes done in software meanwhile.", labels,
               engine_bypassed.get());
  sink.counter("sluice_tls_records_failed_total", "TLS connections ended by a bad record or an alert.", labels,
               records_failed.get());
  sink.counter("sluice_tls_taken_over_total", "TLS connections whose records are the appliance's own.", labels,
               taken_over.get());
  sink.counter("sluice_tls_left_with_openssl_total", "TLS connections whose records stay with OpenSSL, which is slower.",
               labels, left_with_openssl.get());
  sink.counter("sluice_tls_plain_http_total", "Plain HTTP requests sent to a TLS port.", labels, plain_http.get());
  sink.counter("sluice_tls_truncated_total", "TLS connections that the peer closed without close_notify.", labels,
               truncated.get());
  sink.counter("sluice_tls_sessions_refused_total", "TLS connections refused at the bound of sessions.", labels,
               no_session.get());
  sink.gauge("sluice_tls_sessions", "TLS connections open now.", labels, static_cast<double>(sessions.get()));
}

void BackendStats::visit(MetricSink& sink, std::string_view labels) const {
  sink.counter("sluice_upstream_tls_handshakes_total", "Full TLS handshakes completed with backends.", labels, handshakes.get());
  sink.counter("sluice_upstream_tls_handshakes_resumed_total", "TLS handshakes with backends that resumed a session.", labels,
               handshakes_resumed.get());
  sink.counter("sluice_upstream_tls_handshakes_failed_total", "TLS handshakes with backends that failed.", labels,
               handshakes_failed.get());
  sink.counter("sluice_upstream_tls_servers_refused_total",
               "TLS handshakes with backends that failed because the backend's certificate did not verify.", labels,
               peers_refused.get());
  sink.counter("sluice_upstream_tls_records_failed_total", "TLS connections to backends ended by a bad record or an alert.",
               labels, records_failed.get());
  sink.counter("sluice_upstream_tls_taken_over_total", "TLS connections to backends whose records are the appliance's own.",
               labels, taken_over.get());
  sink.counter("sluice_upstream_tls_left_with_openssl_total",
               "TLS connections to backends whose records stay with OpenSSL, which is slower.", labels, left_with_openssl.get());
  sink.counter("sluice_upstream_tls_truncated_total", "TLS connections that a backend closed without close_notify.", labels,
               truncated.get());
  sink.gauge("sluice_upstream_tls_sessions", "TLS connections to backends open now.", labels,
             static_cast<double>(sessions.get()));
}

}  // namespace sluice::l7::tls
