// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_tls/backend_link.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <algorithm>

#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

BioPtr reader(const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

X509Ptr read_x509(BIO* in) { return X509Ptr(PEM_read_bio_X509(in, nullptr, nullptr, nullptr)); }

}  // namespace

Server::Server(const Options& o) : context(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX* c = context.get();
  const BioPtr chain = reader(o.pem.certificate), key_in = reader(o.pem.key);
  const X509Ptr leaf = read_x509(chain.get());
  const PkeyPtr key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(SSL_CTX_use_certificate(c, leaf.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(c, key.get()), 1);
  while (X509* more = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) SSL_CTX_add_extra_chain_cert(c, more);
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(c, o.version);
  SSL_CTX_set_max_proto_version(c, o.version);
  if (o.version == TLS1_3_VERSION && !o.ciphers.empty()) { EXPECT_EQ(SSL_CTX_set_ciphersuites(c, o.ciphers.c_str()), 1); }
  if (o.version == TLS1_2_VERSION && !o.ciphers.empty()) { EXPECT_EQ(SSL_CTX_set_cipher_list(c, o.ciphers.c_str()), 1); }
  SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>("test"), 4);
  if (!o.tickets) {
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  }
  if (!o.clients.empty()) {
    const BioPtr in = reader(o.clients);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c), read_x509(in.get()).get());
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
}

BackendLink::BackendLink(Worker& w, const Server& server, std::shared_ptr<const BackendTls> tls)
    : worker(w), ssl(SSL_new(server.context.get())) {
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl.get());
  tcp.after_delivery = [this] { worker.layer.shake_hands(worker.now); };
  tcp.events = worker.layer.connect(tcp, std::move(tls), &user, &user.stream);
}

BackendLink::~BackendLink() {
  if (!user.ended) user.abort(worker.now);
  retire(ssl.get());
}

bool BackendLink::connect() {
  tcp.events->on_open(worker.now);
  exchange();
  return user.open && server_ready();
}

bool BackendLink::to_server() {
  worker.layer.flush(worker.now);
  worker.layer.shake_hands(worker.now);
  const std::string bytes = tcp.take(segment, worker.now);
  if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl.get()), bytes.data(), static_cast<int>(bytes.size()));
  char room[16384];
  for (;;) {
    ERR_clear_error();
    const int r = SSL_read(ssl.get(), room, sizeof room);  // The handshake, too.
    if (r > 0) {
      received.append(room, static_cast<std::size_t>(r));
      continue;
    }
    const int e = SSL_get_error(ssl.get(), r);
    if (e == SSL_ERROR_ZERO_RETURN) peer_closed = true;
    if (e == SSL_ERROR_SSL && error.empty()) error = take_error_text("?");
    return !bytes.empty();
  }
}

bool BackendLink::to_user() {
  BIO* const out = SSL_get_wbio(ssl.get());
  const std::size_t n = std::min<std::size_t>(BIO_ctrl_pending(out), tcp.window());
  if (n == 0 || tcp.gone()) return false;
  std::string bytes(n, '\0');
  BIO_read(out, bytes.data(), static_cast<int>(n));
  tcp.deliver(bytes, segment, worker.now);
  return true;
}

void BackendLink::exchange() {
  for (int i = 0; i < 100'000; ++i) {
    const bool up = to_server(), down = to_user();
    if (!up && !down) return;
  }
}

void BackendLink::write(std::string_view text) {
  ERR_clear_error();
  ASSERT_EQ(SSL_write(ssl.get(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
}

std::string BackendLink::server_name() const {
  const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

void BackendLink::expect_both_ways(std::size_t n) {
  const std::string up = pattern(n), down = pattern(n + 100);
  const std::size_t was_up = received.size(), was_down = user.received.size();
  user.send(up, worker.now);
  write(down);
  exchange();
  EXPECT_TRUE(received.substr(was_up) == up) << n;
  EXPECT_TRUE(user.received.substr(was_down) == down) << n;
}

std::shared_ptr<const BackendTls> tls_to(const std::string& server_name, const std::string& authority, BackendConfig config) {
  config.verify = !authority.empty();
  if (config.verify) {
    auto trust = TrustStore::parse(authority, "");
    EXPECT_TRUE(trust.ok());
    config.authorities = *trust;
  }
  auto context = BackendContext::create(config, 1);
  EXPECT_TRUE(context.ok()) << (context.ok() ? "" : context.error().message);
  return std::make_shared<const BackendTls>(BackendTls{*context, server_name});
}

}  // namespace sluice::l7::tls::test
