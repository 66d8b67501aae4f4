// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/window.h"

namespace sluice::pktgen {

std::string_view to_string(Failure f) {
  switch (f) {
    case Failure::kUnreachable:
      return "unreachable";
    case Failure::kConnect:
      return "connect_timeout";
    case Failure::kRefused:
      return "refused";
    case Failure::kReset:
      return "reset";
    case Failure::kClosedEarly:
      return "closed_early";
    case Failure::kTimeout:
      return "no_answer";
    case Failure::kStatus:
      return "wrong_status";
    case Failure::kHead:
      return "wrong_head";
    case Failure::kBody:
      return "wrong_byte";
    case Failure::kTls:
      return "tls";
    case Failure::kResources:
      return "generator_resources";
    case Failure::kBackend:
      return "backend";
    case Failure::kCount:
      break;
  }
  return "?";
}

}  // namespace sluice::pktgen
