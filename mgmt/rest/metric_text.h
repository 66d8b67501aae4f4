// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/base/counter.h"

namespace sluice::mgmt::rest {

/// Collects what visit() functions name, grouped by metric: the text format wants all samples of a name
/// together, and each worker is visited on its own.
class MetricCollector : public MetricSink {
 public:
  struct Sample {
    std::string labels;  ///< `worker="0",reason="no_route"`
    std::string value;
  };
  struct Family {
    std::string name, help;
    bool is_counter = false;
    std::vector<Sample> samples;
  };

  void counter(std::string_view name, std::string_view help, std::string_view labels,
               std::uint64_t value) override;
  void gauge(std::string_view name, std::string_view help, std::string_view labels, double value) override;

  const std::vector<Family>& families() const { return families_; }
  /// Prometheus text format 0.0.4.
  std::string prometheus() const;

 private:
  Family& family(std::string_view name, std::string_view help, bool is_counter);
  std::vector<Family> families_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// `name="value"` with the value escaped as the text format wants it.
std::string metric_label(std::string_view name, std::string_view value);

}  // namespace sluice::mgmt::rest
