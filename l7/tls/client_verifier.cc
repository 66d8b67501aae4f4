// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/client_verifier.h"

#include <openssl/pem.h>

#include "l7/tls/trust_store_handles.h"

namespace sluice::l7::tls {
namespace {

/// A session keeps its verdict (the rules are the same, or it would not be resumed), but a certificate that has
/// expired meanwhile is judged anew.
SSL_TICKET_RETURN look_at_session(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                                  void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const X509* peer = SSL_SESSION_get0_peer(session);
  if (peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

constexpr char kUpperHex[] = "0123456789ABCDEF";

/// RFC 3986, 2.1: all but unreserved characters.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
                       c == '_' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto b = static_cast<unsigned char>(c);
    out += '%';
    out += kUpperHex[b >> 4];
    out += kUpperHex[b & 15];
  }
  return out;
}

std::string escaped_pem(X509* x) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509(out.get(), x) != 1) return {};
  return percent_encoded(text_of(out.get()));
}

}  // namespace

bool ask_for_certificates(SSL_CTX* context, const ClientAuthentication& how) {
  using Mode = ClientAuthentication::Mode;
  if (how.mode == Mode::kOff) return true;
  StorePtr store = make_store(*how.authorities);
  if (!store || SSL_CTX_set0_verify_cert_store(context, store.get()) != 1) return false;
  store.release();
  // The client chooses among its certificates by these (RFC 8446, 4.2.4).
  for (const X509Ptr& x : how.authorities->handles().certificates) {
    if (SSL_CTX_add_client_CA(context, x.get()) != 1) return false;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (how.mode == Mode::kRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_verify_depth(context, how.depth);
  return SSL_CTX_set_session_ticket_cb(context, nullptr, look_at_session, nullptr) == 1;
}

std::unique_ptr<ClientCertificate> client_certificate(const SSL* ssl, bool keep) {
  X509* peer = SSL_get0_peer_certificate(ssl);
  if (peer == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return nullptr;
  auto out = std::make_unique<ClientCertificate>();
  out->subject = name_text(X509_get_subject_name(peer), false);
  out->issuer = name_text(X509_get_issuer_name(peer), false);
  out->fingerprint = fingerprint(peer);
  if (keep) out->escaped_pem = escaped_pem(peer);
  ERR_clear_error();
  return out;
}

bool peer_was_refused(const SSL* ssl) {
  if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0) return false;
  return SSL_get_verify_result(ssl) != X509_V_OK ||
         ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

}  // namespace sluice::l7::tls
