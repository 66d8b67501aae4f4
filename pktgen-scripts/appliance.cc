// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/appliance.h"

#include <curl/curl.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string_view>

namespace sluice::pktgen {
namespace {

struct CurlFree {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
};
struct HeadersFree {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};

std::size_t append(char* data, std::size_t size, std::size_t count, void* to) {
  static_cast<std::string*>(to)->append(data, size * count);
  return size * count;
}

}  // namespace

ApplianceCounters ApplianceCounters::since(const ApplianceCounters& b) const {
  return {busy_seconds - b.busy_seconds,
          busy_cycles - b.busy_cycles,
          packets - b.packets,
          connections - b.connections,
          requests - b.requests,
          handshakes - b.handshakes,
          drops - b.drops,
          received - b.received};
}

Result<Appliance> Appliance::at(const std::string& url, const std::string& token_file) {
  Appliance out;
  out.url_ = url;
  if (token_file.empty()) return out;
  std::ifstream in(token_file);
  // The last word: a file of ours has "name role token".
  for (std::string word; in >> word;) out.token_ = word;
  if (out.token_.empty()) return Error{"token file " + token_file + ": cannot be read, or is empty"};
  return out;
}

Result<ApplianceCounters> Appliance::read() const {
  const std::unique_ptr<CURL, CurlFree> curl(curl_easy_init());
  if (!curl) return Error{"libcurl does not start"};
  std::string body;
  const std::string url = url_ + "/metrics";
  std::unique_ptr<curl_slist, HeadersFree> headers;
  if (!token_.empty()) headers.reset(curl_slist_append(nullptr, ("Authorization: Bearer " + token_).c_str()));
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 10L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) return Error{"appliance " + url + ": " + curl_easy_strerror(code)};
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return Error{"appliance " + url + ": status " + std::to_string(status)};
  auto counters = parse_counters(body);
  if (!counters) return Error{"appliance " + url + ": " + counters.error().message};
  return counters;
}

Result<std::optional<ApplianceCounters>> counters_of(const std::optional<Appliance>& appliance) {
  if (!appliance) return std::optional<ApplianceCounters>();
  const auto now = appliance->read();
  if (!now) return now.error();
  return std::optional(*now);
}

Result<std::optional<ApplianceCounters>> spent_since(const std::optional<Appliance>& appliance,
                                                     const std::optional<ApplianceCounters>& before) {
  auto now = counters_of(appliance);
  if (now && *now) **now = (*now)->since(*before);
  return now;
}

Result<ApplianceCounters> parse_counters(const std::string& text) {
  std::map<std::string_view, double> sums;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == std::string_view::npos) continue;
    sums[line.substr(0, line.find_first_of("{ "))] +=
        std::strtod(std::string(line.substr(space + 1)).c_str(), nullptr);
  }
  if (!sums.contains("sluice_worker_busy_cycles_total")) return Error{"these are no metrics of a sluiced"};
  const auto count = [&](std::string_view name) { return static_cast<std::uint64_t>(sums[name]); };
  ApplianceCounters out;
  out.busy_seconds = sums["sluice_worker_busy_seconds"];
  out.busy_cycles = count("sluice_worker_busy_cycles_total");
  out.packets = count("sluice_worker_rx_packets_total") + count("sluice_worker_tx_packets_total");
  out.connections = count("sluice_http_connections_total");
  out.requests = count("sluice_http_requests_total");
  out.handshakes = count("sluice_tls_handshakes_total") + count("sluice_tls_handshakes_resumed_total");
  out.received = count("sluice_worker_rx_packets_total");
  out.drops = count("sluice_drops_total");
  return out;
}

}  // namespace sluice::pktgen
