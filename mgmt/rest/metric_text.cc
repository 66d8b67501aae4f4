// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/metric_text.h"

#include <fmt/format.h>

#include <cmath>

namespace sluice::mgmt::rest {
namespace {

std::string number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  if (v != 0 && std::abs(v) < 1e-4) return fmt::format("{:.12f}", v);  // no exponents for the reader's eye
  return fmt::format("{}", v);
}

std::string escape(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

MetricCollector::Family& MetricCollector::family(std::string_view name, std::string_view help,
                                                 bool is_counter) {
  const auto [it, fresh] = index_.try_emplace(std::string(name), families_.size());
  if (fresh) families_.push_back({std::string(name), std::string(help), is_counter, {}});
  return families_[it->second];
}

void MetricCollector::counter(std::string_view name, std::string_view help, std::string_view labels,
                              std::uint64_t value) {
  family(name, help, true).samples.push_back({std::string(labels), fmt::format("{}", value)});
}

void MetricCollector::gauge(std::string_view name, std::string_view help, std::string_view labels,
                            double value) {
  family(name, help, false).samples.push_back({std::string(labels), number(value)});
}

std::string MetricCollector::prometheus() const {
  std::string out;
  for (const Family& f : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", f.name, escape(f.help, false), f.name,
                       f.is_counter ? "counter" : "gauge");
    for (const Sample& s : f.samples) {
      out += f.name;
      if (!s.labels.empty()) out += '{' + s.labels + '}';
      out += ' ' + s.value + '\n';
    }
  }
  return out;
}

std::string metric_label(std::string_view name, std::string_view value) {
  return fmt::format("{}=\"{}\"", name, escape(value, true));
}

}  // namespace sluice::mgmt::rest
