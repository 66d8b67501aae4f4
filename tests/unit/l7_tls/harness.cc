// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_tls/harness.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <algorithm>

namespace sluice::l7::tls::test {

using l4::CloseReason;
using sluice::test::buffers;
using sluice::test::chain_of;

// ---- FakeTcp ----

void FakeTcp::send(BufChain data, Instant) {
  EXPECT_FALSE(gone()) << "send after the end";
  EXPECT_FALSE(fin_sent) << "send after shutdown";
  sent += data.to_string();
  was_full_ |= sent.size() >= bound_out;
}

std::size_t FakeTcp::send_space() const {
  EXPECT_FALSE(gone()) << "send_space after the end";
  return sent.size() < bound_out ? bound_out - sent.size() : 0;
}

void FakeTcp::consumed(std::size_t n, Instant) {
  EXPECT_FALSE(gone()) << "consumed after the end";
  EXPECT_LE(n, unconsumed) << "more consumed than delivered";
  unconsumed -= std::min(n, unconsumed);
}

void FakeTcp::shutdown(Instant) {
  EXPECT_FALSE(gone()) << "shutdown after the end";
  fin_sent = true;
}

void FakeTcp::abort(Instant) {
  EXPECT_FALSE(gone()) << "abort after the end";
  aborted = true;
}

void FakeTcp::deliver(std::string_view bytes, std::size_t segment, Instant now) {
  for (; !bytes.empty() && !gone(); bytes.remove_prefix(std::min(segment, bytes.size()))) {
    const std::string_view part = bytes.substr(0, segment);
    unconsumed += part.size();
    events->on_data(chain_of(part), now);
    if (after_delivery) after_delivery();
  }
}

std::string FakeTcp::take(std::size_t n, Instant now) {
  std::string out = sent.substr(0, n);
  sent.erase(0, out.size());
  if (was_full_ && sent.size() <= bound_out / 2 && !gone()) {
    was_full_ = false;
    events->on_writable(now);
  }
  return out;
}

void FakeTcp::peer_fin(Instant now) {
  if (!gone()) events->on_peer_closed(now);
}

void FakeTcp::close(CloseReason reason, Instant now) {
  if (gone()) return;
  closed = true;
  events->on_closed(reason, now);
}

// ---- User ----

void User::event(const char* name) {
  EXPECT_FALSE(ended) << name << " after the end";
  EXPECT_FALSE(in_call_) << name << " inside a call of the user";
  log.emplace_back(name);
}

void User::on_open(Instant) {
  event("open");
  open = true;
  info = stream->session();
  server_name = info.server_name;
  alpn = info.alpn;
  if (info.client_certificate != nullptr) certificate = *info.client_certificate;
  if (in_open) in_open();
}

void User::on_data(BufChain data, Instant now) {
  EXPECT_FALSE(ended) << "data after the end";
  EXPECT_FALSE(in_call_) << "data inside a call of the user";
  EXPECT_TRUE(open) << "data before open";
  EXPECT_FALSE(peer_closed) << "data after peer_closed";
  EXPECT_FALSE(data.empty());
  received += data.to_string();
  unconsumed += data.size();
  if (auto_consume) consumed(data.size(), now);
  if (in_data) in_data();
}

void User::on_writable(Instant) {
  event("writable");
  if (in_writable) in_writable();
}

void User::on_peer_closed(Instant) {
  EXPECT_FALSE(peer_closed) << "peer_closed twice";
  event("peer_closed");
  peer_closed = true;
  if (in_peer_closed) in_peer_closed();
}

void User::on_closed(CloseReason reason, Instant) {
  event("closed");
  closed = reason;
  error = stream->last_error();
  if (in_closed) in_closed();
  ended = true;
}

void User::send(std::string_view text, Instant now) {
  in_call_ = true;
  stream->send(chain_of(text), now);
  in_call_ = false;
}

void User::consumed(std::size_t n, Instant now) {
  unconsumed -= n;
  in_call_ = true;
  stream->consumed(n, now);
  in_call_ = false;
}

void User::shutdown(Instant now) {
  in_call_ = true;
  stream->shutdown(now);
  in_call_ = false;
}

void User::abort(Instant now) {
  in_call_ = true;
  ended = true;
  stream->abort(now);
  in_call_ = false;
}

// ---- Client ----

namespace {

int client_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<Client*>(SSL_get_ex_data(ssl, client_index()))->sessions.push_back(session);
  return 1;
}

void show(SSL_CTX* context, const std::string& chain_pem, const std::string& key_pem) {
  const auto reader = [](const std::string& pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); };
  const BioPtr chain = reader(chain_pem), key_in = reader(key_pem);
  const X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  const PkeyPtr key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr));
  ASSERT_EQ(SSL_CTX_use_certificate(context, leaf.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
  while (X509* more = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) SSL_CTX_add_extra_chain_cert(context, more);
  ERR_clear_error();
}

}  // namespace

