// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {

std::string take_error_text(const char* fallback) {
  // The oldest entry is where it went wrong, what follows are the callers that passed it on; yet libssl says "bad record
  // mac" where the cipher below it says "operation failed".
  unsigned long chosen = 0;
  while (const unsigned long code = ERR_get_error()) {
    const bool better = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_LIB(chosen) != ERR_LIB_SSL;
    if (chosen == 0 || better) chosen = code;
  }
  if (chosen == 0) return fallback;
  if (const char* reason = ERR_reason_error_string(chosen); reason != nullptr) return reason;
  char text[160];
  ERR_error_string_n(chosen, text, sizeof text);
  return text;
}

}  // namespace sluice::l7::tls
