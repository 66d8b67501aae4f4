// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {

std::string take_error_text(const char* fallback) {
  // The oldest entry is where it went wrong; what follows are the callers that passed it on.
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return fallback;
  if (const char* reason = ERR_reason_error_string(code); reason != nullptr) return reason;
  char text[160];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

}  // namespace sluice::l7::tls
