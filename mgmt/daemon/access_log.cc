// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/access_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

#include "mgmt/daemon/json_text.h"

namespace sluice::mgmt::daemon {
namespace {

/// 499: nginx's number for "client closed request", known to every log reader.
constexpr unsigned kClientClosed = 499;

class Line {
 public:
  explicit Line(std::string& out) : out_(out) { out_ += '{'; }

  template <std::size_t N>
  void text(std::string_view name, const l7::BoundedText<N>& value, bool always = false) {
    if (value.view().empty() && !always) return;
    key(name);
    append_json_string(out_, value.view());
    truncated_ |= value.truncated();
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
  }
  void number(std::string_view name, std::uint64_t value) {
    key(name);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  /// Milliseconds with three decimals; -1 is left out.
  void duration(std::string_view name, std::int64_t ns) {
    if (ns < 0) return;
    key(name);
    fmt::format_to(std::back_inserter(out_), "{}.{:03}", ns / 1000000, ns / 1000 % 1000);
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void end() {
    if (truncated_) boolean("truncated", true);
    out_ += "}\n";
  }

 private:
  void key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  std::string& out_;
  bool first_ = true, truncated_ = false;
};

}  // namespace

void append_access_line(std::string& out, const l7::AccessRecord& r, std::int64_t unix_ms) {
  Line line(out);
  line.text("time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                                fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000));
  line.text("client", r.client.to_string());
  line.text("vip", r.vip.to_string());
  line.text("listener", r.listener);
  line.text("rule", r.rule);
  line.text("server_group", r.group);
  if (r.passthrough) {
    line.boolean("passthrough", true);
    line.text("server_name", r.host, true);
  } else {
    line.text("method", r.method, true);
    line.text("host", r.host, true);
    line.text("path", r.path, true);
    line.number("status", r.status == 0 ? kClientClosed : r.status);
  }
  line.number("request_bytes", r.request_bytes);
  line.number("response_bytes", r.response_bytes);
  line.duration("duration_ms", r.duration_ns);
  if (r.upstream.port != 0) line.text("upstream", r.upstream.to_string());
  line.number("upstream_attempts", r.upstream_attempts);
  line.duration("upstream_connect_ms", r.upstream_connect_ns);
  line.duration("upstream_response_ms", r.upstream_response_ns);
  line.boolean("tls", r.tls);
  line.text("tls_version", r.tls_version);
  line.text("request_id", r.request_id);
  line.text("user_agent", r.user_agent);
  line.text("error", r.error);
  line.end();
}

}  // namespace sluice::mgmt::daemon
