// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "l7/tls/certificate.h"

/// OCSP (RFC 6960) as far as a server needs it that staples: what to ask, and whether to believe the answer. Pure; any thread.
namespace sluice::mgmt::ocsp {

/// Why there is no response to staple. Names are those of the metric's label.
enum class Failure : std::uint8_t {
  kConnect,           ///< No HTTP answer: name, route, refusal, time-out, TLS.
  kAddress,           ///< The responder's address is one that certificates may not send us to.
  kHttpStatus,        ///< Not 200; a redirect is none either.
  kTooLarge,
  kMalformed,         ///< Not an OCSP response, or a contradiction in itself.
  kResponder,         ///< The responder says that it cannot answer (RFC 6960, 2.3).
  kSignature,         ///< Not signed by the issuer, nor by one that the issuer has authorised (4.2.2.2).
  kWrongCertificate,  ///< About others.
  kUnknown,           ///< The responder does not know the certificate.
  kNotYetValid,
  kExpired,
  kNoNextUpdate,      ///< It would never end.
  kOlder,             ///< Than the one that is stapled.
};
inline constexpr std::size_t kFailures = 13;
std::string_view to_string(Failure f);

struct Problem {
  Failure reason = Failure::kConnect;
  std::string message;
};

/// A verified one. Times are Unix seconds.
struct Response {
  std::string der;
  bool revoked = false;
  std::int64_t this_update = 0, next_update = 0;
  std::int64_t revoked_at = 0;
};

/// What a certificate says of its status.
struct Facts {
  std::string url;           ///< The first responder over HTTP that it names (RFC 5280, 4.2.2.1); empty: none.
  bool has_issuer = false;   ///< Its chain holds the certificate of its issuer, without which there is no question and no trust.
  bool must_staple = false;  ///< TLS feature status_request (RFC 7633): clients refuse it without a staple.
};
Facts facts_of(const l7::tls::Certificate& certificate);

/// OCSPRequest, DER, for a certificate with its issuer. No nonce, as RFC 5019 has it: the answers are made for all clients and
/// kept by caches; how old one may be is said by its nextUpdate. Empty: no issuer.
std::string make_request(const l7::tls::Certificate& certificate);

/// Whether these bytes are what the certificate's issuer says of it at `now` (RFC 6960, 3.2). Revoked is an answer too.
std::variant<Response, Problem> verify(const l7::tls::Certificate& certificate, std::string_view der, std::int64_t now);

}  // namespace sluice::mgmt::ocsp
