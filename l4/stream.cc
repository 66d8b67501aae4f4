// SPDX-License-Identifier: Apache-2.0
#include "l4/stream.h"

namespace sluice::l4 {

std::string_view to_string(CloseReason r) {
  switch (r) {
    case CloseReason::kNormal:
      return "normal";
    case CloseReason::kPeerReset:
      return "peer_reset";
    case CloseReason::kRefused:
      return "refused";
    case CloseReason::kUnreachable:
      return "unreachable";
    case CloseReason::kTimeout:
      return "timeout";
    case CloseReason::kNoResources:
      return "no_resources";
    case CloseReason::kProtocolError:
      return "protocol_error";
  }
  return "unknown";
}

}  // namespace sluice::l4
