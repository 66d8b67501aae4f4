// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/response.h"

#include <openssl/ocsp.h>
#include <openssl/tls1.h>

#include <array>
#include <ctime>
#include <memory>

#include "dataplane/base/ascii.h"
#include "l7/tls/certificate_handles.h"
#include "l7/tls/trust_store_handles.h"

namespace sluice::mgmt::ocsp {
namespace {

using l7::tls::Certificate;
using l7::tls::Freer;
using l7::tls::StorePtr;
using l7::tls::take_error_text;
using l7::tls::unix_time;
using RequestPtr = std::unique_ptr<OCSP_REQUEST, Freer<OCSP_REQUEST_free>>;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, Freer<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, Freer<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, Freer<OCSP_CERTID_free>>;
using FeaturesPtr = std::unique_ptr<TLS_FEATURE, Freer<TLS_FEATURE_free>>;
struct UrlsFree {
  void operator()(STACK_OF(OPENSSL_STRING) * s) const { X509_email_free(s); }
};
using UrlsPtr = std::unique_ptr<STACK_OF(OPENSSL_STRING), UrlsFree>;

/// Does not own what is in it.
struct SignersFree {
  void operator()(STACK_OF(X509) * s) const { sk_X509_free(s); }
};
using SignersPtr = std::unique_ptr<STACK_OF(X509), SignersFree>;

constexpr std::int64_t kSkew = 300;  ///< Seconds by which a responder's clock may be ahead of ours.
constexpr std::size_t kMaxUrl = 2048;

/// Null: the chain does not hold it.
X509* issuer_of(const Certificate& certificate) {
  const auto& [leaf, chain, key, kind] = certificate.handles();
  X509* found = nullptr;
  for (int i = 0; found == nullptr && i < sk_X509_num(chain.get()); ++i) {
    X509* candidate = sk_X509_value(chain.get(), i);
    if (X509_check_issued(candidate, leaf.get()) != X509_V_OK) continue;
    if (X509_verify(leaf.get(), X509_get0_pubkey(candidate)) == 1) found = candidate;  // of two with one name, the right one
  }
  ERR_clear_error();
  return found;
}

/// By SHA-1, which is what all responders go by (RFC 5019, 2.1.1): it names, and protects nothing.
IdPtr id_of(const Certificate& certificate, const X509* issuer) {
  return IdPtr(OCSP_cert_to_id(EVP_sha1(), certificate.handles().leaf.get(), issuer));
}

bool must_staple(const X509* leaf) {
  const FeaturesPtr features(static_cast<TLS_FEATURE*>(X509_get_ext_d2i(leaf, NID_tlsfeature, nullptr, nullptr)));
  for (int i = 0; features && i < sk_ASN1_INTEGER_num(features.get()); ++i) {
    if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), i)) == TLSEXT_TYPE_status_request) return true;
  }
  return false;
}

bool over_http(const std::string& url) {
  const std::string lower = ascii_lower(url.substr(0, 8));
  return url.size() <= kMaxUrl && (lower.starts_with("http://") || lower.starts_with("https://"));
}

Problem problem(Failure reason, std::string message) { return {reason, std::move(message)}; }

/// The signature, and that its maker is the issuer or bears the issuer's authorisation (RFC 6960, 4.2.2.2). Only the issuer is
/// believed, so nobody else's chain gets anywhere.
bool signed_for(OCSP_BASICRESP* basic, X509* issuer, std::int64_t now) {
  const StorePtr store(X509_STORE_new());
  const SignersPtr signers(sk_X509_new_null());
  if (!store || !signers || sk_X509_push(signers.get(), issuer) == 0) return false;
  if (X509_STORE_add_cert(store.get(), issuer) != 1) return false;
  X509_VERIFY_PARAM* how = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_PARTIAL_CHAIN);  // the issuer may be an intermediate authority
  X509_VERIFY_PARAM_set_time(how, static_cast<std::time_t>(now));
  return OCSP_basic_verify(basic, signers.get(), store.get(), 0) == 1;
}

struct Single {
  int status = V_OCSP_CERTSTATUS_UNKNOWN;
  ASN1_GENERALIZEDTIME *revoked_at = nullptr, *this_update = nullptr, *next_update = nullptr;
};