Client::Client(const Options& o) : context(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), keep_session);
  SSL_CTX_set_min_proto_version(context.get(), o.min_version);
  SSL_CTX_set_max_proto_version(context.get(), o.max_version);
  if (!o.certificate.empty()) show(context.get(), o.certificate, o.key);
  ssl.reset(SSL_new(context.get()));
  SSL_set_ex_data(ssl.get(), client_index(), this);
  if (!o.server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), o.server_name.c_str());
  if (!o.sigalgs.empty()) { EXPECT_EQ(SSL_set1_sigalgs_list(ssl.get(), o.sigalgs.c_str()), 1); }
  if (!o.groups.empty()) { EXPECT_EQ(SSL_set1_groups_list(ssl.get(), o.groups.c_str()), 1); }
  if (!o.ciphers.empty()) { EXPECT_EQ(SSL_set_cipher_list(ssl.get(), o.ciphers.c_str()), 1); }
  if (!o.ciphersuites.empty()) { EXPECT_EQ(SSL_set_ciphersuites(ssl.get(), o.ciphersuites.c_str()), 1); }
  if (!o.alpn.empty()) {
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(o.alpn.data()),
                        static_cast<unsigned>(o.alpn.size()));
  }
  if (o.asks_status) SSL_set_tlsext_status_type(ssl.get(), TLSEXT_STATUSTYPE_ocsp);
  if (o.session != nullptr) SSL_set_session(ssl.get(), o.session);
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl.get());
}

Client::~Client() {
  for (SSL_SESSION* s : sessions) SSL_SESSION_free(s);
}

bool Client::handshake() {
  ERR_clear_error();
  const int r = SSL_do_handshake(ssl.get());
  if (r == 1) return true;
  if (SSL_get_error(ssl.get(), r) != SSL_ERROR_WANT_READ) {
    failed = true;
    if (error.empty()) error = take_error_text("?");
  }
  return false;
}

void Client::input(std::string_view bytes) {
  BIO_write(SSL_get_rbio(ssl.get()), bytes.data(), static_cast<int>(bytes.size()));
}

std::string Client::output() {
  std::string out(BIO_ctrl_pending(SSL_get_wbio(ssl.get())), '\0');
  if (!out.empty()) BIO_read(SSL_get_wbio(ssl.get()), out.data(), static_cast<int>(out.size()));
  return out;
}

void Client::write(std::string_view text) {
  ERR_clear_error();
  ASSERT_EQ(SSL_write(ssl.get(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
}

void Client::write_early(std::string_view text) {
  ERR_clear_error();
  std::size_t written = 0;
  ASSERT_EQ(SSL_write_early_data(ssl.get(), text.data(), text.size(), &written), 1) << take_error_text("?");
  ASSERT_EQ(written, text.size());
}

void Client::read() {
  char room[16384];
  for (;;) {
    ERR_clear_error();
    const int r = SSL_read(ssl.get(), room, sizeof room);
    if (r > 0) {
      received.append(room, static_cast<std::size_t>(r));
      continue;
    }
    const int e = SSL_get_error(ssl.get(), r);
    if (e == SSL_ERROR_ZERO_RETURN) peer_closed = true;
    if (e == SSL_ERROR_SSL) {
      failed = true;
      if (error.empty()) error = take_error_text("?");
    }
    return;
  }
}

// ---- Pair ----

const TicketKeys& some_ticket_keys() {
  static const TicketKeys keys = {*TicketKey::generate()};
  return keys;
}

Pair::Pair(std::shared_ptr<const ServerContext> context, Options o)
    : client(o.client),
      layer(std::make_unique<TlsLayer>(WorkerId{o.worker}, buffers(), timers, o.max_sessions, nullptr, nullptr, o.replays)),
      segment(o.segment) {
  layer->use_ticket_keys(o.tickets);
  layer->use_staples(o.staples);
  tcp.after_delivery = [this] { layer->shake_hands(now); };
  tcp.events = layer->accept(tcp, std::move(context), &user, &user.stream);
  if (tcp.events != nullptr) tcp.events->on_open(now);
}

bool Pair::to_server() {
  client.pending += client.output();
  if (tcp.gone() || client.pending.empty()) return false;
  const std::size_t n = std::min(client.pending.size(), tcp.window());
  const std::string bytes = client.pending.substr(0, n);
  client.pending.erase(0, n);
  tcp.deliver(bytes, segment, now);
  return n > 0;
}

bool Pair::to_client() {
  layer->flush(now);
  layer->shake_hands(now);
  const std::string bytes = tcp.take(segment, now);
  if (!bytes.empty()) client.input(bytes);
  if (!client.failed && (SSL_is_init_finished(client.ssl.get()) || client.handshake())) client.read();
  return !bytes.empty();
}

void Pair::exchange(int rounds) {
  while (rounds-- > 0) {
    const bool up = to_server();
    const bool down = to_client();
    if (!up && !down && client.pending.empty() && BIO_ctrl_pending(SSL_get_wbio(client.ssl.get())) == 0) return;
  }
}

bool Pair::connect() {
  client.handshake();
  exchange();
  return user.open && !client.failed && SSL_is_init_finished(client.ssl.get()) != 0;
}

void Pair::advance(Duration d) {
  now += d;
  timers.advance(now);
  layer->flush(now);
}

std::shared_ptr<const ServerContext> make_context(const ServerConfig& config, std::uint32_t workers) {
  auto r = ServerContext::create(config, workers);
  EXPECT_TRUE(r.ok()) << (r.ok() ? "" : r.error().message);
  return r.ok() ? *r : nullptr;
}

}  // namespace sluice::l7::tls::test
