// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// What the owner of an object should know: becomes an Event, a log line and a metric by reason.
struct Notice {
  enum class Kind { kIngress, kSluiceConfig };
  ObjectKey object;
  std::string reason;   ///< "Conflict", in CamelCase as Events have it.
  std::string message;  ///< A sentence.
  bool warning = true;
  Kind kind = Kind::kIngress;
  friend auto operator<=>(const Notice&, const Notice&) = default;
};

/// Notices, each once.
class Notices {
 public:
  void warn(const ObjectKey& ingress, std::string reason, std::string message) {
    all_.push_back({ingress, std::move(reason), std::move(message), true});
  }
  void warn_of_parameters(const ObjectKey& config, std::string reason, std::string message) {
    all_.push_back({config, std::move(reason), std::move(message), true, Notice::Kind::kSluiceConfig});
  }
  void add(std::vector<Notice> notices) {
    all_.insert(all_.end(), std::make_move_iterator(notices.begin()), std::make_move_iterator(notices.end()));
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
