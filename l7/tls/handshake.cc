// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/handshake.h"

#include "l7/tls/client_verifier.h"

namespace sluice::l7::tls {

Handshake::Handshake(SSL_CTX* context, CipherQueues& queues, const TicketSource& tickets, const StapleSource& staples)
    : queues_(queues) {
  SslPtr ssl(SSL_new(context));
  BioPtr bio = make_chain_bio(queues);
  if (ssl == nullptr || bio == nullptr) {
    ERR_clear_error();
    return;
  }
  SSL_set_bio(ssl.get(), bio.get(), bio.get());
  bio.release();  // one reference, held by the SSL for both directions
  SSL_set_accept_state(ssl.get());
  use_tickets(ssl.get(), tickets);
  use_staples(ssl.get(), staples);
  tap_.attach(ssl.get());
  ssl_ = std::move(ssl);
}

Handshake::Result Handshake::step() {
  ERR_clear_error();
  const OSSL_HANDSHAKE_STATE before = SSL_get_state(ssl_.get());
  const int r = SSL_do_handshake(ssl_.get());
  const int error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), r);
  Result out = Result::kFailed;
  if (r == 1) {
    out = Result::kDone;
  } else if (error == SSL_ERROR_WANT_READ) {
    out = Result::kNeedMore;
  } else if (error == SSL_ERROR_WANT_WRITE && queues_.out_of_buffers) {
    out = Result::kNoBuffers;
  } else {
    client_refused_ = client_was_refused(ssl_.get());
    error_ = take_error_text("handshake failed");
    if (const long why = SSL_get_verify_result(ssl_.get()); client_refused_ && why != X509_V_OK)
      error_.append(": ").append(X509_verify_cert_error_string(why));
  }
  stands_still_ = out == Result::kNeedMore && SSL_get_state(ssl_.get()) == before;
  ERR_clear_error();
  return out;
}

SslPtr Handshake::take_ssl() {
  tap_.detach(ssl_.get());
  return std::move(ssl_);
}

SessionInfo describe(const SSL* ssl) {
  SessionInfo out;
  if (ssl == nullptr || SSL_is_init_finished(ssl) == 0) return out;
  out.version = SSL_get_version(ssl);
  out.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr) out.server_name = name;
  const unsigned char* alpn = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &length);
  if (length > 0) out.alpn = {reinterpret_cast<const char*>(alpn), length};
  out.resumed = SSL_session_reused(ssl) == 1;
  out.client_asked = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
  return out;
}

}  // namespace sluice::l7::tls
