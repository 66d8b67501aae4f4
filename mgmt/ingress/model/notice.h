// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <string>
#include <utility>
#include <vector>

#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// What the owner of an Ingress should know: becomes an Event, a log line and a metric by reason.
struct Notice {
  ObjectKey ingress;
  std::string reason;   ///< "Conflict", in CamelCase as Events have it.
  std::string message;  ///< A sentence.
  bool warning = true;
  friend auto operator<=>(const Notice&, const Notice&) = default;
};

/// Notices of one translation, each once.
class Notices {
 public:
  void warn(const ObjectKey& ingress, std::string reason, std::string message) {
    all_.push_back({ingress, std::move(reason), std::move(message), true});
  }
  std::vector<Notice> take() {
    std::sort(all_.begin(), all_.end());
    all_.erase(std::unique(all_.begin(), all_.end()), all_.end());
    return std::move(all_);
  }

 private:
  std::vector<Notice> all_;
};

}  // namespace sluice::mgmt::ingress
