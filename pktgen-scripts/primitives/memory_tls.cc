// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/primitives/memory_tls.h"

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <utility>

#include "dataplane/port/pool.h"
#include "l7/tls/certificate.h"

namespace sluice::primitives {

using l7::tls::SslCtxPtr;

BufPool& start_buffers() {
  static port::Pool data, refs;
  static BufPool pool = [] {
    std::string args[] = {"sluice-primitives", "--no-huge", "--no-shconf", "--no-pci",
                          "--no-telemetry",    "-m",        "128",         "--lcores=0",
                          "--log-level=error"};
    char* argv[std::size(args) + 1] = {};
    for (std::size_t i = 0; i < std::size(args); ++i) argv[i] = args[i].data();
    if (rte_eal_init(static_cast<int>(std::size(args)), argv) < 0) throw Failure("DPDK's EAL does not start");
    data = port::make_pool("data", 8191, RTE_MBUF_DEFAULT_BUF_SIZE, true);
    refs = port::make_pool("refs", 8191, 0, true);
    if (data == nullptr || refs == nullptr) throw Failure("no memory for packet buffers");
    return BufPool(data.get(), refs.get());
  }();
  return pool;
}

BufChain chain_of(std::string_view bytes, BufPool& pool, std::size_t segment) {
  BufChain out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(segment, bytes.size()))) {
    Buf b = pool.alloc();
    if (!b) throw Failure("out of packet buffers");
    const std::string_view part = bytes.substr(0, segment);
    std::memcpy(b.append(part.size()), part.data(), part.size());
    out.push_back(std::move(b));
  }
  return out;
}

// ---- Client ----

SslCtxPtr client_context() {
  SslCtxPtr c(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(c.get(), TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(c.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  return c;
}

Client::Client(SSL_CTX* context, SSL_SESSION* session) : ssl_(SSL_new(context)) {
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
  if (session != nullptr) SSL_set_session(ssl_.get(), session);
}

bool Client::step(std::string_view in) {
  if (!in.empty()) BIO_write(SSL_get_rbio(ssl_.get()), in.data(), static_cast<int>(in.size()));
  const int r = SSL_do_handshake(ssl_.get());
  if (r != 1 && SSL_get_error(ssl_.get(), r) != SSL_ERROR_WANT_READ) {
    throw Failure("client: " + l7::tls::take_error_text("handshake failed"));
  }
  return r == 1;
}

std::string Client::take_output() {
  BIO* out = SSL_get_wbio(ssl_.get());
  std::string bytes(BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

void Client::write(std::string_view plain) {
  std::size_t written = 0;
  if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1 || written != plain.size()) {
    throw Failure("client: " + l7::tls::take_error_text("write failed"));
  }
}

std::string Client::read(std::string_view in) {
  if (!in.empty()) BIO_write(SSL_get_rbio(ssl_.get()), in.data(), static_cast<int>(in.size()));
  std::string out;
  char part[16384];
  std::size_t n = 0;
  while (SSL_read_ex(ssl_.get(), part, sizeof part, &n) == 1) out.append(part, n);
  if (SSL_get_error(ssl_.get(), 0) != SSL_ERROR_WANT_READ) {
    throw Failure("client: " + l7::tls::take_error_text("bad record"));
  }
  return out;
}

// ---- Appliance ----

Appliance::Appliance(std::string_view chain_pem, std::string_view key_pem, BufPool& pool)
    : layer_(WorkerId{0}, pool, timers_, 16) {
  l7::tls::ServerConfig config;
  if (!chain_pem.empty()) {
    auto certificate = l7::tls::Certificate::parse(chain_pem, key_pem);
    if (!certificate) throw Failure("certificate: " + certificate.error().message);
    config.default_certificate = std::move(*certificate);
  }
  auto context = l7::tls::ServerContext::create(config, 1);
  if (!context) throw Failure("TLS context: " + context.error().message);
  context_ = std::move(*context);
  auto key = l7::tls::TicketKey::generate();
  if (!key) throw Failure(key.error().message);
  tickets_.push_back(*key);
  layer_.use_ticket_keys(&tickets_);
}

void Appliance::accept() {
  open = false;
  below.events = layer_.accept(below, context_, this, &stream);
  if (below.events == nullptr) throw Failure("no session");
  below.events->on_open(kNow);
}

void Appliance::abort() {
  stream->abort(kNow);
  layer_.flush(kNow);
  stream = nullptr;
  below.sent.clear();
}

std::string Appliance::take_output() {
  std::string out = below.sent.to_string();
  below.sent.clear();
  return out;
}

void Appliance::on_data(BufChain data, Instant now) {
  stream->consumed(data.size(), now);
  received.append(std::move(data));
}

void Appliance::on_closed(l4::CloseReason, Instant) {
  throw Failure("the server ended the connection: " + std::string(stream->last_error()));
}

}  // namespace sluice::primitives
