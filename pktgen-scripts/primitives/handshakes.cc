// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iterator>

#include "pktgen-scripts/primitives/memory_tls.h"

namespace sluice::primitives {
namespace {

using l7::tls::SslCtxPtr;
using l7::tls::SslPtr;

std::string file_text(const std::string& path) {
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.empty()) throw Failure("cannot read " + path);
  return text;
}

/// The last ticket of a server, for the next connection to the same one.
class Ticket {
 public:
  explicit Ticket(bool wanted) : wanted_(wanted) {}
  ~Ticket() { SSL_SESSION_free(session_); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  SSL_SESSION* session() const { return session_; }
  void keep(Client& client, std::string_view rest_of_server) {
    if (!wanted_) return;
    client.read(rest_of_server);
    SSL_SESSION_free(session_);
    session_ = client.take_session();
    if (SSL_SESSION_is_resumable(session_) != 1) throw Failure("the server gave no ticket");
  }
  /// The first connection has none to offer.
  void check(const Client& client) const {
    if (client.resumed() != (wanted_ && session_ != nullptr)) throw Failure("a handshake of the wrong kind");
  }

 private:
  bool wanted_;
  SSL_SESSION* session_ = nullptr;
};

/// OpenSSL by itself, with the settings that l7/tls uses where they cost time: ciphers, groups, tickets.
class Library {
 public:
  Library(const std::string& certificate, const std::string& key)
      : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX* c = context_.get();
    if (SSL_CTX_use_certificate_chain_file(c, certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1) {
      throw Failure("library: " + l7::tls::take_error_text("certificate refused"));
    }
    SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
    SSL_CTX_set1_groups_list(c, "X25519:P-256");
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>("p"), 1);
  }

  void connect(SSL_CTX* client_context, Ticket& ticket, Stopwatch& watch) {
    Client client(client_context, ticket.session());
    watch.go();
    SslPtr server(SSL_new(context_.get()));
    SSL_set_bio(server.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(server.get());
    watch.halt();
    std::string to_client;
    for (bool done = false, client_done = false; !done || !client_done;) {
      client_done = client.step(to_client);
      const std::string to_server = client.take_output();
      BIO_write(SSL_get_rbio(server.get()), to_server.data(), static_cast<int>(to_server.size()));
      watch.go();
      const int r = SSL_do_handshake(server.get());
      watch.halt();
      if (r != 1 && SSL_get_error(server.get(), r) != SSL_ERROR_WANT_READ) {
        throw Failure("library: " + l7::tls::take_error_text("handshake failed"));
      }
      done = r == 1;
      to_client.resize(BIO_ctrl_pending(SSL_get_wbio(server.get())));
      if (!to_client.empty()) {
        BIO_read(SSL_get_wbio(server.get()), to_client.data(), static_cast<int>(to_client.size()));
      }
    }
    ticket.check(client);
    ticket.keep(client, to_client);
    watch.go();
    server.reset();
    watch.halt();
  }

 private:
  SslCtxPtr context_;
};

void connect(Appliance& server, BufPool& pool, SSL_CTX* client_context, Ticket& ticket, Stopwatch& watch) {
  Client client(client_context, ticket.session());
  watch.go();
  server.accept();
  watch.halt();
  std::string to_client;
  for (bool client_done = false; !server.open || !client_done;) {
    client_done = client.step(to_client);
    BufChain to_server = chain_of(client.take_output(), pool);
    watch.go();
    if (!to_server.empty()) server.input(std::move(to_server));
    server.flush();
    watch.halt();
    to_client = server.take_output();
  }
  ticket.check(client);
  ticket.keep(client, to_client);
  watch.go();
  server.abort();
  watch.halt();
}

}  // namespace

std::string measure_handshakes(const std::string& certificate, const std::string& key, bool resumed,
                               double seconds) {
  BufPool& pool = start_buffers();
  Appliance appliance(file_text(certificate), file_text(key), pool);
  Library library(certificate, key);
  const SslCtxPtr context = client_context();
  Ticket ours(resumed), theirs(resumed);
  Stopwatch warm_up, own, other;
  connect(appliance, pool, context.get(), ours, warm_up);  // the first is a full one either way
  library.connect(context.get(), theirs, warm_up);
  std::uint64_t n = 0;
  for (; own.seconds() + other.seconds() < seconds; ++n) {  // in turns: what disturbs one disturbs both
    connect(appliance, pool, context.get(), ours, own);
    library.connect(context.get(), theirs, other);
  }
  const double count = static_cast<double>(n);
  return "{\"handshakes\":" + std::to_string(n) + ",\"sluice\":" + std::to_string(count / own.seconds()) +
         ",\"library\":" + std::to_string(count / other.seconds()) + "}";
}

}  // namespace sluice::primitives
