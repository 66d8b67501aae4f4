// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/openssl_util.h"

#include <array>
#include <ctime>

#include "dataplane/base/hex.h"

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

std::int64_t unix_time(const ASN1_TIME* t) {
  std::tm tm{};
  return ASN1_TIME_to_tm(t, &tm) == 1 ? static_cast<std::int64_t>(timegm(&tm)) : 0;
}

std::string_view text_of(BIO* bio) {
  char* at = nullptr;
  const long n = BIO_get_mem_data(bio, &at);
  return n > 0 ? std::string_view(at, static_cast<std::size_t>(n)) : std::string_view();
}

std::string name_text(const X509_NAME* name, bool keep_utf8) {
  constexpr unsigned long kEscape = ASN1_STRFLGS_ESC_MSB;
  const BioPtr out(BIO_new(BIO_s_mem()));
  const unsigned long flags = XN_FLAG_RFC2253 & (keep_utf8 ? ~kEscape : ~0ul);
  if (!out || X509_NAME_print_ex(out.get(), name, 0, flags) < 0) return {};
  return std::string(text_of(out.get()));
}

std::string fingerprint(const X509* x) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(x, EVP_sha256(), digest.data(), &size) != 1) return {};
  return to_hex(std::span(digest).first(size));
}

}  // namespace sluice::l7::tls
