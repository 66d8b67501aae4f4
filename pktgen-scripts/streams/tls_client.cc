// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/streams/tls_client.h"

#include <fmt/format.h>

namespace sluice::pktgen {

using l7::tls::take_error_text;

Result<std::unique_ptr<TlsContext>> TlsContext::make(const TlsShape& shape, const std::string& host) {
  std::unique_ptr<TlsContext> out(new TlsContext(shape, host));
  out->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* ctx = out->context_.get();
  if (ctx == nullptr) return Error{"TLS: " + take_error_text("no memory")};
  const int version = shape.version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(ctx, version);
  SSL_CTX_set_max_proto_version(ctx, version);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, nullptr);  // the appliance's certificate is a test's own
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (!shape.suite.empty()) {
    const bool known = version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(ctx, shape.suite.c_str()) == 1
                                                 : SSL_CTX_set_cipher_list(ctx, shape.suite.c_str()) == 1;
    if (!known) return Error{"tls.suite: OpenSSL has no \"" + shape.suite + "\" for TLS " + shape.version};
  }
  if (!shape.group.empty() && SSL_CTX_set1_groups_list(ctx, shape.group.c_str()) != 1) {
    return Error{"tls.group: OpenSSL has no \"" + shape.group + "\""};
  }
  if (shape.resume) {
    SSL_CTX_set_ex_data(ctx, 0, out.get());
    SSL_CTX_sess_set_new_cb(ctx, [](SSL* ssl, SSL_SESSION* session) {
      static_cast<TlsContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0))->keep(SSL_SESSION_dup(session));
      return 0;  // the connection's own stays with it
    });
  }
  ERR_clear_error();
  return out;
}

TlsClient::TlsClient(TlsContext& context, BufPool& buffers)
    : context_(context), queues_{buffers, {}, {}}, ssl_(SSL_new(context.get())) {
  if (ssl_ == nullptr) return;
  BIO* bio = l7::tls::make_chain_bio(queues_).release();
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
  SSL_set_tlsext_host_name(ssl_.get(), context.host().c_str());
  if (context.session() == nullptr) return;
  // A copy: OpenSSL marks the session of a connection that ends badly, and no other would resume it any more.
  const SessionPtr own(SSL_SESSION_dup(context.session()));
  wants_resumed_ = own != nullptr && SSL_set_session(ssl_.get(), own.get()) == 1;
}

TlsClient::Step TlsClient::failed(std::string why) {
  error_ = std::move(why);
  return Step::kFailed;
}

TlsClient::Step TlsClient::handshake() {
  if (ssl_ == nullptr) return failed("no memory");
  const int code = SSL_do_handshake(ssl_.get());
  if (code == 1) {
    if (auto why = unexpected()) return failed(std::move(*why));
    return Step::kDone;
  }
  const int kind = SSL_get_error(ssl_.get(), code);
  if (queues_.out_of_buffers) return failed("out of packet buffers");
  if (kind == SSL_ERROR_WANT_READ) return Step::kMore;
  return failed("handshake: " + take_error_text("failed"));
}

std::optional<std::string> TlsClient::unexpected() const {
  if (wants_resumed_ != resumed()) return "a full handshake instead of a resumed one";
  const std::string& key = context_.shape().key;
  if (key.empty() || resumed()) return std::nullopt;
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  const EVP_PKEY* its = certificate == nullptr ? nullptr : X509_get0_pubkey(certificate);
  const int type = its == nullptr ? 0 : EVP_PKEY_get_base_id(its);
  if (type == (key == "rsa" ? EVP_PKEY_RSA : EVP_PKEY_EC)) return std::nullopt;
  return fmt::format("the certificate's key is {}, the shape expects {}",
                     type == 0 ? "none" : OBJ_nid2sn(type), key);
}

TlsClient::Step TlsClient::read(std::size_t& got) {
  const auto room = context_.scratch();
  if (SSL_read_ex(ssl_.get(), room.data(), room.size(), &got) == 1) return Step::kDone;
  const int kind = SSL_get_error(ssl_.get(), 0);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_ZERO_RETURN) return Step::kMore;
  return failed("reading: " + take_error_text("failed"));
}

bool TlsClient::write(std::span<const std::uint8_t> bytes) {
  std::size_t written = 0;
  if (bytes.empty() || SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1) return true;
  failed(queues_.out_of_buffers ? "out of packet buffers" : "writing: " + take_error_text("failed"));
  return false;
}

}  // namespace sluice::pktgen
