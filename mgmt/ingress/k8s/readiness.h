// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// Asks an API server whether it has started. Before that it answers 404 for kinds that it has only not read
/// yet.
inline HttpRequest readiness_request() {
  HttpRequest r;
  r.path = "/readyz";
  r.timeout = std::chrono::seconds(10);
  return r;
}

/// Who may not ask (401, 403), or asks a server that knows no such question (404), has to take it as ready.
inline bool is_ready(const HttpResponse& response) {
  return response.good() || response.status == 401 || response.status == 403 || response.status == 404;
}

}  // namespace sluice::mgmt::ingress
