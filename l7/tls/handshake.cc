// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/handshake.h"

#include <openssl/async.h>

#include <array>

#include "l7/tls/client_verifier.h"

namespace sluice::l7::tls {

namespace {

/// SNI, and what the certificate has to say. False: no memory.
bool expect(SSL* ssl, const BackendTls& backend, const IpAddr& address) {
  const std::string& name = backend.server_name;
  if (!name.empty() && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
  if (!backend.context->verifies()) return true;
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return name.empty() ? X509_VERIFY_PARAM_set1_ip(wanted, address.wire(), address.wire_size()) == 1
                      : X509_VERIFY_PARAM_set1_host(wanted, name.data(), name.size()) == 1;
}

/// Software can make a secret of the client's share, or there is none of it yet. OpenSSL ends with internal_error for one of
/// which no secret can be made, too (X25519 of zeros).
bool peers_share_is_good(SSL* ssl) {
  constexpr const char* kSoftware = "provider=default";
  EVP_PKEY *theirs = nullptr, *ours = nullptr;
  if (SSL_get_peer_tmp_key(ssl, &theirs) != 1) return true;
  const PkeyPtr peer(theirs);
  const PkeyCtxPtr fresh(EVP_PKEY_CTX_new_from_pkey(nullptr, theirs, kSoftware));
  if (fresh == nullptr || EVP_PKEY_keygen_init(fresh.get()) != 1 || EVP_PKEY_keygen(fresh.get(), &ours) != 1) return false;
  const PkeyPtr pair(ours);
  const PkeyCtxPtr exchange(EVP_PKEY_CTX_new_from_pkey(nullptr, ours, kSoftware));
  std::array<unsigned char, 1024> secret;
  std::size_t n = secret.size();
  return exchange != nullptr && EVP_PKEY_derive_init(exchange.get()) == 1 && EVP_PKEY_derive_set_peer(exchange.get(), theirs) == 1 &&
         EVP_PKEY_derive(exchange.get(), secret.data(), &n) == 1;
}

}  // namespace

void Handshake::begin(SSL_CTX* context) {
  SslPtr ssl(SSL_new(context));
  BioPtr bio = make_chain_bio(queues_);
  if (ssl == nullptr || bio == nullptr) {
    ERR_clear_error();
    return;
  }
  SSL_set_bio(ssl.get(), bio.get(), bio.get());
  bio.release();  // one reference, held by the SSL for both directions
  tap_.attach(ssl.get());
  if (job_ != nullptr) job_->attach(ssl.get());
  ssl_ = std::move(ssl);
}

Handshake::Handshake(SSL_CTX* context, CipherQueues& queues, const TicketSource& tickets, const StapleSource& staples,
                     std::unique_ptr<AsyncJob> job, const EarlyDataSource* early)
    : queues_(queues), job_(std::move(job)), server_(true) {
  begin(context);
  if (ssl_ == nullptr) return;
  if (early != nullptr) {
    use_early_data(ssl_.get(), *early);
    early_room_ = queues.buffers.alloc();
    reads_early_ = static_cast<bool>(early_room_);  // or else it is refused
  }
  SSL_set_accept_state(ssl_.get());
  use_tickets(ssl_.get(), tickets);
  use_staples(ssl_.get(), staples);
}

Handshake::Handshake(SSL_CTX* context, CipherQueues& queues, const BackendTls& backend, const IpAddr& address,
                     SSL_SESSION* resume)
    : queues_(queues), server_(false) {
  begin(context);
  if (ssl_ == nullptr) return;
  SSL_set_connect_state(ssl_.get());
  if (!expect(ssl_.get(), backend, address) || (resume != nullptr && SSL_set_session(ssl_.get(), resume) != 1)) {
    ERR_clear_error();
    ssl_.reset();
  }
}

/// As SSL_do_handshake.
int Handshake::go_on() {
  if (reads_early_) {
    if (const int r = read_early(); r != 1) return r;
  }
  return SSL_do_handshake(ssl_.get());
}

/// Our part of the handshake up to Finished, and all early data behind the ClientHello. 1: the rest is a handshake as others.
int Handshake::read_early() {
  for (;;) {
    if (!early_room_ || early_room_.tailroom() == 0) {
      if (early_room_) early_.push_back(std::move(early_room_));
      early_room_ = queues_.buffers.alloc();
      starved_ = !early_room_;
      if (starved_) return -1;
    }
    std::size_t got = 0;
    switch (SSL_read_early_data(ssl_.get(), early_room_.data() + early_room_.size(), early_room_.tailroom(), &got)) {
      case SSL_READ_EARLY_DATA_SUCCESS: early_room_.append(got); break;
      case SSL_READ_EARLY_DATA_FINISH:
        reads_early_ = false;
        if (early_room_.size() == 0) early_room_.reset();
        return 1;
      default: return -1;
    }
  }
}

BufChain Handshake::take_early() {
  if (early_room_ && early_room_.size() != 0) early_.push_back(std::move(early_room_));
  return std::move(early_);
}

/// False: paused.
bool Handshake::do_handshake(int& result) {
  const OperationsScope scope(job_ == nullptr ? nullptr : &job_->jobs());
  result = go_on();
  if (job_ == nullptr) return true;
  if (SSL_want_async_job(ssl_.get())) {  // no stack for it
    ERR_clear_error();
    SSL_clear_mode(ssl_.get(), SSL_MODE_ASYNC);
    result = go_on();
  }
  paused_ = SSL_waiting_for_async(ssl_.get()) == 1;
  int status = ASYNC_STATUS_OK;
  if (paused_) job_->jobs().paused(*job_, SSL_get_async_status(ssl_.get(), &status) == 1 && status == ASYNC_STATUS_EAGAIN);
  return !paused_;
}

Handshake::Result Handshake::step() {
  ERR_clear_error();
  const OSSL_HANDSHAKE_STATE before = SSL_get_state(ssl_.get());
  const bool had_finished = tap_.finished_sent();
  int r = 0;
  starved_ = false;
  if (!do_handshake(r)) {
    stands_still_ = false;
    return Result::kPaused;
  }
  const Result out = outcome(r);
  starved_ = out == Result::kNoBuffers;
  if (out == Result::kNeedMore && !early_accepted_ && SSL_get_early_data_status(ssl_.get()) == SSL_EARLY_DATA_ACCEPTED) {
    early_accepted_ = true;  // it reads on only when all that it had to send is sent
    SSL_clear_mode(ssl_.get(), SSL_MODE_ASYNC);
  }
  if (job_ != nullptr && !job_->jobs().watched()) tell_of_providers(!had_finished, out);
  stands_still_ = out == Result::kNeedMore && SSL_get_state(ssl_.get()) == before;
  ERR_clear_error();
  return out;
}

/// Providers do not tell how their operations end: what has come of a full handshake does.
void Handshake::tell_of_providers(bool began_costly, Result r) {
  if (r == Result::kFailed && tap_.internal_error() && peers_share_is_good(ssl_.get())) return job_->jobs().ended(false);
  if (began_costly && tap_.finished_sent() && SSL_session_reused(ssl_.get()) == 0) job_->jobs().ended(true);
}

Handshake::Result Handshake::outcome(int returned) {
  if (returned == 1) return Result::kDone;
  if (starved_) return Result::kNoBuffers;
  const int error = SSL_get_error(ssl_.get(), returned);
  if (error == SSL_ERROR_WANT_READ) return Result::kNeedMore;
  if (error == SSL_ERROR_WANT_WRITE && queues_.out_of_buffers) return Result::kNoBuffers;
  peer_refused_ = peer_was_refused(ssl_.get());
  error_ = take_error_text("handshake failed");
  if (const long why = SSL_get_verify_result(ssl_.get()); peer_refused_ && why != X509_V_OK)
    error_.append(": ").append(X509_verify_cert_error_string(why));
  return Result::kFailed;
}

SslPtr Handshake::share_ssl() {
  SSL_up_ref(ssl_.get());
  return SslPtr(ssl_.get());
}

SslPtr Handshake::take_ssl() {
  tap_.detach(ssl_.get());
  SSL_clear_mode(ssl_.get(), SSL_MODE_ASYNC);
  return std::move(ssl_);
}

SessionInfo describe(const SSL* ssl) {
  SessionInfo out;
  if (ssl == nullptr || (SSL_is_init_finished(ssl) == 0 && SSL_get_early_data_status(ssl) != SSL_EARLY_DATA_ACCEPTED)) return out;
  out.version = SSL_get_version(ssl);
  out.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr) out.server_name = name;
  const unsigned char* alpn = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &length);
  if (length > 0) out.alpn = {reinterpret_cast<const char*>(alpn), length};
  out.resumed = SSL_session_reused(ssl) == 1;
  out.client_asked = SSL_is_server(ssl) != 0 && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
  return out;
}

}  // namespace sluice::l7::tls