std::variant<Response, Problem> judge(const Single& single, std::int64_t now) {
  if (single.status == V_OCSP_CERTSTATUS_UNKNOWN)
    return problem(Failure::kUnknown, "the responder does not know the certificate");
  Response out;
  out.revoked = single.status == V_OCSP_CERTSTATUS_REVOKED;
  out.this_update = unix_time(single.this_update);
  if (out.revoked && single.revoked_at != nullptr) out.revoked_at = unix_time(single.revoked_at);
  if (single.next_update == nullptr) return problem(Failure::kNoNextUpdate, "the response has no nextUpdate");
  out.next_update = unix_time(single.next_update);
  if (out.next_update <= out.this_update) return problem(Failure::kMalformed, "nextUpdate is not behind thisUpdate");
  if (out.this_update > now + kSkew)
    return problem(Failure::kNotYetValid, "thisUpdate is " + std::to_string(out.this_update - now) + " s ahead");
  if (out.next_update <= now)
    return problem(Failure::kExpired, "nextUpdate was " + std::to_string(now - out.next_update) + " s ago");
  return out;
}

}  // namespace

std::string_view to_string(Failure f) {
  static constexpr std::array<std::string_view, kFailures> kNames = {
      "connect",   "address_refused",   "http_status",         "too_large",     "malformed", "responder_error",
      "signature", "wrong_certificate", "unknown_certificate", "not_yet_valid", "expired",   "no_next_update",
      "older"};
  return kNames[static_cast<std::size_t>(f)];
}

Facts facts_of(const Certificate& certificate) {
  X509* leaf = certificate.handles().leaf.get();
  Facts out;
  const UrlsPtr urls(X509_get1_ocsp(leaf));
  for (int i = 0; urls && out.url.empty() && i < sk_OPENSSL_STRING_num(urls.get()); ++i) {
    if (std::string url = sk_OPENSSL_STRING_value(urls.get(), i); over_http(url)) out.url = std::move(url);
  }
  out.has_issuer = issuer_of(certificate) != nullptr;
  out.must_staple = must_staple(leaf);
  ERR_clear_error();
  return out;
}

std::string make_request(const Certificate& certificate) {
  const X509* issuer = issuer_of(certificate);
  if (issuer == nullptr) return {};
  const RequestPtr request(OCSP_REQUEST_new());
  IdPtr id = id_of(certificate, issuer);
  if (!request || !id || OCSP_request_add0_id(request.get(), id.get()) == nullptr) return {};
  id.release();
  unsigned char* bytes = nullptr;
  const int n = i2d_OCSP_REQUEST(request.get(), &bytes);
  std::string out(reinterpret_cast<const char*>(bytes), n > 0 ? static_cast<std::size_t>(n) : 0);
  OPENSSL_free(bytes);
  return out;
}

std::variant<Response, Problem> verify(const Certificate& certificate, std::string_view der, std::int64_t now) {
  ERR_clear_error();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (!response || at != end) {
    ERR_clear_error();
    return problem(Failure::kMalformed, "not an OCSP response");
  }
  if (const int status = OCSP_response_status(response.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return problem(Failure::kResponder, std::string("the responder answers ") + OCSP_response_status_str(status));
  const BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (!basic) return problem(Failure::kMalformed, take_error_text("not a basic response"));

  X509* issuer = issuer_of(certificate);
  if (issuer == nullptr) return problem(Failure::kSignature, "the chain does not hold the issuer");
  if (!signed_for(basic.get(), issuer, now)) return problem(Failure::kSignature, take_error_text("signature failure"));
  const IdPtr id = id_of(certificate, issuer);
  Single single;
  int reason = 0;
  if (!id || OCSP_resp_find_status(basic.get(), id.get(), &single.status, &reason, &single.revoked_at, &single.this_update,
                                   &single.next_update) != 1) {
    return problem(Failure::kWrongCertificate, "the response is about other certificates");
  }
  auto out = judge(single, now);
  if (auto* good = std::get_if<Response>(&out)) good->der.assign(der);
  return out;
}

}  // namespace sluice::mgmt::ocsp
